"""Batches of rows of similar length, in an order that the seed and the epoch alone decide.

Step s of a run always reads the same rows, so that a run can go on from any step.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from lmlab.training.examples import Example

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
