"""What the receipts of several tabs share in their notes."""

from collections.abc import Callable

from lmlab.errors import InputError
from lmlab.parts.receipt_button import Note
from lmlab.runs.owned_runs import TuningRuns
from lmlab.runs.specs import RunInfo


def of_runs(
    runs: TuningRuns, kind: str, write: Callable[[str, RunInfo], str]
) -> Callable[[str, str], Note | None]:
    """A run of a kind that is over; ``write`` makes the receipt of an owner's run."""

    def note(owner: str, run: str) -> Note | None:
        try:
            info = runs.run(owner, run) if run else None
        except InputError:  # it has been deleted meanwhile
            return None
        if info is None or not info.is_over:
            return None
        return Note(f"run {run}", f"{kind}: {info.title}", lambda: write(owner, info))

    return note


def whole(info: RunInfo, steps: int) -> dict[str, float | None]:
    """What a run has reached on held-out rows, before and after.

    Raises:
        InputError: it has not made all its steps.
    """
    if info.step < steps:
        raise InputError("This run has not made all its steps.", "Resume it, then ask again.")
    return {"before": info.valid_before, "after": info.valid_loss}
