"""The fields of the parameter builder, laid out; what follows from them is in ``builder``."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import gradio as gr

from lmlab.features.scale import counts
from lmlab.features.scale.form import (
    BIASES,
    KEYS,
    LABELS,
    LAYER,
    LEARNED,
    RMS,
    ROTARY,
    TARGETS,
    ratio_of,
    values_of,
)
from lmlab.features.scale.published import Row
from lmlab.lab import Lab
from lmlab.parts.pickers import model_picker
from lmlab.parts.widgets import static

# Dense peaks of the makers' data sheets, in 10¹² operations a second.
DEVICES = (
    ("V100, float16", 125.0),
    ("A100, bfloat16", 312.0),
    ("H100 SXM, bfloat16", 989.0),
)
PLANS: Mapping[str, Any] = MappingProxyType(
    {
        "dtype": "float16",
        "batch": 1,
        "length": 2048,
        "tokens": 300,
        "rate": 312,
        "devices": 1000,
        "reached": 40,
        "rank": 1,
        "targets": ["q", "v"],
    }
)


def shape_fields(lab: Lab, start: Row) -> tuple[gr.Dropdown, dict[str, Any], gr.Number]:
    """The shape: picker of a model, fields in the order of ``KEYS``, the ratio f / d."""
    assert start.shape is not None
    value = dict(zip(KEYS, values_of(start.shape), strict=True))
    made: dict[str, Any] = {}

    def number(key: str, info: str | None = None) -> None:
        made[key] = gr.Number(
            value[key], label=LABELS[key], info=info, min_width=90,
            elem_id=f"scale-{key.replace('_', '-')}",
        )  # fmt: skip

    with gr.Column(elem_classes="lm-panel lm-step"):
        for keys in (("layers", "width", "heads"), ("vocabulary", "context")):
            with gr.Row(elem_classes="lm-controls"):
                for key in keys:
                    number(key)
        with gr.Row(elem_classes="lm-controls"):
            number("feed_forward")
            ratio = gr.Number(
                ratio_of(value["feed_forward"], value["width"]), label=LABELS["ratio"],
                min_width=90, elem_id="scale-ratio",
            )  # fmt: skip
        made["biases"] = gr.CheckboxGroup(
            list(BIASES), value=value["biases"], label="biases on", elem_id="scale-biases"
        )
        with gr.Row(elem_classes="lm-controls lm-checks"):
            for key, label in (("tied", "head tied to embeddings"), ("gated", "gated, 3 matrices")):
                made[key] = gr.Checkbox(
                    value[key], label=label, min_width=140, elem_id=f"scale-{key}"
                )
        with gr.Accordion("More of the shape", open=False, elem_id="scale-more"):
            with gr.Row(elem_classes="lm-controls"):
                for key, info in (("kv_heads", "0: all heads"), ("head_width", "0: d / heads")):
                    number(key, info)
                number("extra_positions", "rows beyond n")
            with gr.Row(elem_classes="lm-controls"):
                for key, names in (("positions", [LEARNED, ROTARY]), ("norm", [LAYER, RMS])):
                    made[key] = gr.Radio(
                        names, value=value[key], label=key, min_width=150, elem_id=f"scale-{key}"
                    )
            made["final_norm"] = gr.Checkbox(
                value["final_norm"], label="one more norm before the head", elem_id="scale-final"
            )
        picker = model_picker(
            lab, "scale-shape-of", "or the shape of a model at hand", value=None, info=None
        )
    return picker, {key: made[key] for key in KEYS}, ratio


def plan_fields(
    first: Mapping[str, str],
) -> tuple[dict[str, Any], gr.Dropdown, dict[str, gr.HTML]]:
    """Plans beside what follows: fields in the order of ``PLANS``, the device, the places."""
    with gr.Row(elem_classes="lm-two"):
        with gr.Column(scale=2, min_width=320):
            with gr.Column(elem_classes="lm-panel"):
                static('<h3 class="lm-h">Memory</h3>')
                memory = static(first["memory"], elem_id="scale-memory")
            with gr.Column(elem_classes="lm-panel"):
                train, device, training = _training(first["training"])
        with gr.Column(scale=3, min_width=320):
            with gr.Column(elem_classes="lm-panel"):
                keeping, cache = _cache(first["cache"])
            with gr.Column(elem_classes="lm-panel"):
                adding, lora = _lora(first["lora"])
    plans = dict(zip(PLANS, (*keeping, *train, *adding), strict=True))
    shown = {"memory": memory, "cache": cache, "training": training, "lora": lora}
    return plans, device, shown


def _cache(shown: str) -> tuple[tuple[Any, ...], gr.HTML]:
    static('<h3 class="lm-h">Keys and values while it writes</h3>')
    with gr.Row(elem_classes="lm-controls"):
        dtype = gr.Dropdown(
            list(counts.BYTES), value=PLANS["dtype"], label="number format", min_width=110,
            elem_id="scale-cache-dtype",
        )  # fmt: skip
        batch = _number(PLANS["batch"], "sequences", "scale-batch")
        length = _number(PLANS["length"], "length, tokens", "scale-length")
    return (dtype, batch, length), static(shown, elem_id="scale-cache")


def _training(shown: str) -> tuple[tuple[Any, ...], gr.Dropdown, gr.HTML]:
    static('<h3 class="lm-h">Training, on paper</h3>')
    with gr.Row(elem_classes="lm-controls"):
        tokens = _number(PLANS["tokens"], "tokens D, billions", "scale-tokens")
        device = gr.Dropdown(
            [name for name, _ in DEVICES], value=DEVICES[1][0], label="device", min_width=130,
            elem_id="scale-device",
        )  # fmt: skip
    with gr.Row(elem_classes="lm-controls"):
        rate = _number(PLANS["rate"], "TFLOP/s, its peak", "scale-rate")
        devices = _number(PLANS["devices"], "devices", "scale-devices")
        reached = _number(PLANS["reached"], "reached, %", "scale-reached")
    return (tokens, rate, devices, reached), device, static(shown, elem_id="scale-training")


def _lora(shown: str) -> tuple[tuple[Any, ...], gr.HTML]:
    static('<h3 class="lm-h">LoRA on top: W + V·U</h3>')
    with gr.Row(elem_classes="lm-controls"):
        rank = gr.Slider(
            1, 256, PLANS["rank"], step=1, label="rank ℓ", elem_id="scale-rank", min_width=160
        )
        targets = gr.CheckboxGroup(
            list(TARGETS), value=PLANS["targets"], label="matrices W of every layer",
            elem_id="scale-targets", min_width=320,
        )  # fmt: skip
    return (rank, targets), static(shown, elem_id="scale-lora")


def _number(value: Any, label: str, elem_id: str) -> gr.Number:
    return gr.Number(value, label=label, min_width=90, elem_id=elem_id)
