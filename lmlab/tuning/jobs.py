"""Fine-tuning in the background: each run in a process of its own, so many at a time, the others in
a queue. A run that dies takes nothing else with it, and leaves its memory.
"""

import atexit
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import psutil

import lmlab
from lmlab.errors import InputError
from lmlab.finetuning.events import TrainEvent
from lmlab.runs.folder import is_process
from lmlab.runs.store import RunFolder, RunInfo
from lmlab.settings import Settings
from lmlab.tuning.waiting import GONE, Waiting

# Seconds that a process is given to save and end.
GRACE = 20.0
GOING = ("queued", "running")  # states of a run that is not over
TICK = 0.15


class Running(Protocol):
    """A run under way: what of ``subprocess.Popen`` is asked of it."""

    def wait(self, timeout: float | None = None) -> int:
        """Until it is over; its status."""

    def terminate(self) -> None:
        """Let it save and end."""

    def kill(self) -> None:
        """End it at once."""


class Jobs:
    """The queue of one lab. Safe for many threads.

    Args:
        settings: how many run and wait at most.
        start: starts a run in some other way than as a process of its own.
    """

    def __init__(
        self, settings: Settings, start: "Callable[[RunFolder], Running] | None" = None
    ) -> None:
        self._settings = settings
        self._start = start
        self._lock = threading.RLock()
        self._queue = Waiting(settings.max_queue)
        self._running: dict[str, Running] = {}
        self._orphans: dict[str, RunFolder] = {}
        self._spare: subprocess.Popen[str] | None = None
        self._closed = False
        atexit.register(self.close)

    def warm(self) -> None:
        """Have a process with everything imported at hand, so that the next run starts at once."""
        with self._lock:
            if (
                not self._closed
                and not self._start
                and (self._spare is None or self._spare.poll() is not None)
            ):
                self._spare = _process()

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
            if going or self.place(folder) is not None:
                raise InputError("This run is under way already.")
            if (going_out := self._queue.make_room(folder.spec.owner)) is not None:
                self._queue.remove(going_out)
                going_out.set_state("stopped", message=GONE)
            folder.stop_file.unlink(missing_ok=True)
            server = psutil.Process()
            known = {"server": server.pid, "server_born": server.create_time()}
            folder.set_state("queued", message="", reason="", **known)
            self._queue.append(folder)
        self._pump()

    def recover(self, folders: Iterable[RunFolder]) -> list[str]:
        """Take up what a page that died has left; ids of the runs that wait again.

        What waited waits again, in its order. What was under way with a process that died as well
        goes on from its last checkpoint, once: a run that takes the machine down does so twice at
        most. A run whose process lives goes on, and counts among those at one time.
        """
        found = sorted(folders, key=lambda one: one.spec.created)
        again = []
        with self._lock:
            for folder in found:
                state = folder.state
                if _is_left(state):
                    tried = state.get("recovered") or state.get("state") == "running"
                    folder.set_state("interrupted", recovered=bool(tried))
                    again.append(folder)
                elif state.get("state") == "running" and folder.is_alive:
                    self._adopt(folder)
        for folder in again:
            try:
                self.submit(folder)
            except InputError:
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
            # Between its launch and its first note a run is the next one, not a lost one.
            if place is None and launched and folder.state.get("state") == "queued":
                place = 0
            return folder.info(place)

    def stop(self, folder: RunFolder) -> None:
        """Take a run from the queue, or ask it to end after its current step."""
        with self._lock:
            if self.place(folder) is not None:
                self._queue.remove(folder)
                folder.set_state("stopped", message="It was taken from the queue.")
                return
        if folder.path.name in self._running or folder.is_alive:
            folder.stop_file.touch()

    def kill(self, folder: RunFolder) -> None:
        """End a run at once; what its last checkpoint holds is all that is left of it."""
        with self._lock:
            if self.place(folder) is not None:
                self._queue.remove(folder)
            process = self._running.get(folder.path.name)
        if process is not None:
            process.kill()
            process.wait(GRACE)
        elif folder.is_alive:
            # It was started by a page that is gone.
            psutil.Process(int(folder.state["pid"])).kill()

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

    def _pump(self) -> None:
        """Launch what may run now."""
        with self._lock:
            while self._queue and not self._closed:
                if len(self._running) + len(self._orphans) >= self._settings.max_jobs:
                    return
                if self._queue[0].path.name in self._running:
                    return  # its last process has said its last word and is about to end
                folder = self._queue.pop(0)
                process = self._launch(folder)
                self._running[folder.path.name] = process
                threading.Thread(target=self._watch, args=(folder, process), daemon=True).start()

    def _launch(self, folder: RunFolder) -> "Running":
        if self._start is not None:
            return self._start(folder)
        spare, self._spare = self._spare, None
        process = spare if spare is not None and spare.poll() is None else _process()
        settings = self._settings.model_dump(mode="json")
        request = json.dumps({"folder": str(folder.path.resolve()), "settings": settings})
        assert process.stdin is not None
        try:
            process.stdin.write(request + "\n")
            process.stdin.close()
        except BrokenPipeError:
            # It died before it was asked: the watcher tells.
            pass
        return process

    def _watch(self, folder: RunFolder, process: "Running") -> None:
        code = process.wait()
        with self._lock:
            self._running.pop(folder.path.name, None)
            exists = (folder.path / "run.json").is_file()
            going = exists and folder.state.get("state") in GOING
            if going and self.place(folder) is None:
                folder.set_state("failed", message=_died(code))
        self._pump()


def _process() -> subprocess.Popen[str]:
    """A process that imports what training needs and waits for a folder's name."""
    package = str(Path(lmlab.__file__).parent.parent)
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "TRANSFORMERS_VERBOSITY": "error",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "lmlab.tuning.tunerun"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        # A Ctrl-C meant for the page lets runs save first; see ``close``. Not a session of its own:
        # under Linux's autogroups a run would then get as much of the cores as the page, however
        # nice it is.
        process_group=0,
    )


def _is_left(state: Mapping[str, Any]) -> bool:
    """Whether a run waited or went on when its page and its own process died."""
    if is_process(state.get("server"), state.get("server_born")) or "server" not in state:
        return False  # its page lives, or it never had one
    if state.get("state") == "queued":
        return True
    dead = not is_process(state.get("pid"), state.get("born"))
    return state.get("state") == "running" and dead and not state.get("recovered")


def _died(code: int) -> str:
    how = f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"
    return (
        f"The run's process {how}, perhaps for want of memory. Its last checkpoint is kept; it can "
        "be resumed."
    )
