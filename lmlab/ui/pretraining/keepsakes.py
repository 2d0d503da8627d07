"""Notes of what the Pre-training tab shows: title and receipt."""

from collections.abc import Callable

from lmlab.errors import InputError
from lmlab.lab import Lab
from lmlab.receipts import pretraining
from lmlab.ui.parts.keep import Note


def of_run(lab: Lab) -> Callable[[str, str], Note | None]:
    """A run from nothing that is over."""

    def note(owner: str, run: str) -> Note | None:
        try:
            info = lab.pretraining.run(owner, run) if run else None
        except InputError:  # it has been deleted meanwhile
            return None
        if info is None or not info.is_over:
            return None

        def write() -> str:
            config = info.pretraining
            if config is None or info.step < config.steps:
                raise InputError(
                    "This run has not made all its steps.", "Resume it, then ask again."
                )
            losses = {"before": info.valid_before, "after": info.valid_loss}
            return pretraining.pretrained(lab.pretraining.documents(owner, run), config, losses)

        return Note(f"run {run}", f"Pre-training: {info.title}", write)

    return note
