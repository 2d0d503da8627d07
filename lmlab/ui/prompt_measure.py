"""The Prompt tab's lower half: studies of the design, predictions, minimal pairs. Lays out and
wires; what happens is in measure_events.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import gradio as gr

from lmlab import studyplots
from lmlab.evaluations import WAYS
from lmlab.lab import Lab
from lmlab.ui import measure_events as events
from lmlab.ui import waiting
from lmlab.ui.promptwidgets import PairBox, Predictions
from lmlab.ui.widgets import Handover, static

QUIET = MappingProxyType({"show_progress": "hidden", "api_visibility": "private"})
# Studies take long: they wait in a line of their own.
STUDYING = MappingProxyType({**QUIET, "concurrency_id": "study", "concurrency_limit": 1})
RUNNING = MappingProxyType({**QUIET, "concurrency_id": "generate", "concurrency_limit": 2})
KINDS = (
    ("Shots", "shots"),
    ("Wordings", "wordings"),
    ("Order of the examples", "order"),
    ("Models", "models"),
)
PAIR = ("The book on the tables is new.", "The book on the tables are new.")


@dataclass(frozen=True)
class Inputs:
    """The form."""

    kind: gr.Radio
    shots: gr.Textbox
    draws: gr.Number
    queries: gr.Number
    way: gr.Dropdown
    models: gr.Dropdown
    buttons: dict[str, gr.Button]
    status: gr.HTML

    @property
    def values(self) -> list[Any]:
        """In the order of ``measure_events.Plan``."""
        return [self.kind, self.shots, self.draws, self.queries, self.way, self.models]


@dataclass(frozen=True)
class Outputs:
    """What a study is shown in."""

    plot: gr.Plot
    table: gr.HTML
    details: gr.HTML
    reliability: gr.Plot
    predictions: Predictions
    kept: gr.State
    download: gr.Button
    handover: Handover

    @property
    def drawn(self) -> list[Any]:
        """In the order of ``measure_events.draw``."""
        return [
            self.plot, self.table, self.details, self.reliability, self.predictions, self.kept,
        ]  # fmt: skip


def build(
    lab: Lab, model: gr.Dropdown, second: gr.Dropdown, form: Sequence[Any], sheet: gr.State
) -> Outputs:
    """Draw the lower half and wire it; what it gives back can ask for a query."""
    with gr.Column(elem_classes="lm-panel"):
        inputs = _inputs(lab)
    outputs = _outputs()
    line = [inputs.status, inputs.buttons["stop"]]
    drawn, asked = [*line, *outputs.drawn], [sheet, model, second, *form, *inputs.values]
    running = [
        inputs.buttons[name].click(
            events.measurer(lab, len(form), kind), asked, drawn, trigger_mode="once", **STUDYING
        )
        for name, kind in (("measure", ""), ("few", "few"), ("tuned", "tuned"))
    ]
    for event in running:
        event.failure(waiting.failed, line[:1], line, queue=False, **QUIET)
    inputs.buttons["stop"].click(waiting.stopped, None, line, cancels=running, queue=False, **QUIET)
    outputs.download.click(events.table, outputs.kept, outputs.handover, **QUIET)
    _pairs(lab, model)
    return outputs


def _inputs(lab: Lab) -> Inputs:
    buttons: dict[str, gr.Button] = {}
    with gr.Row(elem_classes="lm-tablehead"):
        static('<h3 class="lm-h">How good is the design?</h3>')
        buttons["few"] = gr.Button(
            "Zero-shot against few-shot", size="sm", min_width=120, elem_id="prompt-few"
        )
        buttons["tuned"] = gr.Button(
            "This model against the second", size="sm", min_width=120, elem_id="prompt-tuned"
        )
    with gr.Row(elem_classes="lm-controls"):
        kind = gr.Radio(
            list(KINDS), value="shots", label="What changes", elem_id="prompt-kind", min_width=320
        )
        shots = gr.Textbox(
            "0, 1, 2, 4, 8", label="Shots to try", elem_id="prompt-curve", min_width=120,
            max_lines=1,
        )  # fmt: skip
        draws = gr.Number(
            3, label="Draws of examples", precision=0, minimum=1, maximum=events.MOST_DRAWS,
            elem_id="prompt-draws", min_width=90,
        )  # fmt: skip
        queries = gr.Number(
            60, label="Queries", precision=0, minimum=1, maximum=events.MOST_QUERIES,
            elem_id="prompt-queries", min_width=90,
        )  # fmt: skip
        way = gr.Dropdown(
            list(WAYS), value="sum", label="Label chosen by", elem_id="prompt-way", min_width=140
        )
        models = gr.Dropdown(
            lab.model_names(), value=[], multiselect=True, label="Other models",
            elem_id="prompt-models", min_width=180,
        )  # fmt: skip
    with gr.Row(elem_classes="lm-buttons"):
        buttons["measure"] = gr.Button(
            "Measure", variant="primary", elem_id="prompt-measure", scale=0, min_width=160
        )
        buttons["stop"] = gr.Button(
            "Stop", interactive=False, elem_id="prompt-measure-stop", scale=0, min_width=90
        )
        status = static("", elem_id="prompt-measure-status", elem_classes="lm-status")
    return Inputs(kind, shots, draws, queries, way, models, buttons, status)


def _outputs() -> Outputs:
    with gr.Row(elem_classes="lm-result"):
        with gr.Column(scale=1, min_width=320, elem_classes="lm-panel lm-plotbox2"):
            plot = gr.Plot(
                studyplots.empty(), show_label=False, container=False, elem_id="prompt-plot",
                elem_classes="lm-plot",
            )  # fmt: skip
            reliability = gr.Plot(
                None, show_label=False, container=False, elem_id="prompt-reliability",
                elem_classes="lm-plot", visible=False,
            )  # fmt: skip
        with gr.Column(scale=1, min_width=320, elem_classes="lm-panel"):
            table = static(
                '<p class="lm-why">Measure to see figures.</p>', elem_id="prompt-figures"
            )
            details = static("", elem_id="prompt-details")
    with gr.Column(elem_classes="lm-panel"):
        with gr.Row(elem_classes="lm-tablehead"):
            static('<h3 class="lm-h">Every prediction</h3>')
            download = gr.Button("CSV", size="sm", min_width=60, elem_id="prompt-csv")
        predictions = Predictions(elem_id="prompt-predictions")
        handover = Handover(elem_id="prompt-handover")
    kept = gr.State(None)
    return Outputs(plot, table, details, reliability, predictions, kept, download, handover)


def _pairs(lab: Lab, model: gr.Dropdown) -> None:
    """Minimal pairs: one of the visitor's, and the shipped ones."""
    with gr.Column(elem_classes="lm-panel"):
        static('<h3 class="lm-h">Minimal pairs: which of two sentences does the model prefer?</h3>')
        with gr.Row(elem_classes="lm-controls"):
            good = gr.Textbox(
                PAIR[0], label="One sentence", elem_id="prompt-good", min_width=220, max_lines=3
            )
            bad = gr.Textbox(
                PAIR[1], label="The other", elem_id="prompt-bad", min_width=220, max_lines=3
            )
        with gr.Row(elem_classes="lm-buttons"):
            judge = gr.Button("Compare", elem_id="prompt-judge", scale=0, min_width=120)
            measure = gr.Button(
                "Measure all pairs", elem_id="prompt-pairs-all", scale=0, min_width=170
            )
            stop = gr.Button(
                "Stop", interactive=False, elem_id="prompt-pairs-stop", scale=0, min_width=90
            )
            status = static("", elem_id="prompt-pairs-status", elem_classes="lm-status")
        with gr.Row(elem_classes="lm-result"):
            with gr.Column(scale=3, min_width=300):
                box = PairBox(elem_id="prompt-pair")
            with gr.Column(scale=2, min_width=300):
                table = static("", elem_id="prompt-pairs-table")
    line = [status, stop]
    asked = gr.on(
        [judge.click, good.submit, bad.submit],
        events.judger(lab), [good, bad, model], [*line, box], **RUNNING,
    )  # fmt: skip
    measured = measure.click(events.pairs_measurer(lab), model, [*line, table], **STUDYING)
    for event in (asked, measured):
        event.failure(waiting.failed, line[:1], line, queue=False, **QUIET)
    stop.click(waiting.stopped, None, line, cancels=[asked, measured], queue=False, **QUIET)
