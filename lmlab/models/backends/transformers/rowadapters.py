"""LoRA matrices of several models over the same weights, one row of a batch for each.

Every adapted layer computes W·x once for the whole batch and adds α·s·V·U·x with the row's own V
and U (zeros for the base's rows; smaller ranks are filled up with zeros).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from lmlab.models.backends.transformers.adapters import Product
from lmlab.models.model import LM


@dataclass
class RowAdapter:
    """One layer with the matrices of each row."""

    layer: Any  # the linear map, as the untouched model has it
    u: Tensor  # [R, in, ℓ], the lecture's U (PEFT's A), turned
    v: Tensor  # [R, ℓ, out], α·s·V (PEFT's B), turned

    def select(self, rows: Tensor) -> "RowAdapter":
        """The same layer for some of the rows."""
        return replace(self, u=self.u[rows], v=self.v[rows])

    def __call__(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Stands in for the layer's forward pass."""
        return self.add(type(self.layer).forward(self.layer, x, *args, **kwargs), x)

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
    """The adapted layers of models that share their weights, a row for each model.

    Only plain LoRA adapters add to rows: there are none of a model with another adapter.
    """
    added: dict[int, list[tuple[int, Product]]] = {}
    for row, lm in enumerate(lms):
        for product in lm.adapters.products(lm.folder):
            added.setdefault(id(product.base), []).append((row, product))
    return [_stack(found, [lm.attached.alpha for lm in lms]) for found in added.values()]


def _stack(found: Sequence[tuple[int, Product]], alphas: Sequence[float]) -> RowAdapter:
    first = found[0][1]
    rank = max(len(product.u) for _, product in found)
    u = first.u.new_zeros(len(alphas), first.u.shape[1], rank)
    v = first.u.new_zeros(len(alphas), rank, len(first.v))
    for row, product in found:
        u[row, :, : len(product.u)] = product.u.t()
        v[row, : len(product.u)] = alphas[row] * product.scale * product.v.t()
    return RowAdapter(first.base, u, v)
