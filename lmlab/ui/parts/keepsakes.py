"""Notes of what each tab shows, from what the session keeps of it: title and receipt."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lmlab.receipts import completions, texts
from lmlab.results.completions import Completion
from lmlab.results.scored import Scored, TokenScore
from lmlab.ui.parts.keep import Note, quoted
from lmlab.ui.parts.kept import Kept, Shown

if TYPE_CHECKING:
    from lmlab.ui.completion.branches import Tree


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


def of_completion(tree: "Tree | None") -> Note | None:
    """A completion, drawn or chosen."""
    if tree is None or not tree.path():
        return None
    done = Completion(tree.model, tree.prompt, tree.path())
    title = f"Completion of {quoted(tree.prompt)} by {tree.model}"
    return Note(tree.name, title, lambda: completions.completion(done, tree.drawn))


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
