"""Strips of completions on their way and of two models compared, as data for the page.

Knows results only; shares the page's format with ``lmlab.parts.strip``.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lmlab.parts.strip import PREFIX_SHOWN, columns, dump, notes, whole

if TYPE_CHECKING:
    from lmlab.results.compared import Compared
    from lmlab.results.completions import Beliefs, Candidate, Step

LN2 = math.log(2)


def flowing(
    name: str,
    model: str,
    prompt: str,
    steps: Sequence["Step"],
    *,
    forks: bool = False,
    headed: bool = False,
    start: Sequence[str] = (),
) -> str:
    """A completion as lines of JSON: what stays the same, then one line for each token.

    A longer completion of the same name begins with the same characters, so that only what is new
    travels to the page.

    Args:
        name: tells this completion from what was shown before.
        model: display name.
        prompt: x_{1:t}; its end stands before the tokens.
        steps: the tokens so far.
        forks: whether a click on an alternative may ask for it.
        headed: whether the model's name stands above.
        start: what stands before the prompt, as display strings.
    """
    head = {
        "name": name,
        "model": model,
        "prefix": prompt[-PREFIX_SHOWN:],
        "cut": len(prompt) > PREFIX_SHOWN,
        "forks": forks,
        "headed": headed,
        "context": list(start),
    }
    return "\n".join([dump(head), *(dump(_line(step)) for step in steps)])


def compared(found: "Compared", *, name: str = "") -> str:
    """Two models on one text: by token where they share them, else by pieces that both end at."""
    first, second = found.first, found.second
    value: dict[str, Any] = {
        "name": name,
        "same": found.same_tokens,
        "notes": [*found.notes, *notes(first, second)],
    }
    if found.same_tokens:
        value["runs"] = [columns(first), columns(second)]
        value["runs"][0]["kl"] = _bits(found.kl or ())
        value["runs"][0]["kl_reverse"] = _bits(found.kl_reverse or ())
    else:
        value |= {"pieces": True, "same": True, "runs": _pieces(found)}
    return dump(value)


def next_token(found: "Beliefs | None", said: str = "") -> str:
    """The next token's distribution before and after the controls.

    Args:
        found: None where there is none to show.
        said: why there is none.
    """
    if found is None:
        return dump({"said": said})
    return dump(
        {
            "top": _tops(found.top),
            "entropy": [round(found.entropy / LN2, 4), round(found.entropy_after / LN2, 4)],
            "kept": found.kept,
            "size": found.size,
        }
    )


def _line(step: "Step") -> list[Any]:
    """[text, −ln p, rank, entropy, p after, entropy after, place or −1, tops, end]."""
    place = next((i for i, c in enumerate(step.top) if c.id == step.id), -1)
    return [
        step.text,
        whole(-step.logprob),
        step.rank,
        whole(step.entropy),
        _digits(step.probability),
        whole(step.entropy_after),
        place,
        _tops(step.top),
        step.finish,
    ]


def _tops(top: Sequence["Candidate"]) -> list[list[Any]]:
    return [[c.text, whole(-c.logprob), _digits(c.probability)] for c in top]


def _digits(p: float) -> float:
    """A probability with six digits, however small: what is not cut off must not look so."""
    return float(f"{p:.6g}")


def _bits(values: Sequence[float | None]) -> list[int | None]:
    return [None if value is None else whole(value * LN2) for value in values]


def _pieces(found: "Compared") -> list[dict[str, Any]]:
    """Runs whose ‘tokens’ are the pieces of text that both models' tokens tile."""
    segments = found.segments
    runs = []
    for which, scored in enumerate((found.first, found.second)):
        bits = [(s.first, s.second)[which] for s in segments]
        run = columns(scored, wire=-1)
        run |= {
            "texts": [s.text for s in segments],
            "nll": [None if b is None else whole(b * LN2) for b in bits],
            "rank": [None] * len(segments),
            "entropy": [None] * len(segments),
            "counts": [s.counts[which] for s in segments],
            "bytes": [s.n_bytes for s in segments],
        }
        runs.append(run)
    return runs
