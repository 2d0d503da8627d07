"""The Data tab: what models were trained on, and a small corpus as a data engineer looks at one."""

import gradio as gr

from lmlab.features.data import inspect_page, mixtures
from lmlab.features.data.widgets import MixtureView
from lmlab.lab import Lab
from lmlab.parts.widgets import static

HEAD = (
    '<h2 class="lm-h2">What a model has read: the mixture</h2>'
    '<p class="lm-why">A part is read weight · total / size times: its epochs. Turn the weights '
    "and the total.</p>"
)


def build(lab: Lab) -> None:
    """Draw the tab inside the current Blocks and wire it to the lab."""
    with gr.Column(elem_classes="lm-panel"):
        static(HEAD)
        MixtureView(mixtures.drawn(), elem_id="data-mixture")
    inspect_page.build(lab)
