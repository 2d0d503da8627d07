"""What to do with a run that has learned something: open it elsewhere, take it along, push it."""

from collections.abc import Callable
from functools import partial
from html import escape
from typing import Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.features.tuning.service import Tuning
from lmlab.lab import Lab
from lmlab.parts.gradio_compat.building import elsewhere
from lmlab.parts.gradio_compat.signing_in import LoginButton, OAuthToken, can_sign_in, token_of
from lmlab.parts.run_following import known, saved
from lmlab.parts.run_panel import ONCE, RunPanel, model_choice
from lmlab.parts.run_widgets import hand_over
from lmlab.parts.stream import Shown, on
from lmlab.parts.widgets import static
from lmlab.runs.store import RunInfo
from lmlab.text.wordings import shipped_source, shipped_templates, titled, worded_sets

# A tab that opens for the first time runs by itself.
PRESS_COMPARE = (
    "() => { if (!window.lmlab.fresh) setTimeout(window.lmlab.press, 400, 'compare-go'); }"
)
# The prompt has to be there before it is run.
PRESS_RUN = (
    "() => { setTimeout(window.lmlab.press, 900, 'prompt-go', '#prompt-view .lm-prompttext'); }"
)
# The ends of the ids of what is filled in on the other tabs.
COMPARED = ("model-1", "model-2", "prompt", "text")
PROMPTED = ("model", "data", "wording", "source", "shots", "form")


def build(lab: Lab, panel: RunPanel) -> None:
    """Draw the buttons inside the current column, and have them do what they say about the run that
    is shown.
    """
    compared, prompted = elsewhere("compare", COMPARED), elsewhere("prompt", PROMPTED)
    with gr.Row(elem_classes="lm-buttons lm-afterbuttons"):
        compare = gr.Button(
            "Compare with base", elem_id="tuning-compare", min_width=150, visible=bool(compared)
        )
        use = gr.Button(
            "Use in Prompts", elem_id="tuning-use-prompts", min_width=150, visible=bool(prompted)
        )
        # The Change tab, which is drawn later, shows it and says what it does.
        gr.Button("See what changed", elem_id="tuning-change", min_width=150, visible=False)
        save = gr.Button("Download", elem_id="tuning-save", min_width=110)
        file = gr.DownloadButton("adapter.zip", elem_id="tuning-file", elem_classes="lm-none")
    panel.download(save, file)
    # Another tab opens with the tuned model, its wording and one of its rows filled in.
    if compared:
        made = partial(compared_with, lab), panel.mine, compared
        hand_over(compare.click, *made, "compare", PRESS_COMPARE)
    if prompted:
        hand_over(use.click, partial(prompted_by, lab), panel.mine, prompted, "prompt", PRESS_RUN)
    _hub(lab, panel)


def _hub(lab: Lab, panel: RunPanel) -> None:
    signs_in = can_sign_in()
    with gr.Accordion("Push it to the Hub", open=False, elem_id="tuning-hub"):
        with gr.Row(elem_classes="lm-controls"):
            repo = gr.Textbox(
                "", label="repository", placeholder="your-name/qa-lora", max_lines=1,
                max_length=120, elem_id="tuning-repo", min_width=170,
            )  # fmt: skip
            token = gr.Textbox(
                "", label="your token, used once and never kept", type="password", max_lines=1,
                max_length=200, elem_id="tuning-token", min_width=170, visible=not signs_in,
            )  # fmt: skip
            private = gr.Checkbox(True, label="private", elem_id="tuning-private", min_width=80)
        with gr.Row(elem_classes="lm-buttons"):
            if signs_in:
                LoginButton(icon=None, size="sm", elem_id="tuning-login", min_width=200)
            push = gr.Button("Push", size="sm", elem_id="tuning-push", min_width=110)
            pushed = static("", elem_id="tuning-pushed", elem_classes="lm-status")
    handler = signed_in(lab) if signs_in else partial(pushed_to, lab)
    asked = [*panel.mine, repo, private] if signs_in else [*panel.mine, repo, token, private]
    on(push.click, handler, asked, {"token": token, "pushed": pushed}, **ONCE)


def signed_in(lab: Lab) -> Callable[..., Shown]:
    """The handler for who has signed in; Gradio adds the token by its annotation."""

    def push(owner: str, run: str, repo: str, private: bool, visitor: OAuthToken | None) -> Shown:
        return {"pushed": pushed_to(lab, owner, run, repo, token_of(visitor), private)["pushed"]}

    return push


def pushed_to(lab: Lab, owner: str, run: str, repo: str, token: str, private: bool) -> Shown:
    """Upload what was learned; a token that was typed is emptied."""
    if not (repo or "").strip() or not (token or "").strip():
        raise InputError("A repository and a token are needed.", "Fill in both boxes.")
    address = lab.service(Tuning).push(
        known(owner), run, repo.strip(), token.strip(), private=bool(private)
    )
    where = escape(str(address))
    said = (
        f'<p class="lm-said">Pushed to <a href="{where}" target="_blank" rel="noopener">'
        f"{where}</a>.</p>"
    )
    return {"token": "", "pushed": said}


def compared_with(lab: Lab, owner: str, run: str) -> Shown:
    """A held-out row is the prompt; with its answer, the text."""
    info = saved(lab.service(Tuning), owner, run)
    return {
        "model-1": info.model,
        "model-2": model_choice(lab, info),
        **_row(lab, info),
    }


def prompted_by(lab: Lab, owner: str, run: str) -> Shown:
    """The run's set and wording, without examples."""
    info = saved(lab.service(Tuning), owner, run)
    filled: dict[str, Any] = {}
    if info.template in shipped_templates() and info.data in worded_sets():
        filled = {
            "data": info.data,
            "wording": gr.update(choices=titled(info.data), value=info.template),
            "source": shipped_source(info.template),
            "shots": 0,
        }
    # Whatever the form was before: the run's own is what it is asked in.
    return {"model": model_choice(lab, info), **filled, "form": ""}


def _row(lab: Lab, info: RunInfo) -> dict[str, str]:
    """Prompt and text of a row that was held out; nothing where the visitor's own rows are gone."""
    template = shipped_templates().get(info.template)
    if template is None or info.data not in worded_sets():
        return {}
    row = lab.service(Tuning).dataset(info.data).valid[0]
    made = template.encode([], row)
    if info.config.form == "chat":
        from lmlab.text.chat import as_chats

        vocabulary = lab.service(Tuning).outline(info.model).vocabulary
        instruction, asked = template.pieces([row])
        (made,) = as_chats(vocabulary, instruction, [], asked)
    return {"prompt": made.text, "text": made.text + made.target}
