"""The Completion tab: a prompt completed token by token, every step open to be taken back or forced
another way. Lays out and wires; what happens is in completion_events.
"""

import json
from dataclasses import dataclass
from typing import Any

import gradio as gr

from lmlab.features.completion import events, receipt_notes
from lmlab.features.completion.feature import FEATURE
from lmlab.features.completion.views import figures
from lmlab.lab import Lab
from lmlab.parts import asking
from lmlab.parts.first_open import Led
from lmlab.parts.gradio_compat import building
from lmlab.parts.pickers import model_picker
from lmlab.parts.receipt_button import Keep, follow
from lmlab.parts.stream import GENERATING, QUIET, Line, Options
from lmlab.parts.widgets import Branches, NextToken, Samples, Strip, static

NAME = "Completion"
GROUP = "completion"
ONCE: Options = {**GENERATING, "trigger_mode": "once"}
PRESS_RUN = "() => { setTimeout(() => document.querySelector('#completion-again').click(), 30) }"
EXAMPLES = (
    ("A story", "Once upon a time there was a little"),
    ("A question", "<|question|>What is the German word for dog?<|answer|>"),
    ("A list", "Monday, Tuesday, Wednesday,"),
    ("In between", "The king was very sad because"),
    ("From nothing", ""),
)
EMPTY = """<b>Nothing completed yet</b>Press Run (Ctrl + Enter) to see the model go on, or Step for
one token at a time. A click on a token shows what else it could have been."""


@dataclass(frozen=True)
class Inputs:
    """What the visitor fills in and presses."""

    prompt: gr.Textbox
    model: gr.Dropdown
    chat: gr.Checkbox
    controls: dict[str, Any]
    buttons: dict[str, gr.Button]
    chips: tuple[gr.Button, ...]

    @property
    def asked(self) -> list[Any]:
        return [self.prompt, self.model, self.chat, *self.controls.values()]


@dataclass(frozen=True)
class Outputs:
    """What a completion is shown in."""

    status: gr.HTML
    strip: Strip
    chart: NextToken
    figures: gr.HTML
    branches: Branches
    samples: Samples
    advice: gr.HTML
    tree: gr.State
    keep: Keep

    @property
    def drawn(self) -> dict[str, Any]:
        """What a completion changes."""
        names = ("strip", "chart", "figures", "branches", "advice", "tree")
        return {name: getattr(self, name) for name in names}


def build(lab: Lab) -> None:
    """Draw the tab inside the current Blocks and wire it to the lab."""
    tab = building.tab()
    buttons: dict[str, gr.Button] = {}
    with gr.Row(elem_classes="lm-two"):
        with gr.Column(scale=3, min_width=320):
            prompt, chips, status = _prompt()
            advice = static("", elem_id="completion-advice")
            coloured = Strip(
                group=GROUP, elem_id="completion-strip", empty=EMPTY, colour_by="probability"
            )
            keep = Keep("completion", ("completion-strip", "completion-figures"))
            numbers = static(figures(None), elem_id="completion-figures")
        with gr.Column(scale=2, min_width=320, elem_classes="lm-side"):
            with gr.Row(elem_classes="lm-asking"):
                model = model_picker(lab, "completion-model", min_width=150, needs=FEATURE.needs)
                chat = asking.chat_switch("completion")
            buttons |= _buttons()
            chart = _chart()
    with gr.Column(elem_classes="lm-panel"):
        with gr.Row(elem_classes="lm-tablehead"):
            static('<h2 class="lm-h">Sampling controls</h2>')
            buttons["reset"] = gr.Button(
                "Reset", size="sm", min_width=60, elem_id="completion-reset"
            )
        form = events.CONTROLS.draw()
    with gr.Row(elem_classes="lm-result"):
        with gr.Column(scale=1, min_width=300, elem_classes="lm-panel"):
            static('<h2 class="lm-h">Branches tried</h2>')
            tree = Branches(elem_id="completion-branches")
        with gr.Column(scale=1, min_width=300, elem_classes="lm-panel"):
            count, length, table = _samples(buttons)
    inputs = Inputs(prompt, model, chat, form, buttons, chips)
    outputs = Outputs(status, coloured, chart, numbers, tree, table, advice, gr.State(None), keep)
    _wire(lab, inputs, outputs, tab, count, length)
    asking.follow_advice("completion", prompt, chat, PRESS_RUN)


def _prompt() -> tuple[gr.Textbox, tuple[gr.Button, ...], gr.HTML]:
    prompt = gr.Textbox(
        EXAMPLES[0][1],
        label="Prompt  x",
        lines=3,
        max_lines=8,
        placeholder="nothing: the completion begins at the start token",
        elem_id="completion-prompt",
    )
    with gr.Row(elem_classes="lm-chips"):
        static('<span class="lm-try">Try</span>', min_width=10)
        chips = tuple(gr.Button(name, size="sm", min_width=60) for name, _ in EXAMPLES)
        status = static("", elem_id="completion-status", elem_classes="lm-status")
    return prompt, chips, status


def _buttons() -> dict[str, gr.Button]:
    with gr.Row(elem_classes="lm-buttons"):
        run = gr.Button("Run", variant="primary", elem_id="completion-go", elem_classes="lm-go")
        step = gr.Button("Step", elem_id="completion-step", min_width=70)
        stop = gr.Button("Stop", interactive=False, elem_id="completion-stop", min_width=70)
    with gr.Row(elem_classes="lm-buttons"):
        undo = gr.Button("Undo a token", elem_id="completion-undo", min_width=90)
        again = gr.Button("Regenerate", elem_id="completion-regenerate", min_width=90)
    # Pressed by the examples: a new start, whatever stands there.
    fresh = gr.Button("", elem_id="completion-again", elem_classes="lm-none")
    return {
        "run": run, "step": step, "stop": stop, "undo": undo, "regenerate": again, "fresh": fresh,
    }  # fmt: skip


def _chart() -> NextToken:
    with gr.Column(elem_classes="lm-panel"):
        static(
            '<h2 class="lm-h">The next token <span class="lm-key"><i class="own"></i>the model’s '
            '<i class="after"></i>after the controls</span></h2>'
        )
        return NextToken(elem_id="completion-next")


def _samples(buttons: dict[str, gr.Button]) -> tuple[gr.Slider, gr.Number, Samples]:
    with gr.Row(elem_classes="lm-tablehead"):
        static('<h2 class="lm-h">Samples of the prompt</h2>')
        buttons["sample"] = gr.Button("Draw", size="sm", min_width=60, elem_id="completion-draw")
    with gr.Row(elem_classes="lm-controls"):
        count = gr.Slider(
            2, 64, 16, step=1, label="samples, n", elem_id="completion-n", min_width=150
        )
        length = gr.Number(
            4, label="tokens each", precision=0, minimum=1, maximum=64,
            elem_id="completion-sample-length", min_width=90,
        )  # fmt: skip
    return count, length, Samples(elem_id="completion-samples")


def _wire(
    lab: Lab, inputs: Inputs, outputs: Outputs, tab: Any, count: gr.Slider, length: gr.Number
) -> None:
    """Every button and click; those that run the model can be stopped."""
    buttons, tree, drawn = inputs.buttons, outputs.tree, outputs.drawn
    line = Line(outputs.status, buttons["stop"])
    asked = ([tree, *inputs.asked], drawn)
    run = line.on(buttons["run"].click, events.runner(lab), *asked, **ONCE)
    step = line.on(buttons["step"].click, events.runner(lab, single=True), *asked, **ONCE)
    seed = inputs.controls["seed"]
    next_seed = buttons["regenerate"].click(events.seeded, seed, seed, queue=False, **QUIET)
    line.on(next_seed.then, events.regenerator(lab), *asked, **GENERATING)
    line.on(buttons["fresh"].click, events.regenerator(lab), *asked, **GENERATING)
    line.on(tab.select, events.opener(lab), *asked, unless=[Led(False), tree], **ONCE)
    moved = ([tree, *inputs.controls.values()], drawn)
    many = {**GENERATING, "trigger_mode": "multiple"}
    line.on(buttons["undo"].click, events.undoer(lab), *moved, **many)
    line.on(outputs.strip.fork, events.forker(lab), *moved, **GENERATING)
    line.on(outputs.chart.choose, events.chooser(lab), *moved, **GENERATING)
    line.on(outputs.branches.goto, events.goer(lab), *moved, **GENERATING)
    follow(outputs.keep, line.running, receipt_notes.of_completion, [tree])
    sampled = line.on(
        buttons["sample"].click, events.sampler(lab), [count, length, *inputs.asked],
        {"samples": outputs.samples}, **GENERATING,
    )  # fmt: skip
    line.stoppable()
    for move in ("undo", "regenerate"):
        buttons[move].click(None, None, None, cancels=[run, step, sampled], queue=False, **QUIET)
    _wire_controls(lab, inputs, outputs)
    for chip, (_, text) in zip(inputs.chips, EXAMPLES, strict=True):
        filled = chip.click(
            None, None, inputs.prompt, js=f"() => {json.dumps(text)}", cancels=line.running, **QUIET
        )
        filled.then(None, None, None, js=PRESS_RUN, **QUIET)


def _wire_controls(lab: Lab, inputs: Inputs, outputs: Outputs) -> None:
    """The next-token chart follows the controls, without the model."""
    form, fields = inputs.controls, [*inputs.controls.values()]
    gr.on(
        [form[name].change for name in events.SHAPING],
        events.shaper(lab),
        [outputs.tree, *fields],
        outputs.chart,
        trigger_mode="always_last",
        concurrency_limit=8,
        **QUIET,
    )
    inputs.buttons["reset"].click(lambda: events.CONTROLS.first, None, fields, queue=False, **QUIET)
