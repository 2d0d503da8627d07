"""Notes of what the Compare tab shows: title and receipt."""

from lmlab.parts.receipt_button import Note, quoted
from lmlab.parts.strip import Shown, same_tokens
from lmlab.receipts import texts


def of_comparison(shown: Shown | None) -> Note | None:
    """A text under two models, on the Compare tab."""
    if shown is None or len(shown.runs) < 2:
        return None
    first, second = shown.runs
    base = second.model.partition(" (")[0]
    key = f"compare {first.model} {base} {hash((first.prefix, first.text))}"

    def write() -> str:
        if same_tokens(first, second):
            return texts.two_models(first, second)
        return texts.likelihood(first)

    return Note(key, f"{first.model} against {second.model} on {quoted(first.text)}", write)
