"""The rank knife: the base with the k largest singular values of every ΔW."""

from collections.abc import Callable, Iterator
from contextlib import closing
from types import MappingProxyType
from typing import Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.features.change import receipt_notes, views, weight_views
from lmlab.features.change.matrices import Knifed, Unchanged
from lmlab.features.change.service import Changing, KnifeTexts
from lmlab.features.change.weights_page import QUIET, bar
from lmlab.features.change.widgets import KnifeCurves
from lmlab.lab import Lab
from lmlab.parts import waiting
from lmlab.parts.errors import alerts
from lmlab.parts.receipt_button import Keep, follow
from lmlab.parts.waiting import busy, idle
from lmlab.parts.widgets import static
from lmlab.progress import Loading, Progress

NAME = "Rank knife"
CUTTING = MappingProxyType({**QUIET, "concurrency_id": "knife", "concurrency_limit": 2})
LEARNED = "what it was tuned on"
WHY = """<p class="lm-why">ΔW = Σ σᵢ·pᵢ·qᵢᵀ. Keep the k largest σ of every matrix, leave W as it
is, and score both kinds of text: how few directions hold what was learned, and what they cost
elsewhere. k = 0 is the base, k = ℓ the tuned model. Stored weights are never written to.</p>"""


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
    line = bar("knife", "Cut")
    with gr.Column(elem_classes="lm-panel"):
        curves = KnifeCurves(elem_id="change-knife")
        keep = Keep("change-knife", ["change-knife"])
    shown, on, told = gr.State(None), gr.State(None), [line.status, line.stop]
    pressed = line.go.click(
        runner(lab), [shown, base, tuned, source, task, general], [*told, curves, shown, on],
        trigger_mode="once", **CUTTING,
    )  # fmt: skip
    waiting.stoppable(line.stop, told, [pressed])
    follow(keep, [pressed], receipt_notes.of_knife(lab), [shown, on], lazy=True)
    line.csv.click(hand_over, shown, line.handover, concurrency_limit=4, **QUIET)


def runner(lab: Lab) -> Callable[..., Iterator[list[Any]]]:
    """The handler of Cut: yields [status, stop button, curves, state, texts]."""

    @alerts
    def run(
        shown: Knifed | None, base: str, tuned: str, source: str, task: str, general: str
    ) -> Iterator[list[Any]]:
        asked = KnifeTexts(data=source or "", task=task or "", general=general or "")
        same = shown is not None and (shown.base, shown.tuned) == (base, tuned)
        # The curve of another pair would stand below the names of this one.
        yield [*busy("reading …", 0), *([gr.skip()] * 2 if same else ["", None]), asked]
        with closing(lab.service(Changing).knife(base, tuned, asked)) as steps:
            for step in steps:
                yield [*_drawn(step), gr.skip()]

    return run


def _drawn(step: Any) -> list[Any]:
    still = [gr.skip()] * 2
    match step:
        case Loading():
            return [*busy(step.message, 0), *still]
        case Progress():
            said, share = f"{step.done} of {step.total} ΔW in parts", step.done / max(1, step.total)
            return [*busy(said, 0.1 * share), *still]
        case Unchanged():
            return [*idle(""), weight_views.nothing(step), None]
        case _:
            return [*_line(step), weight_views.knife(step), step]


def _line(found: Knifed) -> list[Any]:
    done, of = len(found.points), len(found.ranks)
    if found.is_done:
        return idle("")
    said = f"k = {found.ranks[done]} …" if done < of else "the tuned model itself …"
    return busy(said, 0.1 + 0.9 * done / (of + 1))


@alerts
def hand_over(shown: Knifed | None) -> str:
    """The numbers of every k as a file."""
    if shown is None or not shown.points:
        raise InputError("There is no curve yet.", "Press Cut first.")
    return views.handed("download", "rank-knife.csv", weight_views.knife_csv(shown))
