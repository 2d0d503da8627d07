"""The Data tab's upper half: what models were trained on. Lays out; its script does the sums."""

import gradio as gr

from lmlab.corpus.mixtures import MOST_EPOCHS, mixed
from lmlab.drawing import corpusplots
from lmlab.lab import Lab
from lmlab.ui.data.widgets import MixtureView
from lmlab.ui.parts.widgets import static

HEAD = (
    '<h2 class="lm-h2">What a model has read: the mixture</h2>'
    '<p class="lm-why">A part is read weight · total / size times: its epochs. Turn the weights '
    "and the total.</p>"
)


def build(lab: Lab) -> None:
    """Draw it inside the current Blocks."""
    known = [(mixture, mixed(mixture)) for mixture in lab.corpora.mixtures.values()]
    with gr.Column(elem_classes="lm-panel"):
        static(HEAD)
        MixtureView(corpusplots.mixtures(known, MOST_EPOCHS), elem_id="data-mixture")
