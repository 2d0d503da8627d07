"""The next token's distribution: the model's own, what the sampling controls make of it, and what
is drawn. What was kept of a position needs no model, so that a control's effect is seen at once.

The mathematics of the controls is transformers' own logits processors.
"""

from collections.abc import Callable, Sequence
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

from lmlab.generation.completions import Beliefs, Candidate, Next, Step
from lmlab.generation.config import GenerateConfig
from lmlab.models.tokens import Vocabulary

__all__ = ["GenerateConfig", "beliefs", "candidates", "choose", "draw", "entropies", "keep", "warp"]

# Below this temperature logits would overflow; the likeliest token has all probability long before.
COLDEST = 1e-4
WORDS = 40  # tokens of a kept position whose text is kept


def warp(logits: Tensor, ids: Tensor, config: GenerateConfig) -> Tensor:
    """Probabilities [R, V] that the next tokens are drawn from, 0 for what the controls cut off.

    Args:
        logits: [R, V] of the next tokens, as the model gives them.
        ids: [R, T] prompt and completion so far, which the repetition penalty looks at.
        config: the controls. Greedy puts all probability on one token.
    """
    scores = logits.float()
    for processor in _processors(config):
        scores = processor(ids, scores)
    if config.greedy:
        return torch.zeros_like(scores).scatter_(1, scores.argmax(-1, keepdim=True), 1.0)
    return scores.softmax(-1)


def entropies(p: Tensor) -> list[float]:
    """Of rows of probabilities [R, V], in nats."""
    return [max(0.0, value) for value in torch.special.entr(p).sum(-1).tolist()]


def draw(probabilities: Tensor, generator: torch.Generator, *, greedy: bool) -> int:
    """One token from probabilities [V]."""
    if greedy:
        return int(probabilities.argmax())
    return int(torch.multinomial(probabilities.cpu(), 1, generator=generator))


def candidates(
    logp: Tensor, after: Tensor, count: int, texts: Sequence[Callable[[int], str | None]]
) -> list[tuple[Candidate, ...]]:
    """The likeliest tokens of each row by log-probability [R, V], with their probabilities after
    the controls [R, V], and what each row's tokens show as.
    """
    top = logp.topk(min(count, logp.shape[1]))
    columns = (top.indices, top.values, after.gather(1, top.indices))
    rows = zip(*(column.tolist() for column in columns), texts, strict=True)
    return [
        tuple(
            Candidate(i, text(i) or "", min(lp, 0.0), p)
            for i, lp, p in zip(ids, logprobs, probabilities, strict=True)
        )
        for ids, logprobs, probabilities, text in rows
    ]


def keep(ids: list[int], logits: Tensor, ends: frozenset[int], vocabulary: Vocabulary) -> Next:
    """What is kept of a position: ids read so far and logits [V] of what comes next."""
    likeliest = logits.topk(min(WORDS, len(logits))).indices.tolist()
    text = vocabulary.reader(ids)
    words = {i: text(i) for i in likeliest}
    return Next(tuple(ids), logits.float().cpu().numpy().copy(), words, ends)


def beliefs(place: Next, config: GenerateConfig) -> Beliefs:
    """What the model believes at a position, and what the controls make of it."""
    logits = torch.from_numpy(place.logits)[None]
    logp, after = logits.log_softmax(-1), warp(logits, torch.tensor([place.ids]), config)
    count = min(config.alternatives, len(place.words))
    return Beliefs(
        top=candidates(logp, after, count, [place.words.get])[0],
        entropy=entropies(logp.exp())[0],
        entropy_after=entropies(after)[0],
        kept=int((after > 0).sum()),
        size=logits.shape[1],
    )


def choose(place: Beliefs, which: int, index: int) -> Step:
    """The step that takes a candidate by hand.

    Args:
        place: the distribution it is taken from.
        which: 0 for the likeliest.
        index: of the step within its completion.
    """
    chosen = place.top[which]
    return Step(
        index=index,
        id=chosen.id,
        text=chosen.text,
        shown="",
        logprob=chosen.logprob,
        probability=chosen.probability,
        rank=1 + sum(c.logprob > chosen.logprob for c in place.top),
        entropy=place.entropy,
        entropy_after=place.entropy_after,
        top=place.top,
    )


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
