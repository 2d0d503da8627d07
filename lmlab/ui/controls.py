"""The sampling controls on the page: one form, its defaults those of ``GenerateConfig``."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from lmlab.controls import GenerateConfig
from lmlab.errors import InputError

# What the page starts from: a bounded length, everything else as the model gives it.
START = GenerateConfig(max_new_tokens=48)
STOPS = "one per line; \\n is a line break"


@dataclass(frozen=True)
class Controls:
    """The form's fields, in the order that ``config`` takes their values."""

    temperature: gr.Slider
    top_k: gr.Number
    top_p: gr.Slider
    min_p: gr.Slider
    repetition_penalty: gr.Slider
    max_new_tokens: gr.Number
    seed: gr.Number
    stop: gr.Textbox

    @property
    def fields(self) -> list[Any]:
        return [
            self.temperature,
            self.top_k,
            self.top_p,
            self.min_p,
            self.repetition_penalty,
            self.max_new_tokens,
            self.seed,
            self.stop,
        ]

    @property
    def shaping(self) -> list[Any]:
        """The fields that change the next token's distribution."""
        return self.fields[:5]


def form(name: str) -> Controls:
    """Draw the form.

    Args:
        name: of the tab, for the elements' ids.
    """
    with gr.Row(elem_classes="lm-controls"):
        temperature = gr.Slider(
            0,
            3,
            START.temperature,
            step=0.05,
            label="temperature",
            elem_id=f"{name}-temperature",
            info="0: greedy",
            min_width=150,
        )
        top_p = gr.Slider(
            0,
            1,
            START.top_p,
            step=0.01,
            label="top-p",
            elem_id=f"{name}-top-p",
            info="1 keeps all",
            min_width=150,
        )
        min_p = gr.Slider(
            0,
            1,
            START.min_p,
            step=0.01,
            label="min-p",
            elem_id=f"{name}-min-p",
            info="0 keeps all",
            min_width=150,
        )
        penalty = gr.Slider(
            1,
            3,
            START.repetition_penalty,
            step=0.05,
            label="repetition penalty",
            info="1: none",
            elem_id=f"{name}-penalty",
            min_width=150,
        )
    with gr.Row(elem_classes="lm-controls"):
        top_k = gr.Number(
            START.top_k,
            label="top-k",
            precision=0,
            minimum=0,
            info="0 keeps all",
            elem_id=f"{name}-top-k",
            min_width=90,
        )
        length = gr.Number(
            START.max_new_tokens,
            label="new tokens",
            precision=0,
            minimum=1,
            maximum=1024,
            info="at most",
            elem_id=f"{name}-length",
            min_width=90,
        )
        seed = gr.Number(
            START.seed,
            label="seed",
            precision=0,
            minimum=0,
            info="of the draws",
            elem_id=f"{name}-seed",
            min_width=90,
        )
        stop = gr.Textbox(
            "",
            label="stop strings",
            lines=1,
            max_lines=4,
            info=STOPS,
            elem_id=f"{name}-stops",
            min_width=150,
            max_length=400,
        )
    return Controls(temperature, top_k, top_p, min_p, penalty, length, seed, stop)


def defaults() -> list[Any]:
    """The values that a reset puts back, in the order of ``Controls.fields``."""
    return [
        START.temperature,
        START.top_k,
        START.top_p,
        START.min_p,
        START.repetition_penalty,
        START.max_new_tokens,
        START.seed,
        "",
    ]


def config(*values: Any, already: int = 0) -> GenerateConfig:
    """The config that a visitor's values mean.

    Args:
        values: of ``Controls.fields``.
        already: tokens of the completion that are there; the length counts from them.

    Raises:
        InputError: a field is empty or out of range.
    """
    temperature, top_k, top_p, min_p, penalty, length, seed, stop = values
    if any(value is None for value in values[:7]):
        raise InputError("One of the controls is empty.", "Type a number, or press Reset.")
    lines = [line.replace("\\n", "\n").replace("\\t", "\t") for line in (stop or "").split("\n")]
    return GenerateConfig(
        max_new_tokens=already + int(length),
        temperature=float(temperature),
        top_k=int(top_k),
        top_p=float(top_p),
        min_p=float(min_p),
        repetition_penalty=float(penalty),
        seed=int(seed),
        stop=tuple(line for line in lines if line),
    )
