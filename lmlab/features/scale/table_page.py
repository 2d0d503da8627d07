"""The table of the Scale tab: the GPTs as published, and any model at hand in the same row."""

import json
import uuid
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import gradio as gr

from lmlab.errors import LabError
from lmlab.features.scale import tables
from lmlab.features.scale.feature import FEATURE
from lmlab.features.scale.plots import short
from lmlab.features.scale.published import PUBLISHED, Row
from lmlab.features.scale.service import Scaling
from lmlab.lab import Lab
from lmlab.models.backends import lacking
from lmlab.models.gives import WEIGHTS
from lmlab.parts.pickers import model_picker
from lmlab.parts.stream import QUIET
from lmlab.parts.widgets import Handover, static

MOST = 12
SIGNS = {"yes": "●", "partly": "◐", "no": "○"}
UNKNOWN = "not published"
EMPTY = "<sup></sup>"  # keeps the digits of all rows below each other
NUMBERS = ("layers", "width", "heads", "vocabulary", "context")
HEAD = (
    '<tr><th rowspan="2">model</th><th colspan="3">Transformer</th><th rowspan="2">V</th>'
    '<th rowspan="2">n</th><th colspan="2">parameters N</th>'
    '<th rowspan="2" class="words">trained on</th><th colspan="3">public</th></tr>'
    "<tr><th>layers L</th><th>width d</th><th>heads</th><th>label</th><th>exact</th>"
    "<th>model</th><th>data</th><th>code</th></tr>"
)
KEY = (
    '<p class="lm-why">V: rows of the table of embeddings; n: context. Public, as the lecture '
    "tells it: ● yes, ◐ partly, ○ no.</p>"
)


def build(lab: Lab) -> tuple[gr.Dropdown, gr.HTML]:
    """Draw the table; its rows of models at hand come when the tab is opened."""
    with gr.Column(elem_classes="lm-panel"):
        with gr.Row(elem_classes="lm-tablehead"):
            static('<h2 class="lm-h">From GPT-1 to GPT-4, and models at hand</h2>')
            download = gr.Button("CSV", size="sm", min_width=60, elem_id="scale-csv")
        picker = model_picker(
            lab, "scale-models", "Models at hand, in the same rows", multiselect=True,
            value=defaults(lab), max_choices=MOST, needs=FEATURE.needs,
        )  # fmt: skip
        shown = static(table(PUBLISHED, []), elem_id="scale-table")
        handover = Handover(elem_id="scale-handover")
    download.click(csv(lab), picker, handover, **QUIET)
    return picker, shown


def defaults(lab: Lab) -> list[str]:
    """The siblings of the embedded suite, else the model that the page opens with."""
    names = [name for name in lab.model_names() if not lacking(name, WEIGHTS)]
    return [name for name in ("base", "small", "tiny") if name in names] or names[:1]


def drawer(lab: Lab) -> Callable[..., str]:
    """The handler that draws the table with rows of the chosen models."""

    def draw(models: Sequence[str] | None) -> str:
        rows, wrong = found(lab, models or ())
        return table(PUBLISHED, rows, wrong)

    return draw


def csv(lab: Lab) -> Callable[..., str]:
    """The handler that hands the table to the visitor."""

    def hand_over(models: Sequence[str] | None) -> str:
        text = tables.rows_csv([*PUBLISHED, *found(lab, models or ())[0]])
        return handed("models.csv", text)

    return hand_over


def handed(file: str, text: str) -> str:
    """A file as the page's ``Handover`` takes it, under a new name each time."""
    value = {"action": "download", "name": uuid.uuid4().hex, "file": file, "text": text}
    return json.dumps(value).replace("<", "\\u003c")


def found(lab: Lab, models: Sequence[str]) -> tuple[list[Row], list[tuple[str, str]]]:
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
    notes: list[str] = []
    body = "".join(_row(row, notes, UNKNOWN) for row in published)
    if here or wrong:
        body += '<tr class="cut"><th colspan="12" scope="colgroup">at hand</th></tr>'
    body += "".join(_row(row, notes, "–") for row in here)
    body += "".join(
        f'<tr><th scope="row">{escape(name[:60])}</th><td class="words" colspan="11">'
        f"{escape(text)}</td></tr>"
        for name, text in wrong
    )
    said = "".join(f"<li>{escape(note)}</li>" for note in notes)
    sources = "; ".join(dict.fromkeys(row.source for row in published))
    return (
        '<div class="lm-scroll lm-gpts" tabindex="0" role="region" aria-label="Table of models">'
        f'<table class="lm-table"><thead>{HEAD}</thead><tbody>{body}</tbody></table></div>{KEY}'
        f'<ol class="lm-notes2" type="a">{said}</ol>'
        f'<p class="lm-why">Sources: {escape(sources)}; the exact counts are arithmetic on these '
        "shapes.</p>"
    )


def _row(row: Row, notes: list[str], unknown: str) -> str:
    year = f" <small>{row.year}</small>" if row.year else ""
    cells = [None if getattr(row, key) is None else f"{getattr(row, key):,}" for key in NUMBERS]
    exact = None if row.exact is None else f"{row.exact:,}{_mark(row.why, notes) or EMPTY}"
    label = row.nominal or (None if row.exact is None else "–")
    told = _told(row) or None
    made = _merged([*cells, escape(label) if label else None, exact, told], unknown, row, notes)
    opened = row.opened
    public = (
        "".join(_open(value) for value in (opened.model, opened.data, opened.code))
        if opened
        else '<td class="words" colspan="3">see its card</td>'
    )
    return f'<tr><th scope="row">{escape(row.name)}{year}</th>{made}{public}</tr>'


def _merged(cells: Sequence[str | None], unknown: str, row: Row, notes: list[str]) -> str:
    """Cells; unknown ones beside each other are one."""
    made, i = "", 0
    while i < len(cells):
        end = i
        while end < len(cells) and cells[end] is None:
            end += 1
        if end > i:
            mark = _mark(row.why, notes) if row.exact is None and end == len(cells) else ""
            made += f'<td class="none" colspan="{end - i}">{unknown}{mark}</td>'
            i = end
            continue
        kind = {len(NUMBERS) + 1: ' class="exact"', len(cells) - 1: ' class="words"'}.get(i, "")
        made += f"<td{kind}>{cells[i]}</td>"
        i += 1
    return made


def _told(row: Row) -> str:
    tokens = f"{short(row.tokens)} tokens" if row.tokens and "token" not in row.data else ""
    return escape(", ".join(part for part in (tokens, row.data) if part))


def _open(value: Any) -> str:
    return f'<td class="open"><span aria-hidden="true">{SIGNS[value]}</span> {value}</td>'


def _mark(why: str, notes: list[str]) -> str:
    """The letter of a note, which is noted down on first use."""
    if not why:
        return ""
    if why not in notes:
        notes.append(why)
    letter = chr(ord("a") + notes.index(why) % 26)
    return f'<sup title="{escape(why)}">{letter}</sup>'
