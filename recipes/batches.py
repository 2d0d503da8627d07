"""Which stretch of which part every row of a run reads: planned whole before the first step.

A plan is a pure function of its arguments, so that a resumed run goes on with the very next row.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recipes.config import Mixture, TrainConfig

Ids = NDArray[np.uint16]


@dataclass(frozen=True)
class Row:
    """``length + 1`` tokens of a part from ``start`` on: inputs and shifted targets."""

    part: str
    start: int
    length: int


def plan(config: TrainConfig, mixture: Mixture, sizes: Mapping[str, int]) -> list[list[Row]]:
    """The rows of every step.

    Args:
        config: how many steps, how many tokens each, and how long the windows are.
        mixture: how often each part is drawn in each phase.
        sizes: tokens of each part.

    Returns:
        One list of rows a step, all of one length; within a part no window comes again before all
        the others have been read.
    """
    rng = np.random.default_rng(config.seed)
    names = [part.name for part in mixture.parts]
    steps: list[list[Row]] = []
    for length, count, shares in _phases(config, mixture):
        weights = np.array(shares) / sum(shares)
        streams = {name: _windows(name, sizes[name], length, rng) for name in names}
        while len(steps) < count:
            drawn = rng.choice(names, config.batch_tokens // length, p=weights)
            steps.append([next(streams[name]) for name in drawn])
    return steps


def _phases(config: TrainConfig, mixture: Mixture) -> list[tuple[int, int, list[float]]]:
    """For each phase the length of its windows, the step it ends with, and the shares."""
    if config.onward:
        return [(config.window, config.steps, [p.onward for p in mixture.parts])]
    long_from = round(config.steps * (1 - config.long_share))
    early, late = [p.weight for p in mixture.parts], [p.late for p in mixture.parts]
    return [(config.short_window, long_from, early), (config.window, config.steps, late)]


def _windows(name: str, size: int, length: int, rng: np.random.Generator) -> Iterator[Row]:
    """Windows of a part without end: each epoch in an order and with an offset of its own."""
    if size <= length:
        raise SystemExit(f"The part {name} has {size} tokens, fewer than one window of {length}.")
    while True:
        offset = int(rng.integers(min(length, size - length)))
        starts = np.arange(offset, size - length, length)
        for start in rng.permutation(starts):
            yield Row(name, int(start), length)


def epochs(steps: Sequence[Sequence[Row]], sizes: Mapping[str, int]) -> dict[str, float]:
    """How often each part is read: tokens drawn over tokens there are."""
    drawn = dict.fromkeys(sizes, 0)
    for rows in steps:
        for row in rows:
            drawn[row.part] += row.length
    return {name: drawn[name] / sizes[name] for name in sizes}


def micro_batches(
    rows: Sequence[Row], parts: Mapping[str, Ids], micro_tokens: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and targets [B, T] of a step's rows, at most ``micro_tokens`` at once."""
    size = max(1, micro_tokens // rows[0].length)
    for low in range(0, len(rows), size):
        taken = [parts[r.part][r.start : r.start + r.length + 1] for r in rows[low : low + size]]
        ids = torch.from_numpy(np.stack(taken).astype(np.int64))
        yield ids[:, :-1], ids[:, 1:]
