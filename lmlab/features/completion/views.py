"""What the Completion tab shows of a completion, as HTML, and of samples, as JSON."""

from collections.abc import Sequence

from lmlab.generation.completions import Completion
from lmlab.parts.html import html
from lmlab.parts.strip import dump

REASONS = {
    "end": "the model’s end token",
    "stop": "a stop string",
    "length": "the length asked for",
    "context": "the model’s context is full",
}


def figures(done: Completion | None) -> str:
    """The completion's own likelihood, as it grows."""
    return html("features/completion/views", "figures", done)


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
            "finish": same[0].finish_reason or "",
        }
        for same in sorted(found.values(), key=lambda same: -round(same[0].logprob, 4))
    ]
    return dump(rows)
