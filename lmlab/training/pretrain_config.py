"""What a pre-training run is asked to do. Knows no torch, no tokenizer and no text."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple

from pydantic import Field
from pydantic.dataclasses import dataclass

from lmlab.errors import InputError
from lmlab.options import Option
from lmlab.training.config import (
    Decay,
    FinetuneConfig,
    Large,
    Often,
    Rate,
    Seed,
    Share,
    Size,
    Steps,
)
from lmlab.training.counting import LIBRARIES
from lmlab.training.run_config import STRICT, RunConfig

BYTES, SPECIAL = 256, 1  # a byte-level vocabulary has these, and an end-of-text token
SMALLEST = BYTES + SPECIAL
OFTEN = 10  # steps between two looks or samples of a short run
WIDTH_STEP = 8  # a head's width is even, and a row of numbers fills a processor's registers


class Shape(NamedTuple):
    """A preset of a model's shape; ``width`` is the lecture's d."""

    layers: int
    width: int
    heads: int


SIZES: Mapping[str, Shape] = MappingProxyType(
    {
        "micro": Shape(2, 48, 2),
        "tiny": Shape(2, 64, 2),
        "small": Shape(3, 96, 3),
        "medium": Shape(4, 128, 4),
    }
)


@dataclass(frozen=True, config=STRICT)
class PretrainConfig(RunConfig):
    """Shape and training of one model that starts from nothing; what stands below a setting is its
    help.
    """

    layers: Annotated[int, Field(ge=1, le=48), Option("layers n", high=12, step=1)] = 2
    """of the decoder"""
    width: Annotated[int, Field(ge=8, le=2048), Option("width d", high=384, step=8)] = 64
    """of a token's vector, the lecture's d; a multiple of 8 and of the heads"""
    heads: Annotated[int, Field(ge=1, le=64), Option("heads", high=12, step=1)] = 2
    """of attention in each layer"""
    vocabulary: Annotated[int, Field(ge=SMALLEST, le=65_536), Option(short="--vocab")] = 512
    """largest number of tokens: 256 bytes, one end-of-text token, and merges"""
    context: Annotated[
        int, Field(ge=8, le=4096), Option("context, tokens", low=16, high=256, step=8)
    ] = 64
    """positions that the model reads"""
    steps: Annotated[Steps, Option("steps", low=20, high=6000, step=20)] = 2600
    """optimiser steps"""
    batch_size: Annotated[
        Size, Option("windows a step", id="batch", high=64, step=1, short="--batch")
    ] = 8
    """windows of the text read in one step"""
    learning_rate: Annotated[Rate, Option("learning rate", id="rate", short="--lr", typed=True)] = (
        1e-2
    )
    """the highest; it goes up first and then down as a cosine"""
    warmup: Annotated[Share, Option("warm-up, share of steps", typed=True)] = 0.03
    """share of the steps in which it goes up"""
    weight_decay: Annotated[Decay, Option("weight decay", id="decay", typed=True)] = 0.05
    """of AdamW, on matrices alone"""
    clip: Annotated[Large, Option()] = 1.0
    """largest norm of the gradient; 0 never clips"""
    seed: Annotated[Seed, Option("seed", typed=True)] = 20
    """of weights, windows and samples"""
    evaluate_every: Annotated[Often, Option()] = 100
    """steps between looks at the held-out text; 0: at the start and the end alone"""
    sample_every: Annotated[Often, Option()] = 50
    """steps between samples; 0: likewise"""
    save_every: Annotated[Often, Option()] = 300
    """steps between checkpoints; 0: at the end alone"""
    temperature: Annotated[
        float, Field(ge=0, le=5), Option("temperature of samples", typed=True)
    ] = 0.7
    """of the samples"""

    def __post_init__(self) -> None:
        """Refuse a width that the heads cannot share."""
        if self.width % WIDTH_STEP or self.width % self.heads or self.width // self.heads % 2:
            raise InputError(
                f"A width of {self.width} cannot be shared by {self.heads} heads.",
                f"Take a multiple of {WIDTH_STEP} whose share for each head is even.",
            )

    @classmethod
    def sized(cls, size: str, **changes: Any) -> "PretrainConfig":
        """The config of a preset. Raises InputError: there is no such preset, or a setting that
        cannot be.
        """
        if size not in SIZES:
            raise InputError(
                f"There is no size ‘{str(size)[:40]}’.", f"There are: {', '.join(SIZES)}."
            )
        return cls(**{**SIZES[size]._asdict(), **changes})

    @property
    def size(self) -> str:
        """Name of the preset of this shape; empty where it is none."""
        mine = (self.layers, self.width, self.heads)
        return next((name for name, shape in SIZES.items() if shape == mine), "")

    @property
    def feed_forward(self) -> int:
        """Width between a feed-forward layer's maps: about 8/3 · d, as in Llama (Touvron 2023)."""
        return max(WIDTH_STEP, round(8 * self.width / 3 / WIDTH_STEP) * WIDTH_STEP)

    @property
    def parameters(self) -> int:
        """Numbers that learn, with the whole vocabulary; embeddings and head are one table.

        V·d + n·(4d² + 3·d·f + 2d) + d: attention's four maps, the gated feed-forward's three, two
        norms a layer and one at the end.
        """
        d, f = self.width, self.feed_forward
        return self.vocabulary * d + self.layers * (4 * d * d + 3 * d * f + 2 * d) + d

    @property
    def flops_per_token(self) -> float:
        """Of one training step: 6 for each weight (Kaplan et al. 2020), and attention's scores."""
        return 6.0 * self.parameters + 6.0 * self.layers * self.context * self.width

    @property
    def tokens(self) -> int:
        """Tokens that are read in all steps."""
        return self.steps * self.batch_size * self.context

    @property
    def memory_bytes(self) -> int:
        """Weights, gradients and AdamW's two moments in float32, and a step's activations.

        Activations: some 27 numbers of the width for each token and layer, and the logits three
        times (``python -m bench.memory``).
        """
        seen = self.batch_size * self.context
        kept = seen * (27 * self.layers * self.width + 3 * self.vocabulary)
        return LIBRARIES + 4 * (4 * self.parameters + kept)

    def training(self) -> FinetuneConfig:
        """The same as the training loop takes it: all weights, loss on every token."""
        shared = (
            "steps", "batch_size", "learning_rate", "warmup", "weight_decay", "clip", "seed",
            "evaluate_every", "sample_every", "save_every",
        )  # fmt: skip
        return FinetuneConfig(
            method="full",
            schedule="cosine",
            loss_on="all",
            answer_rows=0,
            probe_rows=0,
            samples=0,
            precision="float32",
            **{name: getattr(self, name) for name in shared},
        )

    def with_steps(self, steps: int) -> "PretrainConfig":
        """The same for another length: looks, samples and checkpoints as many as before."""
        share = steps / self.steps
        often = {
            name: max(min(OFTEN, getattr(self, name)), round(getattr(self, name) * share))
            for name in ("evaluate_every", "sample_every", "save_every")
            if getattr(self, name)
        }
        return replace(self, steps=steps, **often)
