"""The Fine-tune tab: data, method and run on one page. Lays out and wires; what happens is in
data, method, run and after.
"""

from functools import partial

import gradio as gr

from lmlab.features.tuning import data as tuning_data
from lmlab.features.tuning import method as tuning_method
from lmlab.features.tuning import run as tuning_run
from lmlab.features.tuning.data import wordings
from lmlab.features.tuning.form import KEYS, PRESETS, Preset, values_of
from lmlab.features.tuning.service import Tuning
from lmlab.lab import Lab
from lmlab.parts.gradio_compat import building
from lmlab.parts.stream import QUICK, Shown, on
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
    asked = [*data.values, *method.fields.values()]
    tuning_run.build(lab, asked)
    show = tuning_data.wire(lab, data, list(method.fields.values()))
    tuning_method.wire(lab, method, counter, data.values, show, data.model)
    count = partial(tuning_method.counted, lab), asked, {"counter": counter}
    # An example fills the form.
    worded = {"data": data.data, "wording": data.wording, "source": data.source}
    for chip, preset in zip(chips, PRESETS, strict=True):
        chosen = on(
            chip.click, partial(filled, lab, preset), [], {**worded, **method.fields}, **QUICK
        )
        on(show(chosen, tuning_data.shower(lab, 0)).then, *count, **QUICK)
    # What the tab shows when it is first opened: a row, the counter, the names of matrices.
    on(tab.select, tuning_data.shower(lab), [data.row, *asked], data.preview, **QUICK)
    named = on(
        on(tab.select, *count, **QUICK).then, partial(tuning_method.names_of, lab), [data.model],
        {"targets": method.fields["targets"]}, **QUICK,
    )  # fmt: skip
    named.then(lambda: lab.service(Tuning).warm(), None, None, **QUICK)


def filled(lab: Lab, preset: Preset) -> Shown:
    """The form as an example has it."""
    return {
        "data": preset.data,
        "wording": gr.update(choices=wordings(lab, preset.data), value=preset.template),
        "source": shipped_source(preset.template),
        **dict(zip(KEYS, values_of(preset.config), strict=True)),
    }
