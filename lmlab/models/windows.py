"""How a sequence longer than a model's context is cut into windows, and what is read at once."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar

from lmlab.errors import InputError

WindowMode = Literal["disjoint", "sliding"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Window:
    """Run the model on positions [start, high − 1) and score positions [low, high)."""

    start: int
    low: int
    high: int

    @property
    def length(self) -> int:
        """Positions that the model reads: the last scored token itself is not an input."""
        return self.high - 1 - self.start


def plan(n_context: int, n: int, limit: int, mode: WindowMode, stride: int | None) -> list[Window]:
    """Windows that score each of positions [n_context, n) exactly once.

    Args:
        n_context: positions before the first scored one; at least 1.
        n: length of the sequence.
        limit: positions that the model can read at once.
        mode: ``disjoint`` precedes each further window by one token; ``sliding`` keeps
            ``limit − stride`` tokens of context before each further block of ``stride`` tokens.
        stride: of sliding windows; half the limit by default.

    Raises:
        InputError: the stride is not between 1 and the limit.
    """
    if n - 1 <= limit:
        return [Window(0, n_context, n)]
    step = limit if mode == "disjoint" else default_stride(limit) if stride is None else stride
    if not 1 <= step <= limit:
        raise InputError(f"The stride must be between 1 and {limit}, not {step}.")
    kept = limit // 2 if mode == "disjoint" else limit - step
    start = min(max(0, n_context - kept), n_context - 1)
    windows = [Window(start, n_context, min(n, start + limit + 1))]
    while (low := windows[-1].high) < n:
        high = min(n, low + step)
        first = low - 1 if mode == "disjoint" else high - 1 - limit
        windows.append(Window(first, low, high))
    return windows


def default_stride(limit: int) -> int:
    """Half the context, so that every token past the first window has at least half of it."""
    return max(1, limit // 2)


def batched(
    items: Iterable[T], length: Callable[[T], int], full: Callable[[int, int], bool]
) -> Iterator[list[T]]:
    """Batches, longest first, so that padding is small and memory is at its peak at once.

    Args:
        items: to read; one alone is a batch however long it is.
        length: of an item.
        full: whether so many rows of such a width are too many.
    """
    batch: list[T] = []
    for item in sorted(items, key=lambda item: -length(item)):
        if batch and full(len(batch) + 1, length(batch[0])):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch
