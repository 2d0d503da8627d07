"""What the Change tab shows of drift and of the map of tasks, as escaped HTML."""

from collections.abc import Sequence
from html import escape

from lmlab.features.change.changes import Drift
from lmlab.features.change.drift_plots import GROUPS, short
from lmlab.features.change.taskmap import TaskMap
from lmlab.maths.mds import quality
from lmlab.measures import measure
from lmlab.numbers import large, signed

FORGETTING = (
    "Bits per byte of held-out text before and after tuning. Above 0, the tuned model became worse "
    "at that kind of text: that is what it forgot."
)
MOVES = (
    "log₂ of a variant’s perplexity over the base’s, answers given their prompts: −1 is half the "
    "perplexity, +1 is twice. Framed: the variant’s own task."
)


def forgetting(base: str, tuned: str, found: Sequence[Drift]) -> str:
    """The table: one row for each kind of text."""
    head = "".join(
        f'<th scope="col">{name}</th>'
        for name in ("text", "", "before", "after", "difference", "texts", "tokens")
    )
    body = "".join(f"<tr>{_row(one)}</tr>" for one in found)
    return (
        f'<p class="lm-pairnames">before: <b>{escape(base)}</b> · after: <b>{escape(tuned)}</b></p>'
        '<div class="lm-scroll lm-tall" tabindex="0" role="region" aria-label="Forgetting">'
        f'<table class="lm-table lm-forgetting"><thead><tr>{head}</tr></thead>'
        f'<tbody>{body}</tbody></table></div><p class="lm-why">{FORGETTING}</p>'
    )


def _row(one: Drift) -> str:
    sign = "+" if one.forgetting > 0 else ""
    word = "worse" if one.forgetting > 0.005 else "better" if one.forgetting < -0.005 else "same"
    cells = [
        signed(one.before, 3),
        signed(one.after, 3),
        f"<b>{sign}{signed(one.forgetting, 3)}</b> <small>{word}</small>",
        f"{one.n_texts:,}",
        f"{one.n_tokens:,}",
    ]
    return (
        f'<th scope="row">{escape(one.kind)}</th>'
        f'<td class="lm-group">{GROUPS.get(one.group, "")}</td>'
        + "".join(f"<td>{cell}</td>" for cell in cells)
    )


def told(found: Sequence[Drift]) -> str:
    """One sentence about the picture."""
    task = next((one for one in found if one.group == "task"), None)
    general = [one for one in found if one.group == "general"]
    if task is None or not general:
        return "Done."
    mean = sum(one.kl for one in general) / len(general)
    further = task.kl > mean > 0
    times = f": {task.kl / mean:,.1f} times as far on its task" if further else ""
    return (
        f"KL(tuned ‖ base) is {task.kl:.2f} bits a token on {task.kind} and {mean:.2f} on general "
        f"text{times}."
    )


def moves(found: TaskMap) -> str:
    """How each variant's perplexity moved on each kind of text: a table with coloured cells."""
    counts = list(zip(found.kinds, found.n_rows, found.n_tokens, strict=True))
    head = "".join(
        f'<th scope="col">{escape(kind)}<small>{rows} rows</small>'
        f"<small>{tokens:,} tokens</small></th>"
        for kind, rows, tokens in counts
    )
    first = "".join(f"<td>{large(_perplexity(loss))}</td>" for loss in found.losses[0])
    body = f'<tr><th scope="row">{escape(found.names[0])}, perplexity</th>{first}</tr>'
    for i, name in enumerate(found.names[1:], 1):
        cells = "".join(_cell(found, i, k) for k in range(len(found.kinds)))
        body += f'<tr><th scope="row">{escape(short(name))}</th>{cells}</tr>'
    return (
        '<div class="lm-scroll lm-tall" tabindex="0" role="region" aria-label="Perplexity moved">'
        f'<table class="lm-table lm-moves"><thead><tr><th></th>{head}</tr></thead>'
        f'<tbody>{body}</tbody></table></div><p class="lm-why">{MOVES}</p>'
    )


def _cell(found: TaskMap, model: int, kind: int) -> str:
    value = found.moved(model, kind)
    before, after = (_perplexity(found.losses[i][kind]) for i in (0, model))
    own = " own" if found.own[model] == found.kinds[kind] else ""
    # The strip's colours: blue where it became worse, orange where it became better.
    level = measure("difference").level(-value)
    title = f"perplexity {large(before)} → {large(after)}"
    sign = "+" if value > 0 else ""
    return f'<td class="d{level}{own}" title="{title}">{sign}{signed(value)}</td>'


def _perplexity(loss: float) -> float:
    return 2.718281828459045**loss if loss < 700 else float("inf")


def map_said(found: TaskMap) -> str:
    """What the picture is, in sentences."""
    rows = max(found.n_rows)
    return (
        "Distance: mean √JSD of the next-token distributions over held-out answers of "
        f"{len(found.kinds) - 1} tasks, {rows} rows each, every task with equal weight: 0 the "
        "same, 1 nothing in common. Two dimensions cannot show all distances: "
        f"<b>stress {found.stress:.2f}</b> ({quality(found.stress)} by Kruskal’s words, 1964). "
        "Circle: standard deviation of a variant’s distance from the base over the rows of its "
        "own task. Axes have no meaning but their scale."
    )
