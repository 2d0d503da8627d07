"""Receipts of pre-training: a run from nothing made again by torch, tokenizers and transformers."""

from collections.abc import Callable, Mapping

from lmlab.errors import InputError
from lmlab.features.pretraining.service import Pretraining
from lmlab.lab import Lab
from lmlab.parts.receipt_button import Note
from lmlab.parts.receipt_notes import of_runs, whole
from lmlab.receipts.script import script
from lmlab.runs.specs import RunInfo
from lmlab.training.corpus import HELD_OUT, LOOKED_AT, SEPARATOR, first_chars, texts
from lmlab.training.pretrain_config import PretrainConfig
from lmlab.training.sets import TuningData


def pretrained(data: TuningData, config: PretrainConfig, losses: Mapping[str, float | None]) -> str:
    """The held-out loss before and after a run from nothing, by making the run again.

    Training adds up small differences of rounding: the number comes back to about three digits on
    another machine, to more on the same one.

    Args:
        data: the documents; those of a text that ships are read from its file, others stand in the
            script.
        losses: what lmlab found: ``before`` and ``after``.

    Raises:
        InputError: a text of the visitor's that is so long that the script would be too long.
    """
    from lmlab.training.tokenizer import WORDS

    return script(
        "features/pretraining/receipt",
        data=data,
        documents={"train": texts(data), "valid": first_chars(texts(data, "valid"), LOOKED_AT)},
        config=config,
        warmup=round(config.warmup * config.steps),
        reached=losses,
        separator=SEPARATOR,
        words=WORDS,
        share=HELD_OUT,
        looked=LOOKED_AT,
    )


def of_run(lab: Lab) -> Callable[[str, str], Note | None]:
    """A run from nothing that is over."""

    def write(owner: str, info: RunInfo) -> str:
        config = info.pretraining
        if config is None:
            raise InputError("This run did not begin from nothing.")
        losses = whole(info, config.steps)
        return pretrained(lab.service(Pretraining).documents(owner, info.id), config, losses)

    return of_runs(lab.service(Pretraining), "Pre-training", write)
