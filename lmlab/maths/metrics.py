"""Pure mathematics over tensors of logits. Knows nothing about models, tokens or text."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class RowStats:
    """What is kept of N next-token distributions, in nats; never the distributions themselves."""

    logprob: Tensor  # [N] of each row's target
    # [N] 1 + the number of tokens that are strictly likelier than the target; None where only the
    # likeliest are known.
    rank: Tensor | None
    entropy: Tensor | None  # [N] of the whole distribution; None likewise
    best: Tensor  # [N] log-probability of the likeliest token
    top_ids: Tensor  # [N, k] the likeliest tokens, best first
    top_logprobs: Tensor  # [N, k]


def row_stats(logits: Tensor, targets: Tensor, top_k: int) -> RowStats:
    """Statistics of each row of ``logits`` [N, V] about its target [N].

    Works in float32 whatever the logits' type; ``top_k`` above V means V.
    """
    logp = logits.float().log_softmax(-1)
    target = logp.gather(-1, targets[:, None])
    top = logp.topk(min(top_k, logp.shape[-1]), -1)
    return RowStats(
        logprob=target[:, 0],
        rank=(logp > target).sum(-1) + 1,
        entropy=torch.special.entr(logp.exp()).sum(-1),
        best=top.values[:, 0] if top_k else logp.amax(-1),
        top_ids=top.indices,
        top_logprobs=top.values,
    )


def divergences(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """KL(first ‖ second) and KL(second ‖ first) of each row of logits [N, V], in nats."""
    p, q = first.float().log_softmax(-1), second.float().log_softmax(-1)
    gap = p - q
    forward, backward = p.exp_().mul_(gap), q.exp_().mul_(-gap)
    # A token that both rule out has a gap of −∞ + ∞ and counts for nothing.
    forward, backward = (torch.where(x.isnan(), 0.0, x).sum(-1) for x in (forward, backward))
    return forward.clamp_min(0), backward.clamp_min(0)


def concat(parts: list[RowStats]) -> RowStats:
    """The rows of all parts, in order."""
    names = RowStats.__dataclass_fields__
    columns = {name: [getattr(part, name) for part in parts] for name in names}
    made: dict[str, Any] = {k: None if c[0] is None else torch.cat(c) for k, c in columns.items()}
    return RowStats(**made)


def corpus_log_perplexity(logprobs: list[float], counts: list[int]) -> float:
    """−Σ log-likelihood / Σ tokens over a corpus, in nats (not a mean of the texts' own means)."""
    return -sum(logprobs) / sum(counts)


def entropy(p: Tensor) -> Tensor:
    """Entropy of each row of probabilities [N, V], in bits: [N]."""
    found: Tensor = torch.special.entr(p).sum(-1) / math.log(2)
    return found


def distance(p: Tensor, q: Tensor, of_p: Tensor, of_q: Tensor) -> Tensor:
    """√JSD of each row, from 0 (the same) to 1 (nothing in common): [N].

    JSD(p, q) = H((p + q)/2) − (H(p) + H(q))/2 (Lin 1991), in bits; its root is a metric (Endres and
    Schindelin 2003).

    Args:
        p: [N, V] probabilities.
        q: the same of the other distribution.
        of_p: [N], ``entropy(p)``, which is needed for every other q as well.
        of_q: ``entropy(q)``.
    """
    divergence = entropy((p + q) / 2) - (of_p + of_q) / 2
    return divergence.clamp(0, 1).sqrt()
