"""What the Completion tab shows of a completion and of samples, as escaped HTML and JSON."""

import math
from collections.abc import Sequence

from lmlab.generation.completions import Completion
from lmlab.numbers import from_log, large, signed
from lmlab.parts.strip import dump

REASONS = {
    "end": "the model’s end token",
    "stop": "a stop string",
    "length": "the length asked for",
    "context": "the model’s context is full",
}
SHORT = {"end": "end", "stop": "stop", "length": "length", "context": "context"}
WHOLE = "<i>P</i>(<i>x</i><sub><i>t</i>+1:<i>T</i></sub> | <i>x</i><sub>1:<i>t</i></sub>)"


def figures(done: Completion | None) -> str:
    """The completion's own likelihood, as it grows."""
    empty = done is None or not done.steps
    n = 0 if done is None else len(done.steps)
    logprob = math.nan if done is None or empty else done.logprob
    perplexity = math.nan if done is None or empty else done.perplexity
    rows = (
        (f"ln {WHOLE}", "nats", signed(logprob, 2)),
        (WHOLE, "", "–" if empty else from_log(logprob)),
        ("PP", "", large(perplexity)),
        ("<i>T</i> − <i>t</i>", "", f"{n:,}"),
    )
    cards = "".join(
        f'<div class="lm-num2" tabindex="0"><b>{value}'
        f"{f' <small>{unit}</small>' if unit and not empty else ''}</b><span>{name}</span></div>"
        for name, unit, value in rows
    )
    return f'<div class="lm-nums" role="group" aria-label="The completion">{cards}</div>'


def samples(runs: Sequence[Completion]) -> str:
    """Samples as rows, most likely first, equal ones counted."""
    found: dict[tuple[int, ...], list[Completion]] = {}
    for run in runs:
        found.setdefault(run.ids, []).append(run)
    rows = [
        {
            "text": same[0].text,
            "count": len(same),
            "logprob": round(same[0].logprob, 4),
            "perplexity": min(same[0].perplexity, 1e300),
            "finish": SHORT.get(same[0].finish_reason or "", ""),
        }
        for same in found.values()
    ]
    return dump(sorted(rows, key=lambda row: -float(str(row["logprob"]))))
