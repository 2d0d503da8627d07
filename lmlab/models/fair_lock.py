"""Who may use a copy of weights: one at a time, first come, first served, and between two steps of
long work whoever waits comes first. Knows no torch.
"""

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol, TypeVar

T = TypeVar("T")
SLICE = 0.06  # seconds of work before others have their turn: several tokens, or a short score


class Turns:
    """A lock that is handed to whoever has waited longest; any thread may give it back."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._held = False

    def acquire(self) -> None:
        """Wait for one's turn."""
        with self._guard:
            if not self._held:
                self._held = True
                return
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        mine.acquire()

    def release(self) -> None:
        """Let the next one have it."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
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
def aside(borrowed: Sequence[Borrowed]) -> Iterator[None]:
    """Let others have what is borrowed, then wait for one's turn again."""
    locks = [lock for lock in in_order(one.turns for one in borrowed) if lock.locked()]
    for lock in locks:
        lock.release()
    try:
        yield
    finally:
        for lock in locks:
            lock.acquire()


def stepwise(borrowed: Sequence[Borrowed], events: Iterable[T]) -> Iterator[T]:
    """Events of long work on borrowed models, which others may use once a slice of time is over.

    Each step must switch its model on anew (``LM.switch_on``), as every forward pass here does.
    """
    began = time.monotonic()
    for event in events:
        if time.monotonic() - began < SLICE:
            yield event
            continue
        with aside(borrowed):
            yield event
        began = time.monotonic()
