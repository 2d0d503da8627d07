"""How a prompt is asked: start token, chat form, and advice with one click to follow it."""

from html import escape
from types import MappingProxyType

import gradio as gr

from lmlab.generation.completions import Given
from lmlab.parts.stream import QUIET

WORDS = MappingProxyType({"space": "Take it away", "chat": "Ask in the chat form"})
TRIM = "(prompt) => prompt.trimEnd()"


def chat_switch(name: str) -> gr.Checkbox:
    """Whether what is given is a question in the model's own chat form; off at first."""
    return gr.Checkbox(
        False,
        label="Chat form",
        info="given as a question",
        elem_id=f"{name}-chat",
        min_width=140,
        scale=0,
    )


def start_picker(name: str) -> gr.Dropdown:
    """What stands before a text: the tokenizer's own choice, or a token by name."""
    ways = [("the tokenizer’s own", "tokenizer"), ("always", "always"), ("never", "never")]
    return gr.Dropdown(
        ways, value="tokenizer", label="Start, or type a token", allow_custom_value=True,
        elem_id=f"{name}-start", scale=1, min_width=190,
    )  # fmt: skip


def advice(given: Given | None, name: str) -> str:
    """What is to be said of a prompt, each with a button that follows it, and of the model, as
    escaped HTML.
    """
    notes = given.notes if given else ()
    return "".join(f'<p class="lm-advice">{escape(note)}</p>' for note in notes) + "".join(
        f'<p class="lm-advice">{escape(one.said)} <button type="button" class="lm-follow" '
        f'data-press="{name}-follow-{one.kind}">{WORDS[one.kind]}</button></p>'
        for one in (given.advice if given else ())
    )


def follow_advice(name: str, prompt: gr.Textbox, chat: gr.Checkbox, press: str) -> None:
    """The hidden buttons that a tab's advice presses: each changes an input, the prompt whose white
    space may go or the switch, then asks anew by the script ``press``."""
    ways = {"space": ([prompt], prompt, TRIM), "chat": (None, chat, "() => true")}
    for kind, (inputs, output, script) in ways.items():
        button = gr.Button("", elem_id=f"{name}-follow-{kind}", elem_classes="lm-none")
        changed = button.click(None, inputs, output, js=script, queue=False, **QUIET)
        changed.then(None, None, None, js=press, queue=False, **QUIET)
