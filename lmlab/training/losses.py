"""The loss of a batch: summed cross-entropy over the tokens that carry it, and nothing else."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lmlab.training.batches import MASKED, Batch, by_length, collate
from lmlab.training.examples import Example

# Tokens in a batch that is only measured.
MEASURED = 2048
Ask = Callable[[], None]  # raises where somebody wants what goes on to end


def keeps(base: Any) -> bool:
    """Whether a model can be asked for the logits of some positions alone."""
    return "logits_to_keep" in inspect.signature(base.forward).parameters


def summed_loss(model: Any, batch: Batch, soft: int, keep: bool) -> Tensor:
    """Cross-entropy in nats, summed over the tokens that carry loss.

    Needs no attention mask: attention is causal, and the padding comes after all that counts.

    Args:
        model: takes ids, gives logits.
        batch: the rows.
        soft: length of the soft prompt that the model puts in front.
        keep: see ``keeps``; the head then runs on the positions that count alone.
    """
    return _losses(model, batch, soft, keep, "sum")


def _losses(model: Any, batch: Batch, soft: int, keep: bool, reduction: str) -> Tensor:
    """Summed, or [R · K] with 0 where no loss is carried."""
    places = batch.kept + soft
    asked = {"logits_to_keep": places} if keep else {}
    logits = model(input_ids=batch.ids, use_cache=False, **asked).logits
    if not keep:
        logits = logits[:, places]
    return F.cross_entropy(
        logits.float().flatten(0, 1),
        batch.targets.flatten(),
        ignore_index=MASKED,
        reduction=reduction,
    )


@torch.no_grad()
def mean_loss(
    model: Any,
    examples: Sequence[Example],
    soft: int,
    keep: bool,
    device: torch.device,
    ask: Ask = lambda: None,
) -> float | None:
    """Mean over all tokens that carry loss, in nats; None without any. ``ask`` is called between
    batches.
    """
    total, count = 0.0, 0
    for rows in _measured(examples):
        ask()
        batch = collate(rows, device)
        if batch.n_loss:
            total += float(summed_loss(model, batch, soft, keep))
            count += batch.n_loss
    return total / count if count else None


@torch.no_grad()
def text_loss(
    model: Any,
    examples: Sequence[Example],
    keep: bool,
    device: torch.device,
    end: int,
    ask: Ask = lambda: None,
) -> tuple[float | None, float]:
    """In nats: the mean over all tokens that carry loss, and the sum over those of them that are
    not the end token.
    """
    total, text, count = 0.0, 0.0, 0
    for rows in _measured(examples):
        ask()
        batch = collate(rows, device)
        each = _losses(model, batch, 0, keep, "none").double()
        mine = (batch.targets.flatten() != MASKED) & (batch.targets.flatten() != end)
        total, text = total + float(each.sum()), text + float(each[mine].sum())
        count += batch.n_loss
    return total / count if count else None, text


def _measured(examples: Sequence[Example]) -> list[list[Example]]:
    """Batches of about as many tokens each."""
    longest = max((len(example.ids) for example in examples), default=1)
    return list(by_length(examples, max(1, MEASURED // longest)))
