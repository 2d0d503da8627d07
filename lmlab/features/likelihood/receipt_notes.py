"""Notes of what the Likelihood tab shows: title and receipt."""

from lmlab.parts.receipt_button import Note, quoted
from lmlab.parts.strip import Shown, same_tokens
from lmlab.receipts import texts


def of_texts(shown: Shown | None) -> Note | None:
    """A scored text, under one model or two."""
    if shown is None:
        return None
    runs = shown.runs
    names = " and ".join(run.model for run in runs)

    def write() -> str:
        if len(runs) > 1 and same_tokens(*runs) and runs[0].windowing is None:
            return texts.two_models(runs[0], runs[1])
        return texts.likelihood(runs[0])

    return Note(shown.name, f"Likelihood of {quoted(runs[0].text)} under {names}", write)
