"""ZeroGPU: a Space whose GPU is lent for seconds at a time, to functions that ``spaces.GPU`` marks.

Such a function runs in a forked process, which has the models that this one has loaded. A visitor
has minutes of it a day, so that what the processor does as well stays there: small models, whatever
they are asked. The others ask for a time that is bounded, and go on on the processor where none is
lent; fine-tuning runs in pieces, each from the checkpoint of the one before. The package ``spaces``
is there on such a Space and nowhere else.
"""

import logging
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from lmlab.errors import InputError, LabError
from lmlab.lab import Lab, Say, import_core
from lmlab.lent_gpu import SHORT, Stream, Work, seconds_of
from lmlab.models.backends import scheme
from lmlab.models.folders import numbers_of
from lmlab.models.refs import ModelRef
from lmlab.progress import Loading, Notice
from lmlab.runs.jobs import GOING, Jobs
from lmlab.runs.model_store import ModelStore
from lmlab.runs.processes import Running
from lmlab.runs.store import RunFolder
from lmlab.settings import Settings

MARK = "SPACES_ZERO_GPU"
PIECE = 45.0  # seconds of training in one piece, loading and saving besides
SPENT = "ZeroGPU quota exceeded"  # title of what ``spaces`` raises where minutes are spent
log = logging.getLogger("lmlab")


@dataclass(frozen=True)
class ZeroLab(Lab):
    """A lab whose models run on a lent GPU."""

    gpu: Any = None  # ``spaces.GPU``

    @classmethod
    def over(cls, lab: Lab, gpu: Any) -> "ZeroLab":
        """The same lab, its work marked; call it while the page is being built."""
        made = cls(lab.store, lab.settings, gpu=gpu)
        # Marked at once: a Space that marks nothing by the time it has started is stopped.
        _ = made._marked, made.jobs
        return made

    @cached_property
    def near(self) -> Lab:
        """The same lab on the processor, with a store of its own."""
        settings = self.settings.model_copy(update={"device": "cpu"})
        return Lab(ModelStore(settings), settings)

    @cached_property
    def _marked(self) -> Stream:
        here = os.getpid()

        def work(seconds: int, kind: type, name: str, args: Any, given: Any) -> Iterator[Any]:
            if os.getpid() != here:
                self.store.after_fork()
            service = self if issubclass(kind, Lab) else self.service(kind)
            try:
                yield from getattr(service, name).__wrapped__(service, *args, **given)
            except LabError as error:
                yield Failed(error)  # of what is raised there only the kind would arrive here

        marked: Stream = self.gpu(duration=lambda seconds, *_: seconds)(work)
        return marked

    @cached_property
    def jobs(self) -> Jobs:
        """As ``Lab.jobs``; runs of large models on the GPU, in pieces."""
        piece = self.gpu(duration=int(PIECE) + SHORT)(train_piece)

        def start(folder: RunFolder) -> Running | None:
            if folder.spec.pretraining is not None:
                return None
            base = self.store.resolve(ModelRef.parse(folder.spec.model), lambda message: None)
            return Pieces(folder, self.settings, piece) if self.pays(base) else None

        return Jobs(self.settings, start=start)

    def pays(self, folder: Path) -> bool:
        """Whether a model's size makes up for the seconds of the GPU."""
        return (numbers_of(folder) or 0) >= 1e6 * self.settings.gpu_from

    def run(self, work: Work) -> Iterator[Any]:
        """On the GPU where that pays: load here, where it stays, and run there."""
        import_core()
        refs, places = [ModelRef.parse(model) for model in work.models], list[Path]()

        def find(ref: ModelRef, say: Say) -> None:
            places.append(self.store.resolve(ref, say))

        for ref in refs:
            if not scheme(ref.name):
                yield from self.ready(ref, find)
        if not any(map(self.pays, places)):
            yield from self._nearby(work)
            return
        for ref in refs:
            yield from self.ready(ref)
        yield from self._lent(work)

    def _lent(self, work: Work) -> Iterator[Any]:
        """Its events from the GPU; from the processor where none is lent.

        Raises:
            LabError: what the work raises, or that the GPU was taken back in the middle of it.
        """
        begun = False
        asked = type(work.service), work.method.__name__, work.args, work.given
        try:
            for event in self._marked(seconds_of(work), *asked):
                if isinstance(event, Failed):
                    raise event.error
                yield event
                begun = begun or not isinstance(event, Loading)
        except LabError:
            raise
        except Exception as error:
            why = _why(error)
            if begun:
                raise InputError(*TAKEN_BACK) from None
            yield Notice(f"{why} The processor answers, more slowly.")
        else:
            return
        yield from self._nearby(work)

    def _nearby(self, work: Work) -> Iterator[Any]:
        service = self.near if work.service is self else self.near.service(type(work.service))
        yield from getattr(service, work.method.__name__)(*work.args, **work.given)


@dataclass(frozen=True)
class Failed:
    """What the work raised in its own process, for this one to raise."""

    error: LabError


def _why(error: Exception) -> str:
    """Why no GPU was lent, in a sentence; ``spaces`` tells it by a title."""
    title = str(getattr(error, "title", "") or type(error).__name__)
    log.warning("No GPU was lent: %s", title)
    return MINUTES_SPENT if title == SPENT else "No GPU is free now."


MINUTES_SPENT = (
    "Today's minutes of the lent GPU are spent; they are counted by address, and who is signed in "
    "to Hugging Face has minutes of their own."
)
RESUMED = "The run's last checkpoint is kept; it can be resumed."
TAKEN_BACK = (
    "The lent GPU was taken back in the middle of this; what came is still here.",
    "Ask again, or choose a smaller model, which needs no GPU.",
)


def lent(lab: Lab) -> Lab:
    """The lab as it is, or on a Space with ZeroGPU one that makes use of the GPU."""
    if os.environ.get(MARK, "").lower() not in ("1", "true", "t"):
        return lab
    return ZeroLab.over(lab, import_module("spaces").GPU)


class Pieces:
    """A run that is trained in pieces, in the place of the process that ``Jobs`` starts elsewhere:
    ``piece`` trains its folder, under some settings, from its last checkpoint on.
    """

    def __init__(
        self, folder: RunFolder, settings: Settings, piece: Callable[[str, dict[str, Any]], None]
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._piece = piece
        self._thread = threading.Thread(target=self._go, daemon=True)
        self._thread.start()

    def wait(self, timeout: float | None = None) -> int:
        """Until it is over; 0, as the run's state says how it ended."""
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise subprocess.TimeoutExpired("a piece of training", timeout or 0)
        return 0

    def terminate(self) -> None:
        """Ask it to end after its current step."""
        self._folder.stop_file.touch()

    kill = terminate

    def _go(self) -> None:
        given = self._settings.model_dump(mode="json")
        while True:
            done = time.monotonic()
            limit = min(PIECE, given["max_train_seconds"])
            try:
                self._piece(str(self._folder.path), {**given, "max_train_seconds": limit})
            except Exception as error:
                # What went wrong in it stands in the run's state; else no GPU was lent for it.
                if self._folder.state.get("state") in GOING:
                    self._folder.set_state("interrupted", message=f"{_why(error)} {RESUMED}")
                return
            given["max_train_seconds"] -= time.monotonic() - done
            if self._folder.state.get("reason") != "limit" or given["max_train_seconds"] <= 1:
                return
            self._folder.set_state("running", reason="", message="")


def train_piece(folder: str, settings: Mapping[str, Any]) -> None:
    """Train a run from its last checkpoint until a limit of the settings."""
    from lmlab.runs.worker import train

    for _ in train(RunFolder(Path(folder)), Settings(**settings)):
        pass
