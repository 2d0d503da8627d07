"""The Compare tab: one prompt through several models, and two of them on a text, position by
position. Lays out and wires; what happens is in events.
"""

import json
from types import SimpleNamespace
from typing import Any

import gradio as gr

from lmlab.features.compare import events
from lmlab.features.compare.feature import FEATURE
from lmlab.lab import Lab
from lmlab.parts import asking
from lmlab.parts.alternatives import alternatives
from lmlab.parts.first_open import Led
from lmlab.parts.gradio_compat import building
from lmlab.parts.model_pair import COLUMNS, ModelPair, pairs
from lmlab.parts.pickers import model_picker
from lmlab.parts.receipt_button import Keep
from lmlab.parts.stream import GENERATING, QUIET, SCORING, Line
from lmlab.parts.widgets import Answers, Moved, Strip, static

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
WAITING = '<p class="lm-why">Perplexity of both models on both texts will stand here.</p>'


def build(lab: Lab) -> None:
    """Draw the tab inside the current Blocks and wire it to the lab."""
    tab, it = building.tab(), SimpleNamespace(shown=gr.State(None))
    known = pairs(lab.model_names(), lab.settings.model)
    first = known[0]
    with gr.Row(elem_classes="lm-inputs"):
        with gr.Column(scale=5, min_width=320):
            it.prompt = gr.Textbox(
                first.prompt, label="Prompt  x", lines=2, max_lines=6,
                elem_id="compare-prompt", placeholder="nothing: each begins at its start token",
            )  # fmt: skip
            it.chat = asking.chat_switch("compare")
        with gr.Column(scale=2, min_width=320, elem_classes="lm-side"):
            it.drawing = list(events.CONTROLS.draw().values())
            with gr.Row(elem_classes="lm-buttons"):
                it.go = gr.Button(
                    "Run", variant="primary", elem_id="compare-go", elem_classes="lm-go"
                )
                it.stop = gr.Button("Stop", interactive=False, elem_id="compare-stop", min_width=80)
    with gr.Row(elem_classes="lm-chips"):
        static('<span class="lm-try">Try</span>', min_width=10)
        chips = [gr.Button(pair.name, size="sm", min_width=60) for pair in known]
        it.status = static("", elem_id="compare-status", elem_classes="lm-status")
    it.advice = static("", elem_id="compare-advice")
    _columns(lab, it, first)
    _shift(it, first)
    _wire(lab, it, tab)
    asking.follow_advice("compare", it.prompt, it.chat, PRESS_RUN)
    # An example fills everything and runs.
    filled = [it.prompt, it.text, it.general, *it.models]
    for chip, pair in zip(chips, known, strict=True):
        models = [*pair.models, *[""] * COLUMNS][:COLUMNS]
        values = json.dumps([pair.prompt, pair.task, pair.general, *models])
        done = chip.click(None, None, filled, js=f"() => {values}", **QUIET)
        done.then(None, None, None, js=PRESS_RUN, **QUIET)


def _columns(lab: Lab, it: SimpleNamespace, first: ModelPair) -> None:
    """Pickers in one row, strips of those that have a model in the next."""
    it.models, it.columns, it.strips = [], [], []
    free: dict[str, Any] = {"choices": [NOBODY, *((name, name) for name in lab.model_names())]}
    with gr.Row(elem_classes="lm-pickers"):
        for i in range(COLUMNS):
            value = first.models[i] if i < len(first.models) else "" if i > 1 else None
            picker = model_picker(
                lab, f"compare-model-{i + 1}", f"Model {i + 1}", value=value, info=None,
                min_width=140, needs=FEATURE.needs, **(free if i > 1 else {}),
            )  # fmt: skip
            it.models.append(picker)
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
            it.columns.append(column)
            it.strips.append(strip)


def _shift(it: SimpleNamespace, first: ModelPair) -> None:
    """What moved from model 1 to model 2, on texts of the visitor's choice."""
    static(
        '<h2 class="lm-h2">What moved from model 1 to model 2</h2>'
        '<p class="lm-why">Both models read the same text; each position compares their whole '
        "next-token distributions.</p>"
    )
    looks: dict[str, Any] = {"lines": 3, "max_lines": 8, "scale": 3, "min_width": 260}
    with gr.Row(elem_classes="lm-inputs"):
        it.text = gr.Textbox(
            first.task, label="Task text", info="scored given the prompt, where it begins with it",
            elem_id="compare-text", **looks,
        )  # fmt: skip
        it.general = gr.Textbox(
            first.general, label="General text", info="for the sums alone",
            elem_id="compare-general", **looks,
        )  # fmt: skip
        with gr.Column(scale=2, min_width=300, elem_classes="lm-side"):
            it.alpha = gr.Slider(
                -1, 2, 1, step=0.05, label="α of model 2’s adapter", info=DIAL,
                elem_id="compare-alpha",
            )  # fmt: skip
            it.shift = gr.Button("Compare", elem_id="compare-shift-go")
    with gr.Row(elem_classes="lm-result"):
        with gr.Column(scale=3, min_width=320):
            it.strip = Strip(
                group=GROUP, elem_id="compare-shift-strip", empty=SHIFT, elem_classes="lm-flow"
            )
            it.answers = Answers(group=GROUP)
            it.keep = Keep("compare", KEPT)
        with gr.Column(scale=2, min_width=320, elem_classes="lm-panel"):
            static('<h3 class="lm-h">Moved most</h3>')
            Moved(group=GROUP, elem_id="compare-moved")
    with gr.Column(elem_classes="lm-panel"):
        static('<h3 class="lm-h">Sums over both texts</h3>')
        it.sums = static(WAITING, elem_id="compare-sums")


def _wire(lab: Lab, it: SimpleNamespace, tab: Any) -> None:
    """Run, compare and the α dial; whatever runs can be stopped."""
    line, handlers = Line(it.status, it.stop, it.keep), events.Handlers(lab)
    before = [Led(False), it.shown]
    strips = {f"strip {i}": strip for i, strip in enumerate(it.strips)}
    columns = {f"column {i}": column for i, column in enumerate(it.columns)}
    given = [it.prompt, it.chat, it.alpha, *it.models, *it.drawing]
    run = (handlers.run, given, {"advice": it.advice, **strips, **columns})
    texts = [it.prompt, it.text, it.general, it.chat, it.alpha, *it.models[:2]]
    moved = {"strip": it.strip, "sums": it.sums, "shown": it.shown}
    shift = (handlers.shift, texts, moved)
    asked = line.on(it.go.click, *run, trigger_mode="always_last", **GENERATING)
    opened = line.on(tab.select, *run, unless=before, trigger_mode="once", **GENERATING)
    line.on(asked.success, *shift, **SCORING)
    line.on(opened.success, *shift, unless=before, **SCORING)
    line.on(it.shift.click, *shift, **SCORING)
    line.on(it.alpha.change, *shift, trigger_mode="always_last", **SCORING)
    it.keep.notes(events.note, [it.shown])
    line.stoppable()
    it.strip.need(
        alternatives, it.shown, it.answers, trigger_mode="multiple", concurrency_limit=8, **QUIET
    )
