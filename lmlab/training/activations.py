"""What one step keeps in memory for its way back, found by a forward pass over tensors that have a
shape and no numbers: exact for any architecture and method, and no memory is taken for it.
"""

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from lmlab.models.tokens import Vocabulary
from lmlab.training.batches import Batch
from lmlab.training.config import FinetuneConfig
from lmlab.training.losses import keeps, summed_loss
from lmlab.training.methods import prepare


def kept_bytes(
    model: Any, vocabulary: Vocabulary, config: FinetuneConfig, rows: int, width: int, kept: int
) -> int:
    """Bytes that a batch takes until its gradients are known, weights left out.

    Args:
        model: on the meta device; it is not changed.
        vocabulary: its tokenizer.
        config: the method.
        rows: of the batch.
        width: of each, in tokens.
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
        summed_loss(tuned.model, batch, tuned.soft, keeps(tuned.base))
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
