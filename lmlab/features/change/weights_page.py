"""Weights: ΔW of every matrix as a map, and one matrix in full."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from lmlab.errors import LabError
from lmlab.features.change import receipt_notes, weight_views
from lmlab.features.change.changes import Changes, MatrixView, Unchanged
from lmlab.features.change.panel import Panel
from lmlab.features.change.service import Changing
from lmlab.features.change.widgets import ChangeMap, MatrixPictures
from lmlab.lab import Lab
from lmlab.parts.gradio_compat import building
from lmlab.parts.receipt_button import Keep
from lmlab.parts.stream import SCORING, STATUS, Busy, Work, on, result
from lmlab.parts.widgets import chart, static
from lmlab.progress import Progress

NAME = "Weights"
LONGEST_NAME = 300
NOTHING = '<p class="lm-why">Choose a matrix on the map.</p>'
UNCHANGED = '<p class="lm-why">No matrix has changed.</p>'
KINDS: tuple[type[Changes | Unchanged], ...] = (Changes, Unchanged)
Shown = tuple[str, str, str]  # base, tuned, the table; empty where no weight changed


def build(lab: Lab, base: gr.Dropdown, tuned: gr.Dropdown) -> None:
    """Draw the part inside the current tab and wire it to the lab."""
    tab = building.tab()
    panel = Panel("change-weights", auto=True)
    with gr.Row(elem_classes="lm-result"):
        with gr.Column(scale=6, min_width=320, elem_classes="lm-panel"):
            static('<h2 class="lm-h">ΔW by layer and matrix</h2>')
            drawn = ChangeMap(elem_id="change-map")
        with gr.Column(scale=5, min_width=320, elem_classes="lm-panel"):
            static('<h2 class="lm-h">The matrix that is chosen</h2>')
            figures = static(NOTHING, elem_id="change-figures")
            plot = chart(weight_views.spectra(None), "change-spectra-plot")
    with gr.Column(elem_classes="lm-panel"):
        static('<h2 class="lm-h">W + ΔW, entry by entry</h2>')
        pictures = MatrixPictures(elem_id="change-pictures")
    panel.keep = Keep("change-matrix", ["change-map", "change-figures", "change-spectra-plot"])
    matrix, kept = gr.State(None), panel.kept
    one = {"figures": figures, "plot": plot, "pictures": pictures, "matrix": matrix}
    asked = ([kept, base, tuned], {"kept": kept, "map": drawn, **one})
    panel.on(panel.go.click, runner(lab), *asked, trigger_mode="always_last", **SCORING)
    panel.on(tab.select, runner(lab, again=False), *asked, trigger_mode="once", **SCORING)
    panel.stoppable()
    chosen = on(drawn.choose, choose(lab), [kept], one, trigger_mode="always_last", **SCORING)
    panel.keep.notes(receipt_notes.of_matrix, [matrix], after=[chosen])
    panel.saves("changes.csv", lambda shown: shown[2], "There is no table yet.")


def runner(lab: Lab, *, again: bool = True) -> Callable[..., Work]:
    """The handler of Measure; without ``again`` a pair that is shown already stays as it is."""

    def run(shown: Shown | None, base: str, tuned: str) -> Work:
        same = shown is not None and shown[:2] == (base, tuned)
        if same and not again:
            return None
        yield Busy("reading …")
        try:
            steps = lab.service(Changing).weights(base, tuned)
            found = yield from result(steps, KINDS, _counted, patience=0)
            if isinstance(found, Unchanged):
                of_map = {"kept": (base, tuned, ""), "map": weight_views.nothing(found)}
                return of_map | _no_matrix(UNCHANGED)
            # The map as soon as it is there, then the matrix that changed most.
            state = (base, tuned, weight_views.changes_csv(found))
            of_map = {"kept": state, "map": weight_views.change_map(found)}
            yield Busy("the matrix that changed most …", 1, of_map)
            matrix = _matrix(lab, state, found.largest.name)
            return {STATUS: weight_views.said(found), **matrix}
        except LabError:
            if shown is not None and not same:
                yield {"kept": None, "map": "", **_no_matrix(NOTHING)}
            raise

    return run


def _counted(step: Progress) -> Busy:
    return Busy(f"{step.done} of {step.total} matrices", step.done / max(1, step.total))


def choose(lab: Lab) -> Callable[..., dict[str, Any]]:
    """The matrix that was clicked."""

    def show(shown: Shown | None, event: gr.EventData) -> dict[str, Any]:
        name = getattr(event, "name", None)
        if not isinstance(name, str) or len(name) > LONGEST_NAME:
            return {}
        return _matrix(lab, shown, name)

    return show


def _no_matrix(said: str) -> dict[str, Any]:
    plot = weight_views.spectra(None)
    return {"figures": said, "plot": plot, "pictures": "", "matrix": None}


def _matrix(lab: Lab, shown: Shown | None, name: str) -> dict[str, Any]:
    if not shown or not name or not shown[2]:
        return _no_matrix(NOTHING)
    base, tuned, _ = shown
    steps = lab.service(Changing).matrix(base, tuned, name)
    found = next(step for step in steps if isinstance(step, MatrixView))
    return {
        "figures": weight_views.figures(found.change),
        "plot": weight_views.spectra(found),
        "pictures": weight_views.pictures(found),
        "matrix": (base, tuned, found.change),
    }
