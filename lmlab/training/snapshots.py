"""What a run had learned on its way, kept small and evenly spaced, for looking back on it.

Unlike a checkpoint, no run goes on from one: each is an adapter or weights in the format of PEFT or
transformers, which loads as what was learned in the end does.
"""

import shutil
from contextlib import suppress
from pathlib import Path

import torch

from lmlab.training.counting import SNAPSHOTS
from lmlab.training.methods import Tuned, save
from lmlab.training.whole import put_in_place

FOLDER = "snapshots"
MOST = 8
BYTES = SNAPSHOTS


def count(n_bytes: int) -> int:
    """How many of a size are kept; none where less than two would fit.

    >>> count(400_000), count(20_000_000), count(90_000_000)
    (8, 5, 0)
    """
    fit = min(MOST, BYTES // max(1, n_bytes))
    return fit if fit > 1 else 0


def due(tuned: Tuned, step: int) -> bool:
    """Whether one is kept after this step; the last step's is what was learned anyway."""
    config = tuned.config
    kept = count(4 * (tuned.trainable if config.is_adapter else tuned.total))
    every = -(-config.steps // kept) if kept else 0
    return every > 0 and 0 < step < config.steps and step % every == 0


def write(tuned: Tuned, base_name: str, run: Path, step: int) -> None:
    """Keep what is learned by now; one that is there already stays, and so does a run without room.

    A folder appears whole or not at all; weights that are not numbers are not kept.
    """
    final, partial = run / FOLDER / str(step), run / FOLDER / ".partial"
    if final.exists() or not all(bool(torch.isfinite(p).all()) for p in tuned.trained.values()):
        return
    shutil.rmtree(partial, ignore_errors=True)
    # The run matters more than looking back on it.
    with suppress(OSError):
        partial.parent.mkdir(parents=True, exist_ok=True)
        save(tuned, base_name, partial, tokenizer=False)
        put_in_place(partial, final)
