"""What to do with a run that has learned something: open it elsewhere, take it along, push it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gradio as gr
from gradio.context import Context

from lmlab.errors import InputError
from lmlab.features.tuning.service import Tuning
from lmlab.lab import Lab
from lmlab.parts import run_views
from lmlab.parts.errors import alerts
from lmlab.parts.run_following import QUICK, QUIET, WRITING, known, saved
from lmlab.parts.run_widgets import ASKING
from lmlab.parts.widgets import static
from lmlab.runs.store import RunInfo
from lmlab.text.wordings import shipped_source, shipped_templates, titled, worded_sets

# A tab that opens for the first time runs by itself.
ASK_COMPARE = MappingProxyType(
    {
        "js": "(_, ...rest) => { window.lmlab.compared = !!document.querySelector('#compare-go'); "
        "return [window.lmlab.visitor(), ...rest]; }"
    }
)
PRESS_COMPARE = (
    "() => { if (window.lmlab.compared) setTimeout(window.lmlab.press, 400, 'compare-go'); }"
)
# The prompt has to be there before it is run.
PRESS_RUN = (
    "() => { setTimeout(window.lmlab.press, 900, 'prompt-go', '#prompt-view .lm-prompttext'); }"
)
FETCH = (
    "() => setTimeout(() => { const a = document.querySelector('#tuning-file'); "
    "(a.querySelector('button, a') || a).click(); }, 150)"
)
# The ends of the ids of what is filled in on the other tabs.
COMPARED = ("model-1", "model-2", "prompt", "text")
PROMPTED = ("model", "data", "wording", "source", "shots", "form")


@dataclass(frozen=True)
class After:
    """The components."""

    box: gr.Column
    compare: gr.Button
    use: gr.Button
    save: gr.Button
    file: gr.DownloadButton
    zipped: gr.State
    repo: gr.Textbox
    token: gr.Textbox
    private: gr.Checkbox
    push: gr.Button
    pushed: gr.HTML


def build() -> After:
    """Draw the buttons inside the current column; hidden until there is something to use."""
    with gr.Column(visible=False, elem_id="tuning-after") as box:
        with gr.Row(elem_classes="lm-buttons lm-afterbuttons"):
            compare = gr.Button("Compare with base", elem_id="tuning-compare", min_width=150)
            use = gr.Button("Use in Prompts", elem_id="tuning-use-prompts", min_width=150)
            # The Change tab, which is drawn later, shows it and says what it does.
            gr.Button("See what changed", elem_id="tuning-change", min_width=150, visible=False)
            save = gr.Button("Download", elem_id="tuning-save", min_width=110)
            file = gr.DownloadButton("adapter.zip", elem_id="tuning-file", elem_classes="lm-none")
        repo, token, private, push, pushed = _hub()
    return After(box, compare, use, save, file, gr.State(""), repo, token, private, push, pushed)


def _hub() -> tuple[Any, ...]:
    with gr.Accordion("Push it to the Hub", open=False, elem_id="tuning-hub"):
        with gr.Row(elem_classes="lm-controls"):
            repo = gr.Textbox(
                "", label="repository", placeholder="your-name/qa-lora", max_lines=1,
                max_length=120, elem_id="tuning-repo", min_width=170,
            )  # fmt: skip
            token = gr.Textbox(
                "", label="your token, used once and never kept", type="password", max_lines=1,
                max_length=200, elem_id="tuning-token", min_width=170,
            )  # fmt: skip
            private = gr.Checkbox(True, label="private", elem_id="tuning-private", min_width=80)
        with gr.Row(elem_classes="lm-buttons"):
            push = gr.Button("Push", size="sm", elem_id="tuning-push", min_width=110)
            pushed = static("", elem_id="tuning-pushed", elem_classes="lm-status")
    return repo, token, private, push, pushed


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
        packer(lab),
        [*mine, step.zipped],
        [step.file, step.zipped],
        trigger_mode="once",
        **ASKING,
        **WRITING,
    )
    packed.success(None, None, None, js=FETCH, **QUIET)
    step.push.click(
        pusher(lab), [*mine, step.repo, step.token, step.private], [step.token, step.pushed],
        trigger_mode="once", **ASKING, **WRITING,
    )  # fmt: skip
    _wire_tabs(lab, step, mine)


def _wire_tabs(lab: Lab, step: After, mine: list[Any]) -> None:
    """Open another tab with the tuned model, its wording and one of its rows filled in."""
    blocks = Context.root_block.blocks.values()
    tabs = next((block for block in blocks if isinstance(block, gr.Tabs)), None)
    known_ids = {getattr(block, "elem_id", None): block for block in blocks}
    compared = [known_ids.get(f"compare-{name}") for name in COMPARED]
    prompted = [known_ids.get(f"prompt-{name}") for name in PROMPTED]
    step.compare.visible = tabs is not None and all(compared)
    step.use.visible = tabs is not None and all(prompted)
    if tabs is not None and all(compared):
        opened = step.compare.click(comparer(lab), mine, [*compared, tabs], **ASK_COMPARE, **QUICK)
        opened.success(None, None, None, js=PRESS_COMPARE, **QUIET)
    if tabs is not None and all(prompted):
        used = step.use.click(prompter(lab), mine, [*prompted, tabs], **ASKING, **QUICK)
        used.success(None, None, None, js=PRESS_RUN, **QUIET)


def packer(lab: Lab) -> Callable[..., list[Any]]:
    """What was learned as a zip: [download button, its path, for it to be removed later]."""

    @alerts
    def pack(owner: str, run: str, last: str) -> list[Any]:
        path = str(lab.service(Tuning).archive(known(owner), run))
        if last and last != path:
            with suppress(OSError):
                Path(last).unlink()
        return [path, path]

    return pack


def pusher(lab: Lab) -> Callable[..., list[Any]]:
    """Upload what was learned: [the emptied token, what became of it]."""

    @alerts
    def push(owner: str, run: str, repo: str, token: str, private: bool) -> list[Any]:
        if not (repo or "").strip() or not (token or "").strip():
            raise InputError("A repository and a token are needed.", "Fill in both boxes.")
        address = lab.service(Tuning).push(
            known(owner), run, repo.strip(), token.strip(), private=bool(private)
        )
        where = escape(str(address))
        return [
            "",
            f'<p class="lm-said">Pushed to <a href="{where}" target="_blank" rel="noopener">'
            f"{where}</a>. The token is forgotten.</p>",
        ]

    return push


def comparer(lab: Lab) -> Callable[..., list[Any]]:
    """[what ``COMPARED`` names, tabs]: a held-out row is the prompt; with its answer, the text."""

    @alerts
    def opened(owner: str, run: str) -> list[Any]:
        info = saved(lab.service(Tuning), owner, run)
        prompt, text = _row(lab, info)
        return [info.model, _picked(lab, info), prompt, text, gr.update(selected="compare")]

    return opened


def prompter(lab: Lab) -> Callable[..., list[Any]]:
    """[what ``PROMPTED`` names, tabs]: the run's set and wording, without examples."""

    @alerts
    def opened(owner: str, run: str) -> list[Any]:
        info = saved(lab.service(Tuning), owner, run)
        filled: list[Any] = [gr.skip()] * 4
        if info.template in shipped_templates() and info.data in worded_sets():
            choices = titled(info.data)
            wording = gr.update(choices=choices, value=info.template)
            filled = [info.data, wording, shipped_source(info.template), 0]
        # Whatever the form was before: the run's own is what it is asked in.
        return [_picked(lab, info), *filled, "", gr.update(selected="prompt")]

    return opened


def _row(lab: Lab, info: RunInfo) -> list[Any]:
    """[prompt, text] of a row that was held out; nothing where the visitor's own rows are gone."""
    template = shipped_templates().get(info.template)
    if template is None or info.data not in worded_sets():
        return [gr.skip(), gr.skip()]
    row = lab.service(Tuning).dataset(info.data).valid[0]
    made = template.encode([], row)
    if info.config.form == "chat":
        from lmlab.text.chat import in_form

        vocabulary = lab.service(Tuning).vocabulary(info.model)
        instruction, asked = template.pieces([row])
        (made,) = in_form(vocabulary, "chat", instruction, [], template.separator, asked)
    return [made.text, made.text + made.target]


def _picked(lab: Lab, info: RunInfo) -> Any:
    """A picker with the run's model among its choices, for pages where no name may be typed."""
    names = [(name, name) for name in lab.model_names()]
    own = f"{run_views.method_name(info)} on {info.data}"
    return gr.update(choices=[*names, (own, info.model_name)], value=info.model_name)
