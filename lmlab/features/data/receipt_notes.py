"""Notes of what the Data tab shows, title and receipt: how well the filter's model predicts the
beginnings of documents."""

from collections.abc import Sequence

from lmlab.errors import InputError
from lmlab.features.data.findings import Inspected, Quality
from lmlab.features.data.quality import beginning
from lmlab.parts.receipt_button import Note
from lmlab.receipts.script import script

ENDS = 3  # documents of either end of the ranking in a receipt


def of_corpus(corpus: Inspected | None) -> Note | None:
    """A corpus that was looked at; the receipt is that of the documents which the filter's model
    expects best and least."""
    if corpus is None:
        return None
    looked = [(one.text, one.quality) for one in corpus.documents if one.quality is not None]
    ranked = sorted(looked, key=lambda one: one[1].bits_per_byte)
    chosen = ranked if len(ranked) <= 2 * ENDS else ranked[:ENDS] + ranked[-ENDS:]

    def write() -> str:
        if not chosen:
            raise InputError("No document was scored.", "Inspect a corpus with longer ones.")
        scored = [(beginning(text, corpus.scored_chars), score) for text, score in chosen]
        return quality(corpus.model, scored)

    title = f"{corpus.name}: {len(corpus.documents):,} documents under {corpus.model}"
    said = f"{title}; receipt of {len(chosen)}, the best and the worst"
    return Note(title, title if len(chosen) == len(ranked) else said, write)


def quality(model: str, found: Sequence[tuple[str, Quality]]) -> str:
    """Bits per byte and perplexity of documents' beginnings: what was scored of each, and what
    lmlab found."""
    return script("features/data/receipt", [model], scored=found)
