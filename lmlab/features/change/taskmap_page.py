"""Map of tasks: the embedded variants as points of a plane, from measured distances. Lays out,
wires, and asks the lab.
"""

from collections.abc import Callable

import gradio as gr

from lmlab.errors import InputError
from lmlab.features.change import drift_plots, drift_views
from lmlab.features.change.drift_page import download
from lmlab.features.change.task_texts import WHICH
from lmlab.features.change.taskmap import TaskMap
from lmlab.features.change.taskmap_service import Mapped, TaskMaps
from lmlab.lab import Lab
from lmlab.parts.stream import QUIET, Busy, Line, Work, result, waits_in
from lmlab.parts.widgets import Handover, static

NAME = "Map of tasks"
# One after another: who waits then gets what the first one measured.
MAPPING = waits_in("taskmap", 1)
WHY = (
    '<p class="lm-why">Every embedded model that was made from <b>base</b> reads the same held-out '
    "rows of all tasks. Variants whose distributions are alike lie near each other. The lecture "
    "draws tasks as circles within language; here the circles are measured. (It does not "
    f"depend on the two models chosen above.) {WHICH}</p>"
)
EMPTY = '<p class="lm-why">Press Measure: it takes some seconds for the first visitor.</p>'


def build(lab: Lab, base: gr.Dropdown, tuned: gr.Dropdown) -> None:
    """Draw the part inside the current tab and wire it to the lab."""
    static(WHY)
    with gr.Row(elem_classes="lm-controls"):
        rows = gr.Slider(
            2, 24, 8, step=1, label="held-out rows of each task", elem_id="taskmap-rows",
            min_width=200,
        )  # fmt: skip
        with gr.Row(elem_classes="lm-buttons"):
            go = gr.Button("Measure", variant="primary", elem_id="taskmap-go", elem_classes="lm-go")
            stop = gr.Button("Stop", interactive=False, elem_id="taskmap-stop", min_width=80)
    with gr.Row(elem_classes="lm-chips"):
        status = static("", elem_id="taskmap-status", elem_classes="lm-status")
    with gr.Row(elem_classes="lm-result"):
        with gr.Column(scale=5, min_width=320, elem_classes="lm-panel"):
            static('<h2 class="lm-h">Where the variants lie</h2>')
            plot = gr.Plot(
                drift_plots.task_map(None), elem_id="taskmap-plot", show_label=False,
                container=False, elem_classes="lm-plot",
            )  # fmt: skip
            said = static(EMPTY, elem_id="taskmap-said")
        with gr.Column(scale=6, min_width=320, elem_classes="lm-panel"):
            with gr.Row(elem_classes="lm-tablehead"):
                static('<h2 class="lm-h">How their perplexity moved</h2>')
                csv = gr.Button("CSV", size="sm", min_width=60, elem_id="taskmap-csv")
            table = static(EMPTY, elem_id="taskmap-table")
            handover = Handover(elem_id="taskmap-handover")
    kept = gr.State(None)
    line = Line(status, stop)
    outputs = {"plot": plot, "said": said, "table": table, "kept": kept}
    line.on(go.click, measurer(lab), [rows], outputs, trigger_mode="once", **MAPPING)
    line.stoppable()
    csv.click(hand_over, kept, handover, **QUIET)


def measurer(lab: Lab) -> Callable[..., Work]:
    """The handler of Measure."""

    def measure(rows: float) -> Work:
        yield Busy("Preparing …")
        steps = lab.service(TaskMaps).measure(int(rows or 0))
        found = yield from result(steps, TaskMap, _counted, patience=0)
        return {
            "plot": drift_plots.task_map(found),
            "said": f'<p class="lm-why">{drift_views.map_said(found)}</p>',
            "table": drift_views.moves(found),
            "kept": found,
        }

    return measure


def _counted(step: Mapped) -> Busy:
    said = f"{step.kind}: {step.done} of {step.total} texts, read by every model"
    return Busy(said, step.done / max(1, step.total))


def hand_over(kept: TaskMap | None) -> str:
    """Points, distances and log-perplexities as a file."""
    if kept is None:
        raise InputError("There is no map yet.", "Press Measure first.")
    return download(drift_plots.map_csv(kept), "map-of-tasks.csv")
