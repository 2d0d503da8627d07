"""Strips of completions on their way and of two models compared, as data for the page.

Knows results only; shares the page's format with ``lmlab.parts.strip``.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lmlab.parts.strip import PREFIX_SHOWN, dump, numbers, offered, run_of, whole
from lmlab.scoring.scored import remarks

if TYPE_CHECKING:
    from lmlab.generation.completions import Beliefs, Candidate, Step
    from lmlab.scoring.compared import Compared

LN2 = math.log(2)
HEAD = ("model", "context", "prefix", "cut", "bpb")  # of a run, whatever its pieces


def flowing(
    name: str,
    model: str,
    prompt: str,
    steps: Sequence["Step"],
    *,
    forks: bool = False,
    headed: bool = False,
    start: Sequence[str] = (),
    most: int = PREFIX_SHOWN,
) -> str:
    """A completion as lines of JSON: what stays the same, then one line for each token.

    A longer completion of the same name begins with the same characters, so that only what is new
    travels to the page.

    Args:
        name: tells this completion from what was shown before.
        model: display name; it stands above where it is ``headed``.
        prompt: x_{1:t}; its end stands before the tokens.
        steps: the tokens so far.
        forks: whether a click on an alternative may ask for it.
        start: what stands before the prompt, as display strings.
        most: characters of the prompt that are shown.
    """
    # See ``lmlab.measures``; nothing that the tokens still to come would change.
    columns = {
        "logprob": np.array([step.logprob for step in steps]),
        "best": np.array([step.top[0].logprob if step.top else math.nan for step in steps]),
    }
    # An engine that draws by itself tells neither.
    if not any(step.entropy is None for step in steps):
        columns["rank"] = np.array([step.rank for step in steps], dtype=np.float64)
        columns["entropy"] = np.array([step.entropy for step in steps], dtype=np.float64)
    values = numbers(columns)
    head = {
        "name": name,
        "measures": offered(columns),
        "columns": list(values),
        "model": model,
        "prefix": prompt[-most:],
        "cut": len(prompt) > most,
        "forks": forks,
        "headed": headed,
        "context": list(start),
    }
    rows = ([column[i] for column in values.values()] for i in range(len(steps)))
    return "\n".join(map(dump, [head, *map(_line, steps, rows)]))


def compared(found: "Compared", *, name: str = "") -> str:
    """Two models on one text: by token where they share them, else by pieces that both end at."""
    first, second = found.first, found.second
    value: dict[str, Any] = {
        "name": name,
        "same": found.same_tokens,
        "measures": offered(found.columns),
        "notes": [*found.notes, *remarks(first, second)],
    }
    if found.same_tokens:
        value["runs"] = [run_of(first) | numbers(found.columns, pair=True), run_of(second)]
    else:
        value |= {"pieces": True, "same": True, "runs": _pieces(found)}
    return dump(value)


def next_token(found: "Beliefs | None", said: str = "") -> str:
    """The next token's distribution before and after the controls, or why there is none."""
    if found is None:
        return dump({"said": said})
    entropy = [round(nats / LN2, 4) for nats in (found.entropy, found.entropy_after)]
    top = _tops(found.top)
    return dump({"top": top, "entropy": entropy, "kept": found.kept, "size": found.size})


def _line(step: "Step", values: Sequence[int | None]) -> list[Any]:
    """[text, values of the head's columns, p after, entropy after, place or −1, tops, end]."""
    place = next((i for i, c in enumerate(step.top) if c.id == step.id), -1)
    return [
        step.text,
        values,
        _digits(step.probability),
        None if step.entropy_after is None else whole(step.entropy_after),
        place,
        _tops(step.top),
        step.finish,
    ]


def _tops(top: Sequence["Candidate"]) -> list[list[Any]]:
    return [[c.text, whole(-c.logprob), _digits(c.probability)] for c in top]


def _digits(p: float | None) -> float | None:
    """A probability with six digits, however small: what is not cut off must not look so; None
    where it is not known."""
    return None if p is None else float(f"{p:.6g}")


def _pieces(found: "Compared") -> list[dict[str, Any]]:
    """Runs whose ‘tokens’ are the pieces of text that both models' tokens tile."""
    segments, columns = found.segments, found.columns
    both = numbers(columns, pair=True)
    runs = []
    for which, scored in enumerate((found.first, found.second)):
        own = {"logprob": columns["logprob_2" if which else "logprob"]}
        runs.append(
            {name: value for name, value in run_of(scored, wire=-1).items() if name in HEAD}
            | {"texts": [s.text for s in segments], "counts": [s.counts[which] for s in segments]}
            | numbers(own)
            | both
        )
    return runs
