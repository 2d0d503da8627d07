"""Batches of rows of similar length, in an order that the seed and the epoch alone decide.

Step s of a run always reads the same rows, so that a run can go on from any step.
"""

import inspect
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lmlab.training.rows import Example

# Lengths that count as the same, so that batches are not the same in every epoch.
BLUR = 4.0
MASKED = -100


@dataclass(frozen=True)
class Batch:
    """Rows padded on the right."""

    ids: Tensor  # [R, W]; padding is 0, and comes after all that is read
    kept: Tensor  # [K] positions before which some row has a token that carries loss
    targets: Tensor  # [R, K] the tokens that come next there, ``MASKED`` where they carry no loss
    tokens: int  # that are read, padding left out
    n_loss: int  # tokens that carry loss


def epoch(examples: Sequence[Example], size: int, seed: int, number: int) -> list[list[int]]:
    """One epoch's batches, as places in ``examples``; each row is in exactly one."""
    rng = Random(f"{seed}/{number}")
    order = sorted(range(len(examples)), key=lambda i: len(examples[i].ids) + rng.random() * BLUR)
    batches = [order[low : low + size] for low in range(0, len(order), size)]
    rng.shuffle(batches)
    return batches


def steps(
    examples: Sequence[Example], size: int, accumulation: int, seed: int, first: int = 0
) -> Iterator[list[list[Example]]]:
    """The batches of each step from ``first`` on, counted from 0, epoch after epoch, for ever."""
    per_epoch = -(-len(examples) // size)
    number, skipped = divmod(first * accumulation, per_epoch)
    epochs = (epoch(examples, size, seed, n) for n in itertools.count(number))
    stream = itertools.islice(itertools.chain.from_iterable(epochs), skipped, None)
    while True:
        yield [[examples[i] for i in next(stream)] for _ in range(accumulation)]


def by_length(examples: Sequence[Example], size: int) -> Iterator[list[Example]]:
    """All examples once, longest first, for measuring."""
    order = sorted(examples, key=lambda example: -len(example.ids))
    for low in range(0, len(order), size):
        yield order[low : low + size]


def collate(rows: Sequence[Example], device: torch.device) -> Batch:
    """Rows as tensors."""
    width = max(len(row.ids) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    labels = torch.full((len(rows), width), MASKED)
    for place, row in enumerate(rows):
        known = torch.tensor(row.ids)
        ids[place, : len(known)] = known
        labels[place, row.loss_from : len(known)] = known[row.loss_from :]
        if row.own:
            labels[place, : len(known)][~torch.tensor(row.own)] = MASKED
    coming = labels[:, 1:]
    kept = (coming != MASKED).any(0).nonzero()[:, 0]
    return Batch(
        ids=ids.to(device),
        kept=kept.to(device),
        targets=coming[:, kept].to(device),
        tokens=sum(len(row.ids) for row in rows),
        n_loss=sum(row.n_loss for row in rows),
    )


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
