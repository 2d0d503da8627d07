"""The Completion tab: a prompt completed token by token, every step open to be taken back or forced
another way. Lays out and wires; what happens is in events.
"""

import json
from types import SimpleNamespace
from typing import Any

import gradio as gr

from lmlab.features.completion import events
from lmlab.features.completion.feature import FEATURE
from lmlab.features.completion.views import figures
from lmlab.lab import Lab
from lmlab.parts import asking
from lmlab.parts.first_open import Led
from lmlab.parts.gradio_compat import building
from lmlab.parts.pickers import model_picker
from lmlab.parts.receipt_button import Keep
from lmlab.parts.stream import GENERATING, QUIET, Line, Options
from lmlab.parts.widgets import Branches, NextToken, Samples, Strip, static

GROUP = "completion"
ONCE: Options = {**GENERATING, "trigger_mode": "once"}
MANY: Options = {**GENERATING, "trigger_mode": "multiple"}
DRAWN = ("strip", "chart", "figures", "branches", "advice", "tree")
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


def build(lab: Lab) -> None:
    """Draw the tab inside the current Blocks and wire it to the lab."""
    tab, it = building.tab(), SimpleNamespace(tree=gr.State(None))
    with gr.Row(elem_classes="lm-two"):
        with gr.Column(scale=3, min_width=320):
            _prompt(it)
        with gr.Column(scale=2, min_width=320, elem_classes="lm-side"):
            with gr.Row(elem_classes="lm-asking"):
                it.model = model_picker(lab, "completion-model", min_width=150, needs=FEATURE.needs)
                it.chat = asking.chat_switch("completion")
            _buttons(it)
            with gr.Column(elem_classes="lm-panel"):
                static(
                    '<h2 class="lm-h">The next token <span class="lm-key"><i class="own"></i>the '
                    'model’s <i class="after"></i>after the controls</span></h2>'
                )
                it.chart = NextToken(elem_id="completion-next")
    with gr.Column(elem_classes="lm-panel"):
        with gr.Row(elem_classes="lm-tablehead"):
            static('<h2 class="lm-h">Sampling controls</h2>')
            it.reset = gr.Button("Reset", size="sm", min_width=60, elem_id="completion-reset")
        it.controls = events.CONTROLS.draw()
    with gr.Row(elem_classes="lm-result"):
        with gr.Column(scale=1, min_width=300, elem_classes="lm-panel"):
            static('<h2 class="lm-h">Branches tried</h2>')
            it.branches = Branches(elem_id="completion-branches")
        with gr.Column(scale=1, min_width=300, elem_classes="lm-panel"):
            _samples(it)
    _wire(it, events.Handlers(lab), tab)
    asking.follow_advice("completion", it.prompt, it.chat, PRESS_RUN)


def _prompt(it: SimpleNamespace) -> None:
    """What is completed, and what becomes of it."""
    it.prompt = gr.Textbox(
        EXAMPLES[0][1], label="Prompt  x", lines=3, max_lines=8, elem_id="completion-prompt",
        placeholder="nothing: the completion begins at the start token",
    )  # fmt: skip
    with gr.Row(elem_classes="lm-chips"):
        static('<span class="lm-try">Try</span>', min_width=10)
        it.chips = [gr.Button(name, size="sm", min_width=60) for name, _ in EXAMPLES]
        it.status = static("", elem_id="completion-status", elem_classes="lm-status")
    it.advice = static("", elem_id="completion-advice")
    it.strip = Strip(group=GROUP, elem_id="completion-strip", empty=EMPTY, colour_by="probability")
    it.keep = Keep("completion", ("completion-strip", "completion-figures"))
    it.figures = static(figures(None), elem_id="completion-figures")


def _buttons(it: SimpleNamespace) -> None:
    with gr.Row(elem_classes="lm-buttons"):
        it.go = gr.Button("Run", variant="primary", elem_id="completion-go", elem_classes="lm-go")
        it.step = gr.Button("Step", elem_id="completion-step", min_width=70)
        it.stop = gr.Button("Stop", interactive=False, elem_id="completion-stop", min_width=70)
    with gr.Row(elem_classes="lm-buttons"):
        it.undo = gr.Button("Undo a token", elem_id="completion-undo", min_width=90)
        it.again = gr.Button("Regenerate", elem_id="completion-regenerate", min_width=90)
    # Pressed by the examples: a new start, whatever stands there.
    it.fresh = gr.Button("", elem_id="completion-again", elem_classes="lm-none")


def _samples(it: SimpleNamespace) -> None:
    with gr.Row(elem_classes="lm-tablehead"):
        static('<h2 class="lm-h">Samples of the prompt</h2>')
        it.sample = gr.Button("Draw", size="sm", min_width=60, elem_id="completion-draw")
    with gr.Row(elem_classes="lm-controls"):
        it.count = gr.Slider(
            2, 64, 16, step=1, label="samples, n", elem_id="completion-n", min_width=150
        )
        it.length = gr.Number(
            4, label="tokens each", precision=0, minimum=1, maximum=64,
            elem_id="completion-sample-length", min_width=90,
        )  # fmt: skip
    it.samples = Samples(elem_id="completion-samples")


def _wire(it: SimpleNamespace, handlers: events.Handlers, tab: Any) -> None:
    """Every button and click; those that run the model can be stopped."""
    line, drawn = Line(it.status, it.stop, it.keep), {name: getattr(it, name) for name in DRAWN}
    fields, seed = [*it.controls.values()], it.controls["seed"]
    given = [it.prompt, it.model, it.chat, *fields]
    asked, moved = ([it.tree, *given], drawn), ([it.tree, *fields], drawn)
    run = line.on(it.go.click, handlers.run, *asked, **ONCE)
    step = line.on(it.step.click, handlers.step, *asked, **ONCE)
    next_seed = it.again.click(events.seeded, seed, seed, queue=False, **QUIET)
    line.on(next_seed.then, handlers.again, *asked, **GENERATING)
    line.on(it.fresh.click, handlers.again, *asked, **GENERATING)
    line.on(tab.select, handlers.open, *asked, unless=[Led(False), it.tree], **ONCE)
    line.on(it.undo.click, handlers.undo, *moved, **MANY)
    line.on(it.strip.fork, handlers.fork, *moved, **GENERATING)
    line.on(it.chart.choose, handlers.choose, *moved, **GENERATING)
    line.on(it.branches.goto, handlers.goto, *moved, **GENERATING)
    it.keep.notes(events.note, [it.tree])
    several = ([it.tree, it.count, it.length, *given], {**drawn, "samples": it.samples})
    sampled = line.on(it.sample.click, handlers.sample, *several, **GENERATING)
    line.stoppable()
    for button in (it.undo, it.again):
        button.click(None, None, None, cancels=[run, step, sampled], queue=False, **QUIET)
    # The next-token chart follows the controls, without the model.
    gr.on(
        [it.controls[name].change for name in events.SHAPING], handlers.shape, [it.tree, *fields],
        it.chart, trigger_mode="always_last", concurrency_limit=8, **QUIET,
    )  # fmt: skip
    it.reset.click(lambda: events.CONTROLS.first, None, fields, queue=False, **QUIET)
    for chip, (_, text) in zip(it.chips, EXAMPLES, strict=True):
        fill = f"() => {json.dumps(text)}"
        filled = chip.click(None, None, it.prompt, js=fill, cancels=line.running, **QUIET)
        filled.then(None, None, None, js=PRESS_RUN, **QUIET)
