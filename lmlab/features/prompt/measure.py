"""The Prompt tab's lower half: studies of the design, and predictions. Lays out and wires; what
happens is in measure_events.
"""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from lmlab.features.prompt import events as prompt_events
from lmlab.features.prompt import measure_events as events
from lmlab.features.prompt import pairs as prompt_pairs
from lmlab.features.prompt import receipt_notes, study_plots
from lmlab.features.prompt.design import FIRST
from lmlab.features.prompt.design import Inputs as Design
from lmlab.features.prompt.sheet import MEASURED
from lmlab.features.prompt.widgets import Predictions
from lmlab.lab import Lab
from lmlab.parts.receipt_button import Keep, follow
from lmlab.parts.stream import QUIET, STUDYING, Line
from lmlab.parts.widgets import Handover, static

# Studies take long: they wait in a line of their own.
KINDS = (
    ("Shots", "shots"),
    ("Wordings", "wordings"),
    ("Order of the examples", "order"),
    ("Models", "models"),
)
ONE_CLICK = (
    ("three", "Zero-shot, few-shot, tuned"),
    ("few", "Zero-shot against few-shot"),
    ("tuned", "This model against the second"),
)
CHARTS = (("Accuracy", "accuracy"), ("Log-likelihood of the true answer", "nll"))
KEPT = [f"prompt-{part}" for part in ("plot", "nll", "reliability", "figures", "details")]
SWITCH = "(what) => { document.querySelector('#prompt-charts').dataset.shown = what; }"
INVITATION = """<b>Nothing measured yet</b>
<p><em>Zero-shot, few-shot, tuned</em> takes one click: the same queries are asked without examples,
with as many as stand above, and of a model that was fine-tuned for the task. Accuracy stands side
by side with 95 % intervals; a click on a prediction loads it above.</p>
<p><em>Measure</em> asks what changes with the shots, the wording, the order of the examples, or the
model.</p>"""


@dataclass(frozen=True)
class Inputs:
    """The form."""

    kind: gr.Radio
    shots: gr.Textbox
    models: gr.Dropdown
    above: gr.Checkbox
    counts: list[Any]
    buttons: dict[str, gr.Button]
    status: gr.HTML

    @property
    def values(self) -> list[Any]:
        """As ``Plan.read`` takes them."""
        return [self.kind, self.shots, self.models, self.above, *self.counts]


@dataclass(frozen=True)
class Outputs:
    """What a study is shown in."""

    plot: gr.Plot
    nll: gr.Plot
    table: gr.HTML
    details: gr.HTML
    reliability: gr.Plot
    predictions: Predictions
    kept: gr.State
    download: gr.Button
    handover: Handover
    invitation: gr.Column
    results: gr.Column
    keep: Keep

    @property
    def drawn(self) -> dict[str, Any]:
        """What a study changes."""
        names = (
            "plot", "nll", "table", "details", "reliability", "predictions", "kept", "invitation",
            "results",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}


def build(lab: Lab, design: Design, sheet: gr.State) -> Outputs:
    """Draw the lower half and wire it; what it gives back can ask for a query."""
    with gr.Column(elem_classes="lm-panel"):
        inputs = _inputs(lab)
    outputs = _outputs()
    line = Line(inputs.status, inputs.buttons["stop"])
    asked = [sheet, design.model, design.other, *design.values, *inputs.values]
    kinds = {"measure": "", "three": "three", "few": "few", "tuned": "tuned"}
    for name, kind in kinds.items():
        measure = events.measurer(lab, len(design.values), kind)
        given = (measure, asked, outputs.drawn)
        line.on(inputs.buttons[name].click, *given, trigger_mode="once", **STUDYING)
    line.stoppable()
    note = receipt_notes.of_study(lab)
    follow(outputs.keep, line.running, note, [outputs.kept], lazy=True)
    outputs.download.click(events.table, outputs.kept, outputs.handover, **QUIET)
    inputs.kind.change(
        lambda kind: [gr.update(visible=kind == "shots"), gr.update(visible=kind == "models")],
        inputs.kind, [inputs.shots, inputs.models], queue=False, **QUIET,
    )  # fmt: skip
    design.data.input(
        lambda name: prompt_events.others(lab, name), design.data, inputs.models, **QUIET
    )
    prompt_pairs.build(lab, design.model)
    return outputs


def _inputs(lab: Lab) -> Inputs:
    buttons: dict[str, gr.Button] = {}
    with gr.Row(elem_classes="lm-tablehead"):
        static('<h2 class="lm-h">How good is the design?</h2>')
        for name, said in ONE_CLICK:
            buttons[name] = gr.Button(said, size="sm", min_width=120, elem_id=f"prompt-{name}")
    controls = _controls(lab)
    with gr.Row(elem_classes="lm-buttons"):
        buttons["measure"] = gr.Button(
            "Measure", variant="primary", elem_id="prompt-measure", scale=0, min_width=160
        )
        buttons["stop"] = gr.Button(
            "Stop", interactive=False, elem_id="prompt-measure-stop", scale=0, min_width=90
        )
        status = static("", elem_id="prompt-measure-status", elem_classes="lm-status")
    return Inputs(*controls, buttons, status)


def _controls(lab: Lab) -> tuple[Any, Any, Any, Any, list[Any]]:
    with gr.Row(elem_classes="lm-controls"):
        kind = gr.Radio(
            list(KINDS), value="shots", label="What changes", elem_id="prompt-kind", min_width=320
        )
        shots = gr.Textbox(
            "0, 1, 2, 4, 8", label="Shots to try", elem_id="prompt-curve", min_width=120,
            max_lines=1,
        )  # fmt: skip
        counts = [MEASURED.widget(name) for name in MEASURED.names]
        models = gr.Dropdown(
            lab.model_names(), value=prompt_events.others(lab, FIRST[0]), multiselect=True,
            label="Other models", elem_id="prompt-models", min_width=330, visible=False,
        )  # fmt: skip
        above = gr.Checkbox(
            False, label="with the examples above", info="else drawn by seed",
            elem_id="prompt-above", min_width=200,
        )  # fmt: skip
    return kind, shots, models, above, counts


def _outputs() -> Outputs:
    with gr.Column(elem_id="prompt-invitation", elem_classes="lm-panel") as invitation:
        static(INVITATION, elem_classes="lm-invite")
    with gr.Column(visible=False, elem_id="prompt-results") as results:
        with gr.Row(elem_classes="lm-result"):
            with gr.Column(scale=1, min_width=320, elem_classes="lm-panel lm-plotbox2"):
                plot, nll, reliability = _charts()
            with gr.Column(scale=1, min_width=320, elem_classes="lm-panel"):
                table = static("", elem_id="prompt-figures")
                details = static("", elem_id="prompt-details")
                keep = Keep("prompt-study", KEPT)
        with gr.Column(elem_classes="lm-panel"):
            with gr.Row(elem_classes="lm-tablehead"):
                static('<h2 class="lm-h">Every prediction</h2>')
                download = gr.Button("CSV", size="sm", min_width=60, elem_id="prompt-csv")
            predictions = Predictions(elem_id="prompt-predictions")
            handover = Handover(elem_id="prompt-handover")
    kept = gr.State(None)
    return Outputs(
        plot, nll, table, details, reliability, predictions, kept, download, handover, invitation,
        results, keep,
    )  # fmt: skip


def _charts() -> tuple[gr.Plot, gr.Plot, gr.Plot]:
    """Accuracy and log-likelihood in one place, and the reliability curve below."""
    looks: dict[str, Any] = {"show_label": False, "container": False, "elem_classes": "lm-plot"}
    shown = gr.Radio(
        list(CHARTS), value="accuracy", show_label=False, label="Chart of", container=False,
        elem_id="prompt-shown",
    )  # fmt: skip
    with gr.Column(elem_id="prompt-charts"):
        plot = gr.Plot(study_plots.empty(), elem_id="prompt-plot", **looks)
        nll = gr.Plot(study_plots.empty(), elem_id="prompt-nll", **looks)
    reliability = gr.Plot(None, elem_id="prompt-reliability", visible=False, **looks)
    shown.change(None, shown, None, js=SWITCH, **QUIET)
    return plot, nll, reliability
