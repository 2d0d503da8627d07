"""Which copies of weights are in memory, and what must go so that others fit. Knows no torch."""

import gc
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from lmlab.errors import MemoryLimitError
from lmlab.models.fair_lock import Turns

if TYPE_CHECKING:
    from lmlab.models.backends import Copy

ADAPTERS = 32  # attached to one copy at most: each makes switching slower
WEIGHTS = "adapter_model.safetensors"


@dataclass
class Entry:
    """One copy of the weights, loaded or on its way."""

    future: "Future[Copy]" = field(default_factory=Future)
    users: int = 0  # who borrowed it or waits for it
    n_bytes: int = 0  # what it takes; until it is loaded what it is going to take
    # how many use each of its adapters, the one used last at the end
    adapters: "OrderedDict[Path, int]" = field(default_factory=OrderedDict)

    @property
    def weights(self) -> "Copy | None":
        """The copy, once it is there."""
        done = self.future.done() and not self.future.exception()
        return self.future.result() if done else None


class Memory:
    """Copies of weights by folder, least recently used first. Safe for many threads.

    All bytes that are there or on their way stay within the budget together: what several threads
    load at once, and adapters that are attached later, count like all else.
    """

    def __init__(self, budget: int, fitting: Callable[[int], str]) -> None:
        self.budget = budget
        self.fitting = fitting  # which models would fit into so many bytes, in a sentence
        self.mutex = threading.Lock()
        self._entries: OrderedDict[Path, Entry] = OrderedDict()

    def loaded(self) -> list[Path]:
        """Folders of the models in memory, least recently used first."""
        with self.mutex:
            return [folder for folder, entry in self._entries.items() if entry.weights]

    def after_fork(self) -> None:
        """Make all locks anew: in a forked process nobody is left who would give one back."""
        self.mutex = threading.Lock()
        for entry in self._entries.values():
            if (weights := entry.weights) is not None:
                weights.lock = Turns()

    def acquire(self, folder: Path) -> tuple[Entry, bool]:
        """The entry of a folder, counted as in use, and whether it is new: its maker fills it."""
        with self.mutex:
            entry = self._entries.get(folder)
            new = entry is None
            if entry is None:
                entry = self._entries[folder] = Entry()
            entry.users += 1
            self._entries.move_to_end(folder)
            return entry, new

    def release(self, entry: Entry) -> None:
        """Say that one of its users needs it no more."""
        with self.mutex:
            entry.users -= 1

    def drop(self, folder: Path) -> None:
        """Forget a copy that could not be loaded."""
        with self.mutex:
            self._entries.pop(folder, None)

    def reserve(self, entry: Entry, need: int, name: str) -> None:
        """Set so many more bytes aside for an entry; idle copies go, oldest first.

        Raises:
            MemoryLimitError: all else is in use, or the machine has less memory than that.
        """
        gone: list[Entry] = []
        with self.mutex:
            total = self._total()
            for folder, one in list(self._entries.items()):
                if total + need <= self.budget:
                    break
                if one.users == 0 and one is not entry:
                    total -= one.n_bytes
                    gone.append(self._entries.pop(folder))
            if total + need > self.budget:
                raise MemoryLimitError(
                    f"‘{name}’ needs {need / 1e9:.2g} GB, and {self.budget / 1e9:.2g} GB are set "
                    f"aside for models, of which {total / 1e9:.2g} GB are in use.",
                    "Choose a smaller model, or raise LMLAB_MEMORY_GB.",
                )
            entry.n_bytes += need
        if gone:
            # A model's modules know each other: without this they stay until Python looks.
            gone.clear()
            gc.collect()
        free = psutil.virtual_memory().available
        if need > free:
            with self.mutex:
                entry.n_bytes -= need
            raise MemoryLimitError(
                f"‘{name}’ needs {need / 1e9:.2g} GB, and this machine has {free / 1e9:.2g} GB "
                "left.",
                self.fitting(free),
            )

    def settle(self, entry: Entry, resident: int, name: str) -> None:
        """Count the bytes that a copy takes indeed, now that it is there.

        Raises:
            MemoryLimitError: more than was set aside, and more than there is room for.
        """
        more = resident - entry.n_bytes
        if more > 0:
            self.reserve(entry, more, name)
        else:
            with self.mutex:
                entry.n_bytes = resident

    @contextmanager
    def using(self, entry: Entry, adapter: Path) -> Iterator[None]:
        """Count an adapter as in use; its copy is borrowed."""
        with self.mutex:
            entry.adapters[adapter] = entry.adapters.get(adapter, 0) + 1
            entry.adapters.move_to_end(adapter)
        try:
            yield
        finally:
            with self.mutex:
                entry.adapters[adapter] -= 1

    @contextmanager
    def attaching(self, entry: Entry, adapter: Path, name: str) -> Iterator[None]:
        """Room for one more adapter on a copy whose lock is held, and its true size afterwards.

        Raises:
            MemoryLimitError: there is none, though idle adapters went, oldest first.
        """
        weights = entry.future.result()
        file = adapter / WEIGHTS
        # As float32, whatever the file has.
        need = 2 * file.stat().st_size if file.is_file() else 0
        self._room(entry, weights, need, name)
        try:
            yield
            self.settle(entry, weights.n_bytes, name)
        except BaseException:
            weights.adapters.detach(adapter)
            with self.mutex:
                entry.n_bytes = weights.n_bytes
            raise

    def _room(self, entry: Entry, weights: "Copy", need: int, name: str) -> None:
        while True:
            with self.mutex:
                idle = [one for one, users in entry.adapters.items() if users == 0]
                full = len(entry.adapters) > ADAPTERS
            try:
                if not (full and idle):
                    self.reserve(entry, need, name)
                    return
            except MemoryLimitError:
                if not idle:
                    raise
            weights.adapters.detach(idle[0])
            with self.mutex:
                entry.adapters.pop(idle[0])
                entry.n_bytes = weights.n_bytes

    def _total(self) -> int:
        return sum(entry.n_bytes for entry in self._entries.values())
