"""The Likelihood tab: a text coloured by how likely a model finds each token, and what follows from
it. Lays out and wires; what is shown is made by strip, plots, figures, definition and tables.
"""

import json
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import gradio as gr
from gradio.context import Context

from lmlab.features.likelihood import events, receipt_notes
from lmlab.features.likelihood.definition import no_definition
from lmlab.features.likelihood.feature import FEATURE
from lmlab.features.likelihood.figures import no_figures
from lmlab.lab import Lab
from lmlab.parts import asking, plots, waiting
from lmlab.parts.alternatives import alternatives
from lmlab.parts.examples import EXAMPLES, Example
from lmlab.parts.pickers import model_picker
from lmlab.parts.receipt_button import Keep, follow
from lmlab.parts.widgets import Answers, Factors, Handover, Strip, static

NAME = "Likelihood"
GROUP = "likelihood"
NOBODY = ("none", "")
QUIET = MappingProxyType({"show_progress": "hidden", "api_visibility": "private"})
PRESS_SCORE = "() => { setTimeout(() => document.querySelector('#likelihood-go').click(), 30) }"
# Scoring waits in its own line, so that quick answers never stand behind it.
SCORING = MappingProxyType({**QUIET, "concurrency_id": "score", "concurrency_limit": 2})


@dataclass(frozen=True)
class Inputs:
    """What the visitor fills in."""

    text: gr.Textbox
    prefix: gr.Textbox
    model: gr.Dropdown
    second: gr.Dropdown
    start: gr.Dropdown
    chat: gr.Checkbox
    go: gr.Button
    stop: gr.Button
    chips: tuple[gr.Button, ...]
    status: gr.HTML

    @property
    def values(self) -> list[Any]:
        return [self.text, self.prefix, self.model, self.second, self.start, self.chat]


@dataclass(frozen=True)
class Outputs:
    """What a result is shown in."""

    status: gr.HTML
    strip: Strip
    answers: Answers
    plot: gr.Plot
    figures: gr.HTML
    definition: gr.HTML
    copy: gr.Button
    download: gr.Button
    handover: Handover
    shown: gr.State
    keep: Keep

    @property
    def drawn(self) -> list[Any]:
        """What a new result changes, in the order of ``likelihood_events.draw``."""
        return [self.strip, self.plot, self.figures, self.definition, self.shown]


def build(lab: Lab) -> None:
    """Draw the tab inside the current Blocks and wire it to the lab."""
    # First, because the handlers of the page would take the name.
    gr.api(events.api(lab), api_name="score", concurrency_id="score", concurrency_limit=2)
    inputs = _inputs(lab)
    outputs = _outputs(inputs.status)
    _wire_scoring(lab, inputs, outputs)
    _wire_result(outputs)


def _inputs(lab: Lab) -> Inputs:
    first = EXAMPLES[0]
    with gr.Row(elem_classes="lm-inputs"):
        with gr.Column(scale=5, min_width=300):
            prefix, text, start, chat = _texts(first)
        with gr.Column(scale=1, min_width=230, elem_classes="lm-side"):
            model = model_picker(lab, "likelihood-model", needs=FEATURE.needs)
            nobody = [NOBODY, *((name, name) for name in lab.model_names())]
            second = model_picker(
                lab, "likelihood-second", "Compare with", choices=nobody, value="", info=None
            )
            with gr.Row(elem_classes="lm-buttons"):
                go = gr.Button(
                    "Score", variant="primary", elem_id="likelihood-go", elem_classes="lm-go"
                )
                stop = gr.Button("Stop", interactive=False, elem_id="likelihood-stop", min_width=80)
    with gr.Row(elem_classes="lm-chips"):
        static('<span class="lm-try">Try</span>', min_width=10)
        chips = tuple(gr.Button(example.name, size="sm", min_width=60) for example in EXAMPLES)
        status = static("", elem_id="likelihood-status")
    return Inputs(text, prefix, model, second, start, chat, go, stop, chips, status)


def _texts(first: Example) -> tuple[gr.Textbox, gr.Textbox, gr.Dropdown, gr.Checkbox]:
    """What is scored, what stands before it, and in which form."""
    with gr.Row(elem_classes="lm-asking"):
        prefix = gr.Textbox(
            first.prefix, label="Prefix, optional: given, not scored  x", lines=1, max_lines=4,
            placeholder="nothing: the text is scored from its start",
            elem_id="likelihood-prefix", scale=5, min_width=260,
        )  # fmt: skip
        start = asking.start_picker("likelihood")
        chat = asking.chat_switch("likelihood")
    text = gr.Textbox(
        first.text, label="Text to score  x", lines=4, max_lines=10,
        placeholder="Type or paste a text …", elem_id="likelihood-text",
    )  # fmt: skip
    return prefix, text, start, chat


def _outputs(status: gr.HTML) -> Outputs:
    shown = gr.State(None)
    with gr.Row(elem_classes="lm-result"):
        with gr.Column(scale=5, min_width=300):
            coloured = Strip(group=GROUP, elem_id="likelihood-strip")
            answers = Answers(group=GROUP)
            keep = Keep(GROUP, [f"{GROUP}-{part}" for part in ("strip", "figures", "plot")])
            with gr.Column(elem_classes="lm-panel lm-plotbox"):
                static('<h2 class="lm-h">Surprisal along the text</h2>')
                plot = gr.Plot(
                    plots.empty(),
                    show_label=False,
                    container=False,
                    elem_id="likelihood-plot",
                    elem_classes="lm-plot",
                )
        with gr.Column(scale=1, min_width=230, elem_classes="lm-side"):
            cards = static(no_figures(), elem_id="likelihood-figures")
    with gr.Row(elem_classes="lm-result"):
        with gr.Column(scale=1, min_width=300, elem_classes="lm-panel"):
            static('<h2 class="lm-h">The definition, with this text’s numbers</h2>')
            worked = static(no_definition(), elem_id="likelihood-definition")
        with gr.Column(scale=1, min_width=300, elem_classes="lm-panel"):
            with gr.Row(elem_classes="lm-tablehead"):
                static('<h2 class="lm-h">The factors</h2>')
                copy = gr.Button("Copy", size="sm", min_width=60, elem_id="likelihood-copy")
                download = gr.Button("CSV", size="sm", min_width=60, elem_id="likelihood-csv")
            Factors(group=GROUP, elem_id="likelihood-factors")
            handover = Handover(elem_id="likelihood-handover")
    return Outputs(
        status, coloured, answers, plot, cards, worked, copy, download, handover, shown, keep
    )


def _wire_scoring(lab: Lab, inputs: Inputs, outputs: Outputs) -> None:
    """Score on the button, on Enter in the prefix and when the page opens; stop on demand."""
    page = Context.root_block
    score = events.scorer(lab)
    drawn = [outputs.status, inputs.stop, *outputs.drawn]
    asked = gr.on(
        [inputs.go.click, inputs.prefix.submit],
        score,
        inputs.values,
        drawn,
        trigger_mode="always_last",
        **SCORING,
    )
    opened = page.load(score, inputs.values, drawn, **SCORING)
    follow(outputs.keep, [asked, opened], receipt_notes.of_texts, [outputs.shown])
    running, controls = [asked, opened], [outputs.status, inputs.stop]
    waiting.stoppable(inputs.stop, controls, running)
    for chip, example in zip(inputs.chips, EXAMPLES, strict=True):
        filled = chip.click(
            None, None, [inputs.text, inputs.prefix], js=_fill(example), cancels=running, **QUIET
        )
        filled.then(None, None, None, js=PRESS_SCORE, **QUIET)


def _fill(example: Example) -> str:
    return f"() => {json.dumps([example.text, example.prefix])}"


def _wire_result(outputs: Outputs) -> None:
    """Alternatives on demand, copy and download: quick answers from what the session keeps."""
    outputs.strip.need(
        alternatives,
        outputs.shown,
        outputs.answers,
        trigger_mode="multiple",
        concurrency_limit=8,
        **QUIET,
    )
    for button, action in ((outputs.copy, "copy"), (outputs.download, "download")):
        button.click(
            events.table(action), outputs.shown, outputs.handover, concurrency_limit=4, **QUIET
        )
