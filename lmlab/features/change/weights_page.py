"""Weights: ΔW of every matrix as a map, and one matrix in full."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import gradio as gr
from gradio.context import Context

from lmlab.errors import InputError, LabError
from lmlab.features.change import receipt_notes, views, weight_plots, weight_views
from lmlab.features.change.matrices import Changes, MatrixView, Unchanged
from lmlab.features.change.service import Changing
from lmlab.features.change.widgets import ChangeMap, MatrixPictures
from lmlab.lab import Lab
from lmlab.parts import waiting
from lmlab.parts.errors import alerts
from lmlab.parts.receipt_button import Keep, follow
from lmlab.parts.waiting import busy, idle
from lmlab.parts.widgets import Handover, static
from lmlab.progress import Loading, Progress

NAME = "Weights"
QUIET = MappingProxyType({"show_progress": "hidden", "api_visibility": "private"})
MEASURING = MappingProxyType({**QUIET, "concurrency_id": "score", "concurrency_limit": 2})
N_LINE = 2  # outputs of the line
N_MATRIX = 4  # outputs of one matrix, with its state
N_DRAWN = 2 + N_MATRIX  # with state and map
LONGEST_NAME = 300


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


def build(lab: Lab, base: gr.Dropdown, tuned: gr.Dropdown) -> None:
    """Draw the part inside the current tab and wire it to the lab."""
    tab = Context.block
    line = bar("weights", "Measure", auto=True)
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
    one = [figures, plot, pictures, matrix]
    asked = _wire(lab, line, [base, tuned], [line.status, line.stop, shown, drawn, *one], tab)
    chosen = drawn.choose(choose(lab), shown, one, trigger_mode="always_last", **MEASURING)
    follow(keep, [*asked, chosen], receipt_notes.of_matrix, [matrix])
    line.csv.click(hand_over, shown, line.handover, concurrency_limit=4, **QUIET)


def bar(name: str, verb: str, *, auto: bool = False) -> Bar:
    """A part's buttons.

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
    return Bar(go, stop, csv, status, handover)


def _wire(lab: Lab, line: Bar, asked: list[Any], drawn: list[Any], tab: Any) -> list[Any]:
    """Measure on the button and when the part is opened; stop on demand. Gives both events."""
    run, given = runner(lab), [drawn[N_LINE], *asked]
    pressed = line.go.click(run, given, drawn, trigger_mode="always_last", **MEASURING)
    opened = tab.select(once(run), given, drawn, trigger_mode="once", **MEASURING)
    waiting.stoppable(line.stop, drawn[:N_LINE], [pressed, opened])
    return [pressed, opened]


def runner(lab: Lab) -> Callable[..., Iterator[list[Any]]]:
    """The handler of Measure: yields [status, stop button, state, map, *one matrix]."""

    @alerts
    def run(shown: Shown | None, base: str, tuned: str) -> Iterator[list[Any]]:
        still = [gr.skip()] * N_DRAWN
        found: Changes | None = None
        yield [*busy("reading …", 0), *still]
        try:
            with closing(lab.service(Changing).weights(base, tuned)) as steps:
                for step in steps:
                    if isinstance(step, Loading):
                        yield [*busy(step.message, 0), *still]
                    elif isinstance(step, Progress):
                        share = step.done / max(1, step.total)
                        yield [*busy(f"{step.done} of {step.total} matrices", share), *still]
                    elif isinstance(step, Unchanged):
                        unchanged = [Shown(base, tuned), weight_views.nothing(step)]
                        yield [*idle(""), *unchanged, *no_matrix(views.UNCHANGED)]
                    elif isinstance(step, Changes):
                        found = step
            # The models have to be given back before a matrix is asked for.
            if found is not None:
                yield from _drawn(lab, base, tuned, found)
        except LabError:
            if shown is not None and (shown.base, shown.tuned) != (base, tuned):
                yield [*[gr.skip()] * N_LINE, None, "", *no_matrix(views.NOTHING)]
            raise

    return run


def _drawn(lab: Lab, base: str, tuned: str, found: Changes) -> Iterator[list[Any]]:
    """The map as soon as it is there, then the matrix that changed most."""
    chosen = weight_views.largest(found).name
    state = Shown(base, tuned, weight_views.changes_csv(found))
    of_map = [state, weight_views.change_map(found)]
    yield [*busy("the matrix that changed most …", 1), *of_map, *[gr.skip()] * N_MATRIX]
    matrix = _matrix(lab, state, chosen)
    yield [*idle(views.said(found)), *[gr.skip()] * len(of_map), *matrix]


def once(handler: Callable[..., Iterator[list[Any]]]) -> Callable[..., Iterator[list[Any]]]:
    """The same handler, for when the part opens: does nothing where this pair is shown."""

    def opened(shown: Shown | None, base: str, tuned: str) -> Iterator[list[Any]]:
        if shown is not None and (shown.base, shown.tuned) == (base, tuned):
            yield [gr.skip()] * (N_LINE + N_DRAWN)
        else:
            yield from handler(shown, base, tuned)

    return opened


def choose(lab: Lab) -> Callable[..., list[Any]]:
    """The matrix that was clicked: [figures, plot, pictures, what is kept of it]."""

    @alerts
    def show(shown: Shown | None, event: gr.EventData) -> list[Any]:
        name = getattr(event, "name", None)
        if not isinstance(name, str) or len(name) > LONGEST_NAME:
            return [gr.skip()] * N_MATRIX
        return _matrix(lab, shown, name)

    return show


def no_matrix(said: str) -> list[Any]:
    """Where there is none to show: [figures, plot, pictures, what is kept of it]."""
    return [said, weight_plots.blank(), "", None]


def _matrix(lab: Lab, shown: Shown | None, name: str) -> list[Any]:
    if shown is None or not name or not shown.csv:
        return no_matrix(views.NOTHING)
    with closing(lab.service(Changing).matrix(shown.base, shown.tuned, name)) as steps:
        found = next(step for step in steps if isinstance(step, MatrixView))
    kept = (shown.base, shown.tuned, found.change)
    return [views.figures(found), weight_plots.spectra(found), weight_views.pictures(found), kept]


@alerts
def hand_over(shown: Shown | None) -> str:
    """The table of all matrices as a file."""
    if shown is None or not shown.csv:
        raise InputError("There is no table yet.", "Press Measure first.")
    return views.handed("download", "changes.csv", shown.csv)
