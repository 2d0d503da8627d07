"""Studies of prompt designs as plotly figures: curves with intervals, bars, lottery of orders."""

from collections.abc import Sequence
from html import escape
from typing import Any

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
    return _figure("examples in the prompt, shots", "accuracy")


def chart(kind: str, results: Labelled, what: str, *, under_way: bool = False) -> go.Figure:
    """A study's chart of one of ``MEASURES``: ``shots`` is a curve, ``order`` the lottery, all else
    bars. What is under way is drawn hollow or pale."""
    if kind == "shots":
        return shots(results, what, under_way=under_way)
    if kind == "order":
        return lottery(results[-1][1], what)
    return bars(results, what, under_way=under_way)


def shots(results: Labelled, what: str = "accuracy", *, under_way: bool = False) -> go.Figure:
    """A measure against the number of examples: mean, 95 % interval, and every draw."""
    draws = [(str(e.shots), value) for _, e in results for value in _draws(e, what)]
    symbol = "circle-open" if under_way else "circle"
    figure = _figure(
        "examples in the prompt, shots",
        what,
        go.Scatter(
            x=[x for x, _ in draws],
            y=[y for _, y in draws],
            mode="markers",
            name="one draw of examples",
            cliponaxis=False,
            marker={"size": 8, "color": SECOND, "opacity": 0.45},
            hovertemplate="%{x} shots, one draw: %{y:.3f}<extra></extra>",
        ),
        _line(
            "mean, 95 % interval", FIRST, 3,
            x=[str(e.shots) for _, e in results],
            **_means(results, what),
            marker={"size": 10, "symbol": symbol},
            hovertemplate="%{x} shots: %{y:.3f}<extra></extra>",
        ),
    )  # fmt: skip
    return figure.update_xaxes(type="category")


def bars(results: Labelled, what: str = "accuracy", *, under_way: bool = False) -> go.Figure:
    """A measure of several designs, with intervals."""
    means = _means(results, what)
    bar = go.Bar(
        x=[_name(label) for label, _ in results],
        **means,
        marker={"color": FIRST, "line": {"width": 0}, "opacity": 0.45 if under_way else 1.0},
        width=0.5,
        name=f"{TITLES[what].split(',')[0]}, 95 % interval",
        text=[f"{mean:.2f}" for mean in means["y"]],
        textposition="inside",
        insidetextanchor="start",
        hovertemplate="%{x}: %{y:.3f}<extra></extra>",
    )
    tilt = 0 if len(results) < 4 else -20
    return _figure("", what, bar).update_xaxes(type="category", tickangle=tilt)


def lottery(evaluation: Evaluation, what: str = "accuracy") -> go.Figure:
    """A measure for every order of the same examples, from the worst to the best."""
    if what == "nll":
        found = [("as they come", sorted(evaluation.nll_by_draw, reverse=True), FIRST)]
    else:
        plain = evaluation.draws_by("sum") if evaluation.chosen else evaluation.by_draw
        found = [("as they come", sorted(plain), FIRST)]
        if "calibrated" in evaluation.by_way:
            found.append(("calibrated", sorted(evaluation.draws_by("calibrated")), SECOND))
    lines = [
        _line(
            name, colour,
            x=list(range(1, len(values) + 1)),
            y=values,
            marker={"size": 8},
            hovertemplate="%{y:.3f}<extra>" + name + "</extra>",
        )
        for name, values, colour in found
    ]  # fmt: skip
    return _figure("orders of the same examples, from worst to best", what, *lines)


def reliability(evaluation: Evaluation) -> go.Figure:
    """Confidence in the chosen label against how often it is right."""
    bins = evaluation.reliability
    most = max((one.count for one in bins), default=1)
    ideal = go.Scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name="perfectly calibrated",
        line={"color": GREY, "width": 1.5, "dash": "dot"},
        hoverinfo="skip",
    )
    found = _line(
        "this model", MEAN,
        x=[one.confidence for one in bins],
        y=[one.accuracy for one in bins],
        marker={"size": [8 + 22 * one.count / most for one in bins]},
        text=[f"{one.count:,} predictions" for one in bins],
        hovertemplate="confidence %{x:.2f}, right %{y:.2f}, %{text}<extra></extra>",
    )  # fmt: skip
    axes = "confidence in the chosen label", "share that is right"
    return _figure(*axes, ideal, found).update_xaxes(range=[0, 1.03])


def _name(label: str) -> str:
    """A label below its bar: cut where it is very long, on lines of its own parts."""
    short = label if len(label) < 44 else f"{label[:42]}…"
    return "<br>".join(escape(part) for part in short.split(", "))


def _draws(evaluation: Evaluation, what: str) -> list[float]:
    return evaluation.nll_by_draw if what == "nll" else evaluation.by_draw


def _line(name: str, colour: str, width: float = 2.5, **given: Any) -> go.Scatter:
    line = {"color": colour, "width": width}
    # A mark at 0 or 1 is drawn whole.
    return go.Scatter(name=name, mode="lines+markers", line=line, cliponaxis=False, **given)


def _means(results: Labelled, what: str) -> dict[str, Any]:
    """The mean of each design, with its 95 % interval."""
    means: list[Interval] = [e.nll if what == "nll" else e.accuracy for _, e in results]
    errors = {
        "type": "data",
        "symmetric": False,
        "array": [one.high - one.mean for one in means],
        "arrayminus": [one.mean - one.low for one in means],
        "color": GREY,
        "thickness": 1.6,
        "width": 5,
    }
    return {"y": [one.mean for one in means], "error_y": errors}


def _figure(x: str, y: str, *traces: Any) -> go.Figure:
    figure = plots.empty().add_traces(traces)
    figure.update_layout(meta={"points": "designs"}, height=HEIGHT)
    figure.update_xaxes(title_text=x)
    figure.update_yaxes(title_text=TITLES.get(y, y))
    if y != "nll":
        figure.update_yaxes(range=[0, 1.05])
    return figure
