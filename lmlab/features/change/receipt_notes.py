"""Notes of what the Change tab shows, from what the session keeps of it: title and receipt."""

from collections.abc import Callable

from lmlab.features.change import receipt
from lmlab.features.change.changes import Drift, MatrixChange
from lmlab.features.change.drift_service import Drifting
from lmlab.features.change.matrices import Knifed
from lmlab.features.change.service import Changing, KnifeTexts
from lmlab.lab import Lab
from lmlab.parts.receipt_button import Note

Matrix = tuple[str, str, MatrixChange]
Moved = tuple[str, str, tuple[Drift, ...], int, str]


def of_matrix(kept: Matrix | None) -> Note | None:
    """The matrix that is chosen."""
    if kept is None:
        return None
    base, tuned, change = kept
    title = f"ΔW of {change.name}, from {base} to {tuned}"
    return Note(f"matrix {title}", title, lambda: receipt.matrix(base, tuned, change))


def of_knife(lab: Lab) -> Callable[[Knifed | None, KnifeTexts | None], Note | None]:
    """The rank knife; the receipt is that of the smallest k that cuts."""

    def note(found: Knifed | None, on: KnifeTexts | None) -> Note | None:
        if found is None or on is None or not found.is_done:
            return None
        point = next((one for one in found.points if one.k), found.points[-1])

        def write() -> str:
            texts = lab.service(Changing).knife_texts(found.tuned, on)
            return receipt.knife(found.base, found.tuned, point, *texts)

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
            pairs = [(one.prefix, one.text) for one in kind.passages]
            turn = any(one.turn for one in kind.passages)
            return receipt.drift(base, tuned, found[0], pairs, turn)

        title = f"KL between {tuned} and {base} on {len(found)} kinds of text"
        return Note(f"drift {base} {tuned} {rows}", f"{title}; receipt of {found[0].kind}", write)

    return note
