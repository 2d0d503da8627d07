"""A text under checkpoint after checkpoint, for the page and as a table. Knows results only.

Lines of JSON: what stays the same, then one line for each checkpoint, so that only what is new
travels to the page while more are scored.
"""

import math
from collections.abc import Sequence

import pandas as pd

from lmlab.features.change.journeys import Moment, is_logarithmic
from lmlab.parts.strip import dump, offered, run_of
from lmlab.parts.tables import neutral

SHARED = ("context", "prefix", "cut", "texts")


def payload(name: str, steps: Sequence[int], start: str, found: Sequence[Moment]) -> str:
    """The lines.

    Args:
        name: tells this journey from what was shown before.
        steps: all that will be scored.
        start: what each checkpoint goes on from.
        found: those that are scored.
    """
    if not found:
        return ""
    first = run_of(found[0].scored, wire=-1)
    head = {
        "name": name,
        "steps": list(steps),
        "log": is_logarithmic(steps),
        "opening": start,
        "vocabulary": found[0].vocabulary,
        "measures": offered(found[0].scored.tokens.columns),
        "notes": [],
        **{key: first[key] for key in SHARED},
    }
    return "\n".join([dump(head), *(dump(_line(moment)) for moment in found)])


def _line(moment: Moment) -> dict[str, object]:
    run = run_of(moment.scored, wire=len(moment.scored.tokens))
    value = {key: item for key, item in run.items() if key not in SHARED}
    log_perplexity = moment.scored.log_perplexity
    value |= {
        "step": moment.step,
        "lp": round(log_perplexity, 5) if math.isfinite(log_perplexity) else None,
        "written": moment.written,
    }
    return value


def to_csv(found: Sequence[Moment]) -> str:
    """One row for each token, one column for each checkpoint: surprisal in bits."""
    if not found:
        return ""
    texts = found[0].scored.tokens.texts
    table = pd.DataFrame({"i": range(1, len(texts) + 1), "token": list(map(neutral, texts))})
    for moment in found:
        table[f"step_{moment.step}_bits"] = moment.scored.measured("surprisal")
    return str(table.to_csv(index=False, lineterminator="\r\n"))
