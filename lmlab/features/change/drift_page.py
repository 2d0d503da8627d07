"""Distribution: how far the tuned model's distributions moved from the base's on each kind of text,
and what it forgot. Lays out, wires, and asks the lab.
"""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.features.change import drift_plots, drift_views, receipt_notes
from lmlab.features.change.changes import Drift
from lmlab.features.change.drift_service import MOST_ROWS, ROWS, Drifting
from lmlab.features.change.task_texts import WHICH
from lmlab.lab import Lab
from lmlab.parts.receipt_button import Keep, follow
from lmlab.parts.stream import QUIET, STATUS, Busy, Line, Pace, Work, said, waits_in
from lmlab.parts.widgets import Handover, static
from lmlab.progress import Loading

NAME = "Distribution"
MEASURING = waits_in("drift", 2)
WAYS = (("KL(tuned ‖ base)", drift_plots.AWAY), ("KL(base ‖ tuned)", drift_plots.BACK))
WHY = (
    '<p class="lm-why">Both models read the same text; at every token their whole next-token '
    "distributions are compared. Fine-tuning should move them on its task and leave the rest "
    "alone: <b>close here, far there</b>. Each bar is a mean over texts with its 95 % bootstrap "
    f"interval; a task’s answers are read given their prompts. {WHICH}</p>"
)
EMPTY = '<p class="lm-why">What the tuned model forgot will stand here: press Measure.</p>'
PATIENCE = 0.4  # seconds between two drawings of what comes in
Found = receipt_notes.Moved


def ahead(lab: Lab, pressed: str | None, inputs: Mapping[str, Any]) -> Iterator[object]:
    """The steps of what a scene will ask; what they give is kept."""
    if pressed == "drift-go" and {"base", "tuned"} <= set(inputs) and "own" not in inputs:
        rows = int(float(str(inputs.get("rows", ROWS))))
        yield from lab.service(Drifting).measure(inputs["base"], inputs["tuned"], rows=rows)


def build(lab: Lab, base: gr.Dropdown, tuned: gr.Dropdown) -> None:
    """Draw the part inside the current tab and wire it to the lab."""
    static(WHY)
    with gr.Row(elem_classes="lm-controls"):
        way = gr.Radio(
            list(WAYS), value=drift_plots.AWAY, label="Direction", elem_id="drift-way",
            min_width=320,
        )  # fmt: skip
        rows = gr.Slider(
            2, MOST_ROWS, ROWS, step=1, label="texts of each kind", elem_id="drift-rows",
            min_width=170,
        )  # fmt: skip
        with gr.Row(elem_classes="lm-buttons"):
            go = gr.Button("Measure", variant="primary", elem_id="drift-go", elem_classes="lm-go")
            stop = gr.Button("Stop", interactive=False, elem_id="drift-stop", min_width=80)
    with gr.Accordion("Text of your own instead of the task’s", open=False, elem_id="drift-more"):
        own = gr.Textbox(
            "", label="Texts", info="an empty line between two", lines=4, max_lines=10,
            elem_id="drift-own",
        )  # fmt: skip
    with gr.Row(elem_classes="lm-chips"):
        status = static("", elem_id="drift-status", elem_classes="lm-status")
    with gr.Row(elem_classes="lm-result"):
        with gr.Column(scale=1, min_width=320, elem_classes="lm-panel"):
            static('<h2 class="lm-h">How far the distributions moved</h2>')
            plot = gr.Plot(
                drift_plots.empty_bars(), elem_id="drift-plot", show_label=False, container=False,
                elem_classes="lm-plot",
            )  # fmt: skip
        with gr.Column(scale=1, min_width=320, elem_classes="lm-panel"):
            with gr.Row(elem_classes="lm-tablehead"):
                static('<h2 class="lm-h">Forgetting</h2>')
                csv = gr.Button("CSV", size="sm", min_width=60, elem_id="drift-csv")
            table = static(EMPTY, elem_id="drift-table")
            handover = Handover(elem_id="drift-handover")
    keep = Keep("drift", ["drift-plot", "drift-table"])
    kept = gr.State(None)
    line = Line(status, stop)
    line.on(
        go.click, measurer(lab), [base, tuned, rows, own, way],
        {"plot": plot, "table": table, "kept": kept}, trigger_mode="once", **MEASURING,
    )  # fmt: skip
    line.stoppable()
    follow(keep, line.running, receipt_notes.of_drift(lab), [kept], lazy=True)
    way.change(redrawn, [kept, way], plot, **QUIET)
    csv.click(hand_over, kept, handover, **QUIET)


def measurer(lab: Lab) -> Callable[..., Work]:
    """The handler of Measure."""

    def measure(base: str, tuned: str, rows: float, own: str, way: str) -> Work:
        yield Busy("Preparing …")
        if not base or not tuned:
            raise InputError("Two models are needed.", "Choose a base and a tuned one above.")
        found: list[Drift] = []
        pace = Pace(PATIENCE)
        for step in lab.service(Drifting).measure(base, tuned, rows=int(rows or 0), own=own or ""):
            if isinstance(step, Drift):
                found.append(step)
                kept = (base, tuned, tuple(found), int(rows or 0), own or "")
                if pace.is_due():
                    yield _drawn(kept, way)
            elif isinstance(step, Loading):
                yield step
            else:
                share = step.done / max(1, step.total)
                yield Busy(f"{step.kind}: {step.done} of {step.total} texts", share)
        drawn = _drawn(kept, way) if found else {}
        return {STATUS: said(drift_views.told(found)), **drawn}

    return measure


def _drawn(kept: Found, way: str) -> dict[str, Any]:
    base, tuned, found, *_ = kept
    table = drift_views.forgetting(base, tuned, found)
    return {"plot": drift_plots.drift(found, way), "table": table, "kept": kept}


def redrawn(kept: Found | None, way: str) -> Any:
    """The other direction of what was measured."""
    return drift_plots.drift(kept[2], way) if kept else gr.skip()


def hand_over(kept: Found | None) -> str:
    """The table as a file."""
    if not kept:
        raise InputError("There is no table yet.", "Press Measure first.")
    return download(drift_plots.drift_csv(kept[2]), "drift.csv")


def download(text: str, file: str) -> str:
    """What has a ``Handover`` save a file."""
    value = {"action": "download", "name": uuid.uuid4().hex, "file": file, "text": text}
    return json.dumps(value).replace("<", "\\u003c")
