"""Studies of prompt designs as plotly figures: curves with intervals, bars, lottery of orders."""

from collections.abc import Sequence
from html import escape

import plotly.graph_objects as go

from lmlab.features.prompt.evaluations import Evaluation
from lmlab.maths.agreement import Interval
from lmlab.parts import plots
from lmlab.parts.plots import FIRST, GREY, MEAN, SECOND

Labelled = Sequence[tuple[str, Evaluation]]
HEIGHT = 320
MEASURES = ("accuracy", "nll")
TITLES = {"accuracy": "accuracy", "nll": "−ln p of the true answer, nats"}


def empty() -> go.Figure:
    """Axes with nothing in them."""
    return _axes("examples in the prompt, shots", "accuracy")


def chart(kind: str, results: Labelled, what: str, *, under_way: bool = False) -> go.Figure:
    """A study's chart."""
    if kind == "shots":
        return shots(results, what, under_way=under_way)
    if kind == "order":
        return lottery(results[-1][1], what)
    return bars(results, what, under_way=under_way)


def shots(results: Labelled, what: str = "accuracy", *, under_way: bool = False) -> go.Figure:
    """A measure against the number of examples: mean, 95 % interval, and every draw."""
    figure = _axes("examples in the prompt, shots", what)
    found = [evaluation for _, evaluation in results]
    xs = [str(e.shots) for e in found]
    figure.add_trace(
        go.Scatter(
            x=[x for x, e in zip(xs, found, strict=True) for _ in _draws(e, what)],
            y=[value for e in found for value in _draws(e, what)],
            mode="markers",
            name="one draw of examples",
            marker={"size": 8, "color": SECOND, "opacity": 0.45},
            hovertemplate="%{x} shots, one draw: %{y:.3f}<extra></extra>",
        )
    )
    means = [_mean(e, what) for e in found]
    hollow = [under_way and i == len(found) - 1 for i in range(len(found))]
    figure.add_trace(
        go.Scatter(
            x=xs,
            y=[one.mean for one in means],
            error_y=_errors(means),
            mode="lines+markers",
            name="mean, 95 % interval",
            line={"color": FIRST, "width": 3},
            marker={"size": 10, "symbol": ["circle-open" if h else "circle" for h in hollow]},
            hovertemplate="%{x} shots: %{y:.3f}<extra></extra>",
        )
    )
    figure.update_xaxes(type="category")
    return figure


def bars(results: Labelled, what: str = "accuracy", *, under_way: bool = False) -> go.Figure:
    """A measure of several designs, with intervals."""
    figure = _axes("", what)
    means = [_mean(evaluation, what) for _, evaluation in results]
    names = [_name(label) for label, _ in results]
    last = len(results) - 1 if under_way else -1
    figure.add_trace(
        go.Bar(
            x=names,
            y=[one.mean for one in means],
            error_y=_errors(means),
            marker={
                "color": FIRST,
                "line": {"width": 0},
                "opacity": [0.45 if i == last else 1 for i in range(len(means))],
            },
            width=0.5,
            name=f"{TITLES[what].split(',')[0]}, 95 % interval",
            text=[f"{one.mean:.2f}" for one in means],
            textposition="inside",
            insidetextanchor="start",
            hovertemplate="%{x}: %{y:.3f}<extra></extra>",
        )
    )
    figure.update_xaxes(type="category", tickangle=0 if len(names) < 4 else -20)
    return figure


def lottery(evaluation: Evaluation, what: str = "accuracy") -> go.Figure:
    """A measure for every order of the same examples, from the worst to the best."""
    figure = _axes("orders of the same examples, from worst to best", what)
    for name, values, colour in _orders(evaluation, what):
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


def _orders(evaluation: Evaluation, what: str) -> list[tuple[str, list[float], str]]:
    """The curves of the lottery: name, values in order, colour."""
    if what == "nll":
        return [("as they come", sorted(evaluation.nll_by_draw, reverse=True), FIRST)]
    plain = sorted(evaluation.draws_by("sum" if evaluation.chosen else None))
    found = [("as they come", plain, FIRST)]
    if "calibrated" in evaluation.by_way:
        found.append(("calibrated", sorted(evaluation.draws_by("calibrated")), SECOND))
    return found


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


def _name(label: str) -> str:
    """A label below its bar: cut where it is very long, on lines of its own parts."""
    short = label if len(label) < 44 else f"{label[:42]}…"
    return "<br>".join(escape(part) for part in short.split(", "))


def _mean(evaluation: Evaluation, what: str) -> Interval:
    return evaluation.nll if what == "nll" else evaluation.accuracy


def _draws(evaluation: Evaluation, what: str) -> list[float]:
    return evaluation.nll_by_draw if what == "nll" else evaluation.by_draw


def _errors(means: Sequence[Interval]) -> dict[str, object]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [one.high - one.mean for one in means],
        "arrayminus": [one.mean - one.low for one in means],
        "color": GREY,
        "thickness": 1.6,
        "width": 5,
    }


def _axes(x: str, y: str) -> go.Figure:
    figure = plots.empty()
    figure.update_layout(meta={"points": "designs"}, height=HEIGHT)
    figure.update_xaxes(title_text=x)
    figure.update_yaxes(title_text=TITLES.get(y, y))
    if y != "nll":
        figure.update_yaxes(range=[0, 1.05])
    return figure
