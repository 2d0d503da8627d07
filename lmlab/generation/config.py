"""The sampling controls as a frozen, checked set of numbers. Imports nothing heavy."""

import math
from dataclasses import dataclass

from lmlab.errors import InputError

MAX_SEED = 2**63 - 1


@dataclass(frozen=True, slots=True)
class GenerateConfig:
    """How a completion is drawn.

    Attributes:
        max_new_tokens: longest completion, in tokens.
        temperature: divides the logits; 0 takes the likeliest token every time (greedy).
        top_k: keep the k likeliest tokens; 0 keeps all.
        top_p: keep the likeliest tokens that together have this probability; 1 keeps all.
        min_p: keep tokens at least this fraction as likely as the likeliest; 0 keeps all.
        repetition_penalty: above 1, tokens that have occurred become less likely.
        seed: of the draws.
        stop: strings that end the completion; they are left out of its text.
        alternatives: how many of the likeliest tokens each step reports.
    """

    max_new_tokens: int = 64
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    alternatives: int = 10

    def __post_init__(self) -> None:
        _within("max_new_tokens", self.max_new_tokens, 1, 100_000)
        _within("temperature", self.temperature, 0, 100)
        _within("top_k", self.top_k, 0, 10_000_000)
        _within("top_p", self.top_p, 0, 1)
        _within("min_p", self.min_p, 0, 1)
        _within("repetition_penalty", self.repetition_penalty, 0.01, 100)
        _within("seed", self.seed, 0, MAX_SEED)
        _within("alternatives", self.alternatives, 0, 1000)
        if any(not stop for stop in self.stop):
            raise InputError("A stop string must not be empty.", "Leave it out instead.")

    @property
    def greedy(self) -> bool:
        """Whether the likeliest token is taken every time."""
        return self.temperature == 0


def _within(name: str, value: float, low: float, high: float) -> None:
    if not math.isfinite(value) or not low <= value <= high:
        raise InputError(f"{name} must be between {low:g} and {high:g}, not {value:g}.")
