"""The Likelihood tab: a text coloured by how likely a model finds each token, and what follows from
it. Lays out and wires; what is shown is made by strip, plots, views and tables.
"""

import json
from types import SimpleNamespace
from typing import Any

import gradio as gr

from lmlab.features.likelihood import events
from lmlab.features.likelihood.feature import FEATURE
from lmlab.features.likelihood.views import definition, figures
from lmlab.lab import Lab
from lmlab.parts import asking
from lmlab.parts.alternatives import alternatives
from lmlab.parts.examples import EXAMPLES
from lmlab.parts.first_open import FirstAnswer
from lmlab.parts.gradio_compat import building
from lmlab.parts.pickers import model_picker
from lmlab.parts.receipt_button import Keep
from lmlab.parts.stream import QUIET, SCORING, Line
from lmlab.parts.widgets import Answers, Factors, Handover, Strip, static

GROUP = "likelihood"
NOBODY = ("none", "")
DRAWN = ("strip", "plot", "figures", "definition", "shown")
BROUGHT = ("strip", "figures", "definition")
PRESS_SCORE = "() => { setTimeout(() => document.querySelector('#likelihood-go').click(), 30) }"


def build(lab: Lab) -> None:
    """Draw the tab inside the current Blocks and wire it to the lab."""
    # First, because the handlers of the page would take the name.
    building.endpoint(events.api(lab), "score", SCORING)
    asked, shown = _asked(lab), _shown()
    _wire_scoring(lab, asked, shown)
    # Alternatives on demand, copy and download: quick answers from what the session keeps.
    shown.strip.need(
        alternatives, shown.shown, shown.answers, trigger_mode="multiple", concurrency_limit=8,
        **QUIET,
    )  # fmt: skip
    for button, action in ((shown.copy, "copy"), (shown.download, "download")):
        button.click(
            events.table(action), shown.shown, shown.handover, concurrency_limit=4, **QUIET
        )


def _asked(lab: Lab) -> SimpleNamespace:
    """What the visitor fills in."""
    asked = SimpleNamespace()
    with gr.Row(elem_classes="lm-inputs"):
        with gr.Column(scale=5, min_width=300):
            _texts(asked)
        with gr.Column(scale=1, min_width=230, elem_classes="lm-side"):
            asked.model = model_picker(lab, "likelihood-model", needs=FEATURE.needs)
            nobody = [NOBODY, *((name, name) for name in lab.model_names())]
            asked.second = model_picker(
                lab, "likelihood-second", "Compare with", choices=nobody, value="", info=None
            )
            with gr.Row(elem_classes="lm-buttons"):
                asked.go = gr.Button(
                    "Score", variant="primary", elem_id="likelihood-go", elem_classes="lm-go"
                )
                asked.stop = gr.Button(
                    "Stop", interactive=False, elem_id="likelihood-stop", min_width=80
                )
    with gr.Row(elem_classes="lm-chips"):
        static('<span class="lm-try">Try</span>', min_width=10)
        asked.chips = [gr.Button(example.name, size="sm", min_width=60) for example in EXAMPLES]
        asked.status = static("", elem_id="likelihood-status")
    return asked


def _texts(asked: SimpleNamespace) -> None:
    """What is scored, what stands before it, and in which form."""
    first = EXAMPLES[0]
    with gr.Row(elem_classes="lm-asking"):
        asked.prefix = gr.Textbox(
            first.prefix, label="Prefix, optional: given, not scored  x", lines=1, max_lines=4,
            placeholder="nothing: the text is scored from its start",
            elem_id="likelihood-prefix", scale=5, min_width=260,
        )  # fmt: skip
        asked.start = asking.start_picker("likelihood")
        asked.chat = asking.chat_switch("likelihood")
    asked.text = gr.Textbox(
        first.text, label="Text to score  x", lines=4, max_lines=10,
        placeholder="Type or paste a text …", elem_id="likelihood-text",
    )  # fmt: skip


def _shown() -> SimpleNamespace:
    """What a result is shown in."""
    shown = SimpleNamespace(shown=gr.State(None))
    looks: dict[str, Any] = {"show_label": False, "container": False, "elem_classes": "lm-plot"}
    with gr.Row(elem_classes="lm-result"):
        with gr.Column(scale=5, min_width=300):
            shown.strip = Strip(group=GROUP, elem_id="likelihood-strip")
            shown.answers = Answers(group=GROUP)
            shown.keep = Keep(GROUP, [f"{GROUP}-{part}" for part in ("strip", "figures", "plot")])
            with gr.Column(elem_classes="lm-panel lm-plotbox"):
                static('<h2 class="lm-h">Surprisal along the text</h2>')
                # Plotly comes with the first result: before, it would keep the page from opening.
                shown.plot = gr.Plot(elem_id="likelihood-plot", **looks)
        with gr.Column(scale=1, min_width=230, elem_classes="lm-side"):
            shown.figures = static(figures(), elem_id="likelihood-figures")
    with gr.Row(elem_classes="lm-result"):
        with gr.Column(scale=1, min_width=300, elem_classes="lm-panel"):
            static('<h2 class="lm-h">The definition, with this text’s numbers</h2>')
            shown.definition = static(definition(), elem_id="likelihood-definition")
        with gr.Column(scale=1, min_width=300, elem_classes="lm-panel"):
            with gr.Row(elem_classes="lm-tablehead"):
                static('<h2 class="lm-h">The factors</h2>')
                shown.copy = gr.Button("Copy", size="sm", min_width=60, elem_id="likelihood-copy")
                shown.download = gr.Button("CSV", size="sm", min_width=60, elem_id="likelihood-csv")
            Factors(group=GROUP, elem_id="likelihood-factors")
            shown.handover = Handover(elem_id="likelihood-handover")
    return shown


def _wire_scoring(lab: Lab, asked: SimpleNamespace, shown: SimpleNamespace) -> None:
    """Score on the button, on Enter in the prefix and when the page opens; stop on demand."""
    line = Line(asked.status, asked.stop, shown.keep)
    given = [asked.text, asked.prefix, asked.model, asked.second, asked.start, asked.chat]
    drawn = {name: getattr(shown, name) for name in DRAWN}
    first = shown.strip.first = FirstAnswer(given, {name: getattr(shown, name) for name in BROUGHT})
    # One event of them all: what is pressed before the first answer is there comes after it.
    asks = [asked.go.click, asked.prefix.submit, building.page().load]
    score = first.kept_of(events.scorer(lab))
    line.on(asks, score, given, drawn, trigger_mode="always_last", **SCORING)
    line.stoppable()
    shown.keep.notes(events.note, [shown.shown])
    for chip, example in zip(asked.chips, EXAMPLES, strict=True):
        fill = f"() => {json.dumps([example.text, example.prefix])}"
        to = [asked.text, asked.prefix]
        filled = chip.click(None, None, to, js=fill, cancels=line.running, **QUIET)
        filled.then(None, None, None, js=PRESS_SCORE, **QUIET)
