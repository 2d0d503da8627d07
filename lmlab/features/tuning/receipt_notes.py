"""Notes of what the Fine-tune tab shows: title and receipt."""

from collections.abc import Callable

from lmlab.features.tuning import receipt
from lmlab.features.tuning.service import Tuning
from lmlab.lab import Lab
from lmlab.parts.receipt_button import Note
from lmlab.parts.receipt_notes import of_runs, whole
from lmlab.runs.specs import RunInfo


def of_run(lab: Lab) -> Callable[[str, str], Note | None]:
    """A fine-tuning run that is over."""

    def write(owner: str, info: RunInfo) -> str:
        spec = lab.service(Tuning).spec(owner, info.id)
        return receipt.finetuned(
            spec.model,
            spec.data,
            spec.template,
            spec.config,
            whole(info, info.config.steps),
            shipped=spec.origin == "shipped",
            learned=lab.service(Tuning).learned(spec.model, spec.config),
            adapter=spec.adapter,
        )

    return of_runs(lab.service(Tuning), "Fine-tuning", write)
