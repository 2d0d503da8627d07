"""The next token's distribution before and after the controls, from logits that were kept.

Runs no model, so that a control can be moved and its effect seen at once.
"""

from collections.abc import Callable, Sequence

import torch

from lmlab.generation.completions import Beliefs, Candidate, Next, Step
from lmlab.generation.sampling import GenerateConfig, entropy, warp
from lmlab.models.tokens import Vocabulary

WORDS = 40
Words = Callable[[int], str | None]


def keep(
    ids: list[int], logits: torch.Tensor, ends: frozenset[int], vocabulary: Vocabulary
) -> Next:
    """What is kept of a position: ids read so far and logits [V] of what comes next."""
    likeliest = logits.topk(min(WORDS, len(logits))).indices.tolist()
    text = vocabulary.reader(ids)
    words = {i: text(i) for i in likeliest}
    return Next(tuple(ids), logits.float().cpu().numpy().copy(), words, ends)


def beliefs(place: Next, config: GenerateConfig) -> Beliefs:
    """What the model believes at a position, and what the controls make of it."""
    logits = torch.from_numpy(place.logits)
    logp = logits.log_softmax(-1)
    after = warp(logits, torch.tensor(place.ids), config)
    top = candidates(logp, after, min(config.alternatives, len(place.words)), place.words.get)
    return Beliefs(top, entropy(logp.exp()), entropy(after), int((after > 0).sum()), len(logits))


def candidates(
    logp: torch.Tensor, after: torch.Tensor, count: int, text: Words
) -> tuple[Candidate, ...]:
    """The likeliest tokens by log-probability [V], with their probabilities after the controls."""
    return candidate_rows(logp[None], after[None], count, [text])[0]


def candidate_rows(
    logp: torch.Tensor, after: torch.Tensor, count: int, texts: Sequence[Words]
) -> list[tuple[Candidate, ...]]:
    """Like ``candidates``, for rows [R, V], each with its own words."""
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


def choose(place: Beliefs, which: int, index: int) -> Step:
    """The step that takes the candidate at place ``which`` by hand.

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
