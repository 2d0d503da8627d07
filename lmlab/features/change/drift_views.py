"""Drift between two models as a figure, a table and CSV."""

from collections.abc import Sequence
from html import escape

import plotly.graph_objects as go

from lmlab.features.change.changes import Drift
from lmlab.parts import plots
from lmlab.parts.html import filled
from lmlab.parts.plots import FIRST, GREY, SECOND
from lmlab.parts.tables import csv_of, rows_of

AWAY, BACK = "away", "back"
WAYS = {AWAY: "KL(tuned ‖ base)", BACK: "KL(base ‖ tuned)"}
GROUPS = {"task": "its task", "general": "general text", "other": "other tasks"}
# Hatched as well, so that no group is told by its colour alone.
LOOKS = {"task": (FIRST, ""), "general": (SECOND, "/"), "other": (GREY, ".")}
ROW = 30  # pixels of a bar


def place(one: Drift) -> int:
    """Of its group among the others."""
    return [*GROUPS].index(one.group) if one.group in GROUPS else len(GROUPS)


def bars(found: Sequence[Drift], way: str) -> go.Figure:
    """Mean divergence on each kind of text with its 95 % interval, the first kind on top."""
    figure = plots.empty()
    for group in GROUPS:
        if some := [one for one in found if one.group == group]:
            figure.add_trace(_bars(some, group, way))
    figure.update_layout(
        meta={"points": "kinds"}, height=max(270, 110 + ROW * len(found)), bargap=0.28,
        margin={"l": 20, "r": 54},
    )  # fmt: skip
    figure.update_xaxes(
        title_text=f"{WAYS[way]}, bits a token", rangemode="tozero", showgrid=True,
        gridcolor="rgba(128,134,150,.22)",
    )  # fmt: skip
    figure.update_yaxes(
        title_text="", type="category", categoryorder="array", showgrid=False, ticksuffix="  ",
        categoryarray=[_label(one) for one in reversed(found)],
    )  # fmt: skip
    return figure


def _bars(found: Sequence[Drift], group: str, way: str) -> go.Bar:
    colour, pattern = LOOKS[group]
    values = [
        (one.kl, one.kl_low, one.kl_high)
        if way == AWAY
        else (one.kl_reverse, one.kl_reverse_low, one.kl_reverse_high)
        for one in found
    ]
    return go.Bar(
        y=[_label(one) for one in found],
        x=[mean for mean, _, _ in values],
        orientation="h",
        name=GROUPS[group],
        marker={"color": colour, "pattern": {"shape": pattern, "size": 5, "solidity": 0.25}},
        error_x={
            "type": "data", "symmetric": False, "color": GREY, "thickness": 1.6, "width": 5,
            "array": [high - mean for mean, _, high in values],
            "arrayminus": [mean - low for mean, low, _ in values],
        },
        customdata=[
            [low, high, one.n_texts, one.n_tokens]
            for one, (_, low, high) in zip(found, values, strict=True)
        ],
        hovertemplate="%{x:.3f} bits a token, 95 %: %{customdata[0]:.3f} to %{customdata[1]:.3f}"
        "<br>%{customdata[2]} texts, %{customdata[3]:,} tokens<extra>%{y}</extra>",
    )  # fmt: skip


def _label(one: Drift) -> str:
    name = escape(one.kind if len(one.kind) < 26 else one.kind[:24] + "…")
    # A kind of general text may bear the name of a task.
    return name if one.group != "task" else f"<b>{name}</b>"


def forgetting(base: str, tuned: str, found: Sequence[Drift]) -> str:
    """The table: one row for each kind of text."""
    return filled("features/change/forgetting", base=base, tuned=tuned, found=found, groups=GROUPS)


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


def to_csv(found: Sequence[Drift]) -> str:
    """All that was measured, one row for each kind of text."""
    rows = rows_of(
        found,
        "text=kind group texts=n_texts tokens=n_tokens kl_tuned_base_bits=kl "
        "kl_tuned_base_low=kl_low kl_tuned_base_high=kl_high kl_base_tuned_bits=kl_reverse "
        "kl_base_tuned_low=kl_reverse_low kl_base_tuned_high=kl_reverse_high "
        "bits_per_byte_before=before bits_per_byte_after=after difference=forgetting",
        group=lambda one: GROUPS.get(one.group, one.group),
    )
    return csv_of(rows)
