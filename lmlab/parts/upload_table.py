"""A visitor's own table, the same on every tab: where it is given, and which column is which."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.parts.widgets import static
from lmlab.text.rows import told
from lmlab.text.sets import Table
from lmlab.text.templates import PromptTemplate
from lmlab.text.twins import Reads
from lmlab.text.wordings import fitting_wording

OWN = "own table"
FIELDS = 4  # columns of a visitor's table that can be mapped
COLUMNS = tuple(f"column {number}" for number in range(FIELDS))  # names of their pickers
NO_UPLOADS = '<p class="lm-said">Uploads are switched off on this page; a table can be pasted.</p>'
LARGEST = 6_000_000  # bytes of an upload that are read at all
TEXTS = (".csv", ".tsv", ".jsonl", ".json", ".txt")
TYPES = (*TEXTS, ".parquet")


@dataclass(frozen=True)
class Own:
    """What a visitor gave."""

    table: Table  # the rows
    second: Table | None = None  # another table: rows that examples come from, or that are held out
    skip: bool = False  # whether rows that cannot be used are left out

    def mapped(self, reads: Reads, chosen: Sequence[str | None]) -> tuple[Table, Table | None]:
        """Both tables under a wording's names, the rows that can be used.

        Raises:
            InputError: a column is missing, or a row lacks something.
        """

        def usable(part: Table) -> Table:
            columns = part.columns_for(reads.columns, chosen, reads.optional)
            return part.mapped(columns).usable(reads, skip=self.skip)

        return usable(self.table), None if self.second is None else usable(self.second)


def given(
    tab: str, uploads: bool, *, types: Sequence[str] = TEXTS, **pasted: Any
) -> tuple[gr.File, gr.Textbox]:
    """Where a table is uploaded, if that is allowed, and where it is pasted."""
    if not uploads:
        static(NO_UPLOADS)
    binary = " or Parquet" if ".parquet" in types else ""
    upload = gr.File(
        label=f"CSV, TSV or JSON in UTF-8{binary}", file_types=list(types), height=165,
        visible=uploads, elem_id=f"{tab}-upload",
    )  # fmt: skip
    box = gr.Textbox(
        "", label=f"{'or paste' if uploads else 'Paste'} it, column names first", lines=4,
        max_lines=10, elem_id=f"{tab}-pasted", elem_classes="lm-mono", **pasted,
    )  # fmt: skip
    return upload, box


def more(tab: str, uploads: bool, second: str) -> tuple[gr.File, gr.Checkbox]:
    """Where a second table is uploaded, and whether rows that cannot be used are left out."""
    with gr.Row():
        file = gr.File(
            label=second, file_types=list(TYPES), height=110, visible=uploads,
            elem_id=f"{tab}-table2",
        )  # fmt: skip
        skip = gr.Checkbox(
            False, label="skip rows that cannot be used", info="they are counted and named",
            elem_id=f"{tab}-skip",
        )  # fmt: skip
    return file, skip


def read(
    table_of: Callable[..., Table], file: Any, pasted: str | None, second: Any, skip: bool
) -> Own:
    """What a visitor uploaded or pasted, and the second file where there is one.

    Raises:
        InputError: says what cannot be read.
    """
    main = table_of(*content(file, pasted), skip=bool(skip))
    return with_second(table_of, main, second, skip)


def with_second(table_of: Callable[..., Table], main: Table, second: Any, skip: bool) -> Own:
    """A table with the second file where there is one."""
    other = table_of(*content(second, None), skip=bool(skip)) if second is not None else None
    return Own(main, other, bool(skip))


def said(own: Own) -> str:
    """A table in a few words, and which rows were left out."""
    table = own.table
    found = [f"{len(table.rows):,} rows, {len(table.columns)} columns"]
    if own.second is not None:
        found.append(f"{len(own.second.rows):,} rows in the second table")
    found.append(told([*table.skipped, *(own.second.skipped if own.second else ())]))
    return escape("; ".join(filter(None, found)))


def wording_for(own: Own, template: PromptTemplate | None) -> PromptTemplate | None:
    """Another wording, where the one that is shown does not fit a table and one is meant for it."""
    if template is not None and set(template.needed) <= set(own.table.columns):
        return None
    return fitting_wording(own.table.columns, chat=own.table.chats)


def pickers(tab: str) -> tuple[gr.Dropdown, ...]:
    """The pickers of columns, hidden until there is a table."""
    return tuple(
        gr.Dropdown(
            [], label=f"column {i}", visible=False, elem_id=f"{tab}-column-{i}", min_width=120
        )
        for i in range(FIELDS)
    )


def picked(reads: Reads | None, table: Table) -> list[Any]:
    """The pickers for a table, one for each field, filled with the likeliest columns."""
    guess: dict[str, str] = {}
    fields = reads.columns if reads else ()
    with suppress(InputError):
        guess = table.columns_for(fields, (), reads.optional if reads else ())
    choices = list(table.columns)
    shown = [
        gr.update(
            visible=True, label=f"‘{one}’ is the column", choices=choices, value=guess.get(one)
        )
        for one in fields[:FIELDS]
    ]
    hidden = gr.update(visible=False, label="", choices=choices, value=None)
    return shown + [hidden] * (FIELDS - len(shown))


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
