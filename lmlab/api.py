"""The functions of a notebook: they take a model's name wherever the core takes a model."""

from collections.abc import Sequence

from lmlab import scoring
from lmlab.lm import LM
from lmlab.models import ModelRef, ModelStore
from lmlab.results import Scored, WindowMode
from lmlab.scoring import ScoreRequest
from lmlab.settings import Settings
from lmlab.tokens import BosSetting


def load(name: str | ModelRef, settings: Settings | None = None) -> LM:
    """Load an embedded model, a folder or a Hub id, for this process to keep.

    Args:
        name: for instance ``base``, ``base+qa``, ``./my-model``, ``gpt2``.
        settings: device, number format and limits; by default from the environment.

    Raises:
        ModelError: unknown, unreadable or refused.
    """
    with ModelStore(settings).borrow(name if isinstance(name, ModelRef) else str(name)) as lm:
        return lm


def score(
    model: LM | str,
    text: str,
    *,
    prefix: str = "",
    top_k: int = 10,
    bos: BosSetting = "tokenizer",
    windows: WindowMode = "sliding",
    stride: int | None = None,
) -> Scored:
    """Score every token of ``text``; see ``lmlab.scoring.score`` for the arguments."""
    return scoring.score(
        _lm(model), text, prefix=prefix, top_k=top_k, bos=bos, windows=windows, stride=stride
    )


def score_many(
    model: LM | str,
    requests: Sequence[ScoreRequest | str],
    *,
    top_k: int = 10,
    bos: BosSetting = "tokenizer",
    windows: WindowMode = "sliding",
    stride: int | None = None,
) -> list[Scored]:
    """Score many texts in batches; see ``lmlab.scoring.score_many`` for the arguments."""
    return scoring.score_many(
        _lm(model), requests, top_k=top_k, bos=bos, windows=windows, stride=stride
    )


def _lm(model: LM | str) -> LM:
    return load(model) if isinstance(model, str) else model
