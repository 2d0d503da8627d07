"""What can be said of a model and a machine before anything is trained."""

import copy
import logging
import time
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from lmlab.errors import LabError
from lmlab.memo import Memo
from lmlab.models.tokens import Vocabulary
from lmlab.training.batches import Batch, keeps, summed_loss
from lmlab.training.config import FinetuneConfig
from lmlab.training.counting import roughly
from lmlab.training.methods import prepare
from lmlab.training.shapes import ModelShape


def kept_bytes(
    model: Any, vocabulary: Vocabulary, config: FinetuneConfig, rows: int, width: int, kept: int
) -> int:
    """Bytes that a batch takes until its gradients are known, weights left out.

    Found by a forward pass over tensors that have a shape and no numbers: exact for any
    architecture and method, and no memory is taken for it.

    Args:
        model: on the meta device; it is not changed.
        width: of each row, in tokens.
        kept: positions before a token that carries loss.

    Raises:
        Exception: the architecture cannot be run without numbers.
    """
    with torch.device("meta"):
        tuned = prepare(copy.deepcopy(model), vocabulary, "the model", config)
    known = {p.untyped_storage()._cdata for p in tuned.model.parameters()}
    found: dict[int, Any] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in known:
            found[storage._cdata] = storage  # held, so that no other takes its number
        return tensor

    tuned.model.train()
    batch = Batch(_blank(rows, width), _blank(kept), _blank(rows, kept), rows * width, kept)
    whole: Any = _Whole
    with _Flash(), whole(), torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        summed_loss(tuned.model, batch, tuned.config.soft, keeps(tuned.base))
    return sum(storage.nbytes() for storage in found.values())


def _blank(*shape: int) -> Tensor:
    return torch.zeros(*shape, dtype=torch.long, device="meta")


class _Whole(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Answers what a model asks of numbers that are not there: mostly whether each row is one text.
    It is.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default:
            return 1
        return func(*args, **(kwargs or {}))


class _Flash(TorchFunctionMode):
    """Has attention without dropout go the way that keeps no table of scores, as it does on a
    device; tensors without numbers would take the other.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if func is F.scaled_dot_product_attention and not given.get("dropout_p"):
            return _flash(*args, **given)
        return func(*args, **given)


def _flash(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    if enable_gqa:
        times = query.shape[1] // key.shape[1]
        key, value = (one.repeat_interleave(times, 1) for one in (key, value))
    ways = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    found: Tensor = ways(query, key, value, 0.0, is_causal, attn_mask=attn_mask, scale=scale)[0]
    return found


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
    _known: Memo[Any, int] = field(default_factory=lambda: Memo(KNOWN), repr=False)

    def kept(self, config: FinetuneConfig, rows: int, width: int, n: int) -> int:
        """Bytes that a batch keeps in a step (``counting.activation_bytes``); found from ranks and
        rows of 1 and 2, since they grow evenly with both.
        """
        # What does not matter here is the same for all, so that what is known is found again.
        same = {k: getattr(config, k) for k in ("method", "targets", "layers", "parts", "dora")}
        plain = FinetuneConfig(
            **same, length=config.length, dropout=0.1 if config.dropout else 0.0, rank=1
        )

        def of_rank(rank: int) -> int:
            one, two = (self._kept(replace(plain, rank=rank), r, width, n) for r in (1, 2))
            return one + (rows - 1) * (two - one)

        first = of_rank(1)
        if config.method != "lora" or config.rank == 1:
            return first
        return first + (config.rank - 1) * (of_rank(2) - first)

    def _kept(self, config: FinetuneConfig, rows: int, width: int, n: int) -> int:
        asked = config, rows, width, n
        if (found := self._known.get(asked)) is None:
            found = self._asked(*asked)
            self._known.put(asked, found)
        return found

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
