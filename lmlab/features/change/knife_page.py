"""The rank knife: the base with the k largest singular values of every ΔW."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.features.change import receipt_notes, views, weight_views
from lmlab.features.change.matrices import Knifed, Unchanged
from lmlab.features.change.service import Changing, KnifeTexts
from lmlab.features.change.task_texts import WHICH
from lmlab.features.change.weights_page import Bar
from lmlab.features.change.widgets import KnifeCurves
from lmlab.lab import Lab
from lmlab.parts.receipt_button import Keep, follow
from lmlab.parts.stream import QUIET, Busy, Line, Work, waits_in
from lmlab.parts.widgets import static
from lmlab.progress import Loading, Progress

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
        sets = [(LEARNED, ""), *((name, name) for name in lab.service(Changing).sets())]
        source = gr.Dropdown(
            sets, value="", label="Task text: held-out rows of", elem_id="change-knife-data",
            min_width=200, scale=1,
        )  # fmt: skip
        task = gr.Textbox(
            "", label="or a task text of your own", lines=1, max_lines=6, scale=2, min_width=240,
            placeholder="empty: the rows on the left", elem_id="change-knife-task",
        )  # fmt: skip
        general = gr.Textbox(
            "", label="General text of your own", lines=1, max_lines=6, scale=2, min_width=240,
            placeholder="empty: ten of the texts that ship", elem_id="change-knife-general",
        )  # fmt: skip
    bar = Bar.build("knife", "Cut")
    with gr.Column(elem_classes="lm-panel"):
        curves = KnifeCurves(elem_id="change-knife")
        keep = Keep("change-knife", ["change-knife"])
    shown, on = gr.State(None), gr.State(None)
    line = Line(bar.status, bar.stop)
    line.on(
        bar.go.click, runner(lab), [shown, base, tuned, source, task, general],
        {"curves": curves, "shown": shown, "on": on}, trigger_mode="once", **CUTTING,
    )  # fmt: skip
    line.stoppable()
    follow(keep, line.running, receipt_notes.of_knife(lab), [shown, on], lazy=True)
    bar.csv.click(hand_over, shown, bar.handover, concurrency_limit=4, **QUIET)


def runner(lab: Lab) -> Callable[..., Work]:
    """The handler of Cut."""

    def run(
        shown: Knifed | None, base: str, tuned: str, source: str, task: str, general: str
    ) -> Work:
        asked = KnifeTexts(data=source or "", task=task or "", general=general or "")
        same = shown is not None and (shown.base, shown.tuned) == (base, tuned)
        # The curve of another pair would stand below the names of this one.
        yield Busy("reading …", 0, {"on": asked} | ({} if same else {"curves": "", "shown": None}))
        for step in lab.service(Changing).knife(base, tuned, asked):
            if isinstance(step, Unchanged):
                return {"curves": weight_views.nothing(step), "shown": None}
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
    return {"curves": weight_views.knife(found), "shown": found}


def hand_over(shown: Knifed | None) -> str:
    """The numbers of every k as a file."""
    if shown is None or not shown.points:
        raise InputError("There is no curve yet.", "Press Cut first.")
    return views.handed("download", "rank-knife.csv", weight_views.knife_csv(shown))
