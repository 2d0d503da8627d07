"""LoRA matrices of several models over the same weights, one row of a batch for each.

Every adapted layer computes W·x once for the whole batch and adds α·s·V·U·x with the row's own V
and U (zeros for the base's rows; smaller ranks are filled up with zeros).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from lmlab.lm.model import LM


@dataclass
class RowAdapter:
    """One layer with the matrices of each row.

    Attributes:
        layer: PEFT's.
        u: [R, in, ℓ], the lecture's U (PEFT's A), turned.
        v: [R, ℓ, out], α·s·V (PEFT's B), turned.
    """

    layer: Any
    u: Tensor
    v: Tensor

    def select(self, rows: Tensor) -> "RowAdapter":
        """The same layer for some of the rows."""
        return replace(self, u=self.u[rows], v=self.v[rows])

    def __call__(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Stands in for the layer's forward pass."""
        return self.add(self.layer.base_layer(x, *args, **kwargs), x)

    def add(self, result: Tensor, x: Tensor) -> Tensor:
        """The layer's own result plus what each row's adapter adds for its input x."""
        if x.dtype == self.u.dtype == result.dtype and x.dim() == 3 and len(x) == len(self.u):
            return torch.baddbmm(result, torch.bmm(x, self.u), self.v)
        # Some models flatten rows and positions into one dimension; some run in half precision;
        # matrices of one row serve all rows.
        rows, width, _ = self.u.shape
        low = torch.bmm(x.reshape(rows, -1, width).to(self.u.dtype), self.u)
        whole = result.reshape(rows, -1, result.shape[-1])
        return (whole + torch.bmm(low, self.v)).to(result.dtype).view_as(result)


@torch.inference_mode()
def row_adapters(lms: Sequence[LM]) -> list[RowAdapter]:
    """The adapted layers of models that share their weights, a row for each model."""
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


def _stack(layer: Any, names: Sequence[str | None], scales: Sequence[float]) -> RowAdapter:
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
    return RowAdapter(layer, u, v)
