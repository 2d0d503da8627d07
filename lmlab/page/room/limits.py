"""Slows down whoever asks too often, and nobody else."""

import time
from collections import OrderedDict
from collections.abc import Callable

REMEMBERED = 20_000  # callers


class Buckets:
    """For each caller so many requests at once, and so many a second from then on."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def wait(self, kind: str, caller: str, most: float, rate: float) -> float:
        """Count a request: seconds that the caller has to wait before it; 0 where it may go on.

        >>> buckets = Buckets(lambda: 0.0)
        >>> [buckets.wait("phone", "a", most=2, rate=0.5) for _ in range(3)]
        [0.0, 0.0, 2.0]
        """
        now = self._clock()
        left, then = self._known.pop((kind, caller), (most, now))
        left = min(most, left + rate * (now - then))
        waits = 0.0 if left >= 1 else (1 - left) / rate
        self._known[kind, caller] = (left if waits else left - 1, now)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return waits
