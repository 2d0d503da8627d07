"""Notes of what several tabs show, from what the session keeps of it: title and receipt."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from lmlab.errors import InputError
from lmlab.parts.columnar import Kept, Shown
from lmlab.parts.receipt_button import Note, quoted
from lmlab.receipts import texts
from lmlab.results.scored import Scored, TokenScore
from lmlab.runs.owned_runs import TuningRuns
from lmlab.runs.specs import RunInfo


def of_texts(shown: Shown | None) -> Note | None:
    """A scored text, under one model or two."""
    if shown is None:
        return None
    runs = [_light(run) for run in shown.runs]
    names = " and ".join(run.model for run in runs)

    def write() -> str:
        if len(runs) > 1 and _alike(shown.runs) and runs[0].windowing is None:
            return texts.two_models(runs[0], runs[1])
        return texts.likelihood(runs[0])

    return Note(shown.name, f"Likelihood of {quoted(runs[0].text)} under {names}", write)


def of_comparison(shown: Shown | None) -> Note | None:
    """A text under two models, on the Compare tab."""
    if shown is None or len(shown.runs) < 2:
        return None
    first, second = (_light(run) for run in shown.runs)
    base = second.model.partition(" (")[0]
    key = f"compare {first.model} {base} {hash((first.prefix, first.text))}"

    def write() -> str:
        if _alike(shown.runs):
            return texts.two_models(first, second)
        return texts.likelihood(first)

    return Note(key, f"{first.model} against {second.model} on {quoted(first.text)}", write)


def of_runs(
    runs: TuningRuns, kind: str, write: Callable[[str, RunInfo], str]
) -> Callable[[str, str], Note | None]:
    """A run of a kind that is over; ``write`` makes the receipt of an owner's run."""

    def note(owner: str, run: str) -> Note | None:
        try:
            info = runs.run(owner, run) if run else None
        except InputError:  # it has been deleted meanwhile
            return None
        if info is None or not info.is_over:
            return None
        return Note(f"run {run}", f"{kind}: {info.title}", lambda: write(owner, info))

    return note


def whole(info: RunInfo, steps: int) -> dict[str, float | None]:
    """What a run has reached on held-out rows, before and after.

    Raises:
        InputError: it has not made all its steps.
    """
    if info.step < steps:
        raise InputError("This run has not made all its steps.", "Resume it, then ask again.")
    return {"before": info.valid_before, "after": info.valid_loss}


def _light(kept: Kept) -> Scored:
    """A result with its tokens' log-probabilities and nothing else of them."""
    none = [value != value for value in kept.logprobs]
    tokens = tuple(
        TokenScore(0, "", 0, 0, None if empty else value, None, None)
        for value, empty in zip(kept.logprobs, none, strict=True)
    )
    return replace(kept.frame, tokens=tokens)


def _alike(runs: Sequence[Kept]) -> bool:
    """Whether two models cut a text into the same tokens."""
    one, two = runs[0], runs[1]
    return one.texts == two.texts and _spans(one) == _spans(two)


def _spans(kept: Kept) -> Any:
    return kept.columns[:3]
