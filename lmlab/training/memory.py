"""What the longest batch of a run takes of memory beside weights, gradients and AdamW's moments.

The factors were measured (``python -m bench.memory``): between bytes that a step keeps and what a
process then takes lie what a step holds for a moment, and what the allocator cannot give back.
Knows no torch.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from lmlab.training.config import FinetuneConfig
from lmlab.training.shapes import ModelShape

FLOAT = 4
LIBRARIES = 40_000_000  # bytes of code and tables that only a run needs
TAKEN = {"lora": 1.75}  # bytes taken for each that is kept
TAKEN_ELSE = 1.25
LOGITS = 2  # tables of logits on top of the one that is kept, on the way back
MEASURED = 2048  # tokens of a batch that is only measured: two tables of logits
PROBE = 250  # tokens of a general text
# Numbers kept for each that a linear map gives, where a model cannot be asked.
ROUGHLY = 3.0

# Bytes that a batch keeps, by config, rows, their width and the positions that carry loss.
KeptBytes = Callable[[FinetuneConfig, int, int, int], int]


@dataclass(frozen=True, slots=True)
class Load:
    """The longest batch of a run."""

    rows: int  # in it
    width: int  # its longest row, in tokens
    kept: int  # positions before a token that carries loss, those of all its rows together


def activation_bytes(shape: ModelShape, config: FinetuneConfig, load: Load, kept: KeptBytes) -> int:
    """Bytes on top of weights, gradients and optimiser, at their most."""
    saved = kept(config, load.rows, load.width, load.kept)
    table = FLOAT * shape.vocabulary
    step = TAKEN.get(config.method, TAKEN_ELSE) * saved + LOGITS * table * load.rows * load.kept
    read = PROBE * config.probe_rows if config.probe_rows else load.rows * load.kept
    measured = 2 * table * min(max(MEASURED, load.width), read)
    return LIBRARIES + round(max(step, measured))


def roughly(shape: ModelShape) -> KeptBytes:
    """Bytes that a batch keeps, from the sizes of the linear maps alone."""
    outputs = sum(p.shape[0] for p in shape.parameters if p.linear)

    def kept(config: FinetuneConfig, rows: int, width: int, n: int) -> int:
        tokens = width + config.soft
        return round(FLOAT * rows * (ROUGHLY * tokens * outputs + n * shape.vocabulary))

    return kept


def evenly(kept: KeptBytes) -> KeptBytes:
    """The same for any rank and number of rows from those of 1 and 2: it grows evenly with both."""

    def found(config: FinetuneConfig, rows: int, width: int, n: int) -> int:
        # What does not matter here is the same for all, so that whoever remembers finds it again.
        plain = FinetuneConfig(
            method=config.method,
            targets=config.targets,
            layers=config.layers,
            parts=config.parts,
            dora=config.dora,
            dropout=0.1 if config.dropout else 0.0,
            length=config.length,
            rank=1,
        )

        def of_rank(rank: int) -> int:
            one, two = (kept(replace(plain, rank=rank), r, width, n) for r in (1, 2))
            return one + (rows - 1) * (two - one)

        first = of_rank(1)
        if config.method != "lora" or config.rank == 1:
            return first
        return first + (config.rank - 1) * (of_rank(2) - first)

    return found
