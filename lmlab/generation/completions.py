"""What generation gives back: frozen steps of plain Python values. No torch, no models, no page.

Log-probabilities and entropies are in nats.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FinishReason = Literal["end", "stop", "length", "context"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A token that could come next."""

    id: int
    text: str  # what it shows as
    logprob: float  # under the model's own distribution
    # after the sampling controls; 0 when they cut it off, None where an engine does not tell it
    probability: float | None


@dataclass(frozen=True, slots=True)
class Step:
    """One generated token, and what the model and the controls made of its position."""

    index: int  # 0 for the first token of the completion
    id: int
    text: str  # what the token shows as
    shown: str  # the characters that became readable with this token; stop strings are left out
    logprob: float  # of the token under the model's own distribution
    # From here on None where an engine draws by itself and does not tell it.
    probability: float | None  # of the token after the controls
    rank: int | None  # of the token, 1 for the model's favourite
    entropy: float | None  # of the model's own distribution
    entropy_after: float | None  # of the distribution that was drawn from
    top: tuple[Candidate, ...]  # the model's likeliest tokens, best first
    finish: FinishReason | None = None  # why the completion ends here, or None when it goes on


@dataclass(frozen=True, slots=True)
class Advice:
    """What makes a completion worse than the model is, and can be changed."""

    # ``space``: the prompt ends in white space; ``chat``: a chat model is asked plainly
    kind: Literal["space", "chat"]
    said: str  # the same in words


@dataclass(frozen=True, slots=True)
class Given:
    """A prompt as the model gets it."""

    prompt: str  # with its chat form, where that is asked for
    advice: tuple[Advice, ...] = ()  # what is to be said of it
    start: tuple[str, ...] = ()  # what is put before it, as display strings (for instance BOS)
    # how the model was loaded and is run, where that is out of the ordinary
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Next:
    """Where a completion stands: the model's belief about the next token, before any control."""

    ids: tuple[int, ...]  # everything read so far, prompt and completion
    logits: "NDArray[np.float32]"  # [V] float32, as the model gives them
    words: dict[int, str]  # what the likeliest tokens show as, by id
    ends: frozenset[int]  # the tokens that end a text


@dataclass(frozen=True)
class Beliefs:
    """The next token's distribution before and after the controls."""

    top: tuple[Candidate, ...]  # the model's likeliest tokens, best first
    entropy: float  # of the model's own distribution
    entropy_after: float  # of the distribution that would be drawn from
    kept: int  # how many tokens the controls leave possible
    size: int  # of the vocabulary


@dataclass(frozen=True)
class Completion:
    """A finished or stopped completion (the lecture's x_{t+1:T}) of a prompt (x_{1:t})."""

    model: str
    prompt: str
    steps: tuple[Step, ...]

    @property
    def text(self) -> str:
        """The completion's characters, up to a stop string."""
        return "".join(step.shown for step in self.steps)

    @property
    def ids(self) -> tuple[int, ...]:
        """The completion's tokens."""
        return tuple(step.id for step in self.steps)

    @property
    def logprob(self) -> float:
        """ln p(completion | prompt) under the model's own distribution."""
        return math.fsum(step.logprob for step in self.steps)

    @property
    def perplexity(self) -> float:
        """exp of the mean surprisal; NaN for an empty completion, infinite beyond all numbers."""
        if not self.steps:
            return math.nan
        mean = -self.logprob / len(self.steps)
        return math.inf if mean >= 700 else math.exp(mean)

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why it ended; None when it was stopped from outside."""
        return self.steps[-1].finish if self.steps else None

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict of one sample."""
        return {
            "text": self.text,
            "tokens": [_step_dict(step) for step in self.steps],
            "logprob": self.logprob if math.isfinite(self.logprob) else None,
            "perplexity": self.perplexity if math.isfinite(self.perplexity) else None,
            "finish_reason": self.finish_reason,
        }


def collect(model: str, prompt: str, steps: Sequence[Step]) -> Completion:
    """The completion that a stream of steps spells."""
    return Completion(model, prompt, tuple(steps))


def _step_dict(step: Step) -> dict[str, Any]:
    return {
        "id": step.id,
        "text": step.text,
        "logprob": step.logprob,
        "rank": step.rank,
        "entropy": step.entropy,
        "top": [
            {"id": c.id, "text": c.text, "logprob": c.logprob, "probability": c.probability}
            for c in step.top
        ],
    }
