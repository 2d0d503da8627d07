"""Which way a model's logits are best computed: decided from the model, proved on a probe."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPast

from lmlab.lm.head import Head, SlicedHead, TiledHead

Body = Callable[[Tensor], Tensor]

PROBE = 12
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 3e-2, torch.float16: 5e-3}


@torch.inference_mode()
def choose(model: Any, soft_prompt: Tensor | None) -> tuple[Body, Head]:
    """The body and head to use: tiled, else the model's own head on slices, else full logits."""
    vocabulary = int(model.get_input_embeddings().weight.shape[0])
    ids = torch.arange(PROBE, device=model.device)[None] % vocabulary
    logits = Logits(model, soft_prompt)
    expected = logits(ids)[0]
    width = expected.shape[-1]
    body = Hidden(model, soft_prompt)
    for candidate in (_linear(model), OwnHead(model)):
        if candidate is not None and _agrees(body, candidate, ids, expected):
            return body, _head(candidate, width)
    return logits, SlicedHead(lambda rows: rows, width)


@dataclass(frozen=True)
class Hidden:
    """The model without its head: the last hidden state of each position."""

    model: Any
    soft_prompt: Tensor | None

    def __call__(self, ids: Tensor) -> Tensor:
        """[B, T] ids to [B, T, H]."""
        output = self.model.base_model(**_inputs(self.model, ids, self.soft_prompt))
        hidden: Tensor = output.last_hidden_state
        return hidden[:, -ids.shape[1] :]


@dataclass(frozen=True)
class Logits:
    """The whole model, for architectures whose head cannot be taken apart."""

    model: Any
    soft_prompt: Tensor | None

    def __call__(self, ids: Tensor) -> Tensor:
        """[B, T] ids to [B, T, V]."""
        logits: Tensor = self.model(**_inputs(self.model, ids, self.soft_prompt)).logits
        return logits[:, -ids.shape[1] :]


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


def _inputs(model: Any, ids: Tensor, soft_prompt: Tensor | None) -> dict[str, Any]:
    if soft_prompt is None:
        return {"input_ids": ids, "use_cache": False}
    prompt = soft_prompt.expand(len(ids), *soft_prompt.shape)
    embeds = torch.cat([prompt, model.get_input_embeddings()(ids)], 1)
    return {"inputs_embeds": embeds, "use_cache": False}


def _linear(model: Any) -> Linear | None:
    """The head as one linear map, or None when it has another form or a cap on its logits."""
    head = model.get_output_embeddings()
    capped = getattr(model.config.get_text_config(), "final_logit_softcapping", None)
    if type(head) is not nn.Linear or capped:
        return None
    return Linear(head.weight.detach(), None if head.bias is None else head.bias.detach())


def _agrees(body: Hidden, head: Linear | OwnHead, ids: Tensor, expected: Tensor) -> bool:
    """Whether a way gives the model's own logits on the probe."""
    try:
        logits = head(body(ids)[0])
    except Exception:
        # Architectures differ in how they call their body; any failure means: not this way.
        return False
    if logits.shape != expected.shape:
        return False
    tolerance = TOLERANCE.get(expected.dtype, 1e-4)
    scale = float(expected.nan_to_num().abs().max())
    return torch.allclose(logits, expected, rtol=tolerance, atol=tolerance * scale, equal_nan=True)


def _head(candidate: Linear | OwnHead, width: int) -> Head:
    fast = isinstance(candidate, Linear) and candidate.weight.dtype == torch.float32
    if isinstance(candidate, Linear) and fast and candidate.weight.device.type == "cpu":
        return TiledHead(candidate.weight, candidate.bias)
    return SlicedHead(candidate, width)
