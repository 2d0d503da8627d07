"""Which model is meant, and the store that holds loaded ones for everybody.

Importing this module imports no torch: weights are read by ``lmlab.models.loading`` on first use.
"""

import difflib
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from lmlab.assets import models_dir
from lmlab.errors import MemoryLimitError, ModelError
from lmlab.lm.turns import Turns, in_order
from lmlab.models.refs import RUN, ModelRef
from lmlab.runs.store import RunFolder, Runs, default_root
from lmlab.settings import Settings

if TYPE_CHECKING:
    from lmlab.lm.model import LM, Weights

__all__ = ["RUN", "ModelRef", "ModelStore", "Progress"]

Progress = Callable[[str], None]

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?")
_REVISION = re.compile(r"[\w][\w./-]{0,99}")


@dataclass
class _Entry:
    """One copy of the weights, loaded or on its way."""

    future: "Future[Weights]" = field(default_factory=Future)
    users: int = 0

    @property
    def n_bytes(self) -> int:
        done = self.future.done() and not self.future.exception()
        return self.future.result().n_bytes if done else 0


class ModelStore:
    """Loaded models, least recently used dropped first, within a budget of bytes.

    Safe for many threads: a model that several ask for is read once, and each copy of the weights
    has one lock, held while it is borrowed.
    """

    def __init__(self, settings: Settings | None = None, *, models: Path | None = None) -> None:
        self.settings = settings or Settings()
        self._models = models or models_dir()
        self._entries: OrderedDict[tuple[Path, str], _Entry] = OrderedDict()
        self._mutex = threading.Lock()

    @property
    def runs(self) -> Runs:
        """The fine-tuning runs of this machine, which can be used as models: ``run:ID``."""
        return Runs(self.settings.runs_dir or default_root())

    @property
    def budget(self) -> int:
        """Bytes that loaded models may take together."""
        gigabytes = self.settings.memory_gb
        return int(gigabytes * 1e9) if gigabytes else psutil.virtual_memory().total // 2

    @property
    def largest(self) -> int:
        """Bytes that one model may take."""
        gigabytes = self.settings.max_model_gb
        return min(self.budget, int(gigabytes * 1e9)) if gigabytes else self.budget

    def embedded(self) -> list[str]:
        """Names of the embedded models, in alphabetical order."""
        return sorted(self._below("config.json", self._models))

    def embedded_adapters(self) -> list[str]:
        """Names of the embedded adapters."""
        return sorted(self._below("adapter_config.json", self._models / "adapters"))

    def ships(self, ref: ModelRef) -> bool:
        """Whether a model, and its adapter, came with lmlab, and so will stay what they are."""
        adapters = (None, *self.embedded_adapters())
        return ref.name in self.embedded() and ref.adapter in adapters

    def folder(self, name: str) -> Path:
        """Where an embedded model lies, as ``loaded`` names it."""
        return (self._models / name).resolve()

    def after_fork(self) -> None:
        """Make all locks anew: in a forked process nobody is left who would give one back."""
        self._mutex = threading.Lock()
        for entry in self._entries.values():
            if entry.n_bytes:
                entry.future.result().lock = Turns()

    def loaded(self) -> list[str]:
        """Paths of the models in memory, least recently used first."""
        with self._mutex:
            return [str(path) for (path, _), entry in self._entries.items() if entry.n_bytes]

    @contextmanager
    def borrow(self, ref: ModelRef | str, on_progress: Progress | None = None) -> Iterator["LM"]:
        """A model for exclusive use: loads it if need be, takes its lock, sets its adapter.

        Raises:
            ModelError: unknown, unreadable or refused.
            MemoryLimitError: larger than the budget, or all of the budget is in use.
        """
        with self.borrow_all([ref], on_progress) as lms:
            yield lms[0]

    @contextmanager
    def borrow_all(
        self, refs: Sequence[ModelRef | str], on_progress: Progress | None = None
    ) -> Iterator[list["LM"]]:
        """Several models at once, in the order asked for, each copy of weights taken once.

        Where several share a copy, call ``LM.switch_on`` before each use: the last one is on.
        """
        asked = [ModelRef.parse(ref) if isinstance(ref, str) else ref for ref in refs]
        progress = on_progress or (lambda message: None)
        with ExitStack() as held:
            copies = []
            for ref in asked:
                entry = self._acquire(ref, progress)
                held.callback(self._release, entry)
                copies.append(entry.future.result())
            folders = [self._adapter_of(r, progress) for r in asked]
            # Always in one order, so that two who want the same models never wait for each other.
            for lock in in_order(weights.lock for weights in copies):
                held.enter_context(lock)
            yield [
                weights.lm(str(ref), folder, ref.alpha)
                for weights, ref, folder in zip(copies, asked, folders, strict=True)
            ]

    def resolve(self, ref: ModelRef, on_progress: Progress) -> Path:
        """The local folder that holds a model, fetched first if it is on the Hub."""
        if ref.name.startswith(RUN):
            run = self._run(ref.name)
            if run.spec.config.is_adapter:
                return self.resolve(ModelRef.parse(run.spec.model), on_progress)
            return self._learned(run, ref.revision)
        if ref.name in self.embedded():
            return self._models / ref.name
        return self._outside(ref.name, ref.revision, on_progress, self.embedded())

    def resolve_adapter(self, ref: ModelRef, on_progress: Progress) -> Path:
        """The local folder that holds the adapter of a reference."""
        name = (ref.adapter or "").removeprefix("adapters/")
        if name.startswith(RUN):
            name, _, step = name.partition("@")
            return self._learned(self._run(name), step)
        if name in self.embedded_adapters():
            return self._models / "adapters" / name
        return self._outside(name, None, on_progress, self.embedded_adapters())

    def _adapter_of(self, ref: ModelRef, on_progress: Progress) -> Path | None:
        """The adapter's folder, where there is one; ``run:ID`` alone may be one too."""
        if ref.adapter:
            return self.resolve_adapter(ref, on_progress)
        if ref.name.startswith(RUN) and (run := self._run(ref.name)).spec.config.is_adapter:
            return self._learned(run, ref.revision)
        return None

    def _run(self, name: str) -> RunFolder:
        """A fine-tuning run; its id is known to its owner alone."""
        found = self.runs.find(name.removeprefix(RUN))
        if found is None:
            raise ModelError("There is no such fine-tuning run.", "It may have been deleted.")
        return found

    def _learned(self, run: RunFolder, step: str | None = None) -> Path:
        """What a run has learned, in the end or by a step, as in ``run:ID@STEP``."""
        if step:
            found = run.snapshots.get(int(step)) if step.isdecimal() and len(step) < 12 else None
            if found is None:
                raise ModelError(f"This fine-tuning run has kept nothing of step {step[:20]}.")
            return found
        if run.learned is None:
            raise ModelError("This fine-tuning run has not saved anything yet.")
        if (broken := run.broken) is not None:
            raise ModelError(broken.message, broken.hint)
        return run.learned

    def _outside(
        self, name: str, revision: str | None, on_progress: Progress, known: list[str]
    ) -> Path:
        """A folder of this machine or of the Hub, as far as the settings allow either."""
        folder = Path(name).expanduser()
        if self.settings.allow_local and folder.is_dir():
            return folder
        hint = _hint(name, known)
        if not _HUB_ID.fullmatch(name) or ".." in name:
            raise ModelError(f"There is no model named ‘{name[:100]}’.", hint)
        if revision and (not _REVISION.fullmatch(revision) or ".." in revision):
            raise ModelError(f"‘{revision[:100]}’ is not a revision.")
        if not self.settings.allow_hub:
            raise ModelError(f"There is no model named ‘{name}’ here.", hint)
        if not self.settings.may_fetch(name):
            listed = ", ".join(self.settings.models)
            said = f"Of the Hub there are: {listed}." if listed else ""
            raise ModelError(
                f"‘{name}’ is not among the models that may be fetched here.", said or hint
            )
        from lmlab.models.hub import fetch

        return fetch(name, revision, self.settings, self.largest, on_progress, hint)

    def _acquire(self, ref: ModelRef, on_progress: Progress) -> _Entry:
        """The entry of a reference, counted as in use; loads it when nobody has."""
        folder = self.resolve(ref, on_progress).resolve()
        key = (folder, ref.revision or "")
        with self._mutex:
            entry = self._entries.get(key)
            mine = entry is None
            if entry is None:
                entry = self._entries[key] = _Entry()
            entry.users += 1
            self._entries.move_to_end(key)
        if mine:
            self._fill(key, entry, ref, on_progress)
        try:
            entry.future.result()
        except BaseException:
            self._release(entry)
            raise
        return entry

    def _release(self, entry: _Entry) -> None:
        with self._mutex:
            entry.users -= 1

    def _fill(
        self, key: tuple[Path, str], entry: _Entry, ref: ModelRef, on_progress: Progress
    ) -> None:
        """Load into an entry; on failure drop the entry and hand the error to all who wait."""
        from lmlab.models.loading import inspect, load

        try:
            on_progress(f"Loading {ref.name} …")
            folder = inspect(key[0], ref.name)
            self._make_room(folder.memory(self.settings), ref.name)
            entry.future.set_result(load(folder, self.settings))
        except BaseException as error:
            with self._mutex:
                self._entries.pop(key, None)
            entry.future.set_exception(error)

    def _make_room(self, need: int, name: str) -> None:
        """Drop idle models, oldest first, until ``need`` bytes fit into the budget."""
        if need > self.largest < self.budget:
            raise MemoryLimitError(
                f"‘{name}’ needs {need / 1e9:.2g} GB; a model may take "
                f"{self.largest / 1e9:.2g} GB here.",
                "Choose a smaller model.",
            )
        with self._mutex:
            total = sum(entry.n_bytes for entry in self._entries.values())
            for key, entry in list(self._entries.items()):
                if total + need <= self.budget:
                    break
                if entry.users == 0:
                    total -= entry.n_bytes
                    del self._entries[key]
        if total + need > self.budget:
            raise MemoryLimitError(
                f"‘{name}’ needs {need / 1e9:.2g} GB, and {self.budget / 1e9:.2g} GB are set aside "
                f"for models, of which {total / 1e9:.2g} GB are in use.",
                "Choose a smaller model, or raise LMLAB_MEMORY_GB.",
            )

    def _below(self, marker: str, root: Path) -> list[str]:
        folders = (path.parent for path in root.glob(f"**/{marker}"))
        return [folder.relative_to(root).as_posix() for folder in folders]


def _hint(name: str, known: list[str]) -> str:
    """The closest known names, or all of them when none is close."""
    close = difflib.get_close_matches(name, known, n=1) or [n for n in known if "/" not in n]
    return f"Here there are: {', '.join(close)}." if close else ""
