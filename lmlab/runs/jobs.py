"""Fine-tuning in the background: each run in a process of its own, so many at a time, the others in
a queue. A run that dies takes nothing else with it, and leaves its memory.
"""

import atexit
import logging
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace

import psutil

from lmlab.errors import InputError, LabError, disk_error
from lmlab.runs import processes
from lmlab.runs.model_store import ModelStore
from lmlab.runs.processes import GRACE, HELD, LATE, MOST_BESIDES, End, Running
from lmlab.runs.store import RunFolder, RunInfo
from lmlab.runs.waiting import GONE, Ends, Page, Waiting, created, is_left
from lmlab.settings import Settings
from lmlab.training.events import TrainEvent

log = logging.getLogger("lmlab")
GOING = ("queued", "running")  # states of a run that is not over
TICK = 0.15


class Jobs:
    """The queue of one lab. Safe for many threads.

    Args:
        start: starts a run in some other way than as a process of its own; None leaves it to one.
        late: seconds past its limit that a run's process may take before it is made to end.
    """

    def __init__(
        self,
        settings: Settings,
        start: "Callable[[RunFolder], Running | None] | None" = None,
        late: float = LATE,
    ) -> None:
        self._settings = settings
        self._start = start
        self._lock = threading.RLock()
        self._queue = Waiting(settings.max_queue)
        self._running: dict[str, Running] = {}
        self._orphans: dict[str, RunFolder] = {}
        self._ends = Ends()
        self._spare: subprocess.Popen[str] | None = None
        self._closed = False
        self._page = Page()
        self._late = late
        atexit.register(self.close)

    def warm(self) -> None:
        """Have a process with everything imported at hand, so that the next run starts at once."""
        with self._lock:
            if (
                not self._closed
                and not self._start
                and (self._spare is None or self._spare.poll() is not None)
            ):
                self._spare = processes.waiting()

    def ask_whence(self, whence: Callable[[], str]) -> None:
        """Have runs take turns by address as well; ``whence`` tells who asks now."""
        self._queue.whence = whence

    def submit(self, folder: RunFolder) -> None:
        """Put a run into the queue, where its turn is.

        Raises:
            InputError: the queue is full, or the run is in it or under way.
        """
        with self._lock:
            going = folder.state.get("state") in GOING and folder.path.name in self._running
            elsewhere = folder.path.name not in self._running and folder.is_alive
            if going or self.place(folder) is not None or elsewhere:
                raise InputError("This run is under way already.")
            going_out = self._queue.make_room(folder.spec.owner)
            try:
                folder.stop_file.unlink(missing_ok=True)
                self._page.settle(folder.path.parent)
                folder.set_state("queued", message="", reason="", page=self._page.name)
                if going_out is not None:
                    self._queue.remove(going_out)
                    going_out.set_state("stopped", message=GONE)
            except OSError as error:
                raise disk_error(error, "the run is as it was") or error from None
            self._ends.forget(folder)
            self._queue.append(folder)
        self._pump()

    def check_room(self, owner: str) -> None:
        """Refuse what there is no place for; ``owner`` by fingerprint.

        Raises:
            InputError: the queue is full.
        """
        with self._lock:
            self._queue.make_room(owner)

    def recover(self, folders: Iterable[RunFolder]) -> list[str]:
        """Take up what a page that died has left; ids of the runs that wait again.

        What waited waits again, in its order. What was under way with a process that died as well
        goes on from its last checkpoint, once: a run that takes the machine down does so twice at
        most. A run whose process lives goes on, and counts among those at one time.
        """
        again = []
        with self._lock:
            for folder in sorted(folders, key=created):
                try:
                    state = folder.state
                    if folder.is_alive:
                        self._adopt(folder)
                    elif is_left(folder, state):
                        tried = state.get("recovered") or state.get("state") == "running"
                        folder.set_state("interrupted", recovered=bool(tried))
                        again.append(folder)
                except (LabError, OSError) as error:
                    log.warning("A run cannot be taken up: %s", error)
        for folder in again:
            try:
                self.submit(folder)
            except (LabError, OSError):
                break
        return [folder.path.name for folder in again if self.place(folder) is not None
                or folder.path.name in self._running]  # fmt: skip

    def _adopt(self, folder: RunFolder) -> None:
        """Have the run of another page that is gone count as one of this page's."""
        name = folder.path.name
        if name in self._running or name in self._orphans:
            return
        self._orphans[name] = folder
        threading.Thread(target=self._watch_orphan, args=(folder,), daemon=True).start()

    def _watch_orphan(self, folder: RunFolder) -> None:
        while folder.is_alive and not self._closed:
            time.sleep(1.0)
        with self._lock:
            self._orphans.pop(folder.path.name, None)
        self._pump()

    def place(self, folder: RunFolder) -> int | None:
        """How many runs wait before this one; None if it does not wait."""
        with self._lock:
            waiting = [one.path for one in self._queue]
            return waiting.index(folder.path) if folder.path in waiting else None

    def counts(self) -> tuple[int, int]:
        """How many runs are under way, and how many wait."""
        with self._lock:
            return len(self._running) + len(self._orphans), len(self._queue)

    def info(self, folder: RunFolder) -> RunInfo:
        """The run, with its place."""
        with self._lock:
            place = self.place(folder)
            launched = folder.path.name in self._running
            # Between its launch and its first note a run waits for nothing, and is not a lost one.
            starts = place is None and launched and folder.state.get("state") == "queued"
            info = replace(folder.info(0), place=None) if starts else folder.info(place)
            waits = launched or place is not None
        return info if waits else self._ends.shown(folder, info)

    def stop(self, folder: RunFolder) -> None:
        """Take a run from the queue, or ask it to end after its current step."""
        with self._lock:
            if self.place(folder) is not None:
                self._queue.remove(folder)
                folder.set_state("stopped", message="It was taken from the queue.")
                return
        process = self._running.get(folder.path.name)
        try:
            if process or folder.is_alive:
                folder.stop_file.touch()
        except OSError as error:
            if process is None:
                raise disk_error(error, "the run goes on") or error from None
            process.terminate()

    def kill(self, folder: RunFolder) -> None:
        """End a run at once; what its last checkpoint holds is all that is left of it."""
        with self._lock:
            if self.place(folder) is not None:
                self._queue.remove(folder)
            process = self._running.get(folder.path.name)
            self._ends.forget(folder)
        if process is not None:
            process.kill()
            process.wait(GRACE)
        elif (holder := folder.holder) is not None:
            # It was started by a page that is gone.
            with suppress(psutil.Error):
                holder.kill()

    def events(self, folder: RunFolder, after: int, wait: float) -> Iterator[TrainEvent | None]:
        """The events from number ``after`` on, as they come, until the run is over."""
        quiet = 0.0
        while True:
            over = self.info(folder).is_over
            found = folder.events(after)
            yield from found
            after += len(found)
            if over:
                return
            quiet = 0.0 if found else quiet + TICK
            if quiet >= wait:
                quiet = 0.0
                yield None
            else:
                threading.Event().wait(TICK)

    def close(self) -> None:
        """Let every run save and end, and start no more."""
        with self._lock:
            self._closed = True
            self._queue.clear()
            found = list(self._running.values())
            if self._spare is not None:
                self._spare.kill()
                self._spare.wait()
        for process in found:
            process.terminate()
        for process in found:
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._page.close()

    def _pump(self) -> None:
        """Launch what may run now."""
        with self._lock:
            while self._queue and not self._closed:
                if len(self._running) + len(self._orphans) >= self._settings.max_jobs:
                    return
                if self._queue[0].path.name in self._running:
                    return  # its last process has said its last word and is about to end
                folder = self._queue.pop(0)
                if folder.state.get("page") != self._page.name:
                    continue  # another page has taken it up since
                if folder.is_alive:
                    self._adopt(folder)
                    continue
                try:
                    process = self._launch(folder)
                except OSError as error:
                    self._ends.failed(folder, f"The run could not be started: {error.strerror}.")
                    continue
                self._running[folder.path.name] = process
                threading.Thread(target=self._watch, args=(folder, process), daemon=True).start()

    def _launch(self, folder: RunFolder) -> "Running":
        if self._start is not None and (started := self._start(folder)) is not None:
            return started
        spare, self._spare = self._spare, None
        process = spare if spare is not None and spare.poll() is None else processes.waiting()
        processes.ask(process, folder, self._settings, self._page.name)
        return process

    def _watch(self, folder: RunFolder, process: "Running") -> None:
        """Wait for a run's process, write down how it ended, and let the next one start, whatever
        happens meanwhile.
        """
        try:
            seconds = self._settings.max_train_seconds + self._late
            most = MOST_BESIDES + ModelStore(self._settings).budget
            end = processes.watched(process, seconds, most)
            with self._lock:
                self._running.pop(folder.path.name, None)
                self._ended(folder, end)
        except Exception:
            log.exception("The end of a run could not be written down")
        finally:
            with self._lock:
                self._running.pop(folder.path.name, None)
            self._pump()

    def _ended(self, folder: RunFolder, end: End) -> None:
        """Write down what a process did not say itself."""
        if not (folder.path / "run.json").is_file() or self.place(folder) is not None:
            return
        if end.status == HELD or folder.is_alive:
            self._adopt(folder)  # another page was first
        elif folder.state.get("state") in GOING:
            self._ends.failed(folder, processes.told(end, folder.has_checkpoint))
        elif end.why and (state := folder.state).get("reason") != "done":
            folder.set_state(state["state"], message=end.why)
