"""The Fine-tune tab: data, method and run on one page. Lays out and wires; what happens is in
tuning_data, tuning_method, tuning_run and tuning_runs.
"""

from typing import Any

import gradio as gr

from lmlab.features.tuning import data as tuning_data
from lmlab.features.tuning import method as tuning_method
from lmlab.features.tuning import run as tuning_run
from lmlab.features.tuning import runs as tuning_runs
from lmlab.features.tuning.data import DataStep, wordings
from lmlab.features.tuning.form import PRESETS, Preset, values_of
from lmlab.features.tuning.method import MethodStep
from lmlab.features.tuning.service import Tuning
from lmlab.lab import Lab
from lmlab.parts.gradio_compat import building
from lmlab.parts.stream import QUICK
from lmlab.parts.widgets import static
from lmlab.text.wordings import shipped_source

NAME = "Fine-tune"
SWITCHED_OFF = (
    '<p class="lm-said" id="tuning-off">Fine-tuning is switched off on this page: rows, masks and '
    "counts can be looked at, no run can be started.</p>"
)


def build(lab: Lab) -> None:
    """Draw the tab inside the current Blocks and wire it to the lab."""
    tab = building.tab()
    if not lab.settings.training:
        static(SWITCHED_OFF)
    with gr.Row(elem_classes="lm-chips", elem_id="tuning-presets"):
        static('<span class="lm-try">Try</span>', min_width=10)
        chips = [gr.Button(preset.name, size="sm", min_width=60) for preset in PRESETS]
    with gr.Row(elem_classes="lm-two"):
        with gr.Column(scale=1, min_width=320):
            data = tuning_data.build(lab)
        with gr.Column(scale=1, min_width=320):
            method = tuning_method.build(lab)
    with gr.Column(elem_classes="lm-panel"):
        counter = static("", elem_id="tuning-counter")
    run = tuning_run.build(lab)
    runs = tuning_runs.build()
    asked = [*data.values, *method.fields]
    show = tuning_data.wire(lab, data, list(method.fields))
    tuning_method.wire(lab, method, counter, data.values, show, data.model)
    tuning_run.wire(lab, run, asked)
    tuning_runs.wire(lab, runs, run, asked)
    _wire_chips(lab, chips, data, method, counter)
    _wire_opening(lab, tab, data, method, counter)


def _wire_opening(lab: Lab, tab: Any, data: DataStep, method: MethodStep, counter: gr.HTML) -> None:
    """What the tab shows when it is first opened: a row, the counter, the names of matrices."""

    def ready() -> None:
        lab.service(Tuning).warm()

    tab.select(
        tuning_data.shower(lab), [data.row, *data.values, *method.fields], data.preview, **QUICK
    )
    counted = tab.select(
        tuning_method.counting(lab), [*data.values, *method.fields], counter, **QUICK
    )
    counted.then(tuning_method.names_of(lab), data.model, method.field("targets"), **QUICK).then(
        ready, None, None, **QUICK
    )


def _wire_chips(
    lab: Lab, chips: list[gr.Button], data: DataStep, method: MethodStep, counter: gr.HTML
) -> None:
    """An example fills the form."""
    filled = [data.data, data.wording, data.source, *method.fields]
    for chip, preset in zip(chips, PRESETS, strict=True):
        chosen = chip.click(filler(lab, preset), None, filled, **QUICK)
        chosen.then(
            tuning_data.shower(lab, 0), [data.row, *data.values, *method.fields], data.preview,
            **QUICK,
        ).then(
            tuning_method.counting(lab), [*data.values, *method.fields], counter, **QUICK
        )  # fmt: skip


def filler(lab: Lab, preset: Preset) -> Any:
    """The form as an example has it."""

    def fill() -> list[Any]:
        choices = gr.update(choices=wordings(lab, preset.data), value=preset.template)
        source = shipped_source(preset.template)
        return [preset.data, choices, source, *values_of(preset.config)]

    return fill
