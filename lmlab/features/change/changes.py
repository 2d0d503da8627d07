"""What fine-tuning changed, as plain frozen values. No torch, no page."""

import math
from dataclasses import dataclass

from lmlab.budget import Left, Portion
from lmlab.scoring.scored import Scored


@dataclass(frozen=True, slots=True)
class Reading:
    """How far a measurement is: done, of how many, and what was read last or comes next."""

    done: int
    total: int
    what: str
    left: Left | None = None  # where that is known

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.left.share if self.left else self.done / max(1, self.total)

    @property
    def told(self) -> str:
        """In words, of texts."""
        said = f"{self.what}: {self.done} of {self.total} texts"
        return f"{said}, {self.left.told}" if self.left else said


@dataclass(frozen=True, slots=True)
class MatrixChange:
    """One matrix, or vector, before and after."""

    name: str  # of the parameter in the base
    layer: int | None  # None outside the layers
    kind: str  # its name within the layer, for instance ``self_attn.q_proj``
    shape: tuple[int, ...]  # (d, k) of a matrix, (d,) of a vector
    norm: float  # ‖W‖, Frobenius
    change: float  # ‖ΔW‖
    singular_values: tuple[float, ...] = ()  # of ΔW, falling; of LoRA at most ℓ; none of a vector
    rank: int = 0  # ℓ of the V and U that make ΔW; 0 where it is not made so

    @property
    def relative(self) -> float:
        """‖ΔW‖/‖W‖; infinite where W is nothing."""
        if self.norm > 0:
            return self.change / self.norm
        return math.inf if self.change > 0 else 0.0

    @property
    def effective_rank(self) -> float:
        """exp of the entropy of s/Σs (Roy and Vetterli 2007): m when all m are equal; 0 of none."""
        total = math.fsum(self.singular_values)
        shares = [s / total for s in self.singular_values if s > 0]
        return math.exp(-math.fsum(p * math.log(p) for p in shares)) if shares else 0.0

    @property
    def stable_rank(self) -> float:
        """‖ΔW‖²_F / s₁² (Rudelson and Vershynin 2007), never above the rank; 0 of nothing."""
        largest = max(self.singular_values, default=0.0)
        return math.fsum(s * s for s in self.singular_values) / largest**2 if largest > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Changes:
    """Every matrix and vector that fine-tuning could change, in the model's order."""

    base: str
    tuned: str
    matrices: tuple[MatrixChange, ...]

    @property
    def largest(self) -> MatrixChange:
        """The matrix that changed most for its size."""
        matrices = [one for one in self.matrices if len(one.shape) == 2] or self.matrices
        return max(matrices, key=lambda one: one.relative if one.relative < math.inf else -1.0)


@dataclass(frozen=True, slots=True)
class Unchanged:
    """What was learned changes no weight: a soft prompt, ``length`` vectors of ``width`` numbers
    that are put before the text."""

    tuned: str
    length: int
    width: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A matrix as ``rows`` × ``columns`` entries, fewer than its shape where blocks are drawn as
    one; each a signed byte, 127 of which stand for the absolute value ``largest``."""

    shape: tuple[int, int]
    rows: int
    columns: int
    largest: float
    entries: bytes


@dataclass(frozen=True, slots=True)
class MatrixView:
    """One matrix in full; a vector is [1, d] here."""

    change: MatrixChange
    spectrum: tuple[float, ...]  # singular values of W, falling; none of a vector
    w: Picture
    delta: Picture
    v: Picture | None = None  # V with α·s in it, [d, ℓ], where an adapter makes ΔW
    u: Picture | None = None  # [ℓ, k]


@dataclass(frozen=True, slots=True)
class KnifePoint:
    """The model with the k largest singular values of every ΔW; k = 0 is the base."""

    k: int
    task: float  # log-perplexity of the task's texts, nats a token
    general: float  # the same of general text
    task_bits: float  # bits per byte
    general_bits: float
    kept: float = 1.0  # share of Σ‖ΔW‖² that is kept


@dataclass(frozen=True, slots=True)
class Knifed:
    """The rank knife, so far."""

    base: str
    tuned: str
    task: str  # what the task's texts are, in a few words
    general: str
    ranks: tuple[int, ...]  # every k that is asked for
    points: tuple[KnifePoint, ...] = ()  # those that are measured, in that order
    whole: KnifePoint | None = None  # the tuned model itself, without the knife; None until it is

    @property
    def is_done(self) -> bool:
        """Whether nothing is missing."""
        return self.whole is not None and len(self.points) == len(self.ranks)

    @property
    def gap(self) -> float | None:
        """How far the last cut, all of ΔW, is from the tuned model: nats a token; None before."""
        if self.whole is None or not self.points or not self.is_done:
            return None
        last = self.points[-1]
        return max(abs(last.task - self.whole.task), abs(last.general - self.whole.general))


@dataclass(frozen=True, slots=True)
class Drift:
    """How far the tuned model is from the base on one kind of text."""

    kind: str
    n_texts: int
    n_tokens: int
    kl: float  # KL(tuned ‖ base), bits a token: mean over texts of each text's mean
    kl_low: float  # ends of its bootstrap interval, 95 %
    kl_high: float
    kl_reverse: float  # KL(base ‖ tuned)
    before: float  # the base's bits per byte, over all bytes
    after: float  # the tuned model's
    kl_reverse_low: float = math.nan
    kl_reverse_high: float = math.nan
    group: str = ""  # ``task``, ``general`` or ``other``; empty where it is not known
    portion: Portion | None = None  # of the texts of each kind; None where all were read

    @property
    def forgetting(self) -> float:
        """Bits per byte after, minus before: above 0 where the tuned model became worse."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class SoFar:
    """What the texts that are read by now show; more are read."""

    found: "Drift | TaskMap"


@dataclass(frozen=True)
class TaskMap:
    """Variants of one base on the same texts; the base comes first."""

    names: tuple[str, ...]
    own: tuple[str, ...]  # the task that each was tuned for; empty for the base
    kinds: tuple[str, ...]  # of text; all but the last are the tasks that distances are measured on
    n_rows: tuple[int, ...]  # scored of each kind
    n_tokens: tuple[int, ...]
    # [model][model]: mean over tasks of the mean over tokens of √JSD, from 0 to 1.
    distances: tuple[tuple[float, ...], ...]
    points: tuple[tuple[float, float], ...]  # of each model, in the unit of the distances
    stress: float  # Kruskal's stress-1 of the points
    # Standard deviation of each one's distance from the base over the rows of its own task.
    spread: tuple[float, ...]
    losses: tuple[tuple[float, ...], ...]  # [model][kind]: log-perplexity, nats a token
    portion: Portion | None = None  # of the rows of each kind; None where all were read

    def moved(self, model: int, kind: int) -> float:
        """log₂ of a model's perplexity over the base's: below 0 where it became better."""
        return (self.losses[model][kind] - self.losses[0][kind]) / math.log(2)


@dataclass(frozen=True, slots=True)
class Stop:
    """A checkpoint on the way: optimiser steps made by then, and its name as a model."""

    step: int
    model: str


@dataclass(frozen=True)
class Moment:
    """A text under the model after some steps, what that model writes after the text's opening, and
    how many tokens it chooses from."""

    step: int
    scored: Scored
    written: str
    vocabulary: int
