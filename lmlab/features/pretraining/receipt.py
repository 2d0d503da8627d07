"""Receipts of pre-training: a run from nothing made again by torch, tokenizers and transformers."""

from collections.abc import Mapping

from lmlab.receipts.script import script
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
        config: the run.
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
