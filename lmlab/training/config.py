"""What a fine-tuning run is asked to do. Knows no torch, no model and no data."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from lmlab.errors import InputError
from lmlab.models.forms import Form

Method = Literal["full", "selective", "lora", "prompt"]
Start = Literal["zero", "random"]
LossOn = Literal["answer", "all"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]
# Those of transformers.get_scheduler that need nothing but a number of steps.
Schedule = Literal[
    "linear",
    "cosine",
    "constant",
    "constant_with_warmup",
    "cosine_with_restarts",
    "polynomial",
    "inverse_sqrt",
]

METHODS: tuple[Method, ...] = get_args(Method)
SCHEDULES: tuple[Schedule, ...] = get_args(Schedule)
# Learning rates that suit a model of ``SMALL`` parameters and below, by method.
RATES: Mapping[Method, float] = {"full": 5e-4, "selective": 1e-3, "lora": 3e-3, "prompt": 3e-2}
SMALL, LARGE = 10_000_000, 1_000_000_000
MOST_SEED = 2**31 - 1
MOST_NAMES = 64


@dataclass(frozen=True)
class FinetuneConfig:
    """Method and training of one run.

    Attributes:
        method: what is changed: all weights, some of them, LoRA matrices, or a soft prompt.
        rank: of LoRA, the lecture's ℓ.
        alpha: of LoRA; the scale of V·U is alpha / rank.
        dropout: of LoRA's input, from 0 to below 1.
        targets: matrices that get LoRA: ``auto`` (usual for the architecture), ``all-linear``, or
            names separated by commas, such as ``q_proj,v_proj``.
        layers: numbers of the layers that get LoRA, from 0; negative ones count from the last;
            none means all.
        start: LoRA's V is ``zero``, so that step 0 is the base exactly; or both are ``random``.
        rslora: scale by alpha / √rank instead (rank-stabilised LoRA).
        dora: learn each output's magnitude apart from its direction (DoRA).
        parts: of selective fine-tuning, each a layer's number, a pattern of parameter names with
            ``*``, ``head``, ``norms``, ``biases`` or ``embeddings``.
        length: of a soft prompt, in tokens.
        start_text: text whose embeddings a soft prompt starts from; empty: embeddings of random
            tokens.
        steps: optimiser steps.
        batch_size: rows read at once.
        accumulation: batches in one step.
        learning_rate: the highest; the command line's default falls with the model's size.
        schedule: how it goes down; a name of transformers' ``get_scheduler``.
        warmup: share of the steps in which it goes up.
        weight_decay: of AdamW, on matrices alone.
        clip: largest norm of the gradient; 0 never clips.
        seed: of batches, dropout and new weights.
        max_length: longest row in tokens; 0: the model's context.
        form: ``plain`` text, or the turns of the model's ``chat`` template.
        loss_on: ``answer`` (and the end token), or ``all`` tokens.
        end_token: whether the end token follows every answer.
        evaluate_every: steps between evaluations; 0: at the start and the end alone.
        sample_every: steps between samples; 0: at the start and the end alone.
        save_every: steps between checkpoints; 0: at the end, and by time.
        save_seconds: the longest time without a checkpoint, which is what a kill costs at most;
            more where writing one takes more than a tenth of it; 0: by steps alone.
        answer_rows: validation rows that are answered, for the accuracy, at each evaluation.
        probe_rows: general texts read, for forgetting, at each evaluation.
        samples: validation rows whose completion is shown.
        precision: ``auto`` is bfloat16 on CUDA, else float32.
        skip_bad: leave out rows that cannot be read or learned from, and say which.
    """

    method: Method = "lora"
    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    targets: str = "auto"
    layers: tuple[int, ...] = ()
    start: Start = "zero"
    rslora: bool = False
    dora: bool = False
    parts: tuple[str, ...] = ("head",)
    length: int = 20
    start_text: str = ""
    steps: int = 200
    batch_size: int = 16
    accumulation: int = 1
    learning_rate: float = 3e-3
    schedule: Schedule = "cosine"
    warmup: float = 0.06
    weight_decay: float = 0.0
    clip: float = 1.0
    seed: int = 20
    max_length: int = 0
    form: Form = "plain"
    loss_on: LossOn = "answer"
    end_token: bool = True
    evaluate_every: int = 50
    sample_every: int = 50
    save_every: int = 50
    save_seconds: float = 60.0
    answer_rows: int = 40
    probe_rows: int = 16
    samples: int = 3
    precision: Precision = "auto"
    skip_bad: bool = False

    def __post_init__(self) -> None:
        """Refuse what no model could be trained with.

        Raises:
            InputError: says which setting, and what it may be.
        """
        for name, kind in (
            ("method", Method),
            ("start", Start),
            ("schedule", Schedule),
            ("form", Form),
            ("loss_on", LossOn),
            ("precision", Precision),
        ):
            _one_of(name, getattr(self, name), get_args(kind))
        for name, (low, high) in WHOLE.items():
            _whole(name, getattr(self, name), low, high)
        for name, (least, most) in REAL.items():
            _real(name, getattr(self, name), least, most)
        object.__setattr__(self, "layers", tuple(_number(layer) for layer in self.layers))
        object.__setattr__(self, "parts", tuple(str(part).strip() for part in self.parts))
        self._check_names()

    def _check_names(self) -> None:
        if not self.targets.strip():
            raise InputError("No matrix is named as a target.", "Take ‘auto’ or ‘all-linear’.")
        if len(self.target_names) > MOST_NAMES or len(self.parts) > MOST_NAMES:
            raise InputError(f"At most {MOST_NAMES} names can be given.")
        if self.method == "selective" and not any(self.parts):
            raise InputError(
                "No part of the model is chosen.",
                "Name layers by number, ‘head’, ‘norms’, ‘biases’ or a pattern.",
            )
        if len(self.start_text) > 2000:
            raise InputError("The soft prompt's text has more than 2,000 characters.")
        if self.method == "lora" and self.dora and self.start == "random":
            raise InputError("DoRA starts from V = 0.", "Choose one of the two.")

    @property
    def target_names(self) -> tuple[str, ...]:
        """The names in ``targets``."""
        return tuple(name.strip() for name in self.targets.split(",") if name.strip())

    @property
    def scale(self) -> float:
        """What V·U is multiplied by."""
        return self.alpha / (math.sqrt(self.rank) if self.rslora else self.rank)

    @property
    def is_adapter(self) -> bool:
        """Whether what is learned stands beside the base's weights rather than in them."""
        return self.method in ("lora", "prompt")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "layers": list(self.layers), "parts": list(self.parts)}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "FinetuneConfig":
        """The config of a dict; unknown settings are refused.

        Raises:
            InputError: an unknown setting, or one that cannot be.
        """
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(raw) - known):
            raise InputError(
                f"There is no setting ‘{str(unknown[0])[:40]}’.",
                f"There are: {', '.join(sorted(known))}.",
            )
        tuples = {key: tuple(raw[key]) for key in ("layers", "parts") if key in raw}
        return cls(**{**raw, **tuples})

    def difference(self, other: "FinetuneConfig") -> dict[str, tuple[Any, Any]]:
        """Settings that are not the same: {name: (mine, other's)}."""
        mine, theirs = self.to_dict(), other.to_dict()
        return {key: (mine[key], theirs[key]) for key in mine if mine[key] != theirs[key]}


# Bounds of the whole numbers and of the others; what a visitor may ask for is in the settings.
WHOLE: Mapping[str, tuple[int, int]] = {
    "rank": (1, 4096),
    "length": (1, 1024),
    "steps": (1, 10_000_000),
    "batch_size": (1, 4096),
    "accumulation": (1, 4096),
    "seed": (0, MOST_SEED),
    "max_length": (0, 10_000_000),
    "evaluate_every": (0, 10_000_000),
    "sample_every": (0, 10_000_000),
    "save_every": (0, 10_000_000),
    "answer_rows": (0, 10_000),
    "probe_rows": (0, 168),
    "samples": (0, 16),
}
REAL: Mapping[str, tuple[float, float]] = {
    "alpha": (1e-6, 1e6),
    "dropout": (0.0, 0.95),
    # So high a rate is let through: what becomes of it is part of the lecture.
    "learning_rate": (1e-12, 1e12),
    "warmup": (0.0, 1.0),
    "weight_decay": (0.0, 10.0),
    "clip": (0.0, 1e9),
    "save_seconds": (0.0, 1e9),
}


def suited_rate(method: Method, parameters: int) -> float:
    """A learning rate for a method on a model of so many parameters: it falls as their root.

    >>> [suited_rate("lora", n) for n in (5_000_000, 135_000_000, 1_100_000_000)]
    [0.003, 0.0008, 0.0003]
    """
    return float(f"{RATES[method] * math.sqrt(SMALL / max(SMALL, parameters)):.1g}")


def suited_rank(parameters: int) -> int:
    """LoRA's rank for a model of so many parameters."""
    return 8 if parameters < LARGE else 16


def steps_of(epochs: float, rows: int, batch_size: int, accumulation: int) -> int:
    """The steps in which each row is read so many times.

    Raises:
        InputError: there are no rows, or the number of epochs is not above 0.
    """
    if not rows or not 0 < epochs < math.inf:
        raise InputError("The epochs are a number above 0.")
    return max(1, math.ceil(epochs * math.ceil(rows / batch_size) / accumulation))


def demo() -> FinetuneConfig:
    """The lecture's demo: LoRA on the shipped questions, well under a minute on two cores."""
    return FinetuneConfig(targets="all-linear", steps=150, evaluate_every=30, sample_every=30)


def _one_of(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(
            f"{_said(name)} cannot be ‘{str(value)[:40]}’.", f"It is one of {', '.join(choices)}."
        )


def _whole(name: str, value: Any, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(
            f"{_said(name)} cannot be {str(value)[:40]}.",
            f"It is a whole number from {low:,} to {high:,}.",
        )


def _real(name: str, value: Any, low: float, high: float) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= value <= high:
        raise InputError(
            f"{_said(name)} cannot be {str(value)[:40]}.",
            f"It is a number from {low:g} to {high:g}.",
        )


def _number(layer: Any) -> int:
    try:
        return int(layer)
    except (TypeError, ValueError):
        raise InputError(f"‘{str(layer)[:40]}’ is no layer's number.") from None


def _said(name: str) -> str:
    """A setting's name as the beginning of a sentence."""
    return "The " + name.replace("_", " ")
