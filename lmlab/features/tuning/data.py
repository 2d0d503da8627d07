"""Step 1 of the Fine-tune tab: which rows, in which form, and which of their tokens carry loss."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any

import gradio as gr

from lmlab.errors import LabError
from lmlab.features.tuning.feature import FEATURE
from lmlab.features.tuning.form import KEYS, PRESETS, asked
from lmlab.features.tuning.service import Tuning
from lmlab.lab import Lab
from lmlab.parts import run_views, upload_table
from lmlab.parts.gradio_compat.building import Html
from lmlab.parts.pickers import Choices, model_picker
from lmlab.parts.stream import QUICK, READING, Shown, on
from lmlab.parts.upload_table import COLUMNS, OWN
from lmlab.parts.widgets import static
from lmlab.text.wordings import NONE, read_wording, shipped_source
from lmlab.training.sets import PLAIN, reads_of

MASK = """
<div class="lm-mask-notes lm-notes"></div>
<div class="lm-mask-toks lm-toks" tabindex="0" role="region" aria-label="A row as tokens"
 dir="auto"></div>
<div class="lm-maskfoot"><span class="lm-mask-count" role="status"></span>
<span class="lm-mask-key"><i class="lm-tok loss">carries loss</i><i class="lm-tok">given</i>
<i class="lm-tok special">special</i></span></div>
"""


class Mask(Html):
    """A row with its loss mask: ``run_views.mask``."""

    TEMPLATE = MASK
    MODULE = "features/tuning/mask"


@dataclass(frozen=True)
class DataStep:
    """The components of step 1."""

    model: gr.Dropdown
    data: gr.Dropdown
    wording: gr.Dropdown
    source: gr.Textbox
    table: gr.State
    given: tuple[Any, ...]  # what a visitor's table is read from
    use: gr.Button
    said: gr.HTML
    columns: tuple[gr.Dropdown, ...]
    mask: Mask
    row: gr.State
    place: gr.HTML
    back: gr.Button
    forth: gr.Button

    @property
    def values(self) -> list[Any]:
        """In the order of ``Choice``."""
        return [self.model, self.data, self.table, self.wording, self.source, *self.columns]

    @property
    def preview(self) -> dict[str, Any]:
        """What a row is shown in."""
        return {"mask": self.mask, "row": self.row, "place": self.place}


def build(lab: Lab) -> DataStep:
    """Draw step 1 inside the current column."""
    first = PRESETS[0]
    with gr.Column(elem_classes="lm-panel lm-step"):
        static('<h2 class="lm-h"><i>1</i> Data: what <var>F</var> makes of a row</h2>')
        with gr.Row(elem_classes="lm-pickers"):
            model = model_picker(
                lab, "tuning-model", "Base model", needs=FEATURE.needs, info=None, min_width=110
            )
            data = gr.Dropdown(
                [*lab.service(Tuning).sets(), OWN], value=first.data, label="Data",
                elem_id="tuning-data", min_width=110,
            )  # fmt: skip
            wording = Choices(
                wordings(lab, first.data), value=first.template, label="Wording",
                elem_id="tuning-wording", min_width=150,
            )  # fmt: skip
        with gr.Row(elem_classes="lm-tablehead"):
            place = static("", elem_id="tuning-place", elem_classes="lm-status")
            back = gr.Button("‹ Previous", size="sm", min_width=60, elem_id="tuning-back")
            forth = gr.Button("Next ›", size="sm", min_width=60, elem_id="tuning-forth")
        mask = Mask(elem_id="tuning-mask")
        own = _own(lab)
        with gr.Accordion("Edit the wording (YAML)", open=False, elem_id="tuning-editor"):
            source = gr.Textbox(
                shipped_source(first.template), show_label=False,
                label="Wording in YAML", lines=8, max_lines=20, elem_id="tuning-source",
                elem_classes="lm-mono", container=False,
            )  # fmt: skip
    return DataStep(model, data, wording, source, *own, mask, gr.State(0), place, back, forth)


def _own(
    lab: Lab,
) -> tuple[gr.State, tuple[Any, ...], gr.Button, gr.HTML, tuple[gr.Dropdown, ...]]:
    settings, uploads = lab.settings, lab.settings.uploads
    online = settings.allow_hub and settings.allow_datasets and not settings.offline
    with gr.Accordion("A table of your own", open=False, elem_id="tuning-own"):
        given = upload_table.given("tuning", uploads, types=upload_table.TYPES)
        more = upload_table.more("tuning", uploads, "held-out rows (optional)")
        hub = gr.Textbox(
            "", label="or a data set of the Hub", max_lines=1,
            placeholder="owner/name, with @revision and :subset",
            max_length=200, visible=online, elem_id="tuning-set",
        )  # fmt: skip
        with gr.Row(elem_classes="lm-buttons"):
            use = gr.Button("Use this table", size="sm", elem_id="tuning-use", min_width=120)
            said = static("", elem_id="tuning-said")
        with gr.Row():
            columns = upload_table.pickers("tuning")
    return gr.State(None), (*given, *more, hub), use, said, columns


def wire(lab: Lab, step: DataStep, settings: list[Any]) -> Callable[..., Any]:
    """Every change of data, wording or length shows the row anew.

    Args:
        settings: of the method step, in the order of ``form.KEYS``.

    Returns:
        What appends the preview to an event.
    """
    shown = [step.row, *step.values, *settings]
    here, again = shower(lab), shower(lab, 0)

    def show(event: Any, handler: Any = here) -> Any:
        return on(event.then, handler, shown, step.preview, **QUICK)

    form, worded = settings[KEYS.index("form")], {"wording": step.wording, "source": step.source}
    other = on(step.data.input, partial(chosen, lab), [step.data], worded, **QUICK)
    show(other.then(former, [step.wording, step.source], form, **QUICK), again)
    opened = step.wording.input(shipped_source, step.wording, step.source, **QUICK)
    show(opened.then(former, [step.wording, step.source], form, **QUICK), again)
    for event in (step.source.input, step.source.change):
        on(event, here, shown, step.preview, trigger_mode="always_last", **QUICK)
    others = [step.model.change, *(column.input for column in step.columns)]
    on(others, here, shown, step.preview, **QUICK)
    for button, stride in ((step.back, -1), (step.forth, 1)):
        on(button.click, shower(lab, None, stride), shown, step.preview, **QUICK)
    given = [*step.given, step.wording, step.source]
    columns = dict(zip(COLUMNS, step.columns, strict=True))
    shown_in = {"data": step.data, "table": step.table, "said": step.said, **worded, **columns}
    own = on(step.use.click, partial(read, lab), given, shown_in, **READING)
    on(own.success, again, shown, step.preview, **QUICK)
    return show


def wordings(lab: Lab, name: str) -> list[tuple[str, str]]:
    """The wordings for a set, the best for tuning first; for a table of the visitor's, all."""
    found = []
    for template in lab.service(Tuning).templates_for("" if name == OWN else name):
        if template is None:
            found.append(("Plain text, as it is", NONE))
        else:
            title = f"{template.task}: {template.title}" if name == OWN else template.title
            found.append((title, template.name))
    return found


def chosen(lab: Lab, name: str) -> Shown:
    """Another set: its wordings, the first of them in the editor."""
    found = wordings(lab, name)
    first = found[0][1]
    choices = gr.update(choices=found, value=first)
    return {"wording": choices, "source": shipped_source(first)}


def former(wording: str, source: str) -> Any:
    """The form that a wording is made for; as it was where it says nothing."""
    return (read_wording(source).form if wording != NONE else "") or gr.skip()


def read(
    lab: Lab, file: Any, pasted: str, second: Any, skip: bool, hub: str, wording: str, source: str
) -> Shown:
    """A table of the visitor's, and a wording that fits it."""
    name = (hub or "").strip()
    if name and file is None and not (pasted or "").strip():
        table = lab.service(Tuning).hub_table(name, skip=bool(skip))
        own = upload_table.with_second(lab.service(Tuning).table, table, second, skip)
    else:
        own = upload_table.read(lab.service(Tuning).table, file, pasted, second, skip)
    template = None
    with suppress(LabError):
        template = None if wording == NONE else read_wording(source)
    fits = wording == NONE and PLAIN in own.table.columns
    other = None if fits else upload_table.wording_for(own, template)
    chosen = other.name if other else wording
    picked = upload_table.picked(reads_of(other or template), own.table)
    return {
        "data": OWN,
        "table": own,
        "said": upload_table.said(own),
        "wording": gr.update(choices=wordings(lab, OWN), value=chosen),
        "source": shipped_source(other.name) if other else gr.skip(),
        **dict(zip(COLUMNS, picked, strict=True)),
    }


def shower(lab: Lab, start: int | None = None, stride: int = 0) -> Callable[..., Shown]:
    """A row with its mask, ``stride`` from ``start`` or from the one that is shown; what is wrong
    stands in its place.
    """

    def show(row: int | None, *values: Any) -> Shown:
        at = (start if start is not None else int(row or 0)) + stride
        try:
            model, data, template, config = asked(lab, values)
            view = lab.service(Tuning).preview(model, data, template, config, at)
        except LabError as error:
            at = at if stride == 0 else row or 0
            return {"mask": run_views.no_mask(str(error)), "row": at, "place": ""}
        held = f", {len(data.valid):,} held out" if data.valid else ""
        notes = escape("".join(f". {note}" for note in data.notes))
        place = f'<p class="lm-said">Row {view.row + 1:,} of {view.rows:,}{held}{notes}</p>'
        shown = run_views.mask(view, config.max_length)
        return {"mask": shown, "row": view.row, "place": place}

    return show
