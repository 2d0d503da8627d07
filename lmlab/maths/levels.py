"""Losses that a model from nothing is measured against, in nats a token. Knows no torch."""

import math
from collections.abc import Iterable


def entropy_of_counts(counts: Iterable[int]) -> float:
    """H = −Σ p ln p of frequencies p = count / Σ counts, in nats.

    What a model reaches that knows how often each token occurs, and nothing of what came before.

    >>> round(entropy_of_counts([1, 1, 1, 1]) / math.log(2), 6)
    2.0
    """
    kept = [count for count in counts if count > 0]
    total = sum(kept)
    return math.log(total) - math.fsum(n * math.log(n) for n in kept) / total if total else 0.0


def per_token(bits_per_byte: float, n_bytes: int, n_tokens: int) -> float:
    """A model's bits per byte as nats a token of another tokenizer, on the same text.

    Both are the same −log-likelihood: nats a token = bits a byte · ln 2 · bytes / tokens.

    >>> round(per_token(1.0, 300, 100) / math.log(2), 6)
    3.0
    """
    return bits_per_byte * math.log(2) * n_bytes / n_tokens


def per_byte(nats_per_token: float, n_bytes: int, n_tokens: int) -> float:
    """The other way round: nats a token as bits a byte."""
    return nats_per_token * n_tokens / (math.log(2) * n_bytes)
