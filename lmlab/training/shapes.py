"""A model's parameters by name and size, and which of them a method means. Knows no torch."""

import difflib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property

from lmlab.errors import InputError
from lmlab.training.config import FinetuneConfig

GROUPS = ("head", "norms", "biases", "embeddings")
_LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks|layer)\.(\d+)\.")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter."""

    name: str  # its path in the model, such as ``model.layers.0.mlp.up_proj.weight``
    shape: tuple[int, ...]  # (d, k) for a matrix, outputs first; (d,) for a vector
    linear: bool = False  # whether it is a linear map's matrix, so that LoRA can stand beside it
    group: str = ""  # ``head``, ``norms``, ``embeddings``, or empty

    @property
    def size(self) -> int:
        """Numbers in it."""
        return math.prod(self.shape)

    @property
    def layer(self) -> int | None:
        """Number of the layer it belongs to."""
        match = _LAYER.search(self.name)
        return int(match[1]) if match else None

    @property
    def module(self) -> str:
        """The path without ``.weight`` or ``.bias``."""
        return self.name.rpartition(".")[0]

    @property
    def leaf(self) -> str:
        """The module's own name, such as ``q_proj``."""
        return self.module.rpartition(".")[2]


@dataclass(frozen=True)
class ModelShape:
    """What there is to train in a model."""

    name: str  # as shown to people
    kind: str  # the architecture, such as ``llama``
    hidden: int  # width of the embeddings
    vocabulary: int  # number of tokens
    context: int  # positions that can be read at once
    parameters: tuple[Parameter, ...]  # each once, in the model's order
    # names of the matrices that usually get LoRA in this architecture
    auto_targets: tuple[str, ...]
    tied: bool  # whether the head is the table of embeddings

    @cached_property
    def total(self) -> int:
        """Numbers in all parameters."""
        return sum(p.size for p in self.parameters)

    @cached_property
    def layers(self) -> int:
        """Number of layers."""
        return 1 + max((p.layer for p in self.parameters if p.layer is not None), default=-1)

    @cached_property
    def head(self) -> tuple[str, ...]:
        """Names of the head's parameters; of the embeddings where the two are one."""
        return tuple(p.name for p in self.parameters if p.group == "head")

    @property
    def looked_up(self) -> int:
        """Numbers that are looked up and never multiplied."""
        return sum(p.size for p in self.parameters if p.group == "embeddings")

    @cached_property
    def linear_names(self) -> tuple[str, ...]:
        """Names of the linear maps below the head, such as ``q_proj``."""
        found = (p.leaf for p in self.parameters if p.linear and p.group != "head")
        return tuple(dict.fromkeys(found))


def lora_targets(shape: ModelShape, config: FinetuneConfig) -> list[Parameter]:
    """The matrices that get LoRA. Raises InputError: a name that matches nothing, a layer that does
    not exist, or a rank above the smaller side of a matrix.
    """
    linear = [p for p in shape.parameters if p.linear and p.group != "head"]
    names = config.target_names
    if names == ("auto",):
        names = shape.auto_targets
    if names != ("all-linear",):
        for name in names:
            if not any(_named(p, name) for p in linear):
                raise _no_target(name, shape.linear_names)
        linear = [p for p in linear if any(_named(p, name) for name in names)]
    if config.layers:
        wanted = {_layer(shape, number) for number in config.layers}
        linear = [p for p in linear if p.layer in wanted]
    if not linear:
        raise InputError("None of the targets lies in the chosen layers.")
    for p in linear:
        if config.rank > min(p.shape):
            d, k = p.shape
            raise InputError(
                f"The rank {config.rank} is above that of {p.leaf}, a matrix of {d:,} × {k:,}.",
                f"Take at most {min(min(p.shape) for p in linear):,}.",
            )
    return linear


def selected(shape: ModelShape, parts: Sequence[str]) -> list[Parameter]:
    """The parameters that selective fine-tuning trains, in the model's order. Raises InputError: a
    part that matches nothing.
    """
    names: set[str] = set()
    for part in parts:
        if not part:
            continue
        found = [p.name for p in shape.parameters if _chosen(shape, p, part)]
        if not found:
            raise _no_part(shape, part)
        names.update(found)
    return [p for p in shape.parameters if p.name in names]


def _chosen(shape: ModelShape, p: Parameter, part: str) -> bool:
    if re.fullmatch(r"-?\d{1,6}", part):
        return p.layer == _layer(shape, int(part))
    if part == "embeddings":
        return p.group == part or (shape.tied and p.group == "head")
    if part == "biases":
        return p.name.endswith("bias")
    if part in GROUPS:
        return p.group == part
    return fnmatchcase(p.name, part) or fnmatchcase(p.name, f"*{part}*")


def _layer(shape: ModelShape, number: int) -> int:
    count = shape.layers
    if not -count <= number < count:
        raise InputError(
            f"There is no layer {number}.", f"‘{shape.name}’ has layers 0 to {count - 1}."
        )
    return number % count


def _named(p: Parameter, name: str) -> bool:
    return p.leaf == name or p.module == name or p.module.endswith(f".{name}")


def _no_target(name: str, known: Sequence[str]) -> InputError:
    return InputError(
        f"No matrix of the model is named ‘{name[:60]}’.", f"There are: {', '.join(known)}."
    )


def _no_part(shape: ModelShape, part: str) -> InputError:
    leaves = list(dict.fromkeys(p.leaf for p in shape.parameters))
    close = difflib.get_close_matches(part, leaves, n=3) or leaves[:12]
    groups = [g for g in GROUPS if any(_chosen(shape, p, g) for p in shape.parameters)]
    return InputError(
        f"No parameter of ‘{shape.name}’ matches ‘{part[:60]}’.",
        f"There are: {', '.join([*groups, *close])}; and layers 0 to {shape.layers - 1}.",
    )
