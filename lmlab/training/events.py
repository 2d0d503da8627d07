"""What a fine-tuning run says, event by event; the same as dicts in a run's metrics.jsonl.

Frozen, plain Python values; losses in nats a token. Knows no torch.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

Reason = Literal["done", "stopped", "limit", "nan"]


class HaltedError(Exception):
    """A run is to end in the middle of a step.

    Args:
        reason: as in ``events.Finished``.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


@dataclass(frozen=True, slots=True)
class Started:
    """Before the first step.

    Attributes:
        run: its id, or the name of its folder; empty where nothing is written.
        method: of the config.
        trainable: parameters that learn.
        total: parameters of the model, with those that were added.
        rows: that are learned from.
        valid_rows: that are held out.
        tokens: that carry loss, in all rows together.
        steps: that will be made.
        epochs: how often every row is read, by then.
        device: where it runs.
        precision: number format of the computation.
        processes: that share the work.
        first: the step it goes on from; 0 for a new run.
        warnings: what a reader has to know, in sentences.
    """

    run: str
    method: str
    trainable: int
    total: int
    rows: int
    valid_rows: int
    tokens: int
    steps: int
    epochs: float
    device: str
    precision: str
    processes: int = 1
    first: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainStep:
    """One optimiser step.

    Attributes:
        step: from 1.
        loss: mean over the step's tokens that carry loss, before the step was made.
        learning_rate: that it was made with.
        grad_norm: of all gradients together, before clipping.
        tokens: that were read in it, padding left out.
        seconds: that it took.
    """

    step: int
    loss: float
    learning_rate: float
    grad_norm: float
    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The model after some steps; step 0 is before the first.

    Attributes:
        step: that were made.
        valid_loss: mean over all tokens of the held-out rows that carry loss; None without rows.
        probe_loss: mean over the tokens of general texts; at step 0 of the untouched model.
        accuracy: share of held-out rows answered with exactly the right words; None where not
            asked for.
        seconds: that it took.
        bits: bits a byte of the held-out text, whose end tokens have neither bits nor bytes; None
            in fine-tuning.
    """

    step: int
    valid_loss: float | None
    probe_loss: float | None
    accuracy: float | None = None
    seconds: float = 0.0
    bits: float | None = None


@dataclass(frozen=True, slots=True)
class SampleToken:
    """A token of a sample; logprob under the model, in nats."""

    id: int
    text: str
    logprob: float


@dataclass(frozen=True, slots=True)
class Sampled:
    """The completion of one fixed prompt after some steps; greedy in fine-tuning.

    Attributes:
        step: that were made.
        index: which prompt, from 0.
        prompt: its text.
        truth: how the true answer goes on, where it is known.
        text: the completion.
        tokens: of the completion, the end token included.
        words: share of its words that the text learned from has; None where it was not asked.
    """

    step: int
    index: int
    prompt: str
    truth: str
    text: str
    tokens: tuple[SampleToken, ...]
    words: float | None = None


@dataclass(frozen=True, slots=True)
class Levels:
    """Losses that a model from nothing is measured against, in nats a token of its own.

    Attributes:
        uniform: ln V, of a model that finds every token equally likely.
        unigram: entropy of the tokens' frequencies in the text learned from.
        bytes_per_token: of the held-out text, end tokens left out, to turn the lines' nats a token
            into bits a byte.
        base: loss of a finished model on the same held-out text; None while it is not known.
        base_name: which model that is.
        step: that were made when this was said.
    """

    uniform: float
    unigram: float
    bytes_per_token: float
    base: float | None = None
    base_name: str = ""
    step: int = 0


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint lies on the disk: the step it was made after, and where, within the run."""

    step: int
    path: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a run; what was learned by then is kept.

    Attributes:
        reason: all steps were made, it was stopped, a limit was reached, or not-a-number came up.
        step: the last that was made and kept.
        message: what happened, where it is not ``done``.
        train_loss: mean over the last steps.
        valid_loss: of the last evaluation; None where there is none.
        valid_before: of the first.
        probe_loss: of the last evaluation.
        probe_before: of the untouched model.
        accuracy: of the last evaluation.
        accuracy_before: of the first.
        seconds: of the whole run, interruptions left out.
        path: of the adapter or the weights, within the run; empty where nothing was written.
        bits: of the last evaluation.
    """

    reason: Reason
    step: int
    message: str = ""
    train_loss: float | None = None
    valid_loss: float | None = None
    valid_before: float | None = None
    probe_loss: float | None = None
    probe_before: float | None = None
    accuracy: float | None = None
    accuracy_before: float | None = None
    seconds: float = 0.0
    path: str = ""
    bits: float | None = None

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


TrainEvent = Started | Levels | TrainStep | Evaluated | Sampled | Saved | Finished | Lost

KINDS: Mapping[str, type[Any]] = {
    kind.__name__: kind
    for kind in (Started, Levels, TrainStep, Evaluated, Sampled, Saved, Finished, Lost)
}


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
    """
    kind = KINDS[raw["event"]]
    values = {f.name: raw[f.name] for f in fields(kind) if f.name in raw}
    if kind is TrainStep:
        values = {key: math.nan if value is None else value for key, value in values.items()}
    if kind is Started:
        values["warnings"] = tuple(values.get("warnings", ()))
    if kind is Sampled:
        values["tokens"] = tuple(SampleToken(**token) for token in values["tokens"])
    event: TrainEvent = kind(**values)
    return event


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return list(value) if isinstance(value, tuple) else value
