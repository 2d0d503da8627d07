"""Which model is meant, and the store that holds loaded ones for everybody.

Importing this module imports no torch: weights are read by ``lmlab.models.loading`` on first use.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lmlab.assets import models_dir
from lmlab.errors import MemoryLimitError
from lmlab.lm.turns import Turns, in_order
from lmlab.models.places import Places, Progress
from lmlab.models.refs import RUN, ModelRef
from lmlab.settings import Settings

if TYPE_CHECKING:
    from lmlab.lm.model import LM, Weights

__all__ = ["RUN", "ModelRef", "ModelStore", "Progress"]


@dataclass
class _Entry:
    """One copy of the weights, loaded or on its way."""

    future: "Future[Weights]" = field(default_factory=Future)
    users: int = 0

    @property
    def n_bytes(self) -> int:
        done = self.future.done() and not self.future.exception()
        return self.future.result().n_bytes if done else 0


class ModelStore(Places):
    """Loaded models, least recently used dropped first, within a budget of bytes.

    Safe for many threads: a model that several ask for is read once, and each copy of the weights
    has one lock, held while it is borrowed.
    """

    def __init__(self, settings: Settings | None = None, *, models: Path | None = None) -> None:
        super().__init__(settings or Settings(), models or models_dir())
        self._entries: OrderedDict[tuple[Path, str], _Entry] = OrderedDict()
        self._mutex = threading.Lock()

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
