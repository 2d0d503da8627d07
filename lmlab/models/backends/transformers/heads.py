"""How a model's head is best applied: decided from the model, proved on a probe."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPast

from lmlab.models.backends.transformers.body import close
from lmlab.models.head import Head, SlicedHead, TiledHead


def head_of(model: Any, rows: Tensor, logits: Tensor) -> Head | None:
    """What makes a bare body's rows [T, H] into those logits [T, V], if anything does."""
    for candidate in (_linear(model), OwnHead(model)):
        if candidate is not None and _agrees(candidate, rows, logits):
            return _head(candidate, logits.shape[-1])
    return None


@dataclass(frozen=True)
class Linear:
    """A head that is one linear map."""

    weight: Tensor
    bias: Tensor | None

    def __call__(self, rows: Tensor) -> Tensor:
        """[N, H] rows to [N, V] logits."""
        return F.linear(rows, self.weight, self.bias)


class _Given(nn.Module):
    """Stands in for a model's body and gives back a hidden state that is known already."""

    def __init__(self, hidden: Tensor) -> None:
        super().__init__()
        self.hidden = hidden

    def forward(self, *args: Any, **kwargs: Any) -> BaseModelOutputWithPast:
        return BaseModelOutputWithPast(last_hidden_state=self.hidden)


@dataclass(frozen=True)
class OwnHead:
    """The model's own head, with its caps and scales, on rows computed before."""

    model: Any

    def __call__(self, rows: Tensor) -> Tensor:
        """[N, H] rows to [N, V] logits; the caller holds the weights' lock."""
        modules, name = self.model._modules, self.model.base_model_prefix
        body = modules[name]
        ids = torch.zeros(1, len(rows), dtype=torch.long, device=rows.device)
        try:
            modules[name] = _Given(rows[None])
            logits: Tensor = self.model(input_ids=ids, use_cache=False).logits
        finally:
            modules[name] = body
        return logits[0]


def _linear(model: Any) -> Linear | None:
    """The head as one linear map, or None when it has another form or a cap on its logits."""
    head = model.get_output_embeddings()
    capped = getattr(model.config.get_text_config(), "final_logit_softcapping", None)
    if type(head) is not nn.Linear or capped:
        return None
    return Linear(head.weight.detach(), None if head.bias is None else head.bias.detach())


def _agrees(head: Linear | OwnHead, rows: Tensor, expected: Tensor) -> bool:
    """Whether a way gives the model's own logits on the probe."""
    try:
        return close(head(rows), expected)
    except Exception:
        # Architectures differ in how they call their head; any failure means: not this way.
        return False


def _head(candidate: Linear | OwnHead, width: int) -> Head:
    fast = isinstance(candidate, Linear) and candidate.weight.dtype == torch.float32
    if isinstance(candidate, Linear) and fast and candidate.weight.device.type == "cpu":
        return TiledHead(candidate.weight, candidate.bias)
    return SlicedHead(candidate, width)
