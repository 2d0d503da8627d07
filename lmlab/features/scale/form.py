"""The parameter builder's form: what a visitor typed against the shape and the plans it means."""

import math
from dataclasses import dataclass
from typing import Any

from lmlab.errors import InputError
from lmlab.features.scale.counts import BYTES, Shape

LEARNED, ROTARY = "a learned table", "rotary: none"
LAYER, RMS = "layer norm", "RMS norm"
BIASES = ("queries, keys, values", "attention’s output", "feed-forward")
TARGETS = ("q", "k", "v", "qkv", "o", "up", "down", "gate")
LARGEST = 10.0**15
KEYS = (
    "layers", "width", "heads", "vocabulary", "context", "feed_forward", "kv_heads", "head_width",
    "extra_positions", "tied", "gated", "final_norm", "positions", "norm", "biases",
)  # fmt: skip
LABELS = {
    "layers": "layers L",
    "width": "width d",
    "heads": "heads",
    "vocabulary": "vocabulary V",
    "context": "context n",
    "feed_forward": "feed-forward f",
    "ratio": "ratio f/d",
    "kv_heads": "key-value heads",
    "head_width": "head width",
    "extra_positions": "extra positions",
}


@dataclass(frozen=True)
class CachePlan:
    """How keys and values are kept.

    Attributes:
        dtype: number format.
        batch: sequences at once.
        length: positions of each.
    """

    dtype: str
    batch: int
    length: int


@dataclass(frozen=True)
class TrainPlan:
    """A training run on paper.

    Attributes:
        tokens: D.
        rate: operations a second of all devices, at their peak.
        reached: the share of it that is reached, 0 to 1.
    """

    tokens: float
    rate: float
    reached: float


def shape_of(values: tuple[Any, ...]) -> Shape:
    """The shape that the form holds, fields in the order of ``KEYS``.

    Raises:
        InputError: names the field that cannot be.
    """
    told = dict(zip(KEYS, values, strict=True))
    counts = {key: whole(told[key], LABELS[key]) for key in KEYS[:9]}
    biases = told["biases"] or ()
    return Shape(
        **counts,
        tied=bool(told["tied"]),
        gated=bool(told["gated"]),
        final_norm=bool(told["final_norm"]),
        positions="none" if told["positions"] == ROTARY else "learned",
        norm="rms" if told["norm"] == RMS else "layer",
        attention_biases=BIASES[0] in biases,
        output_bias=BIASES[1] in biases,
        feed_forward_biases=BIASES[2] in biases,
    )


def values_of(shape: Shape) -> list[Any]:
    """The form's values for a shape; ``shape_of`` gives it back."""
    has = (shape.attention_biases, shape.output_bias, shape.feed_forward_biases)
    chosen = {
        "positions": ROTARY if shape.positions == "none" else LEARNED,
        "norm": RMS if shape.norm == "rms" else LAYER,
        "biases": [name for name, there in zip(BIASES, has, strict=True) if there],
    }
    return [chosen[key] if key in chosen else getattr(shape, key) for key in KEYS]


def cache_plan(dtype: Any, batch: Any, length: Any) -> CachePlan:
    """How keys and values are kept.

    Raises:
        InputError: names the field that cannot be.
    """
    if dtype not in BYTES:
        raise InputError("That is no number format.", f"There are: {', '.join(BYTES)}.")
    plan = CachePlan(str(dtype), whole(batch, "sequences"), whole(length, "length"))
    for name, value in (("sequences", plan.batch), ("length", plan.length)):
        if not 1 <= value <= 10**9:
            raise InputError(f"‘{name}’ must be from 1 to 1,000,000,000, not {value:,}.")
    return plan


def train_plan(billions: Any, teraflops: Any, devices: Any, percent: Any) -> TrainPlan:
    """A training run on paper.

    Raises:
        InputError: names the field that cannot be.
    """
    tokens = 1e9 * above_zero(billions, "tokens D")
    rate = 1e12 * above_zero(teraflops, "TFLOP/s") * above_zero(devices, "devices")
    share = above_zero(percent, "reached") / 100
    if share > 1:
        raise InputError("‘reached’ is a share of the peak: at most 100 %.")
    return TrainPlan(tokens, rate, share)


def scaled_ff(width: Any, ratio: Any) -> int:
    """f = ratio · d, to a whole number.

    >>> scaled_ff(4096, 2.6875)
    11008
    """
    found = above_zero(width, LABELS["width"]) * above_zero(ratio, LABELS["ratio"])
    return max(1, round(min(found, LARGEST)))


def ratio_of(feed_forward: Any, width: Any) -> float:
    """f / d with five digits."""
    inner = above_zero(feed_forward, LABELS["feed_forward"])
    return float(f"{inner / above_zero(width, LABELS['width']):.5g}")


def whole(value: Any, name: str) -> int:
    """A whole number that was typed.

    Raises:
        InputError: nothing, not a number, a fraction, or beyond all bounds.
    """
    found = _number(value, name)
    if found != int(found):
        raise InputError(f"‘{name}’ must be a whole number, not {found:g}.")
    return int(found)


def above_zero(value: Any, name: str) -> float:
    """A positive number that was typed.

    Raises:
        InputError: nothing, not a number, zero or less, or beyond all bounds.
    """
    found = _number(value, name)
    if found <= 0:
        raise InputError(f"‘{name}’ must be above 0.")
    return found


def _number(value: Any, name: str) -> float:
    if value is None or value == "":
        raise InputError(f"‘{name}’ is empty.", "Type a number.")
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise InputError(f"‘{name}’ is not a number.")
    if abs(value) > LARGEST:
        raise InputError(f"‘{name}’ is too large.")
    return float(value)
