"""Every prediction of an evaluation as a row: frozen, plain values, log-likelihoods in nats."""

from dataclasses import dataclass
from typing import Literal

Way = Literal["sum", "per character", "per byte", "minus unconditional", "calibrated"]
WAYS: tuple[Way, ...] = (
    "sum",
    "per character",
    "per byte",
    "minus unconditional",
    "calibrated",
)


@dataclass(frozen=True, slots=True)
class Prediction:
    """One query under one set of examples."""

    row: int  # number of the query, from 1
    draw: int  # which examples, from 0
    query: str  # what was asked, without the examples
    truth: str  # the true answer or label
    answer: str | None  # what the model answered; None where nothing could be read
    correct: bool  # whether the two agree
    nll: float  # of the true answer given the prompt, in nats
    n_tokens: int  # of the true answer
    n_prompt: int  # of the prompt
    logprobs: tuple[float, ...] = ()  # of each label or option, where there are some
    # ln p of each label less that after a query without content, where asked for
    calibrated: tuple[float, ...] = ()
    choices: tuple[tuple[Way, str], ...] = ()  # the label chosen in each way
    completion: str = ""  # what the model wrote, for a free answer
    reason: str = ""  # why no answer was read
    f1: float = 0.0  # token F1, for a free answer
    options: tuple[str, ...] = ()  # what the answer was chosen from, where each row has its own


@dataclass(frozen=True, slots=True)
class Unfit:
    """A prompt that the model cannot read whole: which, and its length in tokens."""

    row: int
    draw: int
    n_tokens: int
