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
    """One query under one set of examples.

    Attributes:
        row: number of the query, from 1.
        draw: which examples, from 0.
        query: what was asked, without the examples.
        truth: the true answer or label.
        answer: what the model answered; None where nothing could be read.
        correct: whether the two agree.
        nll: of the true answer given the prompt, in nats.
        n_tokens: of the true answer.
        n_prompt: of the prompt.
        logprobs: of each label or option, where there are some.
        calibrated: ln p of each label less that after a query without content, where asked for.
        choices: the label chosen in each way.
        completion: what the model wrote, for a free answer.
        reason: why no answer was read.
        f1: token F1, for a free answer.
        options: what the answer was chosen from, where each row has its own.
    """

    row: int
    draw: int
    query: str
    truth: str
    answer: str | None
    correct: bool
    nll: float
    n_tokens: int
    n_prompt: int
    logprobs: tuple[float, ...] = ()
    calibrated: tuple[float, ...] = ()
    choices: tuple[tuple[Way, str], ...] = ()
    completion: str = ""
    reason: str = ""
    f1: float = 0.0
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unfit:
    """A prompt that the model cannot read whole: which, and its length in tokens."""

    row: int
    draw: int
    n_tokens: int
