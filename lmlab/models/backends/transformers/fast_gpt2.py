"""The lean step for GPT-2. Any model that is not exactly what it knows is left alone."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import GPT2LMHeadModel
from transformers.pytorch_utils import Conv1D

from lmlab.models.backends.transformers.fast_llama import (
    MANY,
    Lean,
    columns_of,
    narrow,
    plain_layer,
)
from lmlab.models.model import LM

ODD = ("add_cross_attention", "scale_attn_by_inverse_layer_idx", "reorder_and_upcast_attn")


def fits(lm: LM) -> bool:
    """Whether a model is a GPT-2 of the plain kind, its adapter none or plain LoRA."""
    model, config = lm.model, lm.model.config
    if type(model) is not GPT2LMHeadModel or config.activation_function != "gelu_new":
        return False
    if not config.scale_attn_weights or any(getattr(config, name, False) for name in ODD):
        return False
    if not lm.attached.plain and lm.attached.soft_prompt is None:
        return False
    body = model.transformer
    layers = [one for block in body.h for one in _maps(block)]
    norms = [body.ln_f, *(norm for block in body.h for norm in (block.ln_1, block.ln_2))]
    return (
        all(type(plain_layer(one)) is Conv1D for one in layers)
        and all(type(norm) is nn.LayerNorm for norm in norms)
        and type(body.wte) is type(body.wpe) is nn.Embedding
        and type(plain_layer(model.lm_head)) is nn.Linear
    )


class LeanGPT2(Lean):
    """The lean step of a GPT-2."""

    def _gather(self) -> None:
        self._maps = [_maps(block) for block in self._model.transformer.h]

    def step(self, ids: Tensor) -> Tensor:
        self._kept.widen()
        body = self._model.transformer
        heads = self._model.config.n_head
        x = body.wte(ids) + body.wpe.weight[self._kept.places]
        for i, block in enumerate(body.h):
            fused, out, up, down = self._maps[i]
            parts = self._map(fused, block.ln_1(x)).view(len(x), 3, heads, -1)
            x = x + self._map(out, self._kept.attend(i, *parts.unbind(1)))
            wide = F.gelu(self._map(up, block.ln_2(x)), approximate="tanh")
            x = x + self._map(down, wide)
        self._kept.step()
        return self._head(body.ln_f(x))

    def _map(self, layer: Any, x: Tensor) -> Tensor:
        base = plain_layer(layer)
        return self._beside(layer, torch.addmm(base.bias, x, base.weight), x)

    def _head(self, x: Tensor) -> Tensor:
        base = plain_layer(self._model.lm_head)
        if base.bias is None and narrow(base.weight) and len(x) <= MANY:
            result = torch.mm(base.weight, columns_of(x))[:, : len(x)].t()
        else:
            result = F.linear(x, base.weight, base.bias)
        return self._beside(self._model.lm_head, result, x)

    def _beside(self, layer: Any, result: Tensor, x: Tensor) -> Tensor:
        """A layer's own result plus what each row's adapter adds."""
        adapter = self._adapted.get(id(plain_layer(layer)))
        return result if adapter is None else adapter.add(result[:, None], x[:, None])[:, 0]


def _maps(block: Any) -> list[Any]:
    """A block's four maps: query, key and value at once; out; up; down."""
    return [block.attn.c_attn, block.attn.c_proj, block.mlp.c_fc, block.mlp.c_proj]
