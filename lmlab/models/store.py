"""Which model is meant, and the store that holds loaded ones for everybody.

Importing this module imports no torch: a backend is imported on first use.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lmlab.assets import models_dir
from lmlab.errors import ModelError
from lmlab.models.backends import backend_of, lacking
from lmlab.models.fair_lock import in_order
from lmlab.models.gives import ADAPTERS, OF_WEIGHTS
from lmlab.models.memory import Entry, Memory
from lmlab.models.places import Places, Progress
from lmlab.models.refs import ModelRef
from lmlab.settings import Settings

if TYPE_CHECKING:
    from lmlab.models.model import LM

__all__ = ["FolderStore", "Progress"]


class FolderStore(Places):
    """Loaded models, least recently used dropped first, within a budget of bytes.

    Safe for many threads: a model that several ask for is read once, and each copy of the weights
    has one lock, held while it is borrowed.
    """

    def __init__(self, settings: Settings | None = None, *, models: Path | None = None) -> None:
        super().__init__(settings or Settings(), models or models_dir())
        self._memory = Memory(self.budget, self.fitting)

    def after_fork(self) -> None:
        """Make all locks anew: in a forked process nobody is left who would give one back."""
        self._memory.after_fork()

    def loaded(self) -> list[str]:
        """Paths of the models in memory, least recently used first."""
        return [str(folder) for folder in self._memory.loaded()]

    def load(self, ref: ModelRef, on_progress: Progress) -> None:
        """Have a model here without waiting for one's turn at it; raises as ``borrow`` does."""
        self._memory.release(self._acquire(ref, on_progress))
        self.adapter_of(ref, on_progress)

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
            entries = []
            for ref in asked:
                entry = self._acquire(ref, progress)
                held.callback(self._memory.release, entry)
                entries.append(entry)
            folders = [self.adapter_of(r, progress) for r in asked]
            for entry, folder in zip(entries, folders, strict=True):
                if folder is not None:
                    held.enter_context(self._memory.using(entry, folder))
            # Always in one order, so that two who want the same models never wait for each other.
            for lock in in_order(entry.future.result().lock for entry in entries):
                held.enter_context(lock)
            yield [
                self._lm(entry, ref, folder)
                for entry, ref, folder in zip(entries, asked, folders, strict=True)
            ]

    def _lm(self, entry: Entry, ref: ModelRef, folder: Path | None) -> "LM":
        """A model over a borrowed copy; its adapter is attached if there is room for it."""
        weights = entry.future.result()
        if folder is not None and (why := lacking(ref.name, ADAPTERS)):
            raise ModelError(why, OF_WEIGHTS)
        if folder is None or folder in weights.adapters:
            return weights.lm(str(ref), folder, ref.alpha)
        with self._memory.attaching(entry, folder, str(ref)):
            return weights.lm(str(ref), folder, ref.alpha)

    def _acquire(self, ref: ModelRef, on_progress: Progress) -> Entry:
        """The entry of a reference, counted as in use; loads it when nobody has."""
        folder = self.place(ref, on_progress)
        entry, mine = self._memory.acquire(folder)
        if mine:
            self._fill(folder, entry, ref, on_progress)
        try:
            entry.future.result()
        except BaseException:
            self._memory.release(entry)
            raise
        return entry

    def _fill(self, path: Path, entry: Entry, ref: ModelRef, on_progress: Progress) -> None:
        """Load into an entry; on failure drop the entry and hand the error to all who wait."""
        try:
            on_progress(f"Loading {ref.name} …")
            found = backend_of(ref.name).find(path, ref.name)
            need = found.memory(self.settings)
            self.check_fits(need, ref.name)
            self._memory.reserve(entry, need, ref.name)
            weights = found.load(self.settings)
            self._memory.settle(entry, weights.n_bytes, ref.name)
            entry.future.set_result(weights)
        except BaseException as error:
            self._memory.drop(path)
            entry.future.set_exception(error)
