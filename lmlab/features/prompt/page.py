"""The Prompt tab: what F builds, what the model makes of it, what G reads, and how good that is.
Lays out and wires; what happens is in events and rows.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import gradio as gr

from lmlab.features.prompt import design, events, measure, measure_events, receipt, rows, views
from lmlab.features.prompt.widgets import PREVIEW, ROWS, Widget
from lmlab.lab import Lab
from lmlab.parts.first_open import Following, Led
from lmlab.parts.gradio_compat import building
from lmlab.parts.receipt_button import Keep
from lmlab.parts.stream import GENERATING, QUICK, QUIET, READING, Line, on, waits_in
from lmlab.parts.upload_table import COLUMNS
from lmlab.parts.widgets import Strip, static
from lmlab.text.wordings import shipped_source

GROUP = "prompt"
# Examples and query are kept as one: what is typed into both is taken one after the other.
EDITING = waits_in("rows", 1)
EMPTY = """<b>Nothing run yet</b>Press Run (Ctrl + Enter): the model goes on from the prompt above,
and G reads the answer out of what it writes."""
INTO_VIEW = "() => document.querySelector('#prompt-query').scrollIntoView({block: 'center'})"


def build(lab: Lab) -> None:
    """Draw the tab inside the current Blocks and wire it to the lab."""
    tab = building.tab()
    with gr.Row(elem_classes="lm-two"):
        with gr.Column(scale=2, min_width=320):
            form = design.build(lab)
        with gr.Column(scale=3, min_width=320):
            shown = _result()
    shown.filled = [shown.sheet, *design.values(form)]
    shown.rows = {"examples": form.examples, "query": shown.query, "sheet": shown.sheet}
    handlers = events.Handlers(lab)
    show = _shower(handlers, form, shown)
    _wire_design(handlers, form, shown, show)
    _wire_rows(form, shown, show)
    _wire_run(handlers, form, shown, tab)
    study = measure.build(lab, form, shown.sheet)
    loaded = on(
        study.predictions.choose, measure_events.load, [study.kept, shown.sheet, form.source],
        {"query": shown.query, "sheet": shown.sheet}, **QUICK,
    )  # fmt: skip
    seen = loaded.then(handlers.preview, _seen(form, shown), shown.view, **QUICK)
    seen.then(None, None, None, js=INTO_VIEW, **QUIET)


def _result() -> SimpleNamespace:
    """Query, prompt, completion and what is read in it: the widgets by name."""
    shown = SimpleNamespace(sheet=gr.State(None))
    with gr.Column(elem_classes="lm-panel"):
        with gr.Row(elem_classes="lm-tablehead"):
            static('<h2 class="lm-h">Query</h2>')
            shown.following = gr.Button(
                "Next query", size="sm", min_width=80, elem_id="prompt-next"
            )
        shown.query = Widget(ROWS, elem_id="prompt-query")
        with gr.Row(elem_classes="lm-buttons"):
            shown.go = gr.Button(
                "Run", variant="primary", elem_id="prompt-go", elem_classes="lm-go", scale=0,
                min_width=160,
            )  # fmt: skip
            shown.stop = gr.Button(
                "Stop", interactive=False, elem_id="prompt-stop", scale=0, min_width=90
            )
            shown.status = static("", elem_id="prompt-status", elem_classes="lm-status")
    with gr.Column(elem_classes="lm-panel"):
        static('<h2 class="lm-h">The prompt that <var>F</var> builds</h2>')
        shown.view = Widget(PREVIEW, elem_id="prompt-view")
    shown.strip = Strip(group=GROUP, elem_id="prompt-strip", empty=EMPTY, colour_by="probability")
    with gr.Column(elem_classes="lm-panel"):
        static('<h2 class="lm-h">The answer that <var>G</var> reads</h2>')
        shown.answer = static(views.reading(), elem_id="prompt-answer")
        shown.keep = Keep(GROUP, [f"{GROUP}-{part}" for part in ("view", "strip", "answer")])
    shown.ran = gr.State(None)
    return shown


def _seen(form: SimpleNamespace, shown: SimpleNamespace) -> list[Any]:
    """What a preview is made from."""
    return [shown.sheet, form.source, form.model, form.form, shown.ran]


def _shower(
    handlers: events.Handlers, form: SimpleNamespace, shown: SimpleNamespace
) -> Callable[[Any], None]:
    """``show(event)``: after it the preview is drawn anew, and the rows to choose from."""

    def show(event: Any) -> None:
        event.then(handlers.preview, _seen(form, shown), shown.view, **QUICK)
        event.then(rows.pool, shown.filled, form.pool, **QUICK)

    return show


def _wire_design(
    handlers: events.Handlers,
    form: SimpleNamespace,
    shown: SimpleNamespace,
    show: Callable[[Any], None],
) -> None:
    """Every change of the design draws its rows and its preview anew."""
    to_rows = (shown.filled, shown.rows)
    worded = {"wording": form.wording, "source": form.source}
    named = {**worded, "other": form.other}
    chosen = on(form.data.input, handlers.choose, [form.data], named, **QUICK)
    show(on(chosen.then, rows.first_query, *to_rows, **QUICK))
    opened = form.wording.input(shipped_source, form.wording, form.source, **QUICK)
    show(on(opened.then, rows.refit, *to_rows, **QUICK))
    # A box that has just come into view swallows its first input, not its first change.
    typed = [form.source.input, form.source.change]
    drawn = [form.shots.change, form.seed.change]
    for triggers, handler in ((typed, rows.refit), (drawn, rows.fill)):
        show(on(triggers, handler, *to_rows, trigger_mode="always_last", **QUICK))
    show(on([c.input for c in form.columns], rows.fill, *to_rows, **QUICK))
    given = [form.upload, form.pasted, form.second, form.skip, form.source]
    columns = dict(zip(COLUMNS, form.columns, strict=True))
    own = {"data": form.data, "table": form.table, "said": form.said, **worded, **columns}
    read = on(form.use.click, events.read_table, given, own, **READING)
    show(on(read.success, rows.first_query, *to_rows, **QUICK))
    switched = gr.on(
        [form.model.change, form.form.change], lambda: None, queue=False,
        trigger_mode="always_last", **QUIET,
    )  # fmt: skip
    show(switched)


def _wire_rows(form: SimpleNamespace, shown: SimpleNamespace, show: Callable[[Any], None]) -> None:
    """Rows typed, chosen by hand, drawn anew, and the next query."""
    to_rows = (shown.filled, shown.rows)
    show(on(shown.following.click, rows.next_query, *to_rows, **QUICK))
    changed = {"sheet": shown.sheet, "shots": form.shots}
    for part, box in (("examples", form.examples), ("query", shown.query)):
        edit = on(
            box.edit, rows.editor(part), [shown.sheet, form.source], changed,
            trigger_mode="always_last", **EDITING,
        )  # fmt: skip
        show(edit)
    show(on(form.examples.anew, rows.restart, *to_rows, **QUICK))
    sought = form.pool.seek(
        rows.seek, shown.sheet, shown.sheet, trigger_mode="always_last", **EDITING
    )
    sought.then(rows.pool, shown.filled, form.pool, **QUICK)
    taken = on(
        form.pool.take, rows.take, shown.filled, {**changed, "examples": form.examples},
        trigger_mode="multiple", **QUICK,
    )  # fmt: skip
    show(taken)


def _wire_run(
    handlers: events.Handlers, form: SimpleNamespace, shown: SimpleNamespace, tab: Any
) -> None:
    """Run on the button and when the tab is first opened; stop on demand."""
    asked = [shown.sheet, form.source, form.model, form.form]
    drawn = {"view": shown.view, "strip": shown.strip, "answer": shown.answer, "ran": shown.ran}
    line = Line(shown.status, shown.stop, shown.keep)
    line.on(shown.go.click, handlers.run, asked, drawn, trigger_mode="once", **GENERATING)
    fresh, led = gr.State(False), Led(False)
    led.following = Following(design.values(form), shown.rows, rows.begun)
    opened = on(
        tab.select, rows.opened, [led, *shown.filled], {**shown.rows, "fresh": fresh},
        trigger_mode="once", **QUICK,
    )  # fmt: skip
    opened.then(rows.pool, shown.filled, form.pool, **QUICK)
    line.on(opened.then, handlers.first_run, [fresh, *asked], drawn, **GENERATING)
    shown.keep.notes(receipt.of_query, [shown.ran])
    line.stoppable()
