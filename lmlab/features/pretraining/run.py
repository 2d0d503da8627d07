"""Step 3 of the Pre-training tab: start, stop and go on; the run as it goes; the runs there are;
what to do with a model that has learned something.
"""

from functools import partial
from typing import Any

import gradio as gr

from lmlab.features.pretraining.receipt import of_run
from lmlab.features.pretraining.service import Pretraining
from lmlab.features.pretraining.size import config_of
from lmlab.features.pretraining.text import data_of
from lmlab.lab import Lab
from lmlab.parts.gradio_compat.building import elsewhere
from lmlab.parts.receipt_button import Keep
from lmlab.parts.run_following import follower, saved
from lmlab.parts.run_panel import RunPanel, buttons, model_choice
from lmlab.parts.run_widgets import ASKING, Monitor, Owner, Runs, hand_over
from lmlab.parts.stream import Shown
from lmlab.parts.widgets import static

NOTES = """<p class="lm-levelnotes"><b>ln V</b>: every token equally likely, where learning begins.
<b>Token frequencies</b>: −Σ p ln p, what is left for a model that knows how often each token occurs
and nothing of what comes before. <b>The shipped base</b>: its bits per byte on the same held-out
text · ln 2 · bytes a token, so that it is in this model’s tokens. Samples are drawn with the same
seed each time.</p>"""
# The Completion tab is drawn when it is first opened; its prompt has to be there before it is run.
PRESS = "() => { setTimeout(window.lmlab.press, 500, 'completion-again'); }"
# The ends of the ids of what is filled in on the Completion tab.
FILLED = ("model", "prompt")

GROWTH = """
<div class="lm-monitor none">
<div class="lm-run-empty lm-empty"><b>Nothing trained yet</b>Press Start: the loss begins at ln V,
and what the model writes turns from bytes into words.</div>
<div class="lm-run-head" hidden></div><div class="lm-live" aria-live="polite"></div>
<div class="lm-run-numbers lm-nums six" hidden></div>
<div class="lm-run-charts lm-charts" hidden></div>
<div class="lm-run-samples lm-growths" hidden></div></div>
"""


class GrowthMonitor(Monitor):
    """A run from nothing as it goes, with the lines that its loss is measured against, and all its
    samples."""

    TEMPLATE = GROWTH
    MODULE = "features/pretraining/samples"


def build(lab: Lab, text: list[Any], shape: list[Any]) -> None:
    """Draw step 3 inside the current Blocks and wire it; ``text`` says which text is meant,
    ``shape`` is the vocabulary and the form of step 2.
    """

    def start(owner: str, *values: Any) -> str:
        config = config_of(*values[len(text) :])
        return runs.start(owner, data_of(*values[: len(text)]), config)

    runs, owner = lab.service(Pretraining), Owner(elem_id="pretraining-owner")
    pressed = buttons(lab, "pretraining", "pretraining-go")
    with gr.Column(elem_classes="lm-panel lm-step", elem_id="pretraining-live"):
        after = gr.Column(visible=False, elem_id="pretraining-after")
        monitor = GrowthMonitor(follower(runs), elem_id="pretraining-monitor")
        keep = Keep("pretraining", ("pretraining-counter", "pretraining-monitor"))
        static(NOTES)
    with gr.Column(elem_classes="lm-panel"):
        static('<h2 class="lm-h">Your models from nothing</h2>')
        table = Runs(elem_id="pretraining-runs")
    panel = RunPanel("pretraining", runs, owner, monitor, *pressed, after, table)
    turn = panel.wire(start, [*text, *shape])
    keep.notes(of_run(lab), panel.mine, after=[turn], lazy=True, **ASKING)
    with after, gr.Row(elem_classes="lm-buttons"):
        filled = elsewhere("completion", FILLED)
        complete = gr.Button(
            "Complete with it", variant="primary", elem_id="pretraining-complete", min_width=150,
            visible=bool(filled),
        )  # fmt: skip
        save = gr.Button("Download", elem_id="pretraining-save", min_width=110)
        file = gr.DownloadButton("model.zip", elem_id="pretraining-file", elem_classes="lm-none")
    panel.download(save, file)
    if filled:
        hand_over(complete.click, partial(completed, lab), panel.mine, filled, "completion", PRESS)


def completed(lab: Lab, owner: str, run: str) -> Shown:
    """The Completion tab from nothing, with this model."""
    info = saved(lab.service(Pretraining), owner, run)
    return {"model": model_choice(lab, info), "prompt": ""}
