"""Notes of what the Pre-training tab shows: title and receipt."""

from collections.abc import Callable

from lmlab.errors import InputError
from lmlab.features.pretraining import receipt
from lmlab.features.pretraining.service import Pretraining
from lmlab.lab import Lab
from lmlab.parts.receipt_button import Note
from lmlab.parts.receipt_notes import of_runs, whole
from lmlab.runs.specs import RunInfo


def of_run(lab: Lab) -> Callable[[str, str], Note | None]:
    """A run from nothing that is over."""

    def write(owner: str, info: RunInfo) -> str:
        config = info.pretraining
        if config is None:
            raise InputError("This run did not begin from nothing.")
        losses = whole(info, config.steps)
        return receipt.pretrained(
            lab.service(Pretraining).documents(owner, info.id), config, losses
        )

    return of_runs(lab.service(Pretraining), "Pre-training", write)
