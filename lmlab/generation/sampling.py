"""The sampling controls: from a model's own distribution to the one that is drawn from.

The mathematics of the controls is transformers' own logits processors.
"""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from transformers import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from lmlab.generation.config import GenerateConfig

__all__ = ["GenerateConfig", "draw", "entropies", "entropy", "warp", "warp_rows"]

# Below this temperature logits would overflow; the likeliest token has all probability long before.
COLDEST = 1e-4


def warp(logits: Tensor, ids: Tensor, config: GenerateConfig) -> Tensor:
    """Probabilities that the next token is drawn from.

    Args:
        logits: [V] of the next token, as the model gives them.
        ids: [T] prompt and completion so far, which the repetition penalty looks at.
        config: the controls. Greedy puts all probability on one token.

    Returns:
        [V] probabilities, 0 for what the controls cut off.
    """
    return warp_rows(logits[None], ids[None], config)[0]


def warp_rows(logits: Tensor, ids: Tensor, config: GenerateConfig) -> Tensor:
    """Like ``warp``, for rows of logits [R, V] and ids [R, T]."""
    scores = logits.float()
    for processor in _processors(config):
        scores = processor(ids, scores)
    if config.greedy:
        return torch.zeros_like(scores).scatter_(1, scores.argmax(-1, keepdim=True), 1.0)
    return scores.softmax(-1)


def entropy(p: Tensor) -> float:
    """Of probabilities [V], in nats."""
    return entropies(p[None])[0]


def entropies(p: Tensor) -> list[float]:
    """Of rows of probabilities [R, V], in nats."""
    return [max(0.0, value) for value in torch.special.entr(p).sum(-1).tolist()]


def draw(probabilities: Tensor, generator: torch.Generator, *, greedy: bool) -> int:
    """One token from probabilities [V]."""
    if greedy:
        return int(probabilities.argmax())
    return int(torch.multinomial(probabilities.cpu(), 1, generator=generator))


@lru_cache(maxsize=256)
def _processors(config: GenerateConfig) -> tuple[Any, ...]:
    """In the order in which transformers' ``generate`` applies them."""
    processors: list[Any] = []
    if config.repetition_penalty != 1:
        processors.append(RepetitionPenaltyLogitsProcessor(config.repetition_penalty))
    if config.greedy:
        return tuple(processors)
    if config.temperature != 1:
        processors.append(TemperatureLogitsWarper(max(float(config.temperature), COLDEST)))
    if config.top_k:
        processors.append(TopKLogitsWarper(config.top_k))
    if config.top_p < 1:
        processors.append(TopPLogitsWarper(config.top_p))
    if config.min_p > 0:
        processors.append(MinPLogitsWarper(config.min_p))
    return tuple(processors)
