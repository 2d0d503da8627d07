"""How much is measured where all would take too long: of several designs, models or kinds of text
the same rows, few at first, then what fits the time. Knows no torch.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Literal, NamedTuple, TypeVar

from lmlab.numbers import duration

SLACK = 1.25  # all is measured up to here: what few rows tell is rather too slow than too quick
FEW, GROWS = 2, 4  # rows of the first round, and how many times more the next one takes at most
FEWEST = 4  # rows, whatever they take: fewer say nothing
EARLY = 0.1  # share of a round before which its own speed tells nothing

Measure = Literal["time", "all"]
MEASURED = ("as much as the time allows", "all rows")  # what the page calls these
Clock = Callable[[], float]  # seconds, from anywhere
T = TypeVar("T")


def fits(seconds: float, budget: float) -> bool:
    """Whether all that takes so long is measured within a budget."""
    return seconds <= SLACK * budget


@dataclass(frozen=True, slots=True)
class Portion:
    """What was measured of some rows, and what all of them would take."""

    used: int
    whole: int
    seconds: float  # about

    def told(self, rows: str = "rows") -> str:
        """What a reader has to know.

        >>> Portion(40, 200, 351.0).told()
        'Measured on 40 of 200 rows; all of them would take about 5.8 min.'
        """
        part, most = f"{self.used:,} of {self.whole:,} {rows}", duration(self.seconds)
        return f"Measured on {part}; all of them would take about {most}."


class Left(NamedTuple):
    """What is left of work: seconds, about, and the share of its time that is over."""

    seconds: float
    share: float

    @property
    def told(self) -> str:
        """In words."""
        return f"about {duration(self.seconds)} left"


@dataclass
class Rounds:
    """The rows that are measured, round by round, until all are or the time is over.

    Every part reads a round's rows before there is another round: whenever it ends, all parts have
    read the same ones.
    """

    total: int  # rows
    seconds: float = math.inf  # for all of it
    parts: int = 1  # that read them one after another
    clock: Clock = time.perf_counter
    done: int = field(default=0, init=False)  # rows that every part has read
    size: int = field(default=0, init=False)  # rows of this round
    _began: float = field(default=0.0, init=False)
    _turned: float = field(default=0.0, init=False)  # when this round began
    _each: float = field(default=0.0, init=False)  # seconds of a row, in all parts
    _shares: Sequence[float] = field(default=(), init=False)  # of a round's time, by part
    _first: tuple[float, float] | None = field(default=None, init=False)  # when it was so far
    _ends: dict[int, float] = field(default_factory=dict, init=False)

    def __iter__(self) -> Iterator[range]:
        """Places of rows, from 0; what is done with them before the next are asked for is timed."""
        self._began = self.clock()
        self.size = min(FEW, self.total)
        while self.size:
            self._turned, self._first, self._ends = self.clock(), None, {}
            yield range(self.done, self.done + self.size)
            self.done += self.size
            self._timed()
            self.size = self._next()

    def left(self, part: int, share: float) -> Left | None:
        """What is left while a part is so far with a round's rows; None in the first round."""
        now = self.clock()
        if share >= 1:
            self._ends[part] = now
        if not self._shares:
            return None
        far = sum(self._shares[:part]) + min(share, 1.0) * self._shares[part]
        # What the rows before took, until this round tells it better; what it begins with is over.
        self._first = self._first or (now, far)
        speed, gone = self._each * self.size, far - self._first[1]
        if gone > EARLY:
            speed = (now - self._first[0]) / gone
        rest = max(0.0, speed * (1 - far))
        over = self._began + self.seconds - now - rest
        if self.done + self.size < self.total and over >= FEW * self._each:
            rest += over  # there are rounds after it, until the time is over
        spent = now - self._began
        return Left(rest, spent / (spent + rest) if rest else 1.0)

    @property
    def portion(self) -> Portion | None:
        """What was measured, and of how many; None where that is all."""
        if self.done >= self.total:
            return None
        return Portion(self.done, self.total, self._each * self.total)

    def _timed(self) -> None:
        """What a row takes, by this round: a larger one tells it better."""
        now = self.clock()
        self._each = (now - self._turned) / self.size
        ends = [self._turned, *(self._ends.get(part, now) for part in range(self.parts))]
        took = [max(0.0, end - start) for start, end in pairwise(ends)]
        self._shares = [one / (sum(took) or 1.0) for one in took]

    def _next(self) -> int:
        left, spent = self.total - self.done, self.clock() - self._began
        if fits(spent + left * self._each, self.seconds):
            return left
        count, least = int((self.seconds - spent) / max(self._each, 1e-9)), FEWEST - self.done
        if count < max(FEW, least):
            return max(0, min(left, least))
        return min(left, GROWS * self.size, count)


def measure_named(value: object) -> Measure:
    """As a page tells it."""
    return "all" if value == "all" else "time"


def by_chance(rows: Sequence[T], seed: int = 0) -> list[T]:
    """In an order of which any beginning is a fair choice, the same one every time."""
    return Random(f"{seed}/rows").sample(rows, len(rows))
