"""Notes of what the Change tab shows, from what the session keeps of it: title and receipt.

Receipts go from the base to what was made from it. Texts are (prefix, text); what is given before a
text is not counted.
"""

from collections.abc import Callable, Sequence

from lmlab.budget import by_chance
from lmlab.features.change.changes import Drift, Knifed, KnifePoint, MatrixChange
from lmlab.features.change.drift_service import Drifting
from lmlab.features.change.service import Changing, KnifeTexts
from lmlab.features.change.task_texts import Passage
from lmlab.lab import Lab
from lmlab.parts.receipt_button import Note
from lmlab.receipts.script import script

Matrix = tuple[str, str, MatrixChange]
Moved = tuple[str, str, tuple[Drift, ...], int, str]  # base, tuned, found, rows, own text


def of_matrix(kept: Matrix | None) -> Note | None:
    """The matrix that is chosen."""
    if kept is None:
        return None
    base, tuned, change = kept
    title = f"ΔW of {change.name}, from {base} to {tuned}"
    return Note(f"matrix {title}", title, lambda: matrix(base, tuned, change))


def of_knife(lab: Lab) -> Callable[[Knifed | None, KnifeTexts | None], Note | None]:
    """The rank knife; the receipt is that of the smallest k that cuts."""

    def note(found: Knifed | None, on: KnifeTexts | None) -> Note | None:
        if found is None or on is None or not found.is_done:
            return None
        point = next((one for one in found.points if one.k), found.points[-1])

        def write() -> str:
            asked = lab.service(Changing)
            task, general = asked.task(found.tuned, on).passages, asked.general(on).passages
            return knife(found.base, found.tuned, point, task, general)

        title = f"Rank knife from {found.base} to {found.tuned}, on {found.task}"
        return Note(f"knife {title} {found.general}", f"{title}; receipt of k = {point.k}", write)

    return note


def of_drift(lab: Lab) -> Callable[[Moved | None], Note | None]:
    """How far the distributions moved; the receipt is that of the first kind of text."""

    def note(kept: Moved | None) -> Note | None:
        if not kept or not kept[2]:
            return None
        base, tuned, found, rows, own = kept

        def write() -> str:
            kinds = lab.service(Drifting).kinds(tuned, rows, own)
            kind = next(k for k in kinds if k.name == found[0].kind)
            # A part of them is the same ones every time.
            places = sorted(by_chance(range(len(kind.passages)))[: found[0].n_texts])
            return drift(base, tuned, found[0], [kind.passages[place] for place in places])

        title = f"KL between {tuned} and {base} on {len(found)} kinds of text"
        return Note(f"drift {base} {tuned} {rows}", f"{title}; receipt of {found[0].kind}", write)

    return note


def matrix(base: str, tuned: str, change: MatrixChange) -> str:
    """‖ΔW‖/‖W‖ and the largest singular values of what was added to one matrix."""
    largest = change.singular_values[:4]
    return script("features/change/matrix", [base, tuned], change=change, largest=largest)


def knife(
    base: str, tuned: str, point: KnifePoint, task: Sequence[Passage], general: Sequence[Passage]
) -> str:
    """Log-perplexity with the k largest singular values of every ΔW; the turn is the task's."""
    texts = {"task": _pairs(task), "general": _pairs(general), "turn": _turn(task)}
    return script("features/change/knife", [base, tuned], point=point, **texts)


def drift(base: str, tuned: str, found: Drift, texts: Sequence[Passage]) -> str:
    """How far the tuned model's distributions are from the base's on one kind of text."""
    given = {"texts": _pairs(texts), "turn": _turn(texts)}
    return script("features/change/drift", [base, tuned], found=found, **given)


def _pairs(texts: Sequence[Passage]) -> list[tuple[str, str]]:
    return [(one.prefix, one.text) for one in texts]


def _turn(texts: Sequence[Passage]) -> bool:
    """Whether the prefixes open a chat's turn."""
    return any(one.turn for one in texts)
