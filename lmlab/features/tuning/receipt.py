"""Receipts of fine-tuning: a run made again by torch, transformers and peft alone."""

from collections.abc import Callable, Mapping, Sequence

from lmlab.errors import InputError
from lmlab.features.tuning.service import Tuning
from lmlab.lab import Lab
from lmlab.parts.receipt_button import Note
from lmlab.parts.receipt_notes import of_runs, whole
from lmlab.receipts.script import script
from lmlab.runs.specs import RunInfo
from lmlab.text.templates import PromptTemplate
from lmlab.training.config import FinetuneConfig


def finetuned(
    model: str,
    data: str,
    template: PromptTemplate | None,
    config: FinetuneConfig,
    losses: Mapping[str, float | None],
    *,
    shipped: bool = True,
    learned: Sequence[str] = (),
    adapter: str = "",
    measured: int = 0,
) -> str:
    """The held-out loss before and after a run, by making the run again.

    Training adds up small differences of rounding: the number comes back to about three digits on
    another machine, to more on the same one.

    Args:
        losses: what lmlab found: ``before`` and ``after``.
        shipped: whether the set is one of lmlab's; any other is read from a run's own folder.
        learned: names of the parameters that learn, of selective fine-tuning.
        adapter: that the run went on from, if any.
        measured: how many held-out rows the losses are of, an even choice; 0: all.

    Raises:
        InputError: a wording that a short script cannot repeat.
    """
    chat = config.form == "chat" and template is not None
    labelled = False  # whether a wording's blocks see labels, or words in place of them
    if template is not None:
        if template.options:
            raise InputError("There is no receipt of a wording whose options differ by row.")
        if chat and template.turns:
            raise InputError("There is no receipt of chats whose turns differ by row.")
        blocks = template.instruction + template.query + template.target
        labelled = bool(template.labels) or "labels" in blocks
    return script(
        "features/tuning/receipt",
        [f"{model}+{adapter}" if adapter else model],
        {"DATA": f"assets/datasets/{data}" if shipped else "rows"},
        template=template,
        plain="{{ text }}",
        labelled=labelled,
        labels=dict(template.labels) if template else {},
        chat=chat,
        config=config,
        warmup=round(config.warmup * config.steps),
        learned=list(learned),
        reached=losses,
        measured=measured,
    )


def of_run(lab: Lab) -> Callable[[str, str], Note | None]:
    """A fine-tuning run that is over."""

    def write(owner: str, info: RunInfo) -> str:
        spec = lab.service(Tuning).spec(owner, info.id)
        return finetuned(
            spec.model,
            spec.data,
            spec.template,
            spec.config,
            whole(info, info.config.steps),
            shipped=spec.origin == "shipped",
            learned=lab.service(Tuning).learned(spec.model, spec.config),
            adapter=spec.adapter,
            measured=info.measured if info.measured < info.held_out else 0,
        )

    return of_runs(lab.service(Tuning), "Fine-tuning", write)
