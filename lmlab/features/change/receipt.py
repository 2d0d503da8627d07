"""Receipts of change, from the base to what was made from it: ΔW, the rank knife, drift.

Texts are (prefix, text); what is given before a text is not counted. ``turn`` says whether the
prefixes open a chat's turn.
"""

from collections.abc import Sequence

from lmlab.features.change.changes import Drift, KnifePoint, MatrixChange
from lmlab.receipts.script import script

Texts = Sequence[tuple[str, str]]


def matrix(base: str, tuned: str, change: MatrixChange) -> str:
    """‖ΔW‖/‖W‖ and the largest singular values of what was added to one matrix."""
    largest = change.singular_values[:4]
    return script("features/change/matrix", [base, tuned], change=change, largest=largest)


def knife(
    base: str, tuned: str, point: KnifePoint, task: Texts, general: Texts, turn: bool = False
) -> str:
    """Log-perplexity with the k largest singular values of every ΔW; the turn is the task's."""
    texts = {"task": [*map(tuple, task)], "general": [*map(tuple, general)]}
    return script("features/change/knife", [base, tuned], point=point, turn=turn, **texts)


def drift(base: str, tuned: str, found: Drift, texts: Texts, turn: bool = False) -> str:
    """How far the tuned model's distributions are from the base's on one kind of text."""
    pairs = [*map(tuple, texts)]
    return script("features/change/drift", [base, tuned], found=found, texts=pairs, turn=turn)
