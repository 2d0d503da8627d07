"""Map of tasks: the embedded variants as points of a plane, from measured distances."""

from collections.abc import Callable

import gradio as gr

from lmlab.budget import measure_named
from lmlab.features.change import taskmap_views
from lmlab.features.change.changes import Reading, SoFar, TaskMap
from lmlab.features.change.drift_service import MAP_ROWS, MOST_MAP_ROWS, TaskMaps
from lmlab.features.change.panel import Panel, all_or_time
from lmlab.features.change.task_texts import WHICH
from lmlab.lab import Lab
from lmlab.parts.stream import Busy, Shown, Work, result, waits_in
from lmlab.parts.widgets import chart, static

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
            2, MOST_MAP_ROWS, MAP_ROWS, step=1, label="held-out rows of each task",
            elem_id="taskmap-rows", min_width=200,
        )  # fmt: skip
        wanted = all_or_time("taskmap-measure")
    panel = Panel("taskmap")
    with gr.Row(elem_classes="lm-result"):
        with gr.Column(scale=5, min_width=320, elem_classes="lm-panel"):
            static('<h2 class="lm-h">Where the variants lie</h2>')
            plot = chart(taskmap_views.picture(None), "taskmap-plot")
            said = static(EMPTY, elem_id="taskmap-said")
        with gr.Column(scale=6, min_width=320, elem_classes="lm-panel"):
            static('<h2 class="lm-h">How their perplexity moved</h2>')
            table = static(EMPTY, elem_id="taskmap-table")
    outputs = {"plot": plot, "said": said, "table": table, "kept": panel.kept}
    panel.on(panel.go.click, measurer(lab), [rows, wanted], outputs, trigger_mode="once", **MAPPING)
    panel.stoppable()
    panel.saves("map-of-tasks.csv", taskmap_views.to_csv, "There is no map yet.")


def measurer(lab: Lab) -> Callable[..., Work]:
    """The handler of Measure."""

    def measure(rows: float, wanted: str) -> Work:
        yield Busy("Preparing …")
        steps = lab.service(TaskMaps).measure(int(rows or 0), measure_named(wanted))
        found = yield from result(steps, TaskMap, _told, patience=0)
        return _drawn(found)

    return measure


def _drawn(found: TaskMap) -> Shown:
    return {
        "plot": taskmap_views.picture(found),
        "said": taskmap_views.said(found),
        "table": taskmap_views.moves(found),
        "kept": found,
    }


def _told(step: Reading | SoFar) -> Busy | Shown:
    if isinstance(step, Reading):
        return Busy(f"{step.told}, read by every model", step.share)
    assert isinstance(step.found, TaskMap)
    return _drawn(step.found)
