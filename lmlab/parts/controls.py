"""The sampling controls on the page: one form and the values that it starts from."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.generation.config import GenerateConfig

# At temperature 1 the small models of the suite soon lose the thread; the rest is as the model
# gives it, so that the chart shows one control's work at a time.
START = GenerateConfig(max_new_tokens=48, temperature=0.8)
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
        temperature = _slider(name, "temperature", 0, 3, START.temperature, 0.05, "0: greedy")
        top_p = _slider(name, "top-p", 0, 1, START.top_p, 0.01, "1 keeps all")
        min_p = _slider(name, "min-p", 0, 1, START.min_p, 0.01, "0 keeps all")
        penalty = _slider(
            name, "repetition penalty", 1, 3, START.repetition_penalty, 0.05, "1: none"
        )
    with gr.Row(elem_classes="lm-controls"):
        top_k = _number(name, "top-k", START.top_k, 0, None, "0 keeps all")
        length = _number(name, "new tokens", START.max_new_tokens, 1, 1024, "at most")
        seed = _number(name, "seed", START.seed, 0, None, "of the draws")
        stop = gr.Textbox(
            "", label="stop strings", lines=1, max_lines=4, info=STOPS, elem_id=f"{name}-stops",
            min_width=150, max_length=400,
        )  # fmt: skip
    return Controls(temperature, top_k, top_p, min_p, penalty, length, seed, stop)


# The ends of the elements' ids where they are not the label itself.
IDS = MappingProxyType({"repetition penalty": "penalty", "new tokens": "length"})


def _slider(
    name: str, label: str, low: float, high: float, value: float, step: float, info: str
) -> gr.Slider:
    return gr.Slider(
        low, high, value, step=step, label=label, info=info, min_width=150,
        elem_id=f"{name}-{IDS.get(label, label)}",
    )  # fmt: skip


def _number(name: str, label: str, value: int, low: int, high: int | None, info: str) -> gr.Number:
    return gr.Number(
        value, label=label, precision=0, minimum=low, maximum=high, info=info, min_width=90,
        elem_id=f"{name}-{IDS.get(label, label)}",
    )  # fmt: skip


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
