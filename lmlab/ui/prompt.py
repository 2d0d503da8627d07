"""The Prompt tab: what F builds, what the model makes of it, what G reads, and how good that is.
Lays out and wires; what happens is in prompt_events and measure_events.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import gradio as gr
from gradio.context import Context

from lmlab.lab import Lab
from lmlab.ui import prompt_events as events
from lmlab.ui import prompt_measure, waiting
from lmlab.ui import prompt_sheet as sheets
from lmlab.ui.pickers import model_picker
from lmlab.ui.prompt_sheet import FIELDS, OWN
from lmlab.ui.prompt_views import NOTHING
from lmlab.ui.promptwidgets import Preview, Rows
from lmlab.ui.widgets import Strip, static

NAME = "Prompt"
GROUP = "prompt"
FIRST = ("german", "german-lecture")
SHOTS = 3
QUIET = MappingProxyType({"show_progress": "hidden", "api_visibility": "private"})
RUNNING = MappingProxyType({**QUIET, "concurrency_id": "generate", "concurrency_limit": 2})
QUICK = MappingProxyType({**QUIET, "concurrency_id": "preview", "concurrency_limit": 4})
EMPTY = """<b>Nothing run yet</b>Press Run (Ctrl + Enter): the model goes on from the prompt above,
and G reads the answer out of what it writes."""
INTO_VIEW = "() => document.querySelector('#prompt-query').scrollIntoView({block: 'center'})"


@dataclass(frozen=True)
class Inputs:
    """What the visitor fills in."""

    data: gr.Dropdown
    model: gr.Dropdown
    second: gr.Dropdown
    wording: gr.Dropdown
    source: gr.Textbox
    shots: gr.Slider
    seed: gr.Number
    picked: gr.Textbox
    table: gr.State
    columns: tuple[gr.Dropdown, ...]
    upload: gr.File
    pasted: gr.Textbox
    use: gr.Button
    said: gr.HTML

    @property
    def values(self) -> list[Any]:
        """In the order of ``prompt_sheet.Form``."""
        fixed = [self.data, self.table, self.source, self.shots, self.seed, self.picked]
        return [*fixed, *self.columns]


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

    @property
    def rows(self) -> list[Any]:
        """In the order of ``prompt_events.filler``."""
        return [self.examples, self.query, self.sheet]

    @property
    def line(self) -> list[Any]:
        return [self.status, self.stop]


def build(lab: Lab) -> None:
    """Draw the tab inside the current Blocks and wire it to the lab."""
    tab = Context.block
    template = lab.prompts.templates()[FIRST[1]]
    with gr.Row(elem_classes="lm-two"):
        with gr.Column(scale=2, min_width=320):
            inputs, rows = _design(lab)
        with gr.Column(scale=3, min_width=320):
            outputs = _result(lab, template, rows)
    _wire_design(lab, inputs, outputs)
    _wire_run(lab, inputs, outputs, tab)
    measure = prompt_measure.build(lab, inputs.model, inputs.second, inputs.values, outputs.sheet)
    loaded = measure.predictions.load(
        prompt_measure.events.loader(lab),
        [measure.kept, outputs.sheet, inputs.source],
        [outputs.query, outputs.sheet],
        **QUICK,
    )
    loaded.then(
        events.previewer(lab),
        [outputs.sheet, inputs.source, inputs.model],
        outputs.view,
        **QUICK,
    ).then(None, None, None, js=INTO_VIEW, **QUIET)


def _design(lab: Lab) -> tuple[Inputs, Rows]:
    """Data, wording and examples."""
    with gr.Column(elem_classes="lm-panel"):
        static('<h3 class="lm-h">The design</h3>')
        with gr.Row():
            data = gr.Dropdown(
                [*lab.prompts.sets(), OWN], value=FIRST[0], label="Task and data",
                elem_id="prompt-data", min_width=140,
            )  # fmt: skip
            wording = gr.Dropdown(
                events.wordings(lab, FIRST[0]), value=FIRST[1], label="Wording",
                elem_id="prompt-wording", min_width=160,
            )  # fmt: skip
        with gr.Row():
            model = model_picker(lab, "prompt-model", info=None, min_width=140)
            second = model_picker(
                lab, "prompt-second", "Second model", info=None, value=_tuned(lab), min_width=140
            )
        table, columns, upload, pasted, use, said = _own()
        with gr.Accordion("Edit the wording (YAML)", open=False, elem_id="prompt-editor"):
            source = gr.Textbox(
                lab.prompts.source(FIRST[1]), show_label=False, label="Wording in YAML", lines=12,
                max_lines=24, elem_id="prompt-source", elem_classes="lm-mono", container=False,
            )  # fmt: skip
    with gr.Column(elem_classes="lm-panel"):
        static('<h3 class="lm-h">Examples</h3>')
        with gr.Row(elem_classes="lm-controls"):
            shots = gr.Slider(
                0, sheets.MOST_SHOTS, SHOTS, step=1, label="Shots", elem_id="prompt-shots",
                min_width=150,
            )  # fmt: skip
            seed = gr.Number(
                0, label="Seed", precision=0, minimum=0, elem_id="prompt-seed", min_width=80
            )
            picked = gr.Textbox(
                "", label="or rows by hand", placeholder="3, 17", elem_id="prompt-picked",
                min_width=110, max_lines=1,
            )  # fmt: skip
        rows = Rows(elem_id="prompt-examples")
    inputs = Inputs(
        data, model, second, wording, source, shots, seed, picked, table, columns, upload, pasted,
        use, said,
    )  # fmt: skip
    return inputs, rows


def _tuned(lab: Lab) -> str:
    """A tuned model to compare with, where there is one."""
    names = lab.model_names()
    return next((name for name in names if "+german" in name), names[-1] if names else "")


def _own() -> tuple[Any, ...]:
    with gr.Accordion("A table of your own", open=False, elem_id="prompt-own"):
        table = gr.State(None)
        upload = gr.File(
            label="CSV, TSV or JSONL, UTF-8", file_types=[".csv", ".tsv", ".jsonl"], height=90,
            elem_id="prompt-upload",
        )  # fmt: skip
        pasted = gr.Textbox(
            "", label="or paste it, column names first", lines=4, max_lines=10,
            elem_id="prompt-pasted", elem_classes="lm-mono",
        )  # fmt: skip
        with gr.Row(elem_classes="lm-buttons"):
            use = gr.Button("Use this table", size="sm", elem_id="prompt-use")
            said = static("", elem_id="prompt-said")
        with gr.Row():
            columns = tuple(
                gr.Dropdown(
                    [],
                    label=f"column {i}",
                    visible=False,
                    elem_id=f"prompt-column-{i}",
                    min_width=120,
                )
                for i in range(FIELDS)
            )
    return table, columns, upload, pasted, use, said


def _result(lab: Lab, template: Any, examples: Rows) -> Outputs:
    """Query, prompt, completion and what is read in it."""
    sheet = gr.State(None)
    with gr.Column(elem_classes="lm-panel"):
        with gr.Row(elem_classes="lm-tablehead"):
            static('<h3 class="lm-h">Query</h3>')
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
        static('<h3 class="lm-h">The prompt that <var>F</var> builds</h3>')
        view = Preview(elem_id="prompt-view")
    strip = Strip(group=GROUP, elem_id="prompt-strip", empty=EMPTY, measure="probability")
    with gr.Column(elem_classes="lm-panel"):
        static('<h3 class="lm-h">The answer that <var>G</var> reads</h3>')
        answer = static(NOTHING, elem_id="prompt-answer")
    return Outputs(examples, query, following, view, strip, answer, go, stop, status, sheet)


def _wire_design(lab: Lab, inputs: Inputs, outputs: Outputs) -> None:
    """Every change of the design draws its rows and its preview anew."""
    filled = [outputs.sheet, *inputs.values]
    fill, refit = events.filler(lab), events.refitter(lab)
    preview = events.previewer(lab)
    seen = [outputs.sheet, inputs.source, inputs.model]

    def show(event: Any) -> None:
        event.then(preview, seen, outputs.view, **QUICK)

    chosen = inputs.data.input(
        events.chooser(lab), inputs.data, [inputs.wording, inputs.source], **QUICK
    )
    restart = events.filler(lab, lambda _: 0)
    show(chosen.then(restart, filled, outputs.rows, **QUICK))
    worded = inputs.wording.input(events.opener_of(lab), inputs.wording, inputs.source, **QUICK)
    show(worded.then(refit, filled, outputs.rows, **QUICK))
    # A box that has just come into view swallows its first input, not its first change.
    typed = gr.on(
        [inputs.source.input, inputs.source.change],
        refit, filled, outputs.rows, trigger_mode="always_last", **QUICK,
    )  # fmt: skip
    show(typed)
    drawn = gr.on(
        [inputs.shots.change, inputs.seed.change, inputs.picked.submit, inputs.picked.blur],
        fill, filled, outputs.rows, trigger_mode="always_last", **QUICK,
    )  # fmt: skip
    show(drawn)
    mapped = gr.on([column.input for column in inputs.columns], fill, filled, outputs.rows, **QUICK)
    show(mapped)
    read = inputs.use.click(
        events.reader(lab),
        [inputs.upload, inputs.pasted, inputs.source],
        [inputs.data, inputs.table, inputs.said, *inputs.columns],
        **QUICK,
    )
    show(read.success(restart, filled, outputs.rows, **QUICK))
    following = events.filler(lab, lambda sheet: sheet.row + 1, anew=False)
    show(outputs.following.click(following, filled, outputs.rows, **QUICK))
    for part, rows in (("examples", outputs.examples), ("query", outputs.query)):
        edit = rows.edit(
            events.editor(lab, part), [outputs.sheet, inputs.source], outputs.sheet,
            trigger_mode="always_last", **QUICK,
        )  # fmt: skip
        show(edit)
    inputs.model.change(preview, seen, outputs.view, **QUICK)


def _wire_run(lab: Lab, inputs: Inputs, outputs: Outputs, tab: Any) -> None:
    """Run on the button and when the tab is first opened; stop on demand."""
    asked = [outputs.sheet, inputs.source, inputs.model]
    drawn = [*outputs.line, outputs.view, outputs.strip, outputs.answer]
    run = outputs.go.click(events.runner(lab), asked, drawn, trigger_mode="once", **RUNNING)
    fresh = gr.State(False)
    opened = tab.select(
        events.opener(lab), [outputs.sheet, *inputs.values], [*outputs.rows, fresh],
        trigger_mode="once", **QUICK,
    )  # fmt: skip
    first = opened.then(events.first_runner(lab), [fresh, *asked], drawn, **RUNNING)
    for event in (run, first):
        event.failure(waiting.failed, outputs.line[:1], outputs.line, queue=False, **QUIET)
    outputs.stop.click(
        waiting.stopped, None, outputs.line, cancels=[run, first], queue=False, **QUIET
    )
