"""Answers counted: how many were right, numbers in bins, lines of a table."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lmlab.page.room.store import Asked
from lmlab.parts.tables import neutral

BINS = 12
NEAR = 0.1  # share of the truth that a number may be off and still be right
FAR = 30.0  # the largest number over the smallest from which the bins grow by a factor


def share_right(asked: Asked, answers: Sequence[float]) -> float | None:
    """The share of answers that are right; None where nobody knows what is, or nobody answered."""
    right = place_of_right(asked.asked)
    if not answers or "word" in asked.asked:
        return None
    if asked.asked.get("truth") is not None:
        return None if asked.truth is None else float(np.mean(near(answers, asked.truth)))
    return None if right is None else answers.count(right) / len(answers)


def place_of_right(asked: Mapping[str, Any]) -> int | None:
    """Which of a question's options is right, from 0; None where nobody knows."""
    right = asked.get("right")
    return None if right is None else asked["options"].index(right)


def near(answers: Sequence[float], truth: float) -> list[bool]:
    """Which numbers are as good as the truth."""
    return [abs(one - truth) <= NEAR * abs(truth) for one in answers]


def histogram(rounds: Sequence[Sequence[float]], truth: float | None) -> dict[str, Any]:
    """Numbers of some votes in the same bins, with the truth inside of them where it is known.

    What lies outside of what nearly all answered is counted in the first or last bin.

    Returns:
        ``edges``: the bins' edges, one more than bins; ``tally``: for each vote, how many in each.

    >>> histogram([[1, 1, 2]], 3.0)["edges"][0], histogram([[]], None)
    (1.0, {'edges': [], 'tally': [[]]})
    """
    known = [one for answers in rounds for one in answers]
    if not known:
        return {"edges": [], "tally": [[] for _ in rounds]}
    low, high = np.quantile(known, (0.02, 0.98)) if len(known) > 20 else (min(known), max(known))
    if truth is not None:
        low, high = min(low, truth), max(high, truth)
    if low > 0 and high / low >= FAR:
        edges = np.geomspace(low, high, BINS + 1)
    else:
        room = (abs(high) or 1.0) * 0.1 if low == high else 0.0
        edges = np.linspace(low - room, high + room, BINS + 1)
    counted = [np.histogram(np.clip(answers, edges[0], edges[-1]), edges)[0] for answers in rounds]
    return {"edges": edges.tolist(), "tally": [one.tolist() for one in counted]}


def rows(asked: Asked, answers: Sequence[float]) -> Iterator[tuple[str, int, str]]:
    """(answer, how many gave it, whether it is right, empty where nobody knows)."""
    counts = Counter(answers)
    if "word" in asked.asked:
        yield from ((neutral(str(word)), n, "") for word, n in counts.most_common())
        return
    if asked.asked.get("truth") is not None:
        for value in sorted(counts):
            right = "" if asked.truth is None else _said(near([value], asked.truth)[0])
            yield f"{value:g}", counts[value], right
        return
    known = place_of_right(asked.asked)
    for place, option in enumerate(asked.asked["options"]):
        right = "" if known is None else _said(place == known)
        yield neutral(option), counts[place], right


def _said(right: bool) -> str:
    return "yes" if right else "no"
