"""The sampling controls, and how far a tree of continuations goes, as frozen, checked sets of
numbers. Imports nothing heavy."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from lmlab.options import CHECKED, Checked, Option

MAX_SEED = 2**63 - 1
Length = Annotated[
    int, Field(ge=1, le=100_000), Option("new tokens", "at most", id="length", high=1024)
]
Temperature = Annotated[
    float, Field(ge=0, le=100), Option("temperature", "0: greedy", high=3, step=0.05)
]
Penalty = Annotated[
    float,
    Field(ge=0.01, le=100),
    Option("repetition penalty", "1: none", id="penalty", low=1, high=3, step=0.05),
]
Stop = tuple[Annotated[str, Field(min_length=1)], ...]


@dataclass(frozen=True, config=CHECKED)
class GenerateConfig(Checked):
    """How a completion is drawn."""

    max_new_tokens: Length = 64  # longest completion, in tokens
    # divides the logits; 0 takes the likeliest token every time (greedy)
    temperature: Temperature = 1.0
    # keep the k likeliest tokens; 0 keeps all
    top_k: Annotated[int, Field(ge=0, le=10_000_000), Option("top-k", "0 keeps all")] = 0
    # keep the likeliest tokens that together have this probability; 1 keeps all
    top_p: Annotated[float, Field(ge=0, le=1), Option("top-p", "1 keeps all", step=0.01)] = 1.0
    # keep tokens at least this fraction as likely as the likeliest; 0 keeps all
    min_p: Annotated[float, Field(ge=0, le=1), Option("min-p", "0 keeps all", step=0.01)] = 0.0
    repetition_penalty: Penalty = 1.0  # above 1, tokens that have occurred become less likely
    # of the draws
    seed: Annotated[int, Field(ge=0, le=MAX_SEED), Option("seed", "of the draws")] = 0
    # strings that end the completion; they are left out of its text
    stop: Annotated[Stop, Option("stop strings", "ends it", id="stops")] = ()
    # how many of the likeliest tokens each step reports
    alternatives: Annotated[
        int, Field(ge=0, le=1000), Option("", "alternatives for each token in JSON", flag="--top")
    ] = 10

    @property
    def greedy(self) -> bool:
        """Whether the likeliest token is taken every time."""
        return self.temperature == 0


@dataclass(frozen=True, config=CHECKED)
class TreeConfig(Checked):
    """How much of the tree of continuations is looked at."""

    # tokens ahead
    depth: Annotated[int, Field(ge=1, le=8), Option("levels", "tokens ahead")] = 5
    # likeliest tokens of a place that become places of their own
    width: Annotated[int, Field(ge=1, le=32), Option("top", "tokens of each place")] = 8
    # likeliest places of a level that are expanded; those on a path are besides
    expanded: Annotated[int, Field(ge=1, le=256), Option("", "places of a level expanded")] = 48
    beam: Annotated[int, Field(ge=1, le=16), Option("beam", "hypotheses kept")] = 4
    samples: Annotated[int, Field(ge=0, le=32), Option("samples", "drawn")] = 5
