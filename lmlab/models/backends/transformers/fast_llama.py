"""Lean steps: one new token a row, the same numbers without the library's overhead. For Llama.

The library's forward pass reads the prompt; from then on this module's own few operations read one
token at a time over the same weights. Any model that is not exactly what it knows is left alone.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import torch
import torch.nn.functional as F
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from transformers import DynamicCache, LlamaForCausalLM

from lmlab.models.backends.transformers.growing import GrowingCache
from lmlab.models.backends.transformers.rowadapters import RowAdapter
from lmlab.models.model import LM

ROPES = ("default", "linear", "llama3")
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj")
FEEDS = ("gate_proj", "up_proj", "down_proj")
MANY = 16  # rows from which on the usual order of a product is as fast


def fits(lm: LM) -> bool:
    """Whether a model is a Llama of the plain kind, its adapter none or plain LoRA."""
    model, config = lm.model, lm.model.config
    if type(model) is not LlamaForCausalLM or config.hidden_act != "silu":
        return False
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type", "default") not in ROPES or config.pretraining_tp > 1:
        return False
    if not lm.attached.plain and lm.attached.soft_prompt is None:
        return False
    layers = [_linears(layer) for layer in model.model.layers]
    known = all(type(plain_layer(one)) is nn.Linear for layer in layers for one in layer)
    ends = type(plain_layer(model.lm_head)) is nn.Linear
    return known and ends and type(model.model.embed_tokens) is nn.Embedding


class _Beside:
    """All rows' adapters of a few layers as two plain matrices, which few rows pass fastest.

    With U of all rows and layers one below the other, each row meets every U, and a mask keeps its
    own; V of each layer reaches that layer's part of the result alone.
    """

    def __init__(self, adapters: Sequence[RowAdapter | None], heights: Sequence[int]) -> None:
        us, vs, owns = [], [], []
        for adapter, low, height in zip(adapters, accumulate(heights, initial=0), heights):  # noqa: B905
            if adapter is None:
                continue
            rows, width, rank = adapter.u.shape
            v = adapter.v.permute(2, 0, 1).reshape(-1, rows * rank)
            us.append(adapter.u.transpose(1, 2).reshape(rows * rank, width))
            vs.append(F.pad(v, (0, 0, low, sum(heights) - low - height)))
            owns.append(torch.eye(rows, device=v.device, dtype=v.dtype).repeat_interleave(rank, 0))
        v = torch.cat(vs, 1)
        # The base's rows, and what fills up a smaller rank, are no work.
        used = v.any(0)
        self._u, self._v, own = torch.cat(us)[used], v.t()[used].contiguous(), torch.cat(owns)[used]
        self._own = own.t().contiguous() if own.shape[1] > 1 else None

    def add(self, result: Tensor, x: Tensor) -> Tensor:
        """result [R, out] plus what the adapters make of x [R, in]."""
        low = F.linear(x, self._u)
        return result.addmm_(low if self._own is None else low.mul_(self._own), self._v)


class _Maps:
    """Linear layers of one input, their results side by side, each row's own adapters added."""

    def __init__(self, layers: Sequence[Any], adapted: Mapping[int, RowAdapter]) -> None:
        bases = [plain_layer(layer) for layer in layers]
        self._weights = [base.weight for base in bases]
        self._biases = [base.bias for base in bases]
        self._adapters = [adapted.get(id(base)) for base in bases]
        heights = [len(weight) for weight in self._weights]
        self._ends = [*accumulate(heights, initial=0)]
        some = any(self._adapters)
        self._beside = _Beside(self._adapters, heights) if some else None
        self._bias = torch.cat(self._biases) if all(b is not None for b in self._biases) else None
        self._narrow = all(narrow(weight) for weight in self._weights) and (
            self._bias is not None or all(b is None for b in self._biases)
        )

    def __call__(self, x: Tensor) -> Tensor:
        """x [R, in] to [R, all outs]."""
        if not self._narrow or len(x) > MANY:
            return self._wide(x)
        columns = columns_of(x)
        if len(self._weights) == 1:
            result = torch.mm(self._weights[0], columns)
        else:
            result = columns.new_empty(self._ends[-1], columns.shape[1])
            for weight, low, high in zip(self._weights, self._ends, self._ends[1:], strict=False):
                torch.mm(weight, columns, out=result[low:high])
        result = result[:, : len(x)].t().contiguous()
        if self._beside is not None:
            self._beside.add(result, x)
        return result if self._bias is None else result + self._bias

    def _wide(self, x: Tensor) -> Tensor:
        parts = []
        for weight, bias, adapter in zip(self._weights, self._biases, self._adapters, strict=True):
            part = F.linear(x, weight, bias)
            parts.append(part if adapter is None else adapter.add(part[:, None], x[:, None])[:, 0])
        return parts[0] if len(parts) == 1 else torch.cat(parts, -1)


class Lean:
    """Goes on from a prompt that the library's forward pass has read.

    Args:
        cache: of the prompt, [R, heads, T, width] keys and values in each layer.
        adapted: layers with LoRA matrices; those of one row serve all rows.
    """

    def __init__(self, model: Any, cache: DynamicCache, adapted: Sequence[RowAdapter]) -> None:
        self._model = model
        self._adapted = {id(one.layer): one for one in adapted}
        self._kept = GrowingCache(cache)
        self._gather()

    def keep(self, rows: Tensor) -> None:
        """Go on with some of the rows only."""
        if any(len(one.u) > 1 for one in self._adapted.values()):
            self._adapted = {key: one.select(rows) for key, one in self._adapted.items()}
            self._gather()
        self._kept.keep(rows)

    def join(self, others: Sequence["Lean"]) -> None:
        """Go on with the rows of others too, after these; the adapters of one serve all."""
        self._kept.join([one._kept for one in others])

    def step(self, ids: Tensor) -> Tensor:
        """Read one token a row, ids [R]; the logits [R, V] of what comes next."""
        raise NotImplementedError

    def _gather(self) -> None:
        """Put together what follows from the model and the adapters."""
        raise NotImplementedError


class LeanLlama(Lean):
    """The lean step of a Llama."""

    _angles: tuple[Tensor, Tensor] = (torch.empty(0), torch.empty(0))

    def step(self, ids: Tensor) -> Tensor:
        body = self._model.model
        x = body.embed_tokens(ids)
        self._turned(x)
        cos, sin = (angle[self._kept.places] for angle in self._angles)
        for i, (layer, maps) in enumerate(zip(body.layers, self._blocks, strict=True)):
            heard, out, feed, down = maps
            parts = heard(_norm(layer.input_layernorm, x))
            x = x + out(self._attend(i, parts, cos, sin))
            gate, up = feed(_norm(layer.post_attention_layernorm, x)).chunk(2, -1)
            x = x + down(F.silu(gate) * up)
        self._kept.step()
        return self._head(_norm(body.norm, x))

    def _attend(self, i: int, parts: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Attention of layer i for the newest position, from queries, keys and values [R, …]."""
        parts = parts.view(len(parts), -1, cos.shape[-1])
        queries, keys = self._heads
        turned = _turn(parts[:, : queries + keys], cos, sin)
        return self._kept.attend(
            i, turned[:, :queries], turned[:, queries:], parts[:, queries + keys :]
        )

    def _gather(self) -> None:
        """Put the maps together that read the same input."""
        config = self._model.config
        self._heads = config.num_attention_heads, config.num_key_value_heads
        self._blocks = []
        for layer in self._model.model.layers:
            query, key, value, out, gate, up, down = _linears(layer)
            groups = ([query, key, value], [out], [gate, up], [down])
            self._blocks.append([_Maps(group, self._adapted) for group in groups])
        self._head = _Maps([self._model.lm_head], self._adapted)

    def _turned(self, x: Tensor) -> None:
        """Have room and angles [places, 1, width] for the newest position."""
        self._kept.widen()
        size = self._kept.length + self._kept.room
        if size > len(self._angles[0]):
            cos, sin = self._model.model.rotary_emb(x, torch.arange(size, device=x.device)[None])
            self._angles = (cos[0, :, None], sin[0, :, None])


def _linears(layer: Any) -> list[Any]:
    """A block's seven linear layers: query, key, value, out; gate, up, down."""
    attention, feed = layer.self_attn, layer.mlp
    return [getattr(attention, n) for n in PROJECTIONS] + [getattr(feed, n) for n in FEEDS]


def plain_layer(layer: Any) -> Any:
    """A layer without the adapters beside it."""
    return layer.base_layer if isinstance(layer, LoraLayer) else layer


def narrow(weight: Tensor) -> bool:
    """Whether weight × rowsᵀ is the faster order for few rows: on a CPU, up to twice."""
    return weight.device.type == "cpu" and weight.dtype == torch.float32


def columns_of(x: Tensor) -> Tensor:
    """Rows [R, in] as columns; one of them twice, since two are faster than one."""
    return (torch.cat((x, x)) if len(x) == 1 else x).t()


def _norm(norm: Any, x: Tensor) -> Tensor:
    return F.rms_norm(x, x.shape[-1:], norm.weight, norm.variance_epsilon)


def _turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate heads [R, heads, width] to their position."""
    one, other = x.chunk(2, -1)
    return x * cos + torch.cat((-other, one), -1) * sin
