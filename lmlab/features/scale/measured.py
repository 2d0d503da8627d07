"""What a model reaches on held-out text, beside how large it is. Plain numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import linear_regression

from lmlab.features.scale.counts import training_flops


@dataclass(frozen=True, slots=True)
class Measured:
    """One model on the texts of one kind."""

    model: str
    kind: str
    parameters: int  # N, the model's own, those of an adapter left out
    tokens_seen: int | None  # D, in training; None where it is not known
    nats: float  # −Σ ln p over all texts
    n_tokens: int
    n_bytes: int  # of UTF-8
    n_texts: int
    vocabulary: str  # tells whether two models have the same tokens
    longest: int = 0  # tokens of the longest text

    @property
    def bits_per_byte(self) -> float:
        """−Σ ln p / (ln 2 · bytes): comparable whatever the tokens."""
        return self.nats / (math.log(2) * self.n_bytes)

    @property
    def perplexity(self) -> float:
        """exp(−Σ ln p / tokens), comparable between models with the same tokens alone."""
        mean = self.nats / self.n_tokens
        return math.inf if mean >= 700 else math.exp(mean)

    @property
    def flops(self) -> float | None:
        """6·N·D of its training."""
        return training_flops(self.parameters, self.tokens_seen) if self.tokens_seen else None


def same_tokens(found: Sequence[Measured]) -> bool:
    """Whether perplexities of all of them compare."""
    return len({one.vocabulary for one in found}) <= 1


def slope(found: Sequence[tuple[float, float]]) -> float | None:
    """The exponent of the power law through points (x, y): least squares in log–log.

    None with fewer than two different x.

    >>> round(slope([(1, 8.0), (10, 4.0), (100, 2.0)]), 4)
    -0.301
    """
    logs = [(math.log(x), math.log(y)) for x, y in found if x > 0 and y > 0]
    if len({x for x, _ in logs}) < 2:
        return None
    return linear_regression([x for x, _ in logs], [y for _, y in logs]).slope


def exponents(found: Sequence[Measured], models: Sequence[str]) -> dict[str, float]:
    """{kind: slope of ln(bits per byte) over ln N among some models}."""
    points: dict[str, list[tuple[float, float]]] = {}
    for one in found:
        if one.model in models:
            points.setdefault(one.kind, []).append((one.parameters, one.bits_per_byte))
    found_slopes = ((kind, slope(some)) for kind, some in points.items())
    return {kind: value for kind, value in found_slopes if value is not None}
