"""Receipts of fine-tuning: a run made again by torch, transformers and peft alone."""

from collections.abc import Mapping, Sequence

from lmlab.errors import InputError
from lmlab.receipts.script import script
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
) -> str:
    """The held-out loss before and after a run, by making the run again.

    Training adds up small differences of rounding: the number comes back to about three digits on
    another machine, to more on the same one.

    Args:
        model: the base, by name.
        data: name of the set.
        template: the wording; None for plain text.
        config: method and training.
        losses: what lmlab found: ``before`` and ``after``.
        shipped: whether the set is one of lmlab's; any other is read from a run's own folder.
        learned: names of the parameters that learn, of selective fine-tuning.
        adapter: that the run went on from, if any.

    Raises:
        InputError: a wording that a short script cannot repeat.
    """
    chat = config.form == "chat" and template is not None
    _check_short(template, chat)
    return script(
        "features/tuning/receipt",
        [f"{model}+{adapter}" if adapter else model],
        {"DATA": f"assets/datasets/{data}" if shipped else "rows"},
        template=template,
        plain="{{ text }}",
        labelled=_labelled(template),
        labels=dict(template.labels) if template else {},
        chat=chat,
        config=config,
        warmup=round(config.warmup * config.steps),
        learned=list(learned),
        reached=losses,
    )


def _check_short(template: PromptTemplate | None, chat: bool) -> None:
    if template is not None and template.options:
        raise InputError("There is no receipt of a wording whose options differ by row.")
    if chat and template is not None and template.turns:
        raise InputError("There is no receipt of chats whose turns differ by row.")


def _labelled(template: PromptTemplate | None) -> bool:
    """Whether a wording's blocks see labels, or words in place of them."""
    return template is not None and (
        bool(template.labels) or "labels" in template.instruction + template.query + template.target
    )
