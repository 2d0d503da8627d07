"""What can be said of a model and a machine before anything is trained."""

import time
from dataclasses import dataclass

import torch

from lmlab.finetuning.shapes import ModelShape
from lmlab.lm.tokens import Vocabulary

SIDE, ROUNDS = 384, 6
# Share of a matrix product's speed that a training step of a small model reaches.
REACHED = 0.4


@dataclass(frozen=True)
class Outline:
    """A model's parameters, tokenizer and taught end token, without its weights."""

    shape: ModelShape
    vocabulary: Vocabulary
    end: int | None = None


def measured_speed() -> float:
    """Floating-point operations a second that a training step gets, from a few matrix products."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    # Named: while another thread reads weights, the default is theirs.
    left, right = (torch.rand(SIDE, SIDE, device=device, dtype=torch.float32) for _ in range(2))
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        float((left @ right)[0, 0])
        best = min(best, time.perf_counter() - began)
    return REACHED * 2 * SIDE**3 / best
