"""What a model reaches on held-out text, beside how large it is. Plain numbers."""

import math
from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """bits per byte = factor · N^exponent, least squares in log–log."""

    exponent: float
    factor: float
    residuals: tuple[tuple[str, float], ...]  # by model: ln(measured) − ln(fitted)

    def at(self, parameters: float) -> float:
        """Bits per byte that the law gives."""
        return float(self.factor * parameters**self.exponent)


def power_law(points: Mapping[str, tuple[float, float]]) -> PowerLaw | None:
    """The law through {model: (N, bits per byte)}; None with fewer than two different N.

    >>> law = power_law({"a": (1, 8.0), "b": (10, 4.0), "c": (100, 2.0)})
    >>> round(law.exponent, 4), round(law.factor, 4), round(law.at(1000), 4)
    (-0.301, 8.0, 1.0)
    """
    logs = {name: (math.log(x), math.log(y)) for name, (x, y) in points.items() if x > 0 and y > 0}
    if len({x for x, _ in logs.values()}) < 2:
        return None
    slope, shift = linear_regression(*zip(*logs.values(), strict=True))
    residuals = tuple((name, y - shift - slope * x) for name, (x, y) in logs.items())
    return PowerLaw(slope, math.exp(shift), residuals)


def power_laws(found: Sequence[Measured], models: Sequence[str]) -> dict[str, PowerLaw]:
    """{kind: the law through what some models reach on it}."""
    points: dict[str, dict[str, tuple[float, float]]] = {}
    for one in found:
        if one.model in models:
            points.setdefault(one.kind, {})[one.model] = (one.parameters, one.bits_per_byte)
    laws = ((kind, power_law(some)) for kind, some in points.items())
    return {kind: law for kind, law in laws if law is not None}
