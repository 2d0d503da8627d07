"""How much is measured at each evaluation of a run: what a share of its time is enough for, decided
once, before the first step, from speeds that are measured then. Knows no torch.
"""

import time
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType

from lmlab import budget
from lmlab.budget import Clock
from lmlab.training.config import FinetuneConfig

SHARE = 0.1  # of a run's time, for all its evaluations together: two at least
LEAST = 3.0  # seconds that each of them may take in any case
PASSES = 1.5  # a step takes as long as so many forward passes over its rows, at least
FEWEST_ANSWERS = 4  # of fewer, the share that is right says nothing: there are none then
# The kinds of what is measured, in the order in which they get their part of the time, with the
# fewest of each.
FEWEST: Mapping[str, int] = MappingProxyType({"samples": 1, "probe": 1, "answers": 0, "valid": 8})
NAMES = MappingProxyType(
    {"valid": "held-out rows", "probe": "general texts", "answers": "answers", "samples": "samples"}
)

Needs = Mapping[str, Sequence[float]]  # of each kind, the seconds that 0, 1, 2, … of it take


@dataclass(frozen=True, slots=True)
class Size:
    """How many are measured at each evaluation: the same ones every time."""

    valid: int  # held-out rows, an even choice of them
    probe: int  # general texts, likewise
    answers: int  # of the first held-out rows
    samples: int  # likewise
    # that this takes each time, about
    seconds: float = field(default=0.0, compare=False)

    def told(self, whole: "Size") -> str:
        """What of the whole it is, in words."""
        mine, all_ = asdict(self), asdict(whole)
        parts = (
            f"{mine[key]:,} of {all_[key]:,} {name}" if mine[key] else f"no {name}"
            for key, name in NAMES.items()
            if all_[key]
        )
        return ", ".join(parts)


@dataclass(frozen=True)
class Budget:
    """What measuring may take of a run's time."""

    seconds: float = LEAST  # each evaluation, at least
    # (used, whole) of an earlier run on the same rows: both can be compared then
    like: tuple[Size, Size] | None = None
    clock: Clock = time.perf_counter

    def size(self, needs: Needs, config: FinetuneConfig, step: float, spent: float) -> Size:
        """What is measured.

        Args:
            step: seconds that a step takes, about.
            spent: seconds that went into finding the needs.
        """
        whole = priced(whole_of(needs), needs)
        each = max(self.seconds, SHARE * step * config.steps / evaluations(config))
        if config.measure == "all":
            return whole
        if self.like and self.like[1] == whole:
            known = priced(self.like[0], needs)
            if known.seconds <= 2 * max(each, LEAST):
                return known
        return whole if budget.fits(whole.seconds, each) else fitted(needs, each - spent)


def evaluations(config: FinetuneConfig) -> int:
    """How often a run is measured: at its start, on its way, and at its end."""
    every = config.evaluate_every
    return 2 + (config.steps - 1) // every if every else 2


def whole_of(needs: Needs) -> Size:
    """All that could be measured."""
    return Size(**{kind: len(some) - 1 for kind, some in needs.items()})


def priced(size: Size, needs: Needs) -> Size:
    """The same with the seconds that it takes."""
    counts = asdict(size)
    return replace(size, seconds=sum(needs[kind][counts[kind]] for kind in FEWEST))


def fitted(needs: Needs, seconds: float) -> Size:
    """Of each kind what fits into its equal part of the time that is left.

    >>> row = [0.1 * n for n in range(201)]
    >>> fitted({"samples": [0.0, 1.0], "probe": [0.0], "answers": [0.0], "valid": row}, 4.0)
    Size(valid=30, probe=0, answers=0, samples=1, seconds=4.0)
    """
    left, counts = seconds, dict[str, int]()
    for place, (kind, fewest) in enumerate(FEWEST.items()):
        some = needs[kind]
        fits = bisect_right(some, left / (len(FEWEST) - place)) - 1
        if kind == "answers" and fits < min(FEWEST_ANSWERS, len(some) - 1):
            fits = 0
        counts[kind] = min(max(fits, fewest), len(some) - 1)
        left -= some[counts[kind]]
    return priced(Size(**counts), needs)
