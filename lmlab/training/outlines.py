"""What can be said of a model and a machine before anything is trained."""

import logging
import time
from dataclasses import dataclass, field
from typing import Any

import torch

from lmlab.errors import LabError
from lmlab.models.tokens import Vocabulary
from lmlab.training.activations import kept_bytes
from lmlab.training.config import FinetuneConfig
from lmlab.training.memory import evenly, roughly
from lmlab.training.shapes import ModelShape

log = logging.getLogger("lmlab")
SIDE, ROUNDS = 384, 6
KNOWN = 64  # answers about memory that are kept
# Share of a matrix product's speed that a training step of a small model reaches.
REACHED = 0.4


@dataclass(frozen=True)
class Outline:
    """A model's parameters and tokenizer, without its weights."""

    shape: ModelShape  # the parameters
    vocabulary: Vocabulary  # the tokenizer
    end: int | None = None  # the end token that is taught, if any
    model: Any = None  # on the meta device; None where it cannot be asked what it keeps
    _known: dict[Any, int] = field(default_factory=dict, repr=False)

    def kept(self, config: FinetuneConfig, rows: int, width: int, n: int) -> int:
        """Bytes that a batch keeps in a step; see ``memory.activation_bytes``."""
        return evenly(self._kept)(config, rows, width, n)

    def _kept(self, config: FinetuneConfig, rows: int, width: int, n: int) -> int:
        key = (config, rows, width, n)
        if key not in self._known:
            while len(self._known) >= KNOWN:
                self._known.pop(next(iter(self._known)), None)
            self._known[key] = self._asked(config, rows, width, n)
        return self._known[key]

    def _asked(self, config: FinetuneConfig, rows: int, width: int, n: int) -> int:
        if self.model is not None:
            try:
                return kept_bytes(self.model, self.vocabulary, config, rows, width, n)
            except LabError:
                raise
            except Exception:
                # An architecture that wants numbers: a guess from its sizes has to do.
                log.info("No forward pass without numbers: %s", self.shape.kind)
        return roughly(self.shape)(config, rows, width, n)


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
