"""What fine-tuning changed in the weights, as plain frozen values. No torch, no page."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MatrixChange:
    """One matrix, or vector, before and after.

    Attributes:
        name: of the parameter in the base.
        layer: its number, or None outside the layers.
        kind: its name within the layer, for instance ``self_attn.q_proj``.
        shape: (d, k) for a matrix, (d,) for a vector.
        norm: ‖W‖, Frobenius.
        change: ‖ΔW‖, Frobenius.
        singular_values: of ΔW, falling; of LoRA at most ℓ; none of a vector.
        rank: ℓ of the LoRA matrices V and U that make ΔW; 0 where it is not made so.
    """

    name: str
    layer: int | None
    kind: str
    shape: tuple[int, ...]
    norm: float
    change: float
    singular_values: tuple[float, ...] = ()
    rank: int = 0

    @property
    def relative(self) -> float:
        """‖ΔW‖/‖W‖; infinite where W is nothing."""
        if self.norm > 0:
            return self.change / self.norm
        return math.inf if self.change > 0 else 0.0

    @property
    def effective_rank(self) -> float:
        """exp of the entropy of the singular values' shares."""
        return effective_rank(self.singular_values)

    @property
    def stable_rank(self) -> float:
        """‖ΔW‖²_F over the largest singular value squared."""
        return stable_rank(self.singular_values)


@dataclass(frozen=True, slots=True)
class KnifePoint:
    """The model with the k largest singular values of every ΔW.

    Attributes:
        k: how many are kept; 0 is the base.
        task: log-perplexity of the task's texts, nats a token.
        general: the same of general text.
        task_bits: bits per byte of the task's texts.
        general_bits: the same of general text.
        kept: share of Σ‖ΔW‖² that is kept, from 0 to 1.
    """

    k: int
    task: float
    general: float
    task_bits: float
    general_bits: float
    kept: float = 1.0


@dataclass(frozen=True, slots=True)
class Drift:
    """How far the tuned model is from the base on one kind of text.

    Attributes:
        kind: of text.
        n_texts: how many were scored.
        n_tokens: of them all.
        kl: KL(tuned ‖ base) in bits a token: mean over texts of each text's mean.
        kl_low: lower end of its bootstrap interval, 95 %.
        kl_high: upper end.
        kl_reverse: the same of KL(base ‖ tuned).
        before: the base's bits per byte, over all bytes.
        after: the tuned model's.
        kl_reverse_low: lower end of the interval of ``kl_reverse``.
        kl_reverse_high: upper end.
        group: ``task``, ``general`` or ``other``; empty where it is not known.
    """

    kind: str
    n_texts: int
    n_tokens: int
    kl: float
    kl_low: float
    kl_high: float
    kl_reverse: float
    before: float
    after: float
    kl_reverse_low: float = math.nan
    kl_reverse_high: float = math.nan
    group: str = ""

    @property
    def forgetting(self) -> float:
        """Bits per byte after, minus before: above 0 where the tuned model became worse."""
        return self.after - self.before


def effective_rank(singular_values: Sequence[float]) -> float:
    """exp of the entropy of s/Σs (Roy and Vetterli 2007): m when all are equal; 0 of nothing.

    >>> round(effective_rank([2.0, 2.0, 2.0]), 6), round(effective_rank([1.0, 0.0]), 6)
    (3.0, 1.0)
    """
    total = math.fsum(singular_values)
    if not total > 0:
        return 0.0
    shares = [s / total for s in singular_values if s > 0]
    return math.exp(-math.fsum(p * math.log(p) for p in shares))


def stable_rank(singular_values: Sequence[float]) -> float:
    """‖ΔW‖²_F / s₁² (Rudelson and Vershynin 2007), never above the rank; 0 of nothing.

    >>> stable_rank([2.0, 2.0, 2.0]), stable_rank([4.0, 2.0])
    (3.0, 1.25)
    """
    largest = max(singular_values, default=0.0)
    if not largest > 0:
        return 0.0
    return math.fsum(s * s for s in singular_values) / largest**2
