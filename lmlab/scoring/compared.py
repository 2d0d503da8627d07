"""What comparing two models on a text gives back: frozen, plain Python values. No torch, no page.

Differences and divergences are in bits; the two scorings stay in nats.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from lmlab.measures import Column, Columns, measure
from lmlab.scoring.scored import Scored

LN2 = math.log(2)
By = Literal["difference", "kl", "kl_reverse"]


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of text at whose ends tokens of both models end."""

    text: str
    # −log₂ p of them under the first model, or None when it could not score them all
    first: float | None
    second: float | None  # the same under the second model
    counts: tuple[int, int]  # how many tokens each model cuts it into

    @property
    def n_bytes(self) -> int:
        """UTF-8 bytes of the piece."""
        return len(self.text.encode())

    @property
    def difference(self) -> float | None:
        """Bits a byte by which the second model is less surprised."""
        if self.first is None or self.second is None or not self.text:
            return None
        return (self.first - self.second) / self.n_bytes


@dataclass(frozen=True)
class Compared:
    """One text under two models."""

    first: Scored  # scored by the first model, for instance the base
    second: Scored  # scored by the second, for instance a tuned one
    # KL(first ‖ second) in bits of the next-token distributions that each token was drawn from;
    # None for a token that was not scored. None altogether when the models have different tokens,
    # whose distributions cannot be compared.
    kl: tuple[float | None, ...] | None = None
    kl_reverse: tuple[float | None, ...] | None = None  # the same of KL(second ‖ first)
    # what a reader has to know about how the two were compared, in sentences
    notes: tuple[str, ...] = ()

    @property
    def same_tokens(self) -> bool:
        """Whether the two can be compared token by token."""
        return self.kl is not None

    @property
    def differences(self) -> tuple[float | None, ...]:
        """log₂ p₂ − log₂ p₁ of each token; empty when the models have different tokens."""
        if not self.same_tokens:
            return ()
        values: Column = measure("difference").value(self.columns)
        return tuple(None if math.isnan(value) else value for value in values.tolist())

    @property
    def columns(self) -> Columns:
        """Of each token, or of each piece where the models have different tokens; see
        ``lmlab.measures``."""
        if not self.same_tokens:
            bits = [(s.first, s.second, s.n_bytes) for s in self.segments]
            first, second, size = np.array(bits, dtype=np.float64).reshape(-1, 3).T
            return {"logprob": -first * LN2, "logprob_2": -second * LN2, "bytes": size}
        divergences = {"kl": _nats(self.kl), "kl_reverse": _nats(self.kl_reverse)}
        return {**self.first.tokens.beside(self.second.tokens), **divergences}

    @property
    def mean_kl(self) -> tuple[float, float]:
        """Mean of KL(first ‖ second) and KL(second ‖ first) over the scored tokens; NaN if none."""
        return _mean(self.kl or ()), _mean(self.kl_reverse or ())

    def moved(self, by: By = "kl", count: int = 10) -> list[int]:
        """The tokens, by place, at which the models differ most, most first."""
        if not self.same_tokens:
            return []
        columns = {"difference": self.differences, "kl": self.kl, "kl_reverse": self.kl_reverse}
        sizes = [(abs(value), i) for i, value in enumerate(columns[by] or ()) if value is not None]
        return [i for _, i in sorted(sizes, key=lambda pair: (-pair[0], pair[1]))[:count]]

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The text cut wherever tokens of both models end, whatever their tokens are."""
        return tuple(_segments(self.first, self.second))

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict; NaN becomes None."""
        means = [value if math.isfinite(value) else None for value in self.mean_kl]
        return {
            "models": [self.first.model, self.second.model],
            "text": self.first.text,
            "same_tokens": self.same_tokens,
            "scored": [self.first.to_dict(), self.second.to_dict()],
            "positions": self._positions(),
            "segments": [_segment_dict(segment) for segment in self.segments],
            "moved": self.moved(),
            "mean_kl": means[0],
            "mean_kl_reverse": means[1],
            "notes": list(self.notes),
        }

    def _positions(self) -> list[dict[str, Any]]:
        columns = zip(
            self.first.tokens.texts if self.same_tokens else (),
            self.differences,
            self.kl or (),
            self.kl_reverse or (),
            strict=True,
        )
        return [
            {"text": text, "difference": d, "kl": kl, "kl_reverse": reverse}
            for text, d, kl, reverse in columns
        ]


def _nats(bits: Sequence[float | None] | None) -> Column:
    return np.array(bits, dtype=np.float64) * LN2


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else math.nan


def _segments(first: Scored, second: Scored) -> Iterator[Segment]:
    whole = first.prefix + first.text
    one, two = _sums(first), _sums(second)
    for low, high in pairwise(sorted(one.keys() & two.keys())):
        (a, m), (b, n) = _between(one, low, high), _between(two, low, high)
        yield Segment(whole[low:high], a, b, (m, n))


def _sums(scored: Scored) -> dict[int, tuple[float, int, bool]]:
    """At each character where a token ends: bits so far, tokens so far, whether all are scored.

    A token that completes no character belongs to what the next ones complete.
    """
    start = len(scored.prefix)
    found = {start: (0.0, 0, True)}
    bits, known = 0.0, True
    tokens = scored.tokens
    logprobs = tokens.columns["logprob"].tolist()
    rows = zip(logprobs, tokens.starts.tolist(), tokens.ends.tolist(), strict=True)
    for i, (logprob, low, high) in enumerate(rows):
        known = known and not math.isnan(logprob)
        bits -= 0.0 if math.isnan(logprob) else logprob / LN2
        if high > low:
            found[start + high] = (bits, i + 1, known)
            known = True
    return found


def _between(
    sums: dict[int, tuple[float, int, bool]], low: int, high: int
) -> tuple[float | None, int]:
    known = all(ok for place, (_, _, ok) in sums.items() if low < place <= high)
    bits, count = sums[high][0] - sums[low][0], sums[high][1] - sums[low][1]
    return (bits if known else None), count


def _segment_dict(segment: Segment) -> dict[str, Any]:
    return {
        "text": segment.text,
        "bits": [segment.first, segment.second],
        "tokens": list(segment.counts),
    }
