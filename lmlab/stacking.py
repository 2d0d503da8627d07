"""Base and LoRA adapters in one batch over one copy of the weights: each row its own adapter.

Every adapted layer computes W·x once for the whole batch and adds α·s·V·U·x with the row's own V
and U (zeros for the base's rows; smaller ranks are filled up with zeros). Weights and adapters
stay as they are.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from lmlab.decoding import Decoder
from lmlab.lm import LM

EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")


def stackable(lm: LM) -> bool:
    """Whether a model can be one row among others of the same weights."""
    config = lm.model.config.get_text_config()
    # A layer of experts sees some tokens of some rows, and could not tell whose they are.
    experts = any((getattr(config, name, None) or 0) > 1 for name in EXPERTS)
    return lm.attached.plain and lm.soft_prompt is None and not experts


class StackedDecoder(Decoder):
    """Like ``Decoder``, with one row for each of several models of the same weights."""

    def __init__(self, lms: Sequence[LM]) -> None:
        # The base's own layers run; the rows' differences come from here.
        base = replace(lms[0], folder=None, attached=type(lms[0].attached)())
        super().__init__(base, len(lms))
        self._adapted = _adapted(lms)

    def read(self, ids: Sequence[int]) -> Tensor:
        """Read the prompt in every row, since each row's model sees it its own way."""
        return self._forward(self._prompt(torch.tensor([ids] * self._rows, device=self._device)))

    def keep(self, places: Sequence[int]) -> None:
        """Go on with some of the rows only."""
        super().keep(places)
        rows = torch.tensor(places, device=self._device)
        self._adapted = [one.select(rows) for one in self._adapted]

    def _call(self, inputs: dict[str, Tensor]) -> Any:
        with _placed(self._adapted):
            return super()._call(inputs)


@dataclass
class _Adapted:
    """One layer with the matrices of each row.

    Attributes:
        layer: PEFT's.
        u: [R, in, ℓ], the lecture's U (PEFT's A), turned.
        v: [R, ℓ, out], α·s·V (PEFT's B), turned.
    """

    layer: Any
    u: Tensor
    v: Tensor

    def select(self, rows: Tensor) -> "_Adapted":
        """The same layer for some of the rows."""
        return replace(self, u=self.u[rows], v=self.v[rows])

    def __call__(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Stands in for the layer's forward pass."""
        result: Tensor = self.layer.base_layer(x, *args, **kwargs)
        if x.dtype == self.u.dtype == result.dtype and x.dim() == 3:
            return torch.baddbmm(result, torch.bmm(x, self.u), self.v)
        # Some models flatten rows and positions into one dimension; some run in half precision.
        rows, width, _ = self.u.shape
        low = torch.bmm(x.reshape(rows, -1, width).to(self.u.dtype), self.u)
        whole = result.reshape(rows, -1, result.shape[-1])
        return (whole + torch.bmm(low, self.v)).to(result.dtype).view_as(result)


@contextmanager
def _placed(adapted: Sequence[_Adapted]) -> Iterator[None]:
    """Put the stand-ins in for one forward pass."""
    for one in adapted:
        one.layer.forward = one
    try:
        yield
    finally:
        for one in adapted:
            del one.layer.forward


@torch.inference_mode()
def _adapted(lms: Sequence[LM]) -> list[_Adapted]:
    names = [lm.attached.name for lm in lms]
    alphas = [lm.attached.alpha for lm in lms]
    adapters = lms[0].adapters
    found = []
    for layer in adapters.layers():
        if any(name in layer.scaling for name in names):
            scales = [
                alpha * adapters.trained_scale(layer, name) if name and name in layer.scaling else 0
                for name, alpha in zip(names, alphas, strict=True)
            ]
            found.append(_stack(layer, names, scales))
    return found


def _stack(layer: Any, names: Sequence[str | None], scales: Sequence[float]) -> _Adapted:
    mine = [(i, name) for i, name in enumerate(names) if name and name in layer.lora_A]
    first = layer.lora_A[mine[0][1]].weight
    rank = max(layer.lora_A[name].weight.shape[0] for _, name in mine)
    out = layer.lora_B[mine[0][1]].weight.shape[0]
    u = first.new_zeros(len(names), first.shape[1], rank)
    v = first.new_zeros(len(names), rank, out)
    for i, name in mine:
        a, b = layer.lora_A[name].weight, layer.lora_B[name].weight
        u[i, :, : len(a)] = a.t()
        v[i, : len(a)] = scales[i] * b.t()
    return _Adapted(layer, u, v)
