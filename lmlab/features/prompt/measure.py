"""The Prompt tab's lower half: studies of the design, and predictions. Lays out and wires; what
happens is in measure_events.
"""

from types import SimpleNamespace
from typing import Any

import gradio as gr

from lmlab.features.prompt import design, events, measure_events, pairs, receipt, study_plots
from lmlab.features.prompt.sheet import MEASURED
from lmlab.features.prompt.widgets import PREDICTIONS, Widget
from lmlab.lab import Lab
from lmlab.parts.receipt_button import Keep
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
DRAWN = ("plot", "nll", "table", "details", "reliability", "predictions", "kept", "invitation",
         "results")  # fmt: skip
SWITCH = "(what) => { document.querySelector('#prompt-charts').dataset.shown = what; }"
INVITATION = """<b>Nothing measured yet</b>
<p><em>Zero-shot, few-shot, tuned</em> takes one click: the same queries are asked without examples,
with as many as stand above, and of a model that was fine-tuned for the task. Accuracy stands side
by side with 95 % intervals; a click on a prediction loads it above.</p>
<p><em>Measure</em> asks what changes with the shots, the wording, the order of the examples, or the
model.</p>"""


def build(lab: Lab, form: SimpleNamespace, sheet: gr.State) -> SimpleNamespace:
    """Draw the lower half and wire it; what it gives back can ask for a query."""
    plan, shown = SimpleNamespace(buttons={}), SimpleNamespace()
    with gr.Column(elem_classes="lm-panel"):
        _ask(lab, plan)
    _show(shown)
    line = Line(plan.status, plan.buttons["stop"], shown.keep)
    given = [plan.kind, plan.shots, plan.models, plan.above, *plan.counts]
    asked = [sheet, form.model, form.other, *design.values(form), *given]
    drawn = {name: getattr(shown, name) for name in DRAWN}
    for kind in ("", *(name for name, _ in ONE_CLICK)):
        clicked, measurer = plan.buttons[kind].click, measure_events.measurer(lab, kind)
        line.on(clicked, measurer, asked, drawn, trigger_mode="once", **STUDYING)
    line.stoppable()
    shown.keep.notes(receipt.of_study(lab), [shown.kept], lazy=True)
    shown.download.click(measure_events.table, shown.kept, shown.handover, **QUIET)
    plan.kind.change(
        lambda kind: [gr.update(visible=kind == "shots"), gr.update(visible=kind == "models")],
        plan.kind, [plan.shots, plan.models], queue=False, **QUIET,
    )  # fmt: skip
    form.data.input(lambda name: events.others(lab, name), form.data, plan.models, **QUIET)
    pairs.build(lab, form.model, plan.rows)
    return shown


def _ask(lab: Lab, plan: SimpleNamespace) -> None:
    """The form; its buttons by the kind of study that they ask for."""
    with gr.Row(elem_classes="lm-tablehead"):
        static('<h2 class="lm-h">How good is the design?</h2>')
        for name, said in ONE_CLICK:
            plan.buttons[name] = gr.Button(said, size="sm", min_width=120, elem_id=f"prompt-{name}")
    with gr.Row(elem_classes="lm-controls"):
        plan.kind = gr.Radio(
            list(KINDS), value="shots", label="What changes", elem_id="prompt-kind", min_width=320
        )
        plan.shots = gr.Textbox(
            "0, 1, 2, 4, 8", label="Shots to try", elem_id="prompt-curve", min_width=120,
            max_lines=1,
        )  # fmt: skip
        counts = {name: MEASURED.widget(name) for name in MEASURED.names if name != "measure"}
        plan.models = gr.Dropdown(
            lab.model_names(), value=events.others(lab, design.FIRST[0]), multiselect=True,
            label="Other models", elem_id="prompt-models", min_width=330, visible=False,
        )  # fmt: skip
        plan.above = gr.Checkbox(
            False, label="with the examples above", info="else drawn by seed",
            elem_id="prompt-above", min_width=200,
        )  # fmt: skip
        counts["measure"] = plan.rows = MEASURED.widget("measure", min_width=320)
        plan.counts = [counts[name] for name in MEASURED.names]
    with gr.Row(elem_classes="lm-buttons"):
        plan.buttons[""] = gr.Button(
            "Measure", variant="primary", elem_id="prompt-measure", scale=0, min_width=160
        )
        plan.buttons["stop"] = gr.Button(
            "Stop", interactive=False, elem_id="prompt-measure-stop", scale=0, min_width=90
        )
        plan.status = static("", elem_id="prompt-measure-status", elem_classes="lm-status")


def _show(shown: SimpleNamespace) -> None:
    """What a study is shown in."""
    with gr.Column(elem_id="prompt-invitation", elem_classes="lm-panel") as shown.invitation:
        static(INVITATION, elem_classes="lm-invite")
    with gr.Column(visible=False, elem_id="prompt-results") as shown.results:
        with gr.Row(elem_classes="lm-result"):
            with gr.Column(scale=1, min_width=320, elem_classes="lm-panel lm-plotbox2"):
                _charts(shown)
            with gr.Column(scale=1, min_width=320, elem_classes="lm-panel"):
                shown.table = static("", elem_id="prompt-figures")
                shown.details = static("", elem_id="prompt-details")
                shown.keep = Keep("prompt-study", KEPT)
        with gr.Column(elem_classes="lm-panel"):
            with gr.Row(elem_classes="lm-tablehead"):
                static('<h2 class="lm-h">Every prediction</h2>')
                shown.download = gr.Button("CSV", size="sm", min_width=60, elem_id="prompt-csv")
            shown.predictions = Widget(PREDICTIONS, elem_id="prompt-predictions")
            shown.handover = Handover(elem_id="prompt-handover")
    shown.kept = gr.State(None)


def _charts(shown: SimpleNamespace) -> None:
    """Accuracy and log-likelihood in one place, and the reliability curve below."""
    looks: dict[str, Any] = {"show_label": False, "container": False, "elem_classes": "lm-plot"}
    which = gr.Radio(
        list(CHARTS), value="accuracy", show_label=False, label="Chart of", container=False,
        elem_id="prompt-shown",
    )  # fmt: skip
    with gr.Column(elem_id="prompt-charts"):
        shown.plot = gr.Plot(study_plots.empty(), elem_id="prompt-plot", **looks)
        shown.nll = gr.Plot(study_plots.empty(), elem_id="prompt-nll", **looks)
    shown.reliability = gr.Plot(None, elem_id="prompt-reliability", visible=False, **looks)
    which.change(None, which, None, js=SWITCH, **QUIET)
