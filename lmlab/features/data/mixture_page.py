"""The Data tab's upper half: what models were trained on. Lays out; its script does the sums."""

import gradio as gr

from lmlab.features.data import plots
from lmlab.features.data.mixtures import MOST_EPOCHS, mixed
from lmlab.features.data.service import Corpora
from lmlab.features.data.widgets import MixtureView
from lmlab.lab import Lab
from lmlab.parts.widgets import static

HEAD = (
    '<h2 class="lm-h2">What a model has read: the mixture</h2>'
    '<p class="lm-why">A part is read weight · total / size times: its epochs. Turn the weights '
    "and the total.</p>"
)


def build(lab: Lab) -> None:
    """Draw it inside the current Blocks."""
    known = [(mixture, mixed(mixture)) for mixture in lab.service(Corpora).mixtures.values()]
    with gr.Column(elem_classes="lm-panel"):
        static(HEAD)
        MixtureView(plots.mixtures(known, MOST_EPOCHS), elem_id="data-mixture")
