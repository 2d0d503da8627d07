"""Drift between two models and the map of tasks as plotly figures, and both as tables."""

from collections.abc import Sequence
from html import escape

import pandas as pd
import plotly.graph_objects as go

from lmlab.features.change.changes import Drift
from lmlab.features.change.taskmap import TaskMap
from lmlab.parts import plots
from lmlab.parts.plots import FIRST, GREY, SECOND
from lmlab.parts.tables import neutral

AWAY, BACK = "away", "back"
GROUPS = {"task": "its task", "general": "general text", "other": "other tasks"}
# Hatched as well, so that no group is told by its colour alone.
LOOKS = {"task": (FIRST, ""), "general": (SECOND, "/"), "other": (GREY, ".")}
ROW = 30  # pixels of a bar


def empty_bars() -> go.Figure:
    """Axes with nothing in them."""
    return drift([], AWAY)


def drift(found: Sequence[Drift], way: str) -> go.Figure:
    """Mean divergence on each kind of text as bars with 95 % intervals, the first kind on top.

    Args:
        found: as measured.
        way: ``away`` for KL(tuned ‖ base), ``back`` for KL(base ‖ tuned).
    """
    figure = plots.empty()
    letters = "KL(tuned ‖ base)" if way == AWAY else "KL(base ‖ tuned)"
    for group, name in GROUPS.items():
        some = [one for one in found if one.group == group]
        if some:
            figure.add_trace(_bars(some, group, name, way))
    height = max(270, 110 + ROW * len(found))
    figure.update_layout(
        meta={"points": "kinds"}, height=height, bargap=0.28, margin={"l": 20, "r": 54}
    )
    figure.update_xaxes(
        title_text=f"{letters}, bits a token", rangemode="tozero", showgrid=True,
        gridcolor="rgba(128,134,150,.22)",
    )  # fmt: skip
    order = [_label(one) for one in found]
    figure.update_yaxes(
        title_text="", type="category", categoryorder="array", categoryarray=order[::-1],
        showgrid=False, ticksuffix="  ",
    )  # fmt: skip
    return figure


def _bars(found: Sequence[Drift], group: str, name: str, way: str) -> go.Bar:
    colour, pattern = LOOKS[group]
    values = [interval(one, way) for one in found]
    return go.Bar(
        y=[_label(one) for one in found],
        x=[mean for mean, _, _ in values],
        orientation="h",
        name=name,
        marker={"color": colour, "pattern": {"shape": pattern, "size": 5, "solidity": 0.25}},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [high - mean for mean, _, high in values],
            "arrayminus": [mean - low for mean, low, _ in values],
            "color": GREY,
            "thickness": 1.6,
            "width": 5,
        },
        customdata=[[low, high, one.n_texts, one.n_tokens] for one, (_, low, high) in
                    zip(found, values, strict=True)],
        hovertemplate="%{x:.3f} bits a token, 95 %: %{customdata[0]:.3f} to %{customdata[1]:.3f}"
        "<br>%{customdata[2]} texts, %{customdata[3]:,} tokens<extra>%{y}</extra>",
    )  # fmt: skip


def interval(one: Drift, way: str) -> tuple[float, float, float]:
    """Mean, lower and upper end of a way."""
    if way == AWAY:
        return one.kl, one.kl_low, one.kl_high
    return one.kl_reverse, one.kl_reverse_low, one.kl_reverse_high


def _label(one: Drift) -> str:
    name = escape(one.kind if len(one.kind) < 26 else one.kind[:24] + "…")
    # A kind of general text may bear the name of a task.
    return name if one.group != "task" else f"<b>{name}</b>"


def drift_csv(found: Sequence[Drift]) -> str:
    """All that was measured, one row for each kind of text."""
    rows = [
        {
            "text": neutral(one.kind),
            "group": GROUPS.get(one.group, one.group),
            "texts": one.n_texts,
            "tokens": one.n_tokens,
            "kl_tuned_base_bits": one.kl,
            "kl_tuned_base_low": one.kl_low,
            "kl_tuned_base_high": one.kl_high,
            "kl_base_tuned_bits": one.kl_reverse,
            "kl_base_tuned_low": one.kl_reverse_low,
            "kl_base_tuned_high": one.kl_reverse_high,
            "bits_per_byte_before": one.before,
            "bits_per_byte_after": one.after,
            "difference": one.forgetting,
        }
        for one in found
    ]
    return str(pd.DataFrame(rows).to_csv(index=False, lineterminator="\r\n"))


def short(name: str) -> str:
    """A variant's name on the map: an adapter without its base.

    >>> short("base+qa"), short("qa"), short("base")
    ('qa', 'qa (all weights)', 'base')
    """
    _, plus, adapter = name.partition("+")
    if plus:
        return adapter.removeprefix("adapters/")
    return name if name == "base" else f"{name} (all weights)"


def task_map(found: TaskMap | None) -> go.Figure:
    """The variants as points, each with a circle of its spread; both axes have one scale."""
    figure = plots.empty()
    figure.update_layout(
        meta={"points": "variants"},
        height=470,
        showlegend=False,
        margin={"l": 14, "r": 14, "t": 14},
    )
    grid = {"showgrid": True, "gridcolor": "rgba(128,134,150,.18)", "title_text": ""}
    figure.update_xaxes(**grid, ticks="", showticklabels=found is not None)
    figure.update_yaxes(**grid, rangemode="normal", scaleanchor="x", scaleratio=1)
    if found is None:
        return figure
    colours = [GREY if not task else FIRST for task in found.own]
    shapes = [_circle(*found.points[i], found.spread[i]) for i in range(1, len(found.names))]
    figure.update_layout(shapes=shapes)
    figure.add_trace(
        go.Scatter(
            x=[x for x, _ in found.points],
            y=[y for _, y in found.points],
            mode="markers",
            text=[escape(short(name)) for name in found.names],
            marker={
                "size": 12,
                "color": colours,
                "symbol": ["diamond" if not task else "circle" for task in found.own],
            },
            customdata=[[found.distances[0][i], found.spread[i]] for i in range(len(found.names))],
            hovertemplate="%{text}<br>measured distance from base %{customdata[0]:.3f}"
            "<br>spread on its own task %{customdata[1]:.3f}<extra></extra>",
        )
    )
    for name, (x, y), radius in zip(found.names, found.points, found.spread, strict=True):
        # Above its circle, or above its mark where that is larger.
        figure.add_annotation(
            x=x, y=y + radius, text=escape(short(name)), showarrow=False, yanchor="bottom", yshift=7
        )
    _room(figure, found)
    return figure


def _circle(x: float, y: float, radius: float) -> dict[str, object]:
    return {
        "type": "circle",
        "x0": x - radius, "x1": x + radius, "y0": y - radius, "y1": y + radius,
        "line": {"color": FIRST, "width": 1.5},
        "fillcolor": "rgba(217,102,15,.12)",
    }  # fmt: skip


def _room(figure: go.Figure, found: TaskMap) -> None:
    """Have all circles and names within the picture."""
    pairs = list(zip(found.points, found.spread, strict=True))
    edges = [
        (min(point[k] - r for point, r in pairs), max(point[k] + r for point, r in pairs))
        for k in (0, 1)
    ]
    margin = 0.1 * max(high - low for low, high in edges) + 1e-6
    (left, right), (low, high) = edges
    figure.update_xaxes(range=[left - 1.4 * margin, right + 1.4 * margin])
    figure.update_yaxes(range=[low - margin, high + 1.4 * margin])


def map_csv(found: TaskMap) -> str:
    """One row for each variant: place, spread, distances to the others, log-perplexity by kind."""
    rows = []
    for i, name in enumerate(found.names):
        row: dict[str, object] = {"model": neutral(name), "tuned_for": found.own[i]}
        row |= {"x": found.points[i][0], "y": found.points[i][1], "spread": found.spread[i]}
        pairs = zip(found.names, found.distances[i], strict=True)
        row |= {f"distance_to_{other}": d for other, d in pairs}
        kinds = zip(found.kinds, found.losses[i], strict=True)
        row |= {f"log_perplexity_nats_{kind}": loss for kind, loss in kinds}
        rows.append(row)
    return str(pd.DataFrame(rows).to_csv(index=False, lineterminator="\r\n"))
