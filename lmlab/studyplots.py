"""Studies of prompt designs as plotly figures: curves with intervals, bars, lottery of orders."""

from collections.abc import Sequence
from html import escape

import plotly.graph_objects as go

from lmlab import plots
from lmlab.evaluations import Evaluation
from lmlab.plots import FIRST, GREY, MEAN, SECOND

Labelled = Sequence[tuple[str, Evaluation]]
HEIGHT = 320


def empty() -> go.Figure:
    """Axes with nothing in them."""
    return _axes("examples in the prompt, shots", "accuracy")


def shots(results: Labelled) -> go.Figure:
    """Accuracy against the number of examples: mean, 95 % interval, and every draw."""
    figure = empty()
    found = [evaluation for _, evaluation in results]
    xs = [str(e.shots) for e in found]
    figure.add_trace(
        go.Scatter(
            x=[x for x, e in zip(xs, found, strict=True) for _ in e.by_draw],
            y=[value for e in found for value in e.by_draw],
            mode="markers",
            name="one draw of examples",
            marker={"size": 8, "color": SECOND, "opacity": 0.45},
            hovertemplate="%{x} shots, one draw: %{y:.3f}<extra></extra>",
        )
    )
    figure.add_trace(_means(xs, found, "mean, 95 % interval", "lines+markers"))
    figure.update_xaxes(type="category")
    return figure


def bars(results: Labelled) -> go.Figure:
    """Accuracy of several designs, with intervals."""
    figure = _axes("", "accuracy")
    found = [evaluation for _, evaluation in results]
    names = [escape(label if len(label) < 34 else f"{label[:32]}…") for label, _ in results]
    figure.add_trace(
        go.Bar(
            x=names,
            y=[e.accuracy.mean for e in found],
            error_y=_errors(found),
            marker={"color": FIRST, "line": {"width": 0}},
            width=0.5,
            name="accuracy, 95 % interval",
            text=[f"{e.accuracy.mean:.2f}" for e in found],
            textposition="inside",
            insidetextanchor="start",
            hovertemplate="%{x}: %{y:.3f}<extra></extra>",
        )
    )
    figure.update_xaxes(type="category", tickangle=0 if len(names) < 4 else -20)
    return figure


def lottery(evaluation: Evaluation) -> go.Figure:
    """Accuracy of every order of the same examples, from the worst to the best."""
    figure = _axes("orders of the same examples, from worst to best", "accuracy")
    plain = sorted(evaluation.draws_by("sum" if evaluation.labels else None))
    series = [("as they come", plain, FIRST)]
    if "calibrated" in evaluation.by_way:
        series.append(("calibrated", sorted(evaluation.draws_by("calibrated")), SECOND))
    for name, values, colour in series:
        figure.add_trace(
            go.Scatter(
                x=list(range(1, len(values) + 1)),
                y=values,
                mode="lines+markers",
                name=name,
                line={"color": colour, "width": 2.5},
                marker={"size": 8},
                hovertemplate="%{y:.3f}<extra>" + name + "</extra>",
            )
        )
    return figure


def reliability(evaluation: Evaluation) -> go.Figure:
    """Confidence in the chosen label against how often it is right."""
    figure = _axes("confidence in the chosen label", "share that is right")
    figure.add_trace(
        go.Scatter(
            x=[0, 1],
            y=[0, 1],
            mode="lines",
            name="perfectly calibrated",
            line={"color": GREY, "width": 1.5, "dash": "dot"},
            hoverinfo="skip",
        )
    )
    bins = evaluation.reliability
    figure.add_trace(
        go.Scatter(
            x=[b.confidence for b in bins],
            y=[b.accuracy for b in bins],
            mode="lines+markers",
            name="this model",
            line={"color": MEAN, "width": 2.5},
            marker={"size": [8 + 22 * (b.count / max(c.count for c in bins)) for b in bins]},
            text=[f"{b.count:,} predictions" for b in bins],
            hovertemplate="confidence %{x:.2f}, right %{y:.2f}, %{text}<extra></extra>",
        )
    )
    figure.update_xaxes(range=[0, 1.03])
    return figure


def _means(xs: Sequence[str], found: Sequence[Evaluation], name: str, mode: str) -> go.Scatter:
    return go.Scatter(
        x=list(xs),
        y=[e.accuracy.mean for e in found],
        error_y=_errors(found),
        mode=mode,
        name=name,
        line={"color": FIRST, "width": 3},
        marker={"size": 10},
        hovertemplate="%{x} shots: %{y:.3f}<extra></extra>",
    )


def _errors(found: Sequence[Evaluation]) -> dict[str, object]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [e.accuracy.high - e.accuracy.mean for e in found],
        "arrayminus": [e.accuracy.mean - e.accuracy.low for e in found],
        "color": GREY,
        "thickness": 1.6,
        "width": 5,
    }


def _axes(x: str, y: str) -> go.Figure:
    figure = plots.empty()
    figure.update_layout(meta={"points": "designs"}, height=HEIGHT)
    figure.update_xaxes(title_text=x)
    figure.update_yaxes(title_text=y, range=[0, 1.05])
    return figure
