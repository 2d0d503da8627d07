"""Distribution: how far the tuned model's distributions moved from the base's on each kind of text,
and what it forgot.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gradio as gr

from lmlab.budget import measure_named
from lmlab.features.change import drift_views, receipt_notes
from lmlab.features.change.changes import Drift, SoFar
from lmlab.features.change.drift_service import MOST_ROWS, ROWS, Drifting
from lmlab.features.change.panel import Panel, all_or_time
from lmlab.features.change.receipt_notes import Moved
from lmlab.features.change.task_texts import WHICH
from lmlab.lab import Lab
from lmlab.parts.receipt_button import Keep
from lmlab.parts.stream import QUIET, STATUS, Busy, Pace, Work, said, waits_in
from lmlab.parts.widgets import chart, static
from lmlab.progress import Loading

NAME = "Distribution"
MEASURING = waits_in("drift", 2)
WHY = (
    '<p class="lm-why">Both models read the same text; at every token their whole next-token '
    "distributions are compared. Fine-tuning should move them on its task and leave the rest "
    "alone: <b>close here, far there</b>. Each bar is a mean over texts with its 95 % bootstrap "
    f"interval; a task’s answers are read given their prompts. {WHICH}</p>"
)
EMPTY = '<p class="lm-why">What the tuned model forgot will stand here: press Measure.</p>'
PATIENCE = 0.4  # seconds between two drawings of what comes in


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
            [(name, way) for way, name in drift_views.WAYS.items()], value=drift_views.AWAY,
            label="Direction", elem_id="drift-way", min_width=320,
        )  # fmt: skip
        rows = gr.Slider(
            2, MOST_ROWS, ROWS, step=1, label="texts of each kind", elem_id="drift-rows",
            min_width=170,
        )  # fmt: skip
        measure = all_or_time("drift-measure")
    with gr.Accordion("Text of your own instead of the task’s", open=False, elem_id="drift-more"):
        own = gr.Textbox(
            "", label="Texts", info="an empty line between two", lines=4, max_lines=10,
            elem_id="drift-own",
        )  # fmt: skip
    panel = Panel("drift")
    with gr.Row(elem_classes="lm-result"):
        with gr.Column(scale=1, min_width=320, elem_classes="lm-panel"):
            static('<h2 class="lm-h">How far the distributions moved</h2>')
            plot = chart(drift_views.bars([], drift_views.AWAY), "drift-plot")
        with gr.Column(scale=1, min_width=320, elem_classes="lm-panel"):
            static('<h2 class="lm-h">Forgetting</h2>')
            table = static(EMPTY, elem_id="drift-table")
    panel.keep, kept = Keep("drift", ["drift-plot", "drift-table"]), panel.kept
    panel.on(
        panel.go.click, measurer(lab), [base, tuned, rows, measure, own, way],
        {"plot": plot, "table": table, "kept": kept}, trigger_mode="once", **MEASURING,
    )  # fmt: skip
    panel.stoppable()
    panel.keep.notes(receipt_notes.of_drift(lab), [kept], lazy=True)
    way.change(
        lambda kept, way: drift_views.bars(kept[2], way) if kept else gr.skip(), [kept, way], plot,
        **QUIET,
    )  # fmt: skip
    panel.saves("drift.csv", lambda kept: drift_views.to_csv(kept[2]), "There is no table yet.")


def measurer(lab: Lab) -> Callable[..., Work]:
    """The handler of Measure."""

    def measure(base: str, tuned: str, rows: float, wanted: str, own: str, way: str) -> Work:
        yield Busy("Preparing …")
        found: dict[str, Drift] = {}
        pace = Pace(PATIENCE)

        def drawn() -> dict[str, Any]:
            drifts = tuple(sorted(found.values(), key=drift_views.place))
            kept: Moved = (base, tuned, drifts, int(rows or 0), own or "")
            table = drift_views.forgetting(base, tuned, drifts)
            return {"plot": drift_views.bars(drifts, way), "table": table, "kept": kept}

        asked: dict[str, Any] = {"own": own or "", "measure": measure_named(wanted)}
        for step in lab.service(Drifting).measure(base, tuned, rows=int(rows or 0), **asked):
            if isinstance(step, Drift | SoFar):
                drift: Any = step.found if isinstance(step, SoFar) else step
                found[drift.kind] = drift
                if pace.is_due():
                    yield drawn()
            elif isinstance(step, Loading):
                yield step
            else:
                yield Busy(step.told, step.share)
        end = drawn()
        return {STATUS: said(drift_views.told(end["kept"][2])), **(end if found else {})}

    return measure
