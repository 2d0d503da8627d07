"""What is published of the GPTs, one row a model, from ``published.json``; a model at hand is told
in the same row.

Nominal is the label that people use, exact what the shape counts to. What is public of each is told
as the lecture tells it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lmlab.features.scale.counts import Shape, parameters

Openness = Literal["yes", "partly", "no"]


@dataclass(frozen=True)
class Opened:
    """What is public of a model: its weights, its training data, its code."""

    model: Openness
    data: Openness
    code: Openness


@dataclass(frozen=True)
class Row:
    """One model of the table. What is not known is None."""

    name: str
    layers: int | None = None  # as of ``Shape``
    width: int | None = None
    heads: int | None = None
    vocabulary: int | None = None
    context: int | None = None
    nominal: str = ""  # the label, such as ``117M``; empty where there is none
    exact: int | None = None  # the count
    tokens: int | None = None  # D, seen in training
    data: str = ""  # what it was trained on, in words
    opened: Opened | None = None
    why: str = ""  # how label and count come to differ, or what the count leaves out
    source: str = ""  # of the figures
    year: int | None = None
    shape: Shape | None = None  # where it is known as a whole


def row_of(name: str, shape: Shape, **facts: Any) -> Row:
    """The row of a known shape; ``facts`` are the fields that a shape does not tell."""
    sizes = (shape.layers, shape.width, shape.heads, shape.vocabulary, shape.context)
    return Row(name, *sizes, shape=shape, **{"exact": parameters(shape), **facts})


def _read() -> Iterator[Row]:
    for told in json.loads(Path(__file__).with_suffix(".json").read_text("utf-8")):
        shape = told.pop("shape", None)
        if opened := told.pop("opened", None):
            told["opened"] = Opened(**opened)
        yield row_of(told.pop("name"), Shape(**shape), **told) if shape else Row(**told)


# The last one, of another family, is for the builder alone.
*_GPTS, LLAMA = _read()
PUBLISHED: tuple[Row, ...] = tuple(_GPTS)


def presets() -> tuple[Row, ...]:
    """Shapes that a builder can start from."""
    return (*(row for row in PUBLISHED if row.shape), LLAMA)
