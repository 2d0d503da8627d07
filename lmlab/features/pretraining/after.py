"""What to do with a model that has learned something: complete with it, take it along."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.context import Context

from lmlab.errors import InputError
from lmlab.features.pretraining.service import Pretraining
from lmlab.lab import Lab
from lmlab.parts import run_views
from lmlab.parts.errors import alerts
from lmlab.parts.run_following import QUICK, QUIET, WRITING, known
from lmlab.parts.run_widgets import ASKING
from lmlab.runs.store import RunInfo

FETCH = (
    "() => setTimeout(() => { const a = document.querySelector('#pretraining-file'); "
    "(a.querySelector('button, a') || a).click(); }, 150)"
)
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
    zipped: gr.State


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
    return After(box, complete, save, file, gr.State(""))


def wire(lab: Lab, step: After, owner: Any, current: gr.State) -> None:
    """Have the buttons do what they say.

    Args:
        lab: the backend.
        step: the components.
        owner: the visitor.
        current: id of the run that is shown.
    """
    mine = [owner, current]
    packed = step.save.click(
        packer(lab), [*mine, step.zipped], [step.file, step.zipped], trigger_mode="once",
        **ASKING, **WRITING,
    )  # fmt: skip
    packed.success(None, None, None, js=FETCH, **QUIET)
    blocks = Context.root_block.blocks.values()
    tabs = next((block for block in blocks if isinstance(block, gr.Tabs)), None)
    known_ids = {getattr(block, "elem_id", None): block for block in blocks}
    filled = [known_ids.get(f"completion-{name}") for name in FILLED]
    step.complete.visible = tabs is not None and all(filled)
    if tabs is not None and all(filled):
        opened = step.complete.click(completer(lab), mine, [*filled, tabs], **ASKING, **QUICK)
        opened.success(None, None, None, js=PRESS, **QUIET)


def packer(lab: Lab) -> Callable[..., list[Any]]:
    """The model as a zip: [download button, its path, for it to be removed later]."""

    @alerts
    def pack(owner: str, run: str, last: str) -> list[Any]:
        path = str(lab.service(Pretraining).archive(known(owner), run))
        if last and last != path:
            with suppress(OSError):
                Path(last).unlink()
        return [path, path]

    return pack


def completer(lab: Lab) -> Callable[..., list[Any]]:
    """[model, prompt, tabs]: the Completion tab from nothing, with this model."""

    @alerts
    def opened(owner: str, run: str) -> list[Any]:
        info = saved(lab, owner, run)
        own = f"{run_views.method_name(info)} on {info.data}"
        names = [(name, name) for name in lab.model_names()]
        picked = gr.update(choices=[*names, (own, info.model_name)], value=info.model_name)
        return [picked, "", gr.update(selected="completion")]

    return opened


def saved(lab: Lab, owner: str, run: str) -> RunInfo:
    """A run that has learned something.

    Raises:
        InputError: there is none, or nothing of it has been saved.
    """
    if not run:
        raise InputError("No run is shown.", "Start one, or choose one below.")
    info = lab.service(Pretraining).run(known(owner), run)
    if not info.model_name:
        raise InputError("This run has saved nothing yet.", "Wait for it, or let it run longer.")
    return info
