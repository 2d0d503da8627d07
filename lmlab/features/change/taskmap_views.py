"""The map of tasks as a figure, a table, sentences and CSV."""

import math
from html import escape

import plotly.graph_objects as go

from lmlab.features.change.changes import TaskMap
from lmlab.maths.mds import quality
from lmlab.measures import measure
from lmlab.parts import plots
from lmlab.parts.html import filled
from lmlab.parts.plots import FIRST, GREY
from lmlab.parts.tables import csv_of


def short(name: str) -> str:
    """A variant's name on the map: an adapter without its base.

    >>> short("base+qa"), short("qa"), short("base")
    ('qa', 'qa (all weights)', 'base')
    """
    _, plus, adapter = name.partition("+")
    if plus:
        return adapter.removeprefix("adapters/")
    return name if name == "base" else f"{name} (all weights)"


def picture(found: TaskMap | None) -> go.Figure:
    """The variants as points, each with a circle of its spread; both axes have one scale."""
    figure = plots.empty()
    figure.update_layout(
        meta={"points": "variants"}, height=470, showlegend=False,
        margin={"l": 14, "r": 14, "t": 14},
    )  # fmt: skip
    grid = {"showgrid": True, "gridcolor": "rgba(128,134,150,.18)", "title_text": ""}
    figure.update_xaxes(**grid, ticks="", showticklabels=found is not None)
    figure.update_yaxes(**grid, rangemode="normal", scaleanchor="x", scaleratio=1)
    if found is None:
        return figure
    names = [escape(short(name)) for name in found.names]
    figure.add_scatter(
        x=[x for x, _ in found.points],
        y=[y for _, y in found.points],
        mode="markers",
        text=names,
        marker={
            "size": 12,
            "color": [FIRST if task else GREY for task in found.own],
            "symbol": ["circle" if task else "diamond" for task in found.own],
        },
        customdata=list(zip(found.distances[0], found.spread, strict=True)),
        hovertemplate="%{text}<br>measured distance from base %{customdata[0]:.3f}"
        "<br>spread on its own task %{customdata[1]:.3f}<extra></extra>",
    )
    for name, (x, y), r in zip(names, found.points, found.spread, strict=True):
        if r:
            figure.add_shape(
                type="circle", x0=x - r, x1=x + r, y0=y - r, y1=y + r,
                line={"color": FIRST, "width": 1.5}, fillcolor="rgba(217,102,15,.12)",
            )  # fmt: skip
        # Above its circle, or above its mark where that is larger.
        figure.add_annotation(x=x, y=y + r, text=name, showarrow=False, yanchor="bottom", yshift=7)
    _room(figure, found)
    return figure


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


def moves(found: TaskMap) -> str:
    """How each variant's perplexity moved on each kind of text: a table with coloured cells."""
    perplexities = [[_perplexity(loss) for loss in row] for row in found.losses]
    moved = [[found.moved(i, k) for k in range(len(found.kinds))] for i in range(len(found.names))]
    # The strip's colours: blue where it became worse, orange where it became better.
    level = measure("difference").level
    return filled(
        "features/change/moves", found=found, names=list(map(short, found.names)), moved=moved,
        perplexities=perplexities, levels=[[level(-value) for value in row] for row in moved],
    )  # fmt: skip


def _perplexity(loss: float) -> float:
    return math.exp(loss) if loss < 700 else math.inf


def said(found: TaskMap) -> str:
    """What the picture is, in sentences, as HTML."""
    part = f"<b>{found.portion.told('rows of each task')}</b> " if found.portion else ""
    return (
        f'<p class="lm-why">{part}Distance: mean √JSD of the next-token distributions over '
        f"held-out answers of {len(found.kinds) - 1} tasks, {max(found.n_rows)} rows each, every "
        "task with equal weight: 0 the same, 1 nothing in common. Two dimensions cannot show all "
        "distances: "
        f"<b>stress {found.stress:.2f}</b> ({quality(found.stress)} by Kruskal’s words, 1964). "
        "Circle: standard deviation of a variant’s distance from the base over the rows of its "
        "own task. Axes have no meaning but their scale.</p>"
    )


def to_csv(found: TaskMap) -> str:
    """One row for each variant: place, spread, distances to the others, log-perplexity by kind."""
    return csv_of(
        {
            "model": name,
            "tuned_for": found.own[i],
            "x": found.points[i][0],
            "y": found.points[i][1],
            "spread": found.spread[i],
            **{f"distance_to_{found.names[j]}": d for j, d in enumerate(found.distances[i])},
            **{f"log_perplexity_nats_{found.kinds[k]}": n for k, n in enumerate(found.losses[i])},
        }
        for i, name in enumerate(found.names)
    )
