"""A visitor's own table, the same on every tab: where it is given, and which column is which."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import gradio as gr

from lmlab.data.sets import Table
from lmlab.errors import InputError
from lmlab.ui.parts.widgets import static

OWN = "own table"
FIELDS = 4  # columns of a visitor's table that can be mapped
NO_UPLOADS = '<p class="lm-said">Uploads are switched off on this page; a table can be pasted.</p>'
LARGEST = 6_000_000  # bytes of an upload that are read at all
TEXTS = (".csv", ".tsv", ".jsonl")


def given(
    tab: str, uploads: bool, *, types: Sequence[str] = TEXTS, **pasted: Any
) -> tuple[gr.File, gr.Textbox]:
    """Where a table is uploaded, if that is allowed, and where it is pasted."""
    if not uploads:
        static(NO_UPLOADS)
    binary = " or Parquet" if ".parquet" in types else ""
    upload = gr.File(
        label=f"CSV, TSV or JSONL in UTF-8{binary}",
        file_types=list(types),
        height=165,
        visible=uploads,
        elem_id=f"{tab}-upload",
    )
    box = gr.Textbox(
        "",
        label="or paste it, column names first" if uploads else "Paste it, column names first",
        lines=4,
        max_lines=10,
        elem_id=f"{tab}-pasted",
        elem_classes="lm-mono",
        **pasted,
    )
    return upload, box


def pickers(tab: str) -> tuple[gr.Dropdown, ...]:
    """The pickers of columns, hidden until there is a table."""
    return tuple(
        gr.Dropdown(
            [], label=f"column {i}", visible=False, elem_id=f"{tab}-column-{i}", min_width=120
        )
        for i in range(FIELDS)
    )


def picked(fields: Sequence[str], table: Table) -> list[Any]:
    """The pickers for a table, one for each field, filled with the likeliest columns."""
    guess: dict[str, str] = {}
    with suppress(InputError):
        guess = table.columns_for(fields)
    return [
        gr.update(
            visible=i < len(fields),
            label=f"‘{fields[i]}’ is the column" if i < len(fields) else "",
            choices=list(table.columns),
            value=guess.get(fields[i]) if i < len(fields) else None,
        )
        for i in range(FIELDS)
    ]


def content(file: Any, pasted: str | None) -> tuple[bytes, str]:
    """What a visitor uploaded, else pasted, and its name.

    Raises:
        InputError: neither.
    """
    if file is not None:
        name = str(getattr(file, "orig_name", None) or file).rsplit("/", 1)[-1]
        with open(str(file), "rb") as opened:
            return opened.read(LARGEST), name
    if not (pasted or "").strip():
        raise InputError("There is no table.", "Choose a file, or paste some rows.")
    return (pasted or "").encode("utf-8", "replace"), "the pasted table"
