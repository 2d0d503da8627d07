"""One text under the checkpoints of a training run: frozen, plain Python values."""

from collections.abc import Sequence
from dataclasses import dataclass

from lmlab.scoring.scored import Scored


@dataclass(frozen=True, slots=True)
class Stop:
    """A checkpoint on the way.

    Attributes:
        step: optimiser steps made by then.
        model: its name, as a model is named anywhere.
    """

    step: int
    model: str


@dataclass(frozen=True)
class Moment:
    """The text after some steps.

    Attributes:
        step: that were made.
        scored: the text under the model of that step.
        written: what that model writes after the text's opening.
        vocabulary: how many tokens the model chooses from.
    """

    step: int
    scored: Scored
    written: str
    vocabulary: int


@dataclass(frozen=True, slots=True)
class Travelling:
    """How far a journey is: checkpoints scored, of how many, and the step that comes next."""

    done: int
    total: int
    step: int


def is_logarithmic(steps: Sequence[int]) -> bool:
    """Whether steps are spread so widely that an axis shows them better by their logarithm.

    >>> is_logarithmic([0, 8, 15, 29, 55, 106, 732]), is_logarithmic([0, 20, 40, 150])
    (True, False)
    """
    later = [step for step in steps if step > 0]
    return len(later) > 2 and max(later) > 20 * min(later)
