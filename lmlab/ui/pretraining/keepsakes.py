"""Notes of what the Pre-training tab shows: title and receipt."""

from collections.abc import Callable

from lmlab.errors import InputError
from lmlab.lab import Lab
from lmlab.receipts import pretraining
from lmlab.runs.specs import RunInfo
from lmlab.ui.parts.keep import Note
from lmlab.ui.parts.keepsakes import of_runs, whole


def of_run(lab: Lab) -> Callable[[str, str], Note | None]:
    """A run from nothing that is over."""

    def write(owner: str, info: RunInfo) -> str:
        config = info.pretraining
        if config is None:
            raise InputError("This run did not begin from nothing.")
        losses = whole(info, config.steps)
        return pretraining.pretrained(lab.pretraining.documents(owner, info.id), config, losses)

    return of_runs(lab.pretraining, "Pre-training", write)
