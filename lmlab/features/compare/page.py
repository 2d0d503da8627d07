"""The Compare tab: one prompt through several models, and two of them on a text, position by
position. Lays out and wires; what happens is in compare_events.
"""

import json
from dataclasses import dataclass
from typing import Any

import gradio as gr

from lmlab.features.compare import events, receipt_notes
from lmlab.features.compare.feature import FEATURE
from lmlab.features.compare.views import WAITING
from lmlab.lab import Lab
from lmlab.parts import asking
from lmlab.parts.alternatives import alternatives
from lmlab.parts.first_open import Led
from lmlab.parts.gradio_compat import building
from lmlab.parts.model_pair import COLUMNS, ModelPair, pairs
from lmlab.parts.pickers import model_picker
from lmlab.parts.receipt_button import Keep, follow
from lmlab.parts.stream import GENERATING, QUIET, SCORING, Line
from lmlab.parts.widgets import Answers, Moved, Strip, static

NAME = "Compare"
GROUP = "compare-shift"
NOBODY = ("none", "")
PRESS_RUN = "() => { setTimeout(() => document.querySelector('#compare-go').click(), 30) }"
KEPT = (*(f"compare-strip-{i + 1}" for i in range(COLUMNS)), "compare-shift-strip", "compare-sums")
COLUMN = "<b>Nothing yet</b>Press Run."
DIAL = (
    "W + α · s · V U: 0 is the base, 1 as trained. Everything below follows the dial at once; the "
    "columns above do at the next Run."
)
SHIFT = """<b>Nothing compared yet</b>Press Compare to see where the second model moved away from
the first: every token takes the colour of the difference."""


@dataclass(frozen=True)
class Inputs:
    """What the visitor fills in and presses."""

    prompt: gr.Textbox
    models: tuple[gr.Dropdown, ...]
    drawing: tuple[Any, ...]
    chat: gr.Checkbox
    text: gr.Textbox
    general: gr.Textbox
    alpha: gr.Slider
    go: gr.Button
    stop: gr.Button
    shift: gr.Button
    chips: tuple[gr.Button, ...]

    @property
    def run(self) -> list[Any]:
        return [self.prompt, *self.drawing, self.chat, self.alpha, *self.models]

    @property
    def compared(self) -> list[Any]:
        return [
            self.prompt, self.text, self.general, self.chat, self.alpha, *self.models[:2]
        ]  # fmt: skip


@dataclass(frozen=True)
class Outputs:
    """What results are shown in."""

    status: gr.HTML
    advice: gr.HTML
    strips: tuple[Strip, ...]
    columns: tuple[gr.Column, ...]
    strip: Strip
    answers: Answers
    sums: gr.HTML
    shown: gr.State
    keep: Keep


def build(lab: Lab) -> None:
    """Draw the tab inside the current Blocks and wire it to the lab."""
    tab = building.tab()
    known = pairs(lab.model_names(), lab.settings.model)
    first = known[0]
    with gr.Row(elem_classes="lm-inputs"):
        with gr.Column(scale=5, min_width=320):
            prompt = gr.Textbox(
                first.prompt, label="Prompt  x", lines=2, max_lines=6,
                elem_id="compare-prompt", placeholder="nothing: each begins at its start token",
            )  # fmt: skip
            chat = asking.chat_switch("compare")
        with gr.Column(scale=2, min_width=320, elem_classes="lm-side"):
            drawing = tuple(events.CONTROLS.draw().values())
            with gr.Row(elem_classes="lm-buttons"):
                go = gr.Button("Run", variant="primary", elem_id="compare-go", elem_classes="lm-go")
                stop = gr.Button("Stop", interactive=False, elem_id="compare-stop", min_width=80)
    with gr.Row(elem_classes="lm-chips"):
        static('<span class="lm-try">Try</span>', min_width=10)
        chips = tuple(gr.Button(pair.name, size="sm", min_width=60) for pair in known)
        status = static("", elem_id="compare-status", elem_classes="lm-status")
    advice = static("", elem_id="compare-advice")
    models, columns, strips = _columns(lab, first)
    text, general, alpha, shift, strip, answers, sums, keep = _shift(first)
    inputs = Inputs(prompt, models, drawing, chat, text, general, alpha, go, stop, shift, chips)
    outputs = Outputs(status, advice, strips, columns, strip, answers, sums, gr.State(None), keep)
    _wire(lab, inputs, outputs, tab)
    asking.follow_advice("compare", prompt, chat, PRESS_RUN)
    _wire_chips(inputs, known)


def _columns(
    lab: Lab, first: ModelPair
) -> tuple[tuple[gr.Dropdown, ...], tuple[gr.Column, ...], tuple[Strip, ...]]:
    """Pickers in one row, strips of those that have a model in the next."""
    names = lab.model_names()
    with gr.Row(elem_classes="lm-pickers"):
        models = []
        for i in range(COLUMNS):
            free: dict[str, Any] = (
                {} if i < 2 else {"choices": [NOBODY, *((name, name) for name in names)]}
            )
            value = first.models[i] if i < len(first.models) else "" if i > 1 else None
            picker = model_picker(
                lab, f"compare-model-{i + 1}", f"Model {i + 1}", value=value, info=None,
                min_width=140, needs=FEATURE.needs, **free,
            )  # fmt: skip
            models.append(picker)
    columns, strips = [], []
    with gr.Row(elem_classes="lm-columns"):
        for i in range(COLUMNS):
            shown = i < max(2, len(first.models))
            with gr.Column(
                visible=shown, min_width=240, elem_id=f"compare-column-{i + 1}"
            ) as column:
                strip = Strip(
                    group=f"compare-{i + 1}", elem_id=f"compare-strip-{i + 1}", empty=COLUMN,
                    colour_by="probability", elem_classes="lm-flow",
                )  # fmt: skip
            columns.append(column)
            strips.append(strip)
    return tuple(models), tuple(columns), tuple(strips)


def _shift(first: ModelPair) -> tuple[Any, ...]:
    """What moved from model 1 to model 2, on texts of the visitor's choice."""
    static(
        '<h2 class="lm-h2">What moved from model 1 to model 2</h2>'
        '<p class="lm-why">Both models read the same text; each position compares their whole '
        "next-token distributions.</p>"
    )
    with gr.Row(elem_classes="lm-inputs"):
        text = gr.Textbox(
            first.task, label="Task text", info="scored given the prompt, where it begins with it",
            lines=3, max_lines=8, scale=3, min_width=260, elem_id="compare-text",
        )  # fmt: skip
        general = gr.Textbox(
            first.general, label="General text", info="for the sums alone", lines=3, max_lines=8,
            scale=3, min_width=260, elem_id="compare-general",
        )  # fmt: skip
        with gr.Column(scale=2, min_width=300, elem_classes="lm-side"):
            alpha = gr.Slider(
                -1, 2, 1, step=0.05, label="α of model 2’s adapter", info=DIAL,
                elem_id="compare-alpha",
            )  # fmt: skip
            shift = gr.Button("Compare", elem_id="compare-shift-go")
    with gr.Row(elem_classes="lm-result"):
        with gr.Column(scale=3, min_width=320):
            strip = Strip(
                group=GROUP, elem_id="compare-shift-strip", empty=SHIFT, elem_classes="lm-flow"
            )
            answers = Answers(group=GROUP)
            keep = Keep("compare", KEPT)
        with gr.Column(scale=2, min_width=320, elem_classes="lm-panel"):
            static('<h3 class="lm-h">Moved most</h3>')
            Moved(group=GROUP, elem_id="compare-moved")
    with gr.Column(elem_classes="lm-panel"):
        static('<h3 class="lm-h">Sums over both texts</h3>')
        sums = static(WAITING, elem_id="compare-sums")
    return text, general, alpha, shift, strip, answers, sums, keep


def _wire(lab: Lab, inputs: Inputs, outputs: Outputs, tab: Any) -> None:
    """Run, compare and the α dial; whatever runs can be stopped."""
    line, before = Line(outputs.status, inputs.stop), [Led(False), outputs.shown]
    strips = {f"strip {i}": strip for i, strip in enumerate(outputs.strips)}
    columns = {f"column {i}": column for i, column in enumerate(outputs.columns)}
    run = (events.runner(lab), inputs.run, {"advice": outputs.advice, **strips, **columns})
    moved = {"strip": outputs.strip, "sums": outputs.sums, "shown": outputs.shown}
    shift = (events.shifter(lab), inputs.compared, moved)
    asked = line.on(inputs.go.click, *run, trigger_mode="always_last", **GENERATING)
    opened = line.on(tab.select, *run, unless=before, trigger_mode="once", **GENERATING)
    compared = [
        line.on(asked.success, *shift, **SCORING),
        line.on(opened.success, *shift, unless=before, **SCORING),
        line.on(inputs.shift.click, *shift, **SCORING),
        line.on(inputs.alpha.change, *shift, trigger_mode="always_last", **SCORING),
    ]
    follow(outputs.keep, compared, receipt_notes.of_comparison, [outputs.shown])
    line.stoppable()
    outputs.strip.need(
        alternatives,
        outputs.shown,
        outputs.answers,
        trigger_mode="multiple",
        concurrency_limit=8,
        **QUIET,
    )


def _wire_chips(inputs: Inputs, known: list[ModelPair]) -> None:
    """An example fills everything and runs."""
    filled = [inputs.prompt, inputs.text, inputs.general, *inputs.models]
    for chip, pair in zip(inputs.chips, known, strict=True):
        models = [*pair.models, *[""] * COLUMNS][:COLUMNS]
        values = json.dumps([pair.prompt, pair.task, pair.general, *models])
        chip.click(None, None, filled, js=f"() => {values}", **QUIET).then(
            None, None, None, js=PRESS_RUN, **QUIET
        )
