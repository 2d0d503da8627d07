"""What a fine-tuning run says, event by event; the same as dicts in a run's metrics.jsonl.

Frozen, plain Python values; losses in nats a token. Knows no torch.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, TypeAdapter

from lmlab.training.sizing import Size

Reason = Literal["done", "stopped", "limit", "nan"]
# What is not finite is null in JSON.
Figure = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]


class HaltedError(Exception):
    """A run is to end before its last step; ``reason`` and ``message`` as in ``Finished``."""

    def __init__(self, reason: Reason, message: str = "") -> None:
        super().__init__(reason)
        self.reason: Reason = reason
        limit = "The time limit was reached; what was learned by then is kept."
        self.message = message or (limit if reason == "limit" else "")


@dataclass(frozen=True, slots=True)
class Started:
    """Before the first step."""

    run: str  # its id, or the name of its folder; empty where nothing is written
    method: str  # of the config
    trainable: int  # parameters that learn
    total: int  # parameters of the model, with those that were added
    rows: int  # that are learned from
    valid_rows: int  # that are held out
    tokens: int  # that carry loss, in all rows together
    steps: int  # that will be made
    epochs: float  # how often every row is read, by then
    device: str  # where it runs
    precision: str  # number format of the computation
    processes: int = 1  # that share the work
    first: int = 0  # the step it goes on from; 0 for a new run
    warnings: tuple[str, ...] = ()  # what a reader has to know, in sentences


@dataclass(frozen=True, slots=True)
class Sized:
    """How much of the held-out rows and of all else is measured in this run."""

    step: int  # that were made when this was decided
    used: Size
    whole: Size  # all that there is
    every: int  # steps between evaluations; 0: at the start and the end alone

    @property
    def told(self) -> str:
        """What a reader has to know; empty where all is measured."""
        if self.used == self.whole:
            return ""
        return (
            f"Each evaluation measures {self.used.told(self.whole)}, in about "
            f"{self.used.seconds:.1f} s; all of them (measure: all) would take "
            f"{self.whole.seconds:,.0f} s."
        )


@dataclass(frozen=True, slots=True)
class TrainStep:
    """One optimiser step."""

    step: int  # from 1
    loss: Figure  # mean over the step's tokens that carry loss, before the step was made
    learning_rate: float  # that it was made with
    grad_norm: Figure  # of all gradients together, before clipping
    tokens: int  # that were read in it, padding left out
    seconds: float  # that it took


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The model after some steps; step 0 is before the first."""

    step: int  # that were made
    valid_loss: float | None  # mean over all tokens of held-out rows that carry loss
    probe_loss: float | None  # mean over general texts; at step 0 of the untouched model
    accuracy: float | None = None  # share of held-out rows with exactly the right words
    seconds: float = 0.0  # that it took
    # A byte of the held-out text, whose end tokens have neither bits nor bytes; in pre-training.
    bits: float | None = None


@dataclass(frozen=True, slots=True)
class SampleToken:
    """A token of a sample; logprob under the model, in nats."""

    id: int
    text: str
    logprob: Figure


@dataclass(frozen=True, slots=True)
class Sampled:
    """The completion of one fixed prompt after some steps; greedy in fine-tuning."""

    step: int  # that were made
    index: int  # which prompt, from 0
    prompt: str  # its text
    truth: str  # how the true answer goes on, where it is known
    text: str  # the completion
    tokens: tuple[SampleToken, ...]  # of the completion, the end token included
    words: float | None = None  # share of its words that the text learned from has


@dataclass(frozen=True, slots=True)
class Levels:
    """Losses that a model from nothing is measured against, in nats a token of its own."""

    uniform: float  # ln V, of a model that finds every token equally likely
    unigram: float  # entropy of the tokens' frequencies in the text learned from
    bytes_per_token: float  # of the held-out text, end tokens left out
    base: float | None = None  # loss of a finished model on that text, once it is known
    base_name: str = ""  # which model that is
    step: int = 0  # that were made when this was said


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint lies on the disk: the step it was made after, and where, within the run."""

    step: int
    path: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a run, all steps made or not; what was learned by then is kept."""

    reason: Reason
    step: int  # the last that was made and kept
    message: str = ""  # what happened, where it is not ``done``
    train_loss: float | None = None  # mean over the last steps
    valid_loss: float | None = None  # of the last evaluation; None where there is none
    valid_before: float | None = None  # of the first
    probe_loss: float | None = None  # of the last evaluation
    probe_before: float | None = None  # of the untouched model
    accuracy: float | None = None  # of the last evaluation
    accuracy_before: float | None = None  # of the first
    seconds: float = 0.0  # of the whole run, interruptions left out
    path: str = ""  # of the adapter or the weights, within the run; empty where nothing was written
    bits: float | None = None  # of the last evaluation

    @property
    def forgetting(self) -> float | None:
        """Loss on general text, after minus before; None where it was not measured."""
        if self.probe_loss is None or self.probe_before is None:
            return None
        return self.probe_loss - self.probe_before


@dataclass(frozen=True, slots=True)
class Lost:
    """In the place of a line of a run's log that cannot be read: its number, from 1."""

    line: int


TrainEvent = Started | Sized | Levels | TrainStep | Evaluated | Sampled | Saved | Finished | Lost
_READERS = {kind.__name__: TypeAdapter(kind) for kind in get_args(TrainEvent)}


def to_dict(event: TrainEvent) -> dict[str, Any]:
    """An event as JSON can hold it: numbers that are not finite become None.

    >>> to_dict(Saved(3, "checkpoints/3"))
    {'event': 'Saved', 'step': 3, 'path': 'checkpoints/3'}
    """
    return {"event": type(event).__name__} | {k: _plain(v) for k, v in asdict(event).items()}


def from_dict(raw: Mapping[str, Any]) -> TrainEvent:
    """The event that ``to_dict`` wrote; a number that was not finite comes back as NaN.

    >>> from_dict({"event": "Saved", "step": 3, "path": "checkpoints/3"})
    Saved(step=3, path='checkpoints/3')

    Raises:
        KeyError, ValueError: it is none.
    """
    event: TrainEvent = _READERS[raw["event"]].validate_python(raw)
    return event


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return list(value) if isinstance(value, tuple) else value
