"""Figures of the Scale tab: memory of keys and values, bits per byte against size."""

import math
from collections.abc import Callable, Sequence
from html import escape
from itertools import cycle
from operator import attrgetter

import plotly.graph_objects as go

from lmlab.features.scale.amounts import flops, short, size
from lmlab.features.scale.measured import Measured, PowerLaw, power_laws
from lmlab.parts import plots
from lmlab.parts.plots import FIRST, GREY, MEAN, MEAN_SECOND, SECOND

GRID = "rgba(128,134,150,.22)"
# Told apart by more than their colours.
LOOKS = (
    (FIRST, "solid", "circle"),
    (SECOND, "dash", "square"),
    (MEAN_SECOND, "dot", "triangle-up"),
    (MEAN, "dashdot", "diamond"),
    (GREY, "longdash", "triangle-down"),
)


def cache_curve(lines: Sequence[tuple[str, float]], length: int, weights: float) -> go.Figure:
    """Memory of keys and values up to a length in positions: each line has a name and bytes a
    position; the weights' bytes are drawn level."""
    drawn = [
        (name, [0, per * length], look) for (name, per), look in zip(lines, LOOKS, strict=False)
    ]
    # Weights far above the curves would press them flat; they are named in words then.
    if weights <= 4 * max(per * length for _, per in lines):
        drawn.append(("the weights", [weights, weights], LOOKS[4]))
    figure = plots.empty()
    for name, values, (colour, dash, _) in drawn:
        figure.add_scatter(
            x=[0, length], y=values, name=name, mode="lines",
            line={"color": colour, "dash": dash, "width": 2.4},
            hovertemplate=f"{name}: {size(values[1])} at %{{x:,}} tokens<extra></extra>",
        )  # fmt: skip
    figure.update_layout(meta={"points": "lengths"})
    figure.update_xaxes(title_text="length, tokens")
    figure.update_yaxes(title_text="keys and values", tickformat="~s", ticksuffix="B")
    return figure


def by_size(
    found: Sequence[Measured], joined: Sequence[str] = (), *, perplexity: bool = False,
    compute: bool = False,
) -> go.Figure:  # fmt: skip
    """Bits per byte, or perplexity, of models against N, or 6·N·D, both axes logarithmic. A line
    joins siblings; those without a known D are left out where compute is drawn."""
    figure = plots.empty()
    value_of = attrgetter("perplexity" if perplexity else "bits_per_byte")
    name = "training compute 6·N·D, FLOPs" if compute else "parameters N"
    value = "perplexity, per token" if perplexity else "bits per byte"
    figure.update_layout(
        meta={"points": "models"}, height=370,
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": -0.3, "yanchor": "top"},
    )  # fmt: skip
    figure.update_xaxes(title_text=name, type="log", showgrid=True, gridcolor=GRID)
    figure.update_yaxes(title_text=f"{value}, lower is better", type="log")
    points: dict[str, list[tuple[float, float, str]]] = {}
    for one in found:
        n, v = (one.flops if compute else one.parameters), value_of(one)
        if n and 0 < v < math.inf:
            points.setdefault(one.kind, []).append((n, v, one.model))
    laws = {} if compute or perplexity else power_laws(found, joined)
    names: dict[float, list[str]] = {}
    for (kind, mine), (colour, dash, symbol) in zip(points.items(), cycle(LOOKS), strict=False):
        line = sorted(point for point in mine if point[2] in joined)
        # A gap before each of the others: no line leads to them.
        gap = (None, None, "")
        drawn = [*line, *(p for point in mine if point[2] not in joined for p in (gap, point))]
        for n, _, model in mine:
            names.setdefault(n, []).append(model)
        figure.add_scatter(
            x=[n for n, _, _ in drawn], y=[v for _, v, _ in drawn], name=escape(kind),
            text=[escape(model) for _, _, model in drawn], mode="lines+markers",
            line={"color": colour, "dash": dash, "width": 2.2},
            marker={"symbol": symbol, "size": 9},
            hovertemplate=f"%{{text}}: %{{y:.3f}} {value}, %{{x:.4s}}<extra>{escape(kind)}</extra>",
        )  # fmt: skip
        if law := laws.get(kind):
            _draw_law(figure, law, kind, [n for n, _, _ in mine], colour)
    if names:
        _round_ticks(figure, min(names), max(names), flops if compute else short)
    for n, models in names.items():
        told = escape(", ".join(dict.fromkeys(models))[:40])
        figure.add_annotation(
            x=math.log10(n), y=1, yref="paper", yanchor="bottom", text=told, showarrow=False
        )
    return figure


def _draw_law(
    figure: go.Figure, law: PowerLaw, kind: str, sizes: Sequence[float], colour: str
) -> None:
    """The fitted law, straight and thin below the line of its kind."""
    ends = [min(sizes), max(sizes)]
    figure.add_scatter(
        x=ends, y=[law.at(n) for n in ends], mode="lines", showlegend=False,
        line={"color": colour, "dash": "solid", "width": 1}, opacity=0.55,
        hovertemplate=f"fit: N^{law.exponent:.3f}<extra>{escape(kind)}</extra>",
    )  # fmt: skip


def _round_ticks(figure: go.Figure, low: float, high: float, said: Callable[[float], str]) -> None:
    """Below the axis 1, 3, 10 …, or powers of ten alone where the range is wide."""
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    ticks = [m * 10.0**power for power in powers for m in ((1, 3) if high < 1e3 * low else (1,))]
    figure.update_xaxes(tickvals=ticks, ticktext=[said(tick) for tick in ticks])
