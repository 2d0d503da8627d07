"""Which label is chosen, in each of the usual ways: mathematics over log-likelihoods in nats."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lmlab.maths.agreement import softmax

Way = Literal["sum", "per character", "per byte", "minus unconditional", "calibrated"]
# Stand-ins for a query without content (Zhao et al. 2021).
CONTENT_FREE = ("N/A", "", "[MASK]")


@dataclass(frozen=True)
class Blank:
    """What the labels get where nothing is asked; empty where that is not known."""

    unconditional: tuple[float, ...] = ()  # ln p of each label with nothing before it
    content_free: tuple[float, ...] = ()  # ln of its share after a query without content


def mean_shares(rows: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """ln of the mean over rows of the labels' shares, from the rows' ln p."""
    shares = [softmax(row) for row in rows]
    means = (sum(column) / len(rows) for column in zip(*shares, strict=True))
    return tuple(math.log(max(mean, 1e-300)) for mean in means)


def scored(
    logprobs: Sequence[float], targets: Sequence[str], blank: Blank
) -> dict[Way, tuple[float, ...]]:
    """Every way's score of each label, from ln p(target | prompt), Σ over its tokens.

    Lengths of targets leave out white space at the ends; ways that need what ``blank`` lacks are
    left out.
    """
    words = [target.strip() for target in targets]
    found: dict[Way, tuple[float, ...]] = {
        "sum": tuple(logprobs),
        "per character": _over(logprobs, [len(word) for word in words]),
        "per byte": _over(logprobs, [len(word.encode()) for word in words]),
    }
    if blank.unconditional:
        found["minus unconditional"] = _less(logprobs, blank.unconditional)
    if blank.content_free:
        found["calibrated"] = _less(logprobs, blank.content_free)
    return found


def best(scores: Sequence[float], labels: Sequence[str]) -> str:
    """The label of the highest score, the first of equals."""
    return labels[max(range(len(labels)), key=lambda i: scores[i])]


def _over(logprobs: Sequence[float], lengths: Sequence[int]) -> tuple[float, ...]:
    return tuple(lp / max(1, n) for lp, n in zip(logprobs, lengths, strict=True))


def _less(logprobs: Sequence[float], others: Sequence[float]) -> tuple[float, ...]:
    return tuple(lp - other for lp, other in zip(logprobs, others, strict=True))
