"""The parameter builder's form: what a visitor typed against the shape and the plans it means. What
cannot be is an InputError that names the field.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from lmlab.errors import InputError
from lmlab.features.scale.counts import BYTES, Shape

LEARNED, ROTARY = "a learned table", "rotary: none"
LAYER, RMS = "layer norm", "RMS norm"
BIASES = {
    "queries, keys, values": "attention_biases",
    "attention’s output": "output_bias",
    "feed-forward": "feed_forward_biases",
}
TARGETS = ("q", "k", "v", "qkv", "o", "up", "down", "gate")
LARGEST = 10.0**15
# The numbers by name, as they are labelled; an error takes what stands before a comma.
LABELS = {
    "layers": "layers L",
    "width": "width d",
    "heads": "heads",
    "vocabulary": "vocabulary V",
    "context": "context n",
    "feed_forward": "feed-forward f",
    "kv_heads": "key-value heads",
    "head_width": "head width",
    "extra_positions": "extra positions",
    "ratio": "ratio f/d",
    "batch": "sequences",
    "length": "length, tokens",
    "tokens": "tokens D, billions",
    "rate": "TFLOP/s, its peak",
    "devices": "devices",
    "reached": "reached, %",
}
COUNTS = tuple(LABELS)[:9]
FLAGS = ("tied", "gated", "final_norm")
# What a shape is made of, in the order of the form's values.
KEYS = (*COUNTS, *FLAGS, "positions", "norm", "biases")
# What is planned with it: keys and values, a training run, LoRA; as the form opens.
PLANS: Mapping[str, Any] = MappingProxyType(
    {
        "dtype": "float16", "batch": 1, "length": 2048,
        "tokens": 300, "rate": 312, "devices": 1000, "reached": 40,
        "rank": 1, "targets": ["q", "v"],
    }
)  # fmt: skip


def shape_of(values: tuple[Any, ...]) -> Shape:
    """The shape that the form holds, fields in the order of ``KEYS``."""
    told = dict(zip(KEYS, values, strict=True))
    sizes: dict[str, Any] = {key: whole(told[key], key) for key in COUNTS}
    flags: dict[str, Any] = {key: bool(told[key]) for key in FLAGS}
    return Shape(
        **sizes,
        **flags,
        **{key: name in (told["biases"] or ()) for name, key in BIASES.items()},
        positions="none" if told["positions"] == ROTARY else "learned",
        norm="rms" if told["norm"] == RMS else "layer",
    )


def values_of(shape: Shape) -> list[Any]:
    """The form's values for a shape; ``shape_of`` gives it back."""
    return [
        *(getattr(shape, key) for key in (*COUNTS, *FLAGS)),
        ROTARY if shape.positions == "none" else LEARNED,
        RMS if shape.norm == "rms" else LAYER,
        [name for name, key in BIASES.items() if getattr(shape, key)],
    ]


def cache_plan(dtype: Any, batch: Any, length: Any) -> tuple[str, int, int]:
    """Number format, sequences at once, and positions of each."""
    if dtype not in BYTES:
        raise InputError("That is no number format.", f"There are: {', '.join(BYTES)}.")
    plan = {"sequences": whole(batch, "batch"), "length": whole(length, "length")}
    for name, value in plan.items():
        if not 1 <= value <= 10**9:
            raise InputError(f"‘{name}’ must be from 1 to 1,000,000,000, not {value:,}.")
    return (str(dtype), plan["sequences"], plan["length"])


def train_plan(
    billions: Any, teraflops: Any, devices: Any, percent: Any
) -> tuple[float, float, float]:
    """Tokens D, operations a second of all devices at their peak, the share that is reached."""
    tokens = 1e9 * above_zero(billions, "tokens")
    rate = 1e12 * above_zero(teraflops, "rate") * above_zero(devices, "devices")
    share = above_zero(percent, "reached") / 100
    if share > 1:
        raise InputError("‘reached’ is a share of the peak: at most 100 %.")
    return tokens, rate, share


def scaled_ff(width: Any, ratio: Any) -> int:
    """f = ratio · d, to a whole number.

    >>> scaled_ff(4096, 2.6875)
    11008
    """
    return max(1, round(min(above_zero(width, "width") * above_zero(ratio, "ratio"), LARGEST)))


def ratio_of(feed_forward: Any, width: Any) -> float:
    """f / d with five digits."""
    return float(f"{above_zero(feed_forward, 'feed_forward') / above_zero(width, 'width'):.5g}")


def whole(value: Any, key: str) -> int:
    """A whole number that was typed."""
    found = _number(value, key)
    if found != int(found):
        raise InputError(f"‘{_said(key)}’ must be a whole number, not {found:g}.")
    return int(found)


def above_zero(value: Any, key: str) -> float:
    """A positive number that was typed."""
    found = _number(value, key)
    if found <= 0:
        raise InputError(f"‘{_said(key)}’ must be above 0.")
    return found


def _number(value: Any, key: str) -> float:
    if value is None or value == "":
        raise InputError(f"‘{_said(key)}’ is empty.", "Type a number.")
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise InputError(f"‘{_said(key)}’ is not a number.")
    if abs(value) > LARGEST:
        raise InputError(f"‘{_said(key)}’ is too large.")
    return float(value)


def _said(key: str) -> str:
    return LABELS.get(key, key).partition(",")[0]
