"""The Prompt tab: what F builds, what the model makes of it, what G reads, and how good that is.
Lays out and wires; what happens is in events, rows and run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from lmlab.features.prompt import design as prompt_design
from lmlab.features.prompt import events, measure_events, receipt_notes, rows
from lmlab.features.prompt import measure as prompt_measure
from lmlab.features.prompt import run as running
from lmlab.features.prompt.design import Inputs
from lmlab.features.prompt.views import NOTHING
from lmlab.features.prompt.widgets import Preview, Rows
from lmlab.lab import Lab
from lmlab.parts.first_open import Following, Led
from lmlab.parts.gradio_compat import building
from lmlab.parts.receipt_button import Keep, follow
from lmlab.parts.stream import GENERATING, QUICK, QUIET, Line, on, waits_in
from lmlab.parts.upload_table import COLUMNS
from lmlab.parts.widgets import Strip, static
from lmlab.text.wordings import shipped_source

NAME = "Prompt"
GROUP = "prompt"
# Examples and query are kept as one: what is typed into both is taken one after the other.
EDITING = waits_in("rows", 1)
EMPTY = """<b>Nothing run yet</b>Press Run (Ctrl + Enter): the model goes on from the prompt above,
and G reads the answer out of what it writes."""
INTO_VIEW = "() => document.querySelector('#prompt-query').scrollIntoView({block: 'center'})"


@dataclass(frozen=True)
class Outputs:
    """What the design and its run are shown in."""

    examples: Rows
    query: Rows
    following: gr.Button
    view: Preview
    strip: Strip
    answer: gr.HTML
    go: gr.Button
    stop: gr.Button
    status: gr.HTML
    sheet: gr.State
    keep: Keep
    ran: gr.State

    @property
    def rows(self) -> dict[str, Any]:
        """What rows are shown and kept in."""
        return {"examples": self.examples, "query": self.query, "sheet": self.sheet}


def build(lab: Lab) -> None:
    """Draw the tab inside the current Blocks and wire it to the lab."""
    tab = building.tab()
    with gr.Row(elem_classes="lm-two"):
        with gr.Column(scale=2, min_width=320):
            inputs, examples = prompt_design.build(lab)
        with gr.Column(scale=3, min_width=320):
            outputs = _result(examples)
    _wire_design(lab, inputs, outputs)
    _wire_rows(lab, inputs, outputs)
    _wire_run(lab, inputs, outputs, tab)
    measure = prompt_measure.build(lab, inputs, outputs.sheet)
    loaded = on(
        measure.predictions.choose,
        measure_events.loader(lab),
        [measure.kept, outputs.sheet, inputs.source],
        {"query": outputs.query, "sheet": outputs.sheet},
        **QUICK,
    )
    loaded.then(
        events.previewer(lab),
        [outputs.sheet, inputs.source, inputs.model, inputs.form, outputs.ran],
        outputs.view,
        **QUICK,
    ).then(None, None, None, js=INTO_VIEW, **QUIET)


def _result(examples: Rows) -> Outputs:
    """Query, prompt, completion and what is read in it."""
    sheet = gr.State(None)
    with gr.Column(elem_classes="lm-panel"):
        with gr.Row(elem_classes="lm-tablehead"):
            static('<h2 class="lm-h">Query</h2>')
            following = gr.Button("Next query", size="sm", min_width=80, elem_id="prompt-next")
        query = Rows(elem_id="prompt-query")
        with gr.Row(elem_classes="lm-buttons"):
            go = gr.Button(
                "Run",
                variant="primary",
                elem_id="prompt-go",
                elem_classes="lm-go",
                scale=0,
                min_width=160,
            )
            stop = gr.Button(
                "Stop", interactive=False, elem_id="prompt-stop", scale=0, min_width=90
            )
            status = static("", elem_id="prompt-status", elem_classes="lm-status")
    with gr.Column(elem_classes="lm-panel"):
        static('<h2 class="lm-h">The prompt that <var>F</var> builds</h2>')
        view = Preview(elem_id="prompt-view")
    strip = Strip(group=GROUP, elem_id="prompt-strip", empty=EMPTY, colour_by="probability")
    with gr.Column(elem_classes="lm-panel"):
        static('<h2 class="lm-h">The answer that <var>G</var> reads</h2>')
        answer = static(NOTHING, elem_id="prompt-answer")
        keep = Keep(GROUP, [f"{GROUP}-{part}" for part in ("view", "strip", "answer")])
    ran = gr.State(None)
    return Outputs(
        examples, query, following, view, strip, answer, go, stop, status, sheet, keep, ran
    )


def _wire_design(lab: Lab, inputs: Inputs, outputs: Outputs) -> None:
    """Every change of the design draws its rows and its preview anew."""
    filled = [outputs.sheet, *inputs.values]
    fill, refit = rows.filler(lab), rows.refitter(lab)
    restart = rows.filler(lab, lambda _: 0)
    show = _shower(lab, inputs, outputs)
    worded = {"wording": inputs.wording, "source": inputs.source}
    named = {**worded, "other": inputs.other}
    chosen = on(inputs.data.input, events.chooser(lab), [inputs.data], named, **QUICK)
    show(on(chosen.then, restart, filled, outputs.rows, **QUICK))
    opened = inputs.wording.input(shipped_source, inputs.wording, inputs.source, **QUICK)
    show(on(opened.then, refit, filled, outputs.rows, **QUICK))
    # A box that has just come into view swallows its first input, not its first change.
    typed = [inputs.source.input, inputs.source.change]
    drawn = [inputs.shots.change, inputs.seed.change]
    for triggers, handler in ((typed, refit), (drawn, fill)):
        show(on(triggers, handler, filled, outputs.rows, trigger_mode="always_last", **QUICK))
    show(on([c.input for c in inputs.columns], fill, filled, outputs.rows, **QUICK))
    given = [inputs.upload, inputs.pasted, inputs.second, inputs.skip, inputs.source]
    columns = dict(zip(COLUMNS, inputs.columns, strict=True))
    own = {"data": inputs.data, "table": inputs.table, "said": inputs.said, **worded, **columns}
    read = on(inputs.use.click, events.reader(lab), given, own, **QUICK)
    show(on(read.success, restart, filled, outputs.rows, **QUICK))
    switched = gr.on(
        [inputs.model.change, inputs.form.change], lambda: None, queue=False,
        trigger_mode="always_last", **QUIET,
    )  # fmt: skip
    show(switched)


def _shower(lab: Lab, inputs: Inputs, outputs: Outputs) -> Callable[[Any], None]:
    """``show(event)``: after it the preview is drawn anew, and the rows to choose from."""
    filled = [outputs.sheet, *inputs.values]
    preview, pool = events.previewer(lab), rows.pooler(lab)
    seen = [outputs.sheet, inputs.source, inputs.model, inputs.form, outputs.ran]

    def show(event: Any) -> None:
        event.then(preview, seen, outputs.view, **QUICK)
        event.then(pool, filled, inputs.pool, **QUICK)

    return show


def _wire_rows(lab: Lab, inputs: Inputs, outputs: Outputs) -> None:
    """Rows typed, chosen by hand, drawn anew, and the next query."""
    filled = [outputs.sheet, *inputs.values]
    show = _shower(lab, inputs, outputs)
    following = rows.filler(lab, lambda sheet: sheet.row + 1, anew=False)
    show(on(outputs.following.click, following, filled, outputs.rows, **QUICK))
    changed = {"sheet": outputs.sheet, "shots": inputs.shots}
    for part, box in (("examples", outputs.examples), ("query", outputs.query)):
        edit = on(
            box.edit, rows.editor(lab, part), [outputs.sheet, inputs.source], changed,
            trigger_mode="always_last", **EDITING,
        )  # fmt: skip
        show(edit)
    show(on(outputs.examples.anew, rows.restarter(lab), filled, outputs.rows, **QUICK))
    sought = inputs.pool.seek(
        rows.seek, outputs.sheet, outputs.sheet, trigger_mode="always_last", **EDITING
    )
    sought.then(rows.pooler(lab), filled, inputs.pool, **QUICK)
    taken = on(
        inputs.pool.take, rows.taker(lab), filled, {**changed, "examples": outputs.examples},
        trigger_mode="multiple", **QUICK,
    )  # fmt: skip
    show(taken)


def _wire_run(lab: Lab, inputs: Inputs, outputs: Outputs, tab: Any) -> None:
    """Run on the button and when the tab is first opened; stop on demand."""
    asked = [outputs.sheet, inputs.source, inputs.model, inputs.form]
    drawn = {name: getattr(outputs, name) for name in ("view", "strip", "answer", "ran")}
    line = Line(outputs.status, outputs.stop)
    line.on(outputs.go.click, running.runner(lab), asked, drawn, trigger_mode="once", **GENERATING)
    fresh, led = gr.State(False), Led(False)
    led.following = Following([*inputs.values], outputs.rows, rows.beginner(lab))
    opened = on(
        tab.select, rows.opener(lab), [led, outputs.sheet, *inputs.values],
        {**outputs.rows, "fresh": fresh}, trigger_mode="once", **QUICK,
    )  # fmt: skip
    opened.then(rows.pooler(lab), [outputs.sheet, *inputs.values], inputs.pool, **QUICK)
    line.on(opened.then, running.first_runner(lab), [fresh, *asked], drawn, **GENERATING)
    follow(outputs.keep, line.running, receipt_notes.of_query, [outputs.ran])
    line.stoppable()
