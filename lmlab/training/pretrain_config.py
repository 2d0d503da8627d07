"""What a pre-training run is asked to do. Knows no torch, no tokenizer and no text."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import Any

from lmlab.errors import InputError
from lmlab.training.config import MOST_SEED, FinetuneConfig
from lmlab.training.memory import LIBRARIES

BYTES, SPECIAL = 256, 1  # a byte-level vocabulary has these, and an end-of-text token
SMALLEST = BYTES + SPECIAL
OFTEN = 10  # steps between two looks or samples of a short run
WIDTH_STEP = 8  # a head's width is even, and a row of numbers fills a processor's registers


@dataclass(frozen=True)
class Size:
    """A preset of a model's shape.

    Attributes:
        layers: how many.
        width: of a token's vector, the lecture's d.
        heads: of attention in each layer.
    """

    layers: int
    width: int
    heads: int


SIZES: Mapping[str, Size] = MappingProxyType(
    {
        "micro": Size(2, 48, 2),
        "tiny": Size(2, 64, 2),
        "small": Size(3, 96, 3),
        "medium": Size(4, 128, 4),
    }
)


@dataclass(frozen=True)
class PretrainConfig:
    """Shape and training of one model that starts from nothing.

    Attributes:
        layers: of the decoder.
        width: of a token's vector, the lecture's d; a multiple of 8 and of the heads.
        heads: of attention in each layer.
        vocabulary: largest number of tokens: 256 bytes, one end-of-text token, and merges.
        context: positions that the model reads.
        steps: optimiser steps.
        batch_size: windows of the text read in one step.
        learning_rate: the highest; it goes up first and then down as a cosine.
        warmup: share of the steps in which it goes up.
        weight_decay: of AdamW, on matrices alone.
        clip: largest norm of the gradient; 0 never clips.
        seed: of weights, windows and samples.
        evaluate_every: steps between looks at the held-out text; 0: at the start and the end alone.
        sample_every: steps between samples; 0: likewise.
        save_every: steps between checkpoints; 0: at the end alone.
        temperature: of the samples.
    """

    layers: int = 2
    width: int = 64
    heads: int = 2
    vocabulary: int = 512
    context: int = 64
    steps: int = 2600
    batch_size: int = 8
    learning_rate: float = 1e-2
    warmup: float = 0.03
    weight_decay: float = 0.05
    clip: float = 1.0
    seed: int = 20
    evaluate_every: int = 100
    sample_every: int = 50
    save_every: int = 300
    temperature: float = 0.7

    def __post_init__(self) -> None:
        """Refuse what no model could be made of.

        Raises:
            InputError: says which setting, and what it may be.
        """
        for name, (low, high) in WHOLE.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise InputError(
                    f"The {_said(name)} cannot be {str(value)[:40]}.",
                    f"It is a whole number from {low:,} to {high:,}.",
                )
        for name, (least, most) in REAL.items():
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not least <= value <= most:
                raise InputError(
                    f"The {_said(name)} cannot be {str(value)[:40]}.",
                    f"It is a number from {least:g} to {most:g}.",
                )
        if self.width % WIDTH_STEP or self.width % self.heads or self.width // self.heads % 2:
            raise InputError(
                f"A width of {self.width} cannot be shared by {self.heads} heads.",
                f"Take a multiple of {WIDTH_STEP} whose share for each head is even.",
            )

    @classmethod
    def sized(cls, size: str, **changes: Any) -> "PretrainConfig":
        """The config of a preset.

        Raises:
            InputError: there is no such preset, or a setting that cannot be.
        """
        if size not in SIZES:
            raise InputError(
                f"There is no size ‘{str(size)[:40]}’.", f"There are: {', '.join(SIZES)}."
            )
        return cls(**{**asdict(SIZES[size]), **changes})

    @property
    def size(self) -> str:
        """Name of the preset of this shape; empty where it is none."""
        mine = Size(self.layers, self.width, self.heads)
        return next((name for name, size in SIZES.items() if size == mine), "")

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

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "PretrainConfig":
        """The config of a dict; unknown settings are refused.

        Raises:
            InputError: an unknown setting, or one that cannot be.
        """
        known = [field.name for field in fields(cls)]
        if unknown := sorted(set(raw) - set(known)):
            raise InputError(
                f"There is no setting ‘{str(unknown[0])[:40]}’.", f"There are: {', '.join(known)}."
            )
        return cls(**raw)

    def difference(self, other: "PretrainConfig") -> dict[str, tuple[Any, Any]]:
        """Settings that are not the same: {name: (mine, other's)}."""
        mine, theirs = self.to_dict(), other.to_dict()
        return {key: (mine[key], theirs[key]) for key in mine if mine[key] != theirs[key]}

    def with_steps(self, steps: int) -> "PretrainConfig":
        """The same for another length: looks, samples and checkpoints as many as before."""
        share = steps / self.steps
        often = {
            name: max(min(OFTEN, getattr(self, name)), round(getattr(self, name) * share))
            for name in ("evaluate_every", "sample_every", "save_every")
            if getattr(self, name)
        }
        return replace(self, steps=steps, **often)


# Bounds of what can be asked for at all; what a visitor may ask for is in the settings as well.
WHOLE: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "layers": (1, 48),
        "width": (8, 2048),
        "heads": (1, 64),
        "vocabulary": (SMALLEST, 65_536),
        "context": (8, 4096),
        "steps": (1, 10_000_000),
        "batch_size": (1, 4096),
        "seed": (0, MOST_SEED),
        "evaluate_every": (0, 10_000_000),
        "sample_every": (0, 10_000_000),
        "save_every": (0, 10_000_000),
    }
)
REAL: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "learning_rate": (1e-12, 1e12),
        "warmup": (0.0, 1.0),
        "weight_decay": (0.0, 10.0),
        "clip": (0.0, 1e9),
        "temperature": (0.0, 5.0),
    }
)


def _said(name: str) -> str:
    return name.replace("_", " ")
