"""ZeroGPU: a Space whose GPU is lent for seconds at a time, to functions that ``spaces.GPU`` marks.

Such a function runs in a forked process, which has the models that this one has loaded. Each piece
of work asks for a time that is bounded; fine-tuning runs in pieces, each from the checkpoint of the
one before. The package ``spaces`` is there on such a Space and nowhere else.
"""

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

from lmlab.lab import Lab, import_core
from lmlab.lent_gpu import LONG, SHORT, Stream, Work
from lmlab.models.refs import ModelRef
from lmlab.runs.jobs import Jobs
from lmlab.runs.store import RunFolder
from lmlab.settings import Settings

MARK = "SPACES_ZERO_GPU"
PIECE = 45.0  # seconds of training in one piece, loading and saving besides


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
    def _marked(self) -> dict[int, Stream]:
        here = os.getpid()

        def work(kind: type, name: str, args: Any, given: Any) -> Iterator[Any]:
            if os.getpid() != here:
                self.store.after_fork()
            service = self if issubclass(kind, Lab) else self.service(kind)
            yield from getattr(service, name).__wrapped__(service, *args, **given)

        return {seconds: self.gpu(duration=seconds)(work) for seconds in (SHORT, LONG)}

    @cached_property
    def jobs(self) -> Jobs:
        """As ``Lab.jobs``, each run in pieces."""
        piece = self.gpu(duration=int(PIECE) + SHORT)(train_piece)
        return Jobs(self.settings, start=lambda folder: Pieces(folder, self.settings, piece))

    def run(self, work: Work) -> Iterator[Any]:
        """Load here, where it stays, and run there."""
        import_core()
        for model in work.models:
            yield from self.ready(ModelRef.parse(model))
        marked = self._marked[work.seconds]
        yield from marked(type(work.service), work.method.__name__, work.args, work.given)


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
        self._failed = False
        self._thread = threading.Thread(target=self._go, daemon=True)
        self._thread.start()

    def wait(self, timeout: float | None = None) -> int:
        """Until it is over; 0, or 1 where a piece broke."""
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise subprocess.TimeoutExpired("a piece of training", timeout or 0)
        return int(self._failed)

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
            except Exception:
                # What went wrong stands in the run's state, or it has none and counts as failed.
                self._failed = True
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
