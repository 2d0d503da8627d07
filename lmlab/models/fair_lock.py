"""Who may use a copy of weights: one at a time, first come, first served. Between two steps of long
work others come first, until they have had the weights for longer than it had. Knows no torch.
"""

import threading
import time
from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from types import TracebackType
from typing import Protocol, TypeVar

from lmlab.progress import Progress

T = TypeVar("T")
PATIENCE = 2.0  # seconds of waiting, where others ask, for each of work
LATE = 0.001  # seconds after which a turn is due by any clock
SLICE = 0.06  # seconds of work before others have their turn: several tokens, or a short score


class Turns:
    """A lock that is handed to whoever has waited longest; any thread may give it back."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._count = count()
        self._waiting: list[tuple[float, int, threading.Lock]] = []  # by when they are due
        self._held = False

    def acquire(self, worked: float = 0.0) -> None:
        """Wait for one's turn, which is due at once, or the later the longer one has ``worked``."""
        patience = PATIENCE * worked
        with self._guard:
            if not self._held:
                self._held = True
                return
            mine = threading.Lock()
            mine.acquire()
            place = (time.monotonic() + patience, next(self._count), mine)
            insort(self._waiting, place)
        if mine.acquire(timeout=patience + LATE):
            return
        with self._guard:
            if not self._held:
                self._held = True
                self._waiting.remove(place)
                return
        mine.acquire()

    def release(self, *, aside: bool = False) -> None:
        """Let the next one have it; who stands ``aside`` passes it on to one whose turn is due."""
        with self._guard:
            if self._waiting and not (aside and self._waiting[0][0] > time.monotonic()):
                self._waiting.pop(0)[2].release()
            else:
                self._held = False

    def locked(self) -> bool:
        """Whether somebody has it."""
        return self._held

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.release()


class Borrowed(Protocol):
    """What has the lock of its weights."""

    @property
    def turns(self) -> Turns:
        """The lock, held by whoever borrowed it."""


def in_order(locks: Iterable[Turns]) -> list[Turns]:
    """Each lock once, always in one order, so that two who want the same never wait for each
    other."""
    return sorted({id(lock): lock for lock in locks}.values(), key=id)


@contextmanager
def aside(borrowed: Sequence[Borrowed], worked: float) -> Iterator[None]:
    """Let others have what is borrowed, then wait for one's turn again."""
    locks = [lock for lock in in_order(one.turns for one in borrowed) if lock.locked()]
    for lock in locks:
        lock.release(aside=True)
    try:
        yield
    finally:
        for lock in locks:
            lock.acquire(worked)


def stepwise(
    borrowed: Sequence[Borrowed], events: Iterable[T], *, results: bool = False
) -> Iterator[T]:
    """Events of long work on borrowed models, which others may use once a slice of time is over.

    Each step must switch its model on anew (``LM.switch_on``), as every forward pass here does.
    Where ``results`` follow the last sign of progress, they need no model: that sign is left out,
    and nobody waits for a turn after it.
    """
    began, over = time.monotonic(), False
    for event in events:
        if results and isinstance(event, Progress):
            over = event.done >= event.total
            if over:
                continue
        worked = time.monotonic() - began
        if over or worked < SLICE:
            yield event
            continue
        with aside(borrowed, worked):
            yield event
        began = time.monotonic()
