"""How well answers agree with the truth: pure mathematics over plain lists. No models, no text but
two answers at a time.
"""

import math
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

RESAMPLES = 1000
BINS = 10


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and its bootstrap interval (95 %, percentiles)."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Bin:
    """One bin of a reliability curve, from the confidence ``low`` to ``high``: how many predictions
    lie in it, their mean confidence, and the share of them that is right."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def normalised(answer: str) -> str:
    """The form in which free answers are compared: NFKC, case folded, white space made single,
    punctuation taken off both ends.

    >>> normalised("  The Garden. ")
    'the garden'
    """
    text = " ".join(unicodedata.normalize("NFKC", answer).casefold().split())
    inside = [i for i, char in enumerate(text) if unicodedata.category(char)[0] not in "PZ"]
    return text[inside[0] : inside[-1] + 1] if inside else ""


def exact_match(answer: str, truth: str) -> bool:
    """Whether two answers are the same once normalised."""
    return normalised(answer) == normalised(truth)


def token_f1(answer: str, truth: str) -> float:
    """Harmonic mean of precision and recall over words, each counted as often as it occurs
    (Rajpurkar et al. 2016, with this module's normalisation).

    >>> token_f1("a green bag", "green bag")
    0.8
    """
    mine, theirs = normalised(answer).split(), normalised(truth).split()
    if not mine or not theirs:
        return float(mine == theirs)
    shared = sum((Counter(mine) & Counter(theirs)).values())
    return 2 * shared / (len(mine) + len(theirs))


def confusion(
    truths: Sequence[str], answers: Sequence[str | None], labels: Sequence[str]
) -> list[list[int]]:
    """How often each label (row) was answered as each label (column); unread answers count for
    nothing here."""
    counts = Counter(zip(truths, answers, strict=True))
    return [[counts[truth, answer] for answer in labels] for truth in labels]


def macro_f1(truths: Sequence[str], answers: Sequence[str | None], labels: Sequence[str]) -> float:
    """Mean of the labels' F1, over labels that occur as truth or answer; NaN without any."""
    scores = []
    for label in labels:
        hits = sum(t == a == label for t, a in zip(truths, answers, strict=True))
        total = sum(t == label for t in truths) + sum(a == label for a in answers)
        if total:
            scores.append(2 * hits / total)
    return sum(scores) / len(scores) if scores else math.nan


def reliability(confidences: Sequence[float], hits: Sequence[bool], bins: int = BINS) -> list[Bin]:
    """Confidence against accuracy in bins of equal width; empty bins are left out."""
    groups: dict[int, list[int]] = {}
    for i, confidence in enumerate(confidences):
        groups.setdefault(min(int(confidence * bins), bins - 1), []).append(i)
    return [
        Bin(
            low=b / bins,
            high=(b + 1) / bins,
            count=len(members),
            confidence=sum(confidences[i] for i in members) / len(members),
            accuracy=sum(hits[i] for i in members) / len(members),
        )
        for b, members in sorted(groups.items())
    ]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error (Naeini et al. 2015): Σ share of bin · |accuracy − confidence|."""
    gaps = sum(b.count * abs(b.accuracy - b.confidence) for b in bins)
    return gaps / sum(b.count for b in bins) if bins else math.nan


def brier(probabilities: Sequence[Sequence[float]], truths: Sequence[int]) -> float:
    """Mean over rows of Σ over labels (p − [label is true])² (Brier 1950); from 0 to 2."""
    pairs = zip(probabilities, truths, strict=True)
    total = sum((p - (i == truth)) ** 2 for row, truth in pairs for i, p in enumerate(row))
    return total / len(truths) if truths else math.nan


def softmax(scores: Sequence[float]) -> tuple[float, ...]:
    """Probabilities in proportion to exp(score).

    >>> softmax([0.0, 0.0])
    (0.5, 0.5)
    """
    most = max(scores)
    if most == -math.inf:
        return tuple(1 / len(scores) for _ in scores)
    weights = [math.exp(score - most) for score in scores]
    return tuple(weight / sum(weights) for weight in weights)


def bootstrap(values: Sequence[Sequence[float]], seed: int = 0) -> Interval:
    """Mean over rows of their own means, and a 95 % interval from resampling rows.

    Args:
        values: for each row its value in every draw; draws of one row stay together.
        seed: of the resampling.
    """
    means = np.array([sum(row) / len(row) for row in values])
    if not len(means):
        return Interval(math.nan, math.nan, math.nan)
    picks = np.random.default_rng(seed).integers(0, len(means), (RESAMPLES, len(means)))
    low, high = np.percentile(means[picks].mean(1), [2.5, 97.5])
    return Interval(float(means.mean()), float(low), float(high))


def spread(values: Sequence[float]) -> float:
    """Standard deviation over draws (n − 1); 0 for a single one."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def finite(value: Any) -> Any:
    """A number that JSON can hold, or None."""
    return value if not isinstance(value, float) or math.isfinite(value) else None
