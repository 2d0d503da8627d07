"""A lean step for Llama: one new token a row, the same numbers without the library's overhead.

The library's forward pass reads the prompt; from then on this module's own few operations read one
token at a time over the same weights. Any model that is not exactly what it knows is left alone.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from transformers import DynamicCache, LlamaForCausalLM

from lmlab.lm import LM
from lmlab.rowadapters import RowAdapter

ROPES = ("default", "linear", "llama3")
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj")
FEEDS = ("gate_proj", "up_proj", "down_proj")
ROOM = 128  # positions that are set aside at a time
MANY = 16  # rows from which on the usual order of a product is as fast


def fits(lm: LM) -> bool:
    """Whether a model is a Llama of the plain kind, its adapter none or plain LoRA."""
    model, config = lm.model, lm.model.config
    if type(model) is not LlamaForCausalLM or config.hidden_act != "silu":
        return False
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type", "default") not in ROPES or config.pretraining_tp > 1:
        return False
    plain = lm.attached.plain or lm.soft_prompt is not None
    layers = [_linears(layer) for layer in model.model.layers]
    known = all(type(_base(one)) is nn.Linear for layer in layers for one in layer)
    return plain and known and type(_base(model.lm_head)) is nn.Linear


class _Beside:
    """All rows' adapters of one layer as two plain matrices, which few rows pass fastest.

    With U of all rows one below the other, each row meets every U, and a mask keeps its own.
    """

    def __init__(self, adapter: RowAdapter) -> None:
        rows, width, rank = adapter.u.shape
        self._u = adapter.u.transpose(1, 2).reshape(rows * rank, width)
        self._v = adapter.v.permute(2, 0, 1).reshape(-1, rows * rank)
        own = torch.eye(rows, device=self._u.device).repeat_interleave(rank, 0)
        self._own = own if rows > 1 else None

    def add(self, result: Tensor, columns: Tensor) -> Tensor:
        """result [out, R] plus what the adapters make of columns [in, R]."""
        low = torch.mm(self._u, columns)
        return torch.addmm(result, self._v, low if self._own is None else low.mul_(self._own))


class LeanLlama:
    """Goes on from a prompt that the library's forward pass has read.

    Args:
        model: fits.
        cache: of the prompt, [R, heads, T, width] keys and values in each layer.
        adapted: layers with LoRA matrices; those of one row serve all rows.
    """

    def __init__(self, model: Any, cache: DynamicCache, adapted: Sequence[RowAdapter]) -> None:
        self._model = model
        self._layers = [_linears(layer) for layer in model.model.layers]
        self._adapted = {id(one.layer): one for one in adapted}
        self._beside = {key: _Beside(one) for key, one in self._adapted.items()}
        held: Any = cache.layers
        self._keys: list[Tensor] = [layer.keys for layer in held]
        self._values: list[Tensor] = [layer.values for layer in held]
        self._length = self._keys[0].shape[2]
        self._angles: tuple[Tensor, Tensor] = (torch.empty(0), torch.empty(0))
        self._start = self._length
        self._widen()

    def keep(self, rows: Tensor) -> None:
        """Go on with some of the rows only."""
        if any(len(one.u) > 1 for one in self._adapted.values()):
            self._adapted = {key: one.select(rows) for key, one in self._adapted.items()}
            self._beside = {key: _Beside(one) for key, one in self._adapted.items()}
        self._keys = [keys[rows] for keys in self._keys]
        self._values = [values[rows] for values in self._values]

    def step(self, ids: Tensor) -> Tensor:
        """Read one token a row, ids [R]; the logits [R, V] of what comes next."""
        if self._length == self._keys[0].shape[2]:
            self._widen()
        body = self._model.model
        x = body.embed_tokens(ids)
        place = self._length - self._start
        cos, sin = (angle[place] for angle in self._angles)
        for i, layer in enumerate(body.layers):
            x = x + self._attend(i, _norm(layer.input_layernorm, x), cos, sin)
            gate, up, down = self._layers[i][4:]
            h = _norm(layer.post_attention_layernorm, x)
            x = x + self._linear(down, F.silu(self._linear(gate, h)) * self._linear(up, h))
        self._length += 1
        return self._linear(self._model.lm_head, _norm(body.norm, x))

    def _attend(self, i: int, h: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Attention of layer i for the newest position; h [R, H]."""
        query, key, value, out = self._layers[i][:4]
        keys, values, end = self._keys[i], self._values[i], self._length + 1
        rows, width = len(h), keys.shape[-1]
        q = _turn(self._linear(query, h).view(rows, -1, width), cos, sin)
        keys[:, :, self._length] = _turn(self._linear(key, h).view(rows, -1, width), cos, sin)
        values[:, :, self._length] = self._linear(value, h).view(rows, -1, width)
        grouped = q.shape[1] != keys.shape[1]
        seen = F.scaled_dot_product_attention(
            q[:, :, None], keys[:, :, :end], values[:, :, :end], enable_gqa=grouped
        )
        return self._linear(out, seen.reshape(rows, -1))

    def _linear(self, layer: Any, x: Tensor) -> Tensor:
        """A layer's map of x [R, in], with each row's own adapter."""
        base, adapter = _base(layer), self._adapted.get(id(layer))
        weight = base.weight
        if weight.device.type != "cpu" or weight.dtype != torch.float32 or len(x) > MANY:
            result = F.linear(x, weight, base.bias)
            return result if adapter is None else adapter.add(result[:, None], x[:, None])[:, 0]
        # With few rows, CPU kernels run weight × rowsᵀ up to twice as fast as the usual order, and
        # two rows faster than one.
        columns = (torch.cat((x, x)) if len(x) == 1 else x).t()
        result = torch.mm(weight, columns)
        if adapter is not None:
            result = self._beside[id(layer)].add(result, columns)
        result = result[:, : len(x)].t().contiguous()
        return result if base.bias is None else result + base.bias

    def _widen(self) -> None:
        """Make room for more positions, and their angles."""
        room = max(ROOM, self._length // 2)
        self._keys = [F.pad(keys, (0, 0, 0, room)) for keys in self._keys]
        self._values = [F.pad(values, (0, 0, 0, room)) for values in self._values]
        self._start = self._length
        places = torch.arange(self._length, self._length + room, device=self._keys[0].device)
        cos, sin = self._model.model.rotary_emb(self._keys[0], places[None])
        self._angles = cos[0], sin[0]


def _linears(layer: Any) -> list[Any]:
    """A block's seven linear layers: query, key, value, out; gate, up, down."""
    attention, feed = layer.self_attn, layer.mlp
    return [getattr(attention, n) for n in PROJECTIONS] + [getattr(feed, n) for n in FEEDS]


def _base(layer: Any) -> Any:
    return layer.base_layer if isinstance(layer, LoraLayer) else layer


def _norm(norm: Any, x: Tensor) -> Tensor:
    return F.rms_norm(x, x.shape[-1:], norm.weight, norm.variance_epsilon)


def _turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate heads [R, heads, width] to their position."""
    one, other = x.chunk(2, -1)
    return x * cos + torch.cat((-other, one), -1) * sin
