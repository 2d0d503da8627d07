"""What to do with a model that has learned something: complete with it, take it along."""

from collections.abc import Callable
from dataclasses import dataclass

import gradio as gr

from lmlab.features.pretraining.service import Pretraining
from lmlab.lab import Lab
from lmlab.parts.gradio_compat.building import elsewhere
from lmlab.parts.run_following import saved
from lmlab.parts.run_panel import RunPanel, model_choice
from lmlab.parts.run_widgets import ASKING
from lmlab.parts.stream import QUICK, QUIET, Shown, on

# The Completion tab is drawn when it is first opened; its prompt has to be there before it is run.
PRESS = "() => { setTimeout(window.lmlab.press, 500, 'completion-again'); }"
# The ends of the ids of what is filled in on the Completion tab.
FILLED = ("model", "prompt")


@dataclass(frozen=True)
class After:
    """The components."""

    box: gr.Column
    complete: gr.Button
    save: gr.Button
    file: gr.DownloadButton


def build() -> After:
    """Draw the buttons inside the current column; hidden until there is something to use."""
    with (
        gr.Column(visible=False, elem_id="pretraining-after") as box,
        gr.Row(elem_classes="lm-buttons"),
    ):
        complete = gr.Button(
            "Complete with it", variant="primary", elem_id="pretraining-complete", min_width=150
        )
        save = gr.Button("Download", elem_id="pretraining-save", min_width=110)
        file = gr.DownloadButton("model.zip", elem_id="pretraining-file", elem_classes="lm-none")
    return After(box, complete, save, file)


def wire(lab: Lab, step: After, panel: RunPanel) -> None:
    """Have the buttons do what they say about the run that is shown."""
    panel.download(step.save, step.file)
    filled = elsewhere("completion", FILLED)
    step.complete.visible = bool(filled)
    if filled:
        named = dict(zip((*FILLED, "tabs"), filled, strict=True))
        opened = on(step.complete.click, completer(lab), panel.mine, named, **ASKING, **QUICK)
        opened.success(None, None, None, js=PRESS, **QUIET)


def completer(lab: Lab) -> Callable[..., Shown]:
    """The Completion tab from nothing, with this model."""

    def opened(owner: str, run: str) -> Shown:
        info = saved(lab.service(Pretraining), owner, run)
        tabs = gr.update(selected="completion")
        return {"model": model_choice(lab, info), "prompt": "", "tabs": tabs}

    return opened
