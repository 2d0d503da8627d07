"""A model's perplexity as a filter of quality (Wenzek et al. 2020, CCNet): how well it predicts the
beginning of each document.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lmlab.features.data.findings import Quality
from lmlab.scoring.scored import Scored

if TYPE_CHECKING:
    from lmlab.models.model import LM

BEGINNING = 1000  # characters of a document that are scored
AT_ONCE = 16  # documents between two signs of progress


def iter_quality(lm: "LM", texts: Sequence[str]) -> Iterator[list[tuple[int, Quality | None]]]:
    """(tokens, quality) of some texts at a time, in order; of quality None where no token could be
    scored, or one is unknown to the tokenizer."""
    from lmlab.scoring.score import score_many

    for low in range(0, len(texts), AT_ONCE):
        some = texts[low : low + AT_ONCE]
        found = map(_quality, score_many(lm, list(map(beginning, some)), top_k=0))
        yield [(len(lm.vocabulary.ids(t)), score) for t, score in zip(some, found, strict=True)]


def beginning(text: str, length: int = BEGINNING) -> str:
    """The first characters of a text, up to the end of a word where one ends in the last tenth."""
    if len(text) <= length:
        return text
    cut = text.rfind(" ", length - length // 10, length)
    return text[: cut if cut > 0 else length]


def _quality(scored: Scored) -> Quality | None:
    if not scored.n_tokens or not scored.n_bytes or scored.unknown:
        return None
    return Quality(scored.bits_per_byte, scored.perplexity, scored.n_tokens)
