"""What the Change tab shows of changed weights: JSON for its components, HTML, a figure, CSV."""

import base64
import math
from dataclasses import asdict
from html import escape
from typing import Any

import plotly.graph_objects as go

from lmlab.features.change.changes import Changes, Knifed, MatrixChange, MatrixView, Unchanged
from lmlab.numbers import signed
from lmlab.parts import plots
from lmlab.parts.html import filled
from lmlab.parts.plots import FIRST, SECOND
from lmlab.parts.strip import dump
from lmlab.parts.tables import csv_of, rows_of

CELL = ("name", "layer", "kind", "shape", "norm", "change", "relative", "rank")
RANKS = ("effective_rank", "stable_rank")
# What is smaller than this share of the largest singular value is rounding, and would stretch the
# axis.
NOTHING = 1e-7


def change_map(changes: Changes) -> str:
    """The map of layers × matrices, for ``ChangeMap``."""
    inside = [one for one in changes.matrices if one.layer is not None]
    cells = [
        {key: getattr(one, key) for key in CELL + (RANKS if one.singular_values else ())}
        for one in changes.matrices
    ]
    layers = sorted({one.layer for one in inside if one.layer is not None})
    kinds = list(dict.fromkeys(one.kind for one in inside))
    names = {"base": changes.base, "tuned": changes.tuned, "chosen": changes.largest.name}
    return dump(_short({**names, "layers": layers, "kinds": kinds, "cells": cells}))


def nothing(soft: Unchanged) -> str:
    """That a soft prompt changes no weight, for ``ChangeMap`` and ``KnifeCurves``."""
    return dump(
        {
            "cells": [],
            "title": f"{soft.tuned} changes no weight: every ΔW is 0",
            "said": f"All that was learned is a soft prompt: {soft.length:,} vectors of "
            f"{soft.width:,} numbers, which are put before every text. Distribution shows what "
            "they do.",
        }
    )


def pictures(view: MatrixView) -> str:
    """W, ΔW, V and U, for ``MatrixPictures``."""
    parts = {"w": view.w, "delta": view.delta, "v": view.v, "u": view.u}
    drawn = {name: _short(asdict(part)) for name, part in parts.items() if part is not None}
    return dump({"name": view.change.name, **drawn})


def knife(found: Knifed) -> str:
    """The rank knife's curves, for ``KnifeCurves``."""
    return dump(_short(asdict(found) | {"gap": found.gap}))


def _short(value: Any) -> Any:
    """A value as JSON has it: numbers with seven digits, None where one is not finite."""
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dict):
        return {key: _short(one) for key, one in value.items()}
    return [_short(one) for one in value] if isinstance(value, list | tuple) else value


def figures(one: MatrixChange) -> str:
    """The numbers of one matrix."""
    squares = [value * value for value in one.singular_values]
    first = squares[0] / total if (total := sum(squares)) > 0 else 0.0
    sizes = {"norm": _number(one.norm), "change": _number(one.change)}
    return filled("features/change/figures", one=one, first=first, **sizes)


def said(changes: Changes) -> str:
    """One line about all of them."""
    inside = [one for one in changes.matrices if len(one.shape) == 2]
    ranks = sorted({one.rank for one in inside if one.rank})
    size = sum(one.change**2 for one in changes.matrices) ** 0.5
    whole = sum(one.norm**2 for one in changes.matrices) ** 0.5
    lora = f" by LoRA of rank ℓ = {', '.join(map(str, ranks))}" if ranks else ""
    vectors = len(changes.matrices) - len(inside)
    also = f" and {vectors} vectors" if vectors else ""
    return (
        f'<p class="lm-said">{escape(changes.base)} → {escape(changes.tuned)}: {len(inside)} '
        f"matrices{also} changed{lora}; over all of them ‖ΔW‖ = {_number(size)}, "
        f"{100 * size / whole if whole else 0:.2g} % of ‖W‖.</p>"
    )


def _number(value: float) -> str:
    """With three digits."""
    return f"{value:#.3g}".rstrip(".") if 0 < abs(value) < 1000 else signed(value, 0)


def spectra(view: MatrixView | None) -> go.Figure:
    """Singular values of W and of ΔW on logarithmic axes, without those that are rounding alone."""
    figure = plots.empty()
    figure.update_layout(meta={"points": "singular values"}, height=300)
    figure.update_xaxes(title_text="i", type="log", dtick=1, minor={"dtick": "D1"})
    figure.update_yaxes(title_text="singular value σᵢ", type="log", dtick=1, exponentformat="power")
    if view is None or not view.spectrum:
        figure.update_xaxes(visible=False)
        figure.update_yaxes(visible=False)
        place = {"xref": "paper", "yref": "paper", "x": 0.5, "y": 0.6, "showarrow": False}
        figure.add_annotation(text="A vector has no singular values." if view else "", **place)
        return figure
    values = view.change.singular_values
    drawn = (("W", view.spectrum, SECOND, "circle-open"), ("ΔW", values, FIRST, "circle"))
    for name, values, colour, symbol in drawn:
        shown = [value for value in values if value > NOTHING * values[0]]
        figure.add_scatter(
            x=list(range(1, len(shown) + 1)),
            y=[float(f"{value:.6g}") for value in shown],
            name=name,
            mode="lines+markers",
            line={"color": colour, "width": 2},
            marker={"size": 7 if len(shown) <= 32 else 4, "symbol": symbol},
            hovertemplate="σ<sub>%{x}</sub> of " + name + ": %{y:.4g}<extra></extra>",
        )
    return figure


def changes_csv(changes: Changes) -> str:
    """One row for each matrix and vector."""
    rows = rows_of(
        changes.matrices,
        "matrix=name layer kind shape norm_w=norm norm_delta=change relative effective_rank "
        "stable_rank lora_rank largest_singular_value",
        shape=lambda one: "x".join(map(str, one.shape)),
        effective_rank=lambda one: one.effective_rank if one.singular_values else None,
        stable_rank=lambda one: one.stable_rank if one.singular_values else None,
        lora_rank=lambda one: one.rank or None,
        largest_singular_value=lambda one: next(iter(one.singular_values), None),
    )
    return csv_of(rows)


def knife_csv(found: Knifed) -> str:
    """One row for each k."""
    rows = rows_of(
        found.points,
        "k task_perplexity general_perplexity task_log_perplexity=task "
        "general_log_perplexity=general task_bits_per_byte=task_bits "
        "general_bits_per_byte=general_bits share_of_squared_norm=kept",
        task_perplexity=lambda one: math.exp(one.task),
        general_perplexity=lambda one: math.exp(one.general),
    )
    return csv_of(rows)
