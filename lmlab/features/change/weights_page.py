"""Weights: ΔW of every matrix as a map, and one matrix in full."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from lmlab.errors import InputError, LabError
from lmlab.features.change import receipt_notes, views, weight_plots, weight_views
from lmlab.features.change.matrices import Changes, MatrixView, Unchanged
from lmlab.features.change.service import Changing
from lmlab.features.change.widgets import ChangeMap, MatrixPictures
from lmlab.lab import Lab
from lmlab.parts.gradio_compat import building
from lmlab.parts.receipt_button import Keep, follow
from lmlab.parts.stream import QUIET, SCORING, STATUS, Busy, Line, Work, on, result
from lmlab.parts.widgets import Handover, static
from lmlab.progress import Progress

NAME = "Weights"
LONGEST_NAME = 300
KINDS: tuple[type[Changes | Unchanged], ...] = (Changes, Unchanged)


@dataclass(frozen=True)
class Shown:
    """What a visitor's session keeps of the map.

    Attributes:
        base: its name.
        tuned: the other's.
        csv: the table; empty where no weight changed.
    """

    base: str
    tuned: str
    csv: str = ""


@dataclass(frozen=True)
class Bar:
    """The buttons and the line beside them."""

    go: gr.Button
    stop: gr.Button
    csv: gr.Button
    status: gr.HTML
    handover: Handover

    @classmethod
    def build(cls, name: str, verb: str, *, auto: bool = False) -> "Bar":
        """Draw a part's buttons.

        Args:
            name: for the elements' ids.
            verb: on the first button.
            auto: whether the first button is pressed when another pair of models is chosen.
        """
        classes = ["lm-go", *(["lm-auto"] if auto else [])]
        with gr.Row(elem_classes="lm-changebar"):
            go = gr.Button(
                verb, variant="primary", elem_id=f"change-{name}-go", elem_classes=classes,
                min_width=120,
            )  # fmt: skip
            stop = gr.Button("Stop", interactive=False, elem_id=f"change-{name}-stop", min_width=80)
            csv = gr.Button("CSV", elem_id=f"change-{name}-csv", min_width=70)
            status = static("", elem_id=f"change-{name}-status", elem_classes="lm-status")
            handover = Handover(elem_id=f"change-{name}-handover", elem_classes="lm-handing")
        return cls(go, stop, csv, status, handover)


def build(lab: Lab, base: gr.Dropdown, tuned: gr.Dropdown) -> None:
    """Draw the part inside the current tab and wire it to the lab."""
    tab = building.tab()
    bar = Bar.build("weights", "Measure", auto=True)
    with gr.Row(elem_classes="lm-result"):
        with gr.Column(scale=6, min_width=320, elem_classes="lm-panel"):
            static('<h2 class="lm-h">ΔW by layer and matrix</h2>')
            drawn = ChangeMap(elem_id="change-map")
        with gr.Column(scale=5, min_width=320, elem_classes="lm-panel"):
            static('<h2 class="lm-h">The matrix that is chosen</h2>')
            figures = static(views.NOTHING, elem_id="change-figures")
            plot = gr.Plot(
                weight_plots.empty(), show_label=False, container=False, elem_classes="lm-plot",
                elem_id="change-spectra-plot",
            )  # fmt: skip
    with gr.Column(elem_classes="lm-panel"):
        static('<h2 class="lm-h">W + ΔW, entry by entry</h2>')
        pictures = MatrixPictures(elem_id="change-pictures")
    among = ["change-map", "change-figures", "change-spectra-plot"]
    keep = Keep("change-matrix", among)
    shown, matrix = gr.State(None), gr.State(None)
    line = Line(bar.status, bar.stop)
    one = {"figures": figures, "plot": plot, "pictures": pictures, "matrix": matrix}
    asked = ([shown, base, tuned], {"shown": shown, "map": drawn, **one})
    line.on(bar.go.click, runner(lab), *asked, trigger_mode="always_last", **SCORING)
    line.on(tab.select, runner(lab, again=False), *asked, trigger_mode="once", **SCORING)
    line.stoppable()
    chosen = on(drawn.choose, choose(lab), [shown], one, trigger_mode="always_last", **SCORING)
    follow(keep, [*line.running, chosen], receipt_notes.of_matrix, [matrix])
    bar.csv.click(hand_over, shown, bar.handover, concurrency_limit=4, **QUIET)


def runner(lab: Lab, *, again: bool = True) -> Callable[..., Work]:
    """The handler of Measure.

    Args:
        lab: the backend.
        again: whether a pair that is shown already is measured anew.
    """

    def run(shown: Shown | None, base: str, tuned: str) -> Work:
        same = shown is not None and (shown.base, shown.tuned) == (base, tuned)
        if same and not again:
            return None
        yield Busy("reading …")
        try:
            steps = lab.service(Changing).weights(base, tuned)
            found = yield from result(steps, KINDS, _counted, patience=0)
            if isinstance(found, Unchanged):
                of_map = {"shown": Shown(base, tuned), "map": weight_views.nothing(found)}
                return of_map | no_matrix(views.UNCHANGED)
            # The map as soon as it is there, then the matrix that changed most.
            state = Shown(base, tuned, weight_views.changes_csv(found))
            of_map = {"shown": state, "map": weight_views.change_map(found)}
            yield Busy("the matrix that changed most …", 1, of_map)
            matrix = _matrix(lab, state, weight_views.largest(found).name)
            return {STATUS: views.said(found), **matrix}
        except LabError:
            if shown is not None and not same:
                yield {"shown": None, "map": "", **no_matrix(views.NOTHING)}
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


def no_matrix(said: str) -> dict[str, Any]:
    """Where there is none to show."""
    return {"figures": said, "plot": weight_plots.blank(), "pictures": "", "matrix": None}


def _matrix(lab: Lab, shown: Shown | None, name: str) -> dict[str, Any]:
    if shown is None or not name or not shown.csv:
        return no_matrix(views.NOTHING)
    steps = lab.service(Changing).matrix(shown.base, shown.tuned, name)
    found = next(step for step in steps if isinstance(step, MatrixView))
    return {
        "figures": views.figures(found),
        "plot": weight_plots.spectra(found),
        "pictures": weight_views.pictures(found),
        "matrix": (shown.base, shown.tuned, found.change),
    }


def hand_over(shown: Shown | None) -> str:
    """The table of all matrices as a file."""
    if shown is None or not shown.csv:
        raise InputError("There is no table yet.", "Press Measure first.")
    return views.handed("download", "changes.csv", shown.csv)
