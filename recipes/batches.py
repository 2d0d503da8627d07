"""Which stretch of which part every row of a run reads: a function of seed and step alone, so that
a resumed run goes on with the very next row, on any machine.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recipes.config import SHARES, Mixture, TrainConfig

Ids = NDArray[np.uint16]
SILENT = 1 << 15
"""The bit of an id that says: this token is read, but carries no loss."""
IGNORED = -100


@dataclass(frozen=True)
class Row:
    """``length + 1`` tokens of a part from ``start`` on: inputs and shifted targets."""

    part: str
    start: int
    length: int


def order(config: TrainConfig, mixture: Mixture, sizes: Mapping[str, int]) -> Iterator[list[Row]]:
    """The rows of one step after another, without end.

    What a step reads follows from the seed and its number alone: parts are drawn by one generator
    and each part is shuffled by its own, so that a later change of the shares, or of when the
    learning rate falls, moves nothing before it.

    Args:
        config: how many tokens a step has, how long the windows are, and when a phase begins.
        mixture: how often each part is drawn in each phase.
        sizes: tokens of each part that is there.

    Yields:
        The rows of a step; within a part no window comes again before all the others have been.
    """
    draws = np.random.default_rng([config.seed, 0])
    streams = {
        name: _windows(name, size, config.window, _generator(config.seed, name))
        for name, size in sizes.items()
    }
    for step in count():
        shares = phase_shares(mixture, config.phase(step))
        drawn = draws.choice(
            list(shares), config.batch_tokens // config.window, p=list(shares.values())
        )
        yield [next(streams[name]) for name in drawn]


def phase_shares(mixture: Mixture, phase: int) -> dict[str, float]:
    """The share of every part in a phase; they sum to one."""
    weights = {p.name: getattr(p, SHARES[phase]) for p in mixture.parts}
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def _generator(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, 1, *name.encode()])


def _windows(name: str, size: int, length: int, rng: np.random.Generator) -> Iterator[Row]:
    """Windows of a part without end: each epoch in an order and with an offset of its own."""
    if size <= length:
        raise SystemExit(f"The part {name} has {size} tokens, fewer than one window of {length}.")
    while True:
        offset = int(rng.integers(min(length, size - length)))
        starts = np.arange(offset, size - length, length)
        for start in rng.permutation(starts):
            yield Row(name, int(start), length)


def epochs(steps: Iterable[Sequence[Row]], sizes: Mapping[str, int]) -> dict[str, float]:
    """How often each part is read: tokens drawn over tokens there are."""
    drawn = dict.fromkeys(sizes, 0)
    for rows in steps:
        for row in rows:
            drawn[row.part] += row.length
    return {name: drawn[name] / sizes[name] for name in sizes}


def micro_batches(
    rows: Sequence[Row], parts: Mapping[str, Ids], micro_tokens: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and targets [B, T] of a step's rows, at most ``micro_tokens`` at once; a target that
    carries no loss is ``IGNORED``."""
    size = max(1, micro_tokens // rows[0].length)
    for low in range(0, len(rows), size):
        taken = [parts[r.part][r.start : r.start + r.length + 1] for r in rows[low : low + size]]
        marked = torch.from_numpy(np.stack(taken).astype(np.int64))
        ids = marked & ~SILENT
        targets = ids.masked_fill(marked & SILENT != 0, IGNORED)
        yield ids[:, :-1], targets[:, 1:]
