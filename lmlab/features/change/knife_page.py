"""The rank knife: the base with the k largest singular values of every ΔW."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from lmlab.features.change import receipt_notes, weight_views
from lmlab.features.change.changes import Knifed, Unchanged
from lmlab.features.change.panel import Panel
from lmlab.features.change.service import Changing, KnifeTexts
from lmlab.features.change.task_texts import WHICH
from lmlab.features.change.widgets import KnifeCurves
from lmlab.lab import Lab
from lmlab.parts.receipt_button import Keep
from lmlab.parts.stream import Busy, Work, waits_in
from lmlab.parts.widgets import static
from lmlab.progress import Loading, Progress
from lmlab.text.sets import shipped_sets

NAME = "Rank knife"
CUTTING = waits_in("knife", 2)
LEARNED = "what it was tuned on"
WHY = f"""<p class="lm-why">ΔW = Σ σᵢ·pᵢ·qᵢᵀ. Keep the k largest σ of every matrix, leave W as it
is, and score both kinds of text: how few directions hold what was learned, and what they cost
elsewhere. k = 0 is the base, k = ℓ the tuned model. Stored weights are never written to.
{WHICH}</p>"""


def build(lab: Lab, base: gr.Dropdown, tuned: gr.Dropdown) -> None:
    """Draw the part inside the current tab and wire it to the lab."""
    static(WHY)
    with gr.Row(elem_classes="lm-inputs"):
        source = gr.Dropdown(
            [(LEARNED, ""), *((name, name) for name in shipped_sets())], value="",
            label="Task text: held-out rows of", elem_id="change-knife-data", min_width=200,
            scale=1,
        )  # fmt: skip
        looks: dict[str, Any] = {"lines": 1, "max_lines": 6, "scale": 2, "min_width": 240}
        task = gr.Textbox(
            "", label="or a task text of your own", placeholder="empty: the rows on the left",
            elem_id="change-knife-task", **looks,
        )  # fmt: skip
        general = gr.Textbox(
            "", label="General text of your own", placeholder="empty: ten of the texts that ship",
            elem_id="change-knife-general", **looks,
        )  # fmt: skip
    panel = Panel("change-knife", "Cut")
    with gr.Column(elem_classes="lm-panel"):
        curves = KnifeCurves(elem_id="change-knife")
        panel.keep = Keep("change-knife", ["change-knife"])
    kept, on = panel.kept, gr.State(None)
    panel.on(
        panel.go.click, runner(lab), [kept, base, tuned, source, task, general],
        {"curves": curves, "kept": kept, "on": on}, trigger_mode="once", **CUTTING,
    )  # fmt: skip
    panel.stoppable()
    panel.keep.notes(receipt_notes.of_knife(lab), [kept, on], lazy=True)
    panel.saves(
        "rank-knife.csv", lambda found: weight_views.knife_csv(found) if found.points else "",
        "There is no curve yet.",
    )  # fmt: skip


def runner(lab: Lab) -> Callable[..., Work]:
    """The handler of Cut."""

    def run(
        shown: Knifed | None, base: str, tuned: str, source: str, task: str, general: str
    ) -> Work:
        asked = KnifeTexts(data=source or "", task=task or "", general=general or "")
        same = shown is not None and (shown.base, shown.tuned) == (base, tuned)
        # The curve of another pair would stand below the names of this one.
        yield Busy("reading …", 0, {"on": asked} | ({} if same else {"curves": "", "kept": None}))
        for step in lab.service(Changing).knife(base, tuned, asked):
            if isinstance(step, Unchanged):
                return {"curves": weight_views.nothing(step), "kept": None}
            if isinstance(step, Knifed) and step.is_done:
                return _drawn(step)
            yield _sign(step)
        return None

    return run


def _sign(step: Loading | Progress | Knifed) -> Busy | Loading:
    if isinstance(step, Progress):
        share = 0.1 * step.done / max(1, step.total)
        return Busy(f"{step.done} of {step.total} ΔW in parts", share)
    if isinstance(step, Knifed):
        done, of = len(step.points), len(step.ranks)
        said = f"k = {step.ranks[done]} …" if done < of else "the tuned model itself …"
        return Busy(said, 0.1 + 0.9 * done / (of + 1), _drawn(step))
    return step


def _drawn(found: Knifed) -> dict[str, Any]:
    return {"curves": weight_views.knife(found), "kept": found}
