"""Singular values of W and of ΔW as a plotly figure."""

import plotly.graph_objects as go

from lmlab.features.change.matrices import MatrixView
from lmlab.parts import plots
from lmlab.parts.plots import FIRST, SECOND

HEIGHT = 300
# What is smaller than this share of the largest is rounding, and would stretch the axis.
NOTHING = 1e-7


def empty() -> go.Figure:
    """Axes with nothing in them."""
    figure = plots.empty()
    figure.update_layout(meta={"points": "singular values"}, height=HEIGHT)
    figure.update_xaxes(title_text="i", type="log", dtick=1, minor={"dtick": "D1"})
    figure.update_yaxes(title_text="singular value σᵢ", type="log", dtick=1, exponentformat="power")
    return figure


def blank(text: str = "") -> go.Figure:
    """A sentence, or nothing, where there is nothing to draw."""
    figure = empty()
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    place = {"xref": "paper", "yref": "paper", "x": 0.5, "y": 0.6, "showarrow": False}
    figure.add_annotation(text=text, **place)
    return figure


def spectra(view: MatrixView) -> go.Figure:
    """Both spectra on logarithmic axes; values that are rounding alone are left out."""
    if not view.spectrum:
        return blank("A vector has no singular values.")
    figure = empty()
    parts = (
        ("W", view.spectrum, SECOND, "circle-open"),
        ("ΔW", view.change.singular_values, FIRST, "circle"),
    )
    for name, values, colour, symbol in parts:
        shown = [value for value in values if value > NOTHING * values[0]]
        figure.add_trace(
            go.Scatter(
                x=list(range(1, len(shown) + 1)),
                y=[float(f"{value:.6g}") for value in shown],
                name=name,
                mode="lines+markers",
                line={"color": colour, "width": 2},
                marker={"size": 7 if len(shown) <= 32 else 4, "symbol": symbol},
                hovertemplate="σ<sub>%{x}</sub> of " + name + ": %{y:.4g}<extra></extra>",
            )
        )
    return figure
