"""The Pre-training tab: text, size and run on one page. Lays out and wires; what happens is in
text, size and run.
"""

from functools import partial

import gradio as gr

from lmlab.features.pretraining import run as running
from lmlab.features.pretraining import shipped
from lmlab.features.pretraining import size as sizes
from lmlab.features.pretraining import text as texts
from lmlab.features.pretraining.service import Pretraining
from lmlab.lab import Lab
from lmlab.parts.gradio_compat import building
from lmlab.parts.stream import QUICK, on
from lmlab.parts.widgets import static

NAME = "Pre-training"
SWITCHED_OFF = (
    '<p class="lm-said" id="pretraining-off">Training is switched off on this page: texts and '
    "tokenizers can be looked at, no run can be started.</p>"
)


def build(lab: Lab) -> None:
    """Draw the tab inside the current Blocks and wire it to the lab."""
    tab = building.tab()
    if not lab.settings.training:
        static(SWITCHED_OFF)
    with gr.Row(elem_classes="lm-two"):
        with gr.Column(scale=1, min_width=320):
            text = texts.build(lab)
        with gr.Column(scale=1, min_width=320):
            size = sizes.build(lab, text.vocabulary)
    running.build(lab, text.values, size.values)
    shipped.build(lab)
    on(
        tab.select,
        partial(texts.tokenized, lab),
        [*text.values, text.vocabulary],
        text.shown,
        **QUICK,
    )
    counted = on(tab.select, partial(sizes.count, lab), size.values, size.counted, **QUICK)
    counted.then(lambda: lab.service(Pretraining).warm(), None, None, **QUICK)
