"""Receipts of a corpus: how well the filter's model predicts the beginnings of documents."""

from collections.abc import Sequence

from lmlab.features.data.findings import Quality
from lmlab.receipts.script import script


def quality(model: str, found: Sequence[tuple[str, Quality]]) -> str:
    """Bits per byte and perplexity of documents' beginnings: what was scored of each, and what
    lmlab found."""
    return script("features/data/receipt", [model], scored=found)
