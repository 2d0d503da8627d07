"""What a fine-tuning run is asked to do. Knows no torch, no model and no data."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from lmlab.budget import MEASURED, Measure
from lmlab.errors import InputError
from lmlab.models.forms import Form
from lmlab.options import Option
from lmlab.training.run_config import STRICT, RunConfig

Method = Literal["lora", "full", "selective", "prompt"]
# Those of transformers.get_scheduler that need nothing but a number of steps.
Schedule = Literal[
    "linear", "cosine", "constant", "constant_with_warmup", "cosine_with_restarts", "polynomial",
    "inverse_sqrt",
]  # fmt: skip
SCHEDULES: tuple[Schedule, ...] = get_args(Schedule)
# Learning rates that suit a model of ``SMALL`` parameters and below, by method.
RATES: Mapping[Method, float] = MappingProxyType(
    {"full": 5e-4, "selective": 1e-3, "lora": 3e-3, "prompt": 3e-2}
)
# Settings that a method has of its own.
OWN: Mapping[Method, tuple[str, ...]] = MappingProxyType(
    {
        "lora": ("rank", "alpha", "dropout", "targets", "layers", "start", "rslora", "dora"),
        "prompt": ("length", "start_text"),
        "selective": ("parts",),
        "full": (),
    }
)
# What the page calls the choices, in their order.
METHODS = ("LoRA", "Full", "Selective", "Prompt tuning")
STARTS = ("V = 0: begins as the base", "both at random")
FORMS = ("plain text", "the model’s chat template")
LOSSES = ("the answer", "the whole row")
SMALL, LARGE = 10_000_000, 1_000_000_000
MOST_NAMES, LONGEST_LIST = 64, 4000

Size = Annotated[int, Field(ge=1, le=4096)]
Steps = Annotated[int, Field(ge=1, le=10_000_000)]
Often = Annotated[int, Field(ge=0, le=10_000_000)]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
# So high a rate is let through: what becomes of it is part of the lecture.
Rate = Annotated[float, Field(ge=1e-12, le=1e12)]
Share = Annotated[float, Field(ge=0, le=1)]
Decay = Annotated[float, Field(ge=0, le=10)]
Large = Annotated[float, Field(ge=0, le=1e9)]


def between_commas(value: Any) -> tuple[Any, ...]:
    """The parts of a text with commas, none of them empty; those of a sequence as they are."""
    if not isinstance(value, list | tuple):
        if len(value := str(value).replace(";", ",")) > LONGEST_LIST:
            raise InputError(f"‘{value[:40]}…’ is too long.")
        value = value.split(",")
    parts = (part.strip() if isinstance(part, str) else part for part in value)
    return tuple(part for part in parts if part != "")


def _layers(value: Any) -> tuple[int, ...]:
    return tuple(_layer(one) for one in between_commas(value))


def _layer(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise InputError(f"‘{str(value)[:40]}’ is no layer's number.") from None


def _names(value: Any) -> tuple[str, ...]:
    return tuple(str(one) for one in between_commas(value))


@dataclass(frozen=True, config=STRICT)
class FinetuneConfig(RunConfig):
    """Method and training of one run; what stands below a setting is its help."""

    method: Annotated[Method, Option("Method", labels=METHODS)] = "lora"
    """what is changed: all weights, some of them, LoRA matrices, or a soft prompt"""
    rank: Annotated[Size, Option("rank ℓ", high=64, step=1)] = 8
    """of LoRA, the lecture's ℓ"""
    alpha: Annotated[float, Field(ge=1e-6, le=1e6), Option("α", low=1, high=128, step=1)] = 16.0
    """of LoRA; the scale of V·U is alpha / rank"""
    dropout: Annotated[float, Field(ge=0, le=0.95), Option("LoRA dropout", high=0.95)] = 0.0
    """of LoRA's input, from 0 to below 1"""
    targets: Annotated[str, Option("matrices W")] = "auto"
    """matrices that get LoRA: auto (usual for the architecture), all-linear, or names separated by
    commas, such as q_proj,v_proj"""
    layers: Annotated[
        tuple[int, ...],
        BeforeValidator(_layers),
        Option("layers", hint="all; or numbers: 0, 1, -1", commas=True),
    ] = ()
    """numbers of the layers that get LoRA, from 0; negative ones count from the last; none means
    all"""
    start: Annotated[Literal["zero", "random"], Option("LoRA’s start", labels=STARTS)] = "zero"
    """LoRA's V is zero, so that step 0 is the base exactly; or both are random"""
    rslora: Annotated[bool, Option("rsLoRA: α / √ℓ")] = False
    """scale by alpha / √rank instead (rank-stabilised LoRA)"""
    dora: Annotated[bool, Option("DoRA")] = False
    """learn each output's magnitude apart from its direction (DoRA)"""
    parts: Annotated[tuple[str, ...], BeforeValidator(_names), Option(commas=True)] = ("head",)
    """of selective fine-tuning, each a layer's number, a pattern of parameter names with *, head,
    norms, biases or embeddings"""
    length: Annotated[
        int, Field(ge=1, le=1024), Option("length ℓ of the soft prompt", high=100, step=1)
    ] = 20
    """of a soft prompt, in tokens"""
    start_text: Annotated[str, Option("start from the text", hint="nothing: random tokens")] = ""
    """text whose embeddings a soft prompt starts from; empty: embeddings of random tokens"""
    steps: Annotated[Steps, Option("steps", high=2000, step=1)] = 200
    """optimiser steps"""
    batch_size: Annotated[
        Size, Option("rows a step", id="batch", high=64, step=1, short="--batch")
    ] = 16
    """rows read at once"""
    accumulation: Annotated[Size, Option("accumulate", high=64)] = 1
    """batches in one step"""
    learning_rate: Annotated[Rate, Option("learning rate", id="rate", short="--lr", typed=True)] = (
        3e-3
    )
    """the highest; the command line's default falls with the model's size"""
    schedule: Annotated[Schedule, Option("schedule")] = "cosine"
    """how it goes down; a name of transformers' get_scheduler"""
    warmup: Annotated[Share, Option("warm-up, share", high=1)] = 0.06
    """share of the steps in which it goes up"""
    weight_decay: Annotated[Decay, Option("weight decay", high=10)] = 0.0
    """of AdamW, on matrices alone"""
    clip: Annotated[Large, Option("clip norm")] = 1.0
    """largest norm of the gradient; 0 never clips"""
    seed: Annotated[Seed, Option("seed")] = 20
    """of batches, dropout and new weights"""
    max_length: Annotated[Often, Option("longest row, tokens")] = 0
    """longest row in tokens; 0: the model's context"""
    form: Annotated[Form, Option("form of a row", labels=FORMS)] = "plain"
    """plain text, or the turns of the model's chat template"""
    loss_on: Annotated[Literal["answer", "all"], Option("loss on", id="loss", labels=LOSSES)] = (
        "answer"
    )
    """answer (and the end token), or all tokens"""
    end_token: Annotated[bool, Option("end token after the answer", id="end")] = True
    """whether the end token follows every answer"""
    evaluate_every: Annotated[Often, Option("check every")] = 50
    """steps between evaluations; 0: at the start and the end alone"""
    sample_every: Annotated[Often, Option()] = 50
    """steps between samples; 0: at the start and the end alone"""
    save_every: Annotated[Often, Option("save every")] = 50
    """steps between checkpoints; 0: at the end, and by time"""
    save_seconds: Annotated[Large, Option()] = 60.0
    """the longest time without a checkpoint, which is what a kill costs at most; more where writing
    one takes more than a tenth of it; 0: by steps alone"""
    answer_rows: Annotated[int, Field(ge=0, le=10_000), Option()] = 40
    """validation rows that are answered, for the accuracy, at each evaluation"""
    probe_rows: Annotated[int, Field(ge=0, le=168), Option()] = 16
    """general texts read, for forgetting, at each evaluation"""
    samples: Annotated[int, Field(ge=0, le=16), Option("sample prompts", high=16)] = 3
    """validation rows whose completion is shown"""
    measure: Annotated[Measure, Option("measure", labels=MEASURED)] = "time"
    """time: of held-out rows, general texts, answers and samples as many as fit, if all evaluations
    together take a tenth of the run's time, or 3 seconds each; all: all of them"""
    precision: Annotated[Literal["auto", "float32", "bfloat16", "float16"], Option()] = "auto"
    """auto is bfloat16 on CUDA, else float32"""
    skip_bad: Annotated[bool, Option()] = False
    """leave out rows that cannot be read or learned from, and say which"""

    def __post_init__(self) -> None:
        """Refuse settings that do not go together."""
        if not self.targets.strip():
            raise InputError("No matrix is named as a target.", "Take ‘auto’ or ‘all-linear’.")
        if len(self.target_names) > MOST_NAMES or len(self.parts) > MOST_NAMES:
            raise InputError(f"At most {MOST_NAMES} names can be given.")
        if self.method == "selective" and not self.parts:
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

    @property
    def soft(self) -> int:
        """Length of the soft prompt; 0 without one."""
        return self.length if self.method == "prompt" else 0


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
    """The steps in which each row is read so many times. Raises InputError: there are no rows, or
    the number of epochs is not above 0.
    """
    if not rows or not 0 < epochs < math.inf:
        raise InputError("The epochs are a number above 0.")
    return max(1, math.ceil(epochs * math.ceil(rows / batch_size) / accumulation))


def demo() -> FinetuneConfig:
    """The lecture's demo: LoRA on the shipped questions, well under a minute on two cores."""
    return FinetuneConfig(targets="all-linear", steps=150, evaluate_every=30, sample_every=30)
