"""The table of the Scale tab: the GPTs as published, and any model at hand in the same row."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import gradio as gr

from lmlab.errors import LabError
from lmlab.features.scale.amounts import short
from lmlab.features.scale.counts import PartCount
from lmlab.features.scale.feature import FEATURE
from lmlab.features.scale.published import PUBLISHED, Row
from lmlab.features.scale.service import Scaling
from lmlab.lab import Lab
from lmlab.models.backends import lacking
from lmlab.models.gives import WEIGHTS
from lmlab.parts.html import filled
from lmlab.parts.pickers import model_picker
from lmlab.parts.saving import Saver
from lmlab.parts.stream import QUIET
from lmlab.parts.tables import csv_of, rows_of
from lmlab.parts.widgets import static

MOST = 12
SIBLINGS = ("base", "small", "tiny")
NUMBERS = ("layers", "width", "heads", "vocabulary", "context")


class Cell(NamedTuple):
    """A cell of the table; without a text it is so many columns of which nothing is known."""

    text: str | None
    kind: str = ""
    columns: int = 1


def build(lab: Lab, tab: gr.Tab) -> Any:
    """Draw the table; its rows of models at hand come when the tab is opened: that event."""

    def draw(models: Sequence[str] | None) -> str:
        return table(PUBLISHED, *_found(lab, models or ()))

    def write(models: Sequence[str] | None) -> str:
        return rows_csv([*PUBLISHED, *_found(lab, models or ())[0]])

    with gr.Column(elem_classes="lm-panel"):
        with gr.Row(elem_classes="lm-tablehead"):
            static('<h2 class="lm-h">From GPT-1 to GPT-4, and models at hand</h2>')
            saver = Saver("scale-csv", size="sm")
        picker = model_picker(
            lab, "scale-models", "Models at hand, in the same rows", multiselect=True,
            value=defaults(lab), max_choices=MOST, needs=FEATURE.needs,
        )  # fmt: skip
        shown = static(table(PUBLISHED, []), elem_id="scale-table")
    saver.gives("models.csv", write, picker)
    picker.change(draw, picker, shown, trigger_mode="always_last", **QUIET)
    return tab.select(draw, picker, shown, trigger_mode="always_last", **QUIET)


def defaults(lab: Lab) -> list[str]:
    """The siblings of the embedded suite, else the model that the page opens with."""
    names = [name for name in lab.model_names() if not lacking(name, WEIGHTS)]
    return [name for name in SIBLINGS if name in names] or names[:1]


def _found(lab: Lab, models: Sequence[str]) -> tuple[list[Row], list[tuple[str, str]]]:
    """Rows of models, and what is wrong with those that have none."""
    rows, wrong = list[Row](), list[tuple[str, str]]()
    for name in list(dict.fromkeys(models))[:MOST]:
        try:
            rows.append(lab.service(Scaling).row(str(name)))
        except LabError as error:
            wrong.append((str(name), str(error)))
    return rows, wrong


def table(
    published: Sequence[Row], here: Sequence[Row], wrong: Sequence[tuple[str, str]] = ()
) -> str:
    """All rows, with what is to be said of each below."""
    notes = list(dict.fromkeys(row.why for row in (*published, *here) if row.why))
    rows = {"published": published, "here": here, "wrong": wrong}
    return filled("features/scale/table", notes=notes, cells=_cells, **rows)


def _cells(row: Row) -> Iterator[Cell]:
    """From layers to what it was trained on; unknown ones beside each other are one."""
    numbers = (getattr(row, key) for key in (*NUMBERS, "exact"))
    *told, exact = (None if value is None else f"{value:,}" for value in numbers)
    tokens = f"{short(row.tokens)} tokens" if row.tokens and "token" not in row.data else ""
    cells = [
        *map(Cell, told),
        Cell(row.nominal or (None if exact is None else "–")),
        Cell(exact, "exact"),
        Cell(", ".join(part for part in (tokens, row.data) if part) or None, "words"),
    ]
    for unknown, some in groupby(cells, lambda cell: cell.text is None):
        group = [*some]
        yield from [Cell(None, columns=len(group))] if unknown else group


def rows_csv(rows: Sequence[Row]) -> str:
    """Models, one a row."""
    columns = (
        "model=name year layers width heads vocabulary context parameters_nominal=nominal "
        "parameters_exact=exact tokens_seen=tokens trained_on=data model_public=opened.model "
        "data_public=opened.data code_public=opened.code note=why source"
    )
    return csv_of(rows_of(rows, columns))


def parts_csv(parts: Sequence[PartCount]) -> str:
    """Parameters by part."""
    return csv_of(rows_of(parts, "part=name formula each times parameters=total"))
