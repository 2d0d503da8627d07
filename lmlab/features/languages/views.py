"""Counted sentences as HTML, as a figure, as CSV, and their receipt."""

from collections.abc import Sequence
from html import escape

import plotly.graph_objects as go

from lmlab.errors import InputError
from lmlab.features.languages.counted import BYTES, Counted, rows_of
from lmlab.palette import visible
from lmlab.parts import plots
from lmlab.parts.html import html
from lmlab.parts.plots import FIRST, GREY, MEAN, MEAN_SECOND, SECOND
from lmlab.parts.tables import csv_of
from lmlab.receipts.script import script

COLOURS = (MEAN, FIRST, MEAN_SECOND, SECOND, "#b4357c", GREY)


def table(found: Sequence[Counted]) -> str:
    """Pieces and what they cost, as HTML."""
    return html("features/languages/views", "counted", found) if found else ""


def prices(found: Sequence[Counted]) -> go.Figure:
    """Tokens against those of the first sentence, a bar for each tokenizer."""
    figure = plots.empty()
    for one, colour in zip(found, COLOURS, strict=False):
        figure.add_bar(
            # Plotly reads "<b>" and its kin in a text as markup, and merges equal names.
            x=[f"{i}. {escape(visible(row.language))}" for i, row in enumerate(one.rows, 1)],
            y=[round(one.price(row), 4) for row in one.rows],
            name=escape(visible(one.tokenizer)),
            marker={"color": colour},
            hovertemplate="%{x}: %{y:.2f} ×<extra>%{fullData.name}</extra>",
        )
    first = escape(visible(found[0].rows[0].language)) if found else "the first"
    figure.update_layout(meta=None)
    figure.update_xaxes(title_text="")
    figure.update_yaxes(title_text=f"tokens / {first}")
    return figure


def to_csv(found: Sequence[Counted]) -> str:
    """One row for each sentence and tokenizer."""
    return csv_of(rows_of(found)) if found else ""


def receipt(found: Sequence[Counted]) -> str:
    """The counts of the first tokenizer that is a model's, by transformers alone.

    Raises:
        InputError: there is none.
    """
    counted = next((one for one in found if one.tokenizer != BYTES), None)
    if counted is None:
        raise InputError("Bytes need no receipt.", "Choose a model’s tokenizer.")
    return script("features/languages/receipt", [counted.tokenizer], counted=counted)
