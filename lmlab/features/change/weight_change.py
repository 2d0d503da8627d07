"""ΔW between a base and a tuned model, matrix by matrix. Stored weights are never written to."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from lmlab.errors import ModelError
from lmlab.features.change.changes import MatrixChange, MatrixView, Picture
from lmlab.maths import spectra
from lmlab.maths.spectra import Decomposed
from lmlab.models.model import LM

MOST = 160_000  # entries of a picture
STEPS = 127  # levels of one on either side of 0
_LAYER = re.compile(r"(?:^|\.)(\d+)\.")


@dataclass(frozen=True)
class Delta:
    """What was added to one parameter: a matrix, or a product of two where an adapter makes it."""

    name: str  # of the base's parameter
    weight: Tensor  # [d, k] or [d], the base's, outputs first
    matrix: Tensor | None = None
    product: tuple[Tensor, Tensor] | None = None  # the lecture's V with α·s in it, [d, ℓ]; U [ℓ, k]
    turned: bool = False  # the model keeps the matrix with its inputs first

    def decomposed(self) -> Decomposed:
        """Its singular values and vectors; only of a matrix."""
        return spectra.of_product(*self.product) if self.product else spectra.of_matrix(self.whole)

    @property
    def short_name(self) -> str:
        """The name of its matrix, as in ``MatrixChange.name``."""
        return self.name.removesuffix(".weight")

    @property
    def whole(self) -> Tensor:
        """ΔW itself: [d, k] or [d]."""
        if self.product:
            v, u = self.product
            return v @ u
        assert self.matrix is not None
        return self.matrix


@torch.inference_mode()
def iter_changes(base: LM, tuned: LM) -> Iterator[MatrixChange]:
    """Every parameter that fine-tuning could change, one after another.

    Args:
        base: and ``tuned``, both from one ``ModelStore.borrow_all``.

    Raises:
        ModelError: the two do not have the same parameters; or an adapter is not V·U alone.
    """
    for delta in deltas(base, tuned):
        yield change_of(delta)


def count_changes(base: LM, tuned: LM) -> int:
    """How many ``iter_changes`` gives."""
    if base.model is not tuned.model:
        return len(base.own_parameters())
    return len(tuned.adapters.products(tuned.folder))


@torch.inference_mode()
def deltas(base: LM, tuned: LM) -> Iterator[Delta]:
    """ΔW of each parameter; those that an adapter leaves alone are left out."""
    if base.attached.name or base.soft_prompt is not None:
        raise ModelError(
            "What changed is measured from a model without an adapter.", "Choose the base alone."
        )
    if tuned.soft_prompt is not None:
        raise ModelError(
            f"‘{tuned.name}’ is a learned prompt: it changes no weight.",
            "Its length and the prompt itself are all that was learned.",
        )
    if base.model is tuned.model:
        yield from _adapter_deltas(tuned)
    else:
        yield from _full_deltas(base, tuned)


def _adapter_deltas(tuned: LM) -> Iterator[Delta]:
    if tuned.attached.name is None:
        return
    if not tuned.attached.plain:
        raise ModelError(
            f"The adapter of ‘{tuned.name}’ does more than add V·U to matrices.",
            "What it changes is not one ΔW for each matrix.",
        )
    tuned.adapters.activate(None)
    own = {id(module): path for path, module in tuned.model.named_modules()}
    for product in tuned.adapters.products(tuned.folder):
        inner = product.base
        turned = type(inner).__name__ == "Conv1D"
        weight = inner.weight.t() if turned else inner.weight
        v = product.v.float() * (tuned.attached.alpha * product.scale)
        pair = (v, product.u.float())
        yield Delta(f"{own[id(inner)]}.weight", weight.detach(), product=pair, turned=turned)


def _full_deltas(base: LM, tuned: LM) -> Iterator[Delta]:
    before, after = base.own_parameters(), tuned.own_parameters()
    if {n: w.shape for n, w in before.items()} != {n: w.shape for n, w in after.items()}:
        raise ModelError(
            f"‘{base.name}’ and ‘{tuned.name}’ do not have the same matrices.",
            "Compare a model with what was made from it.",
        )
    added = {d.name: d for d in _adapter_deltas(tuned)}
    for name, weight in before.items():
        delta = after[name].float() - weight.to(after[name].device).float()
        if extra := added.get(name):
            delta = delta + (extra.whole.t() if extra.turned else extra.whole)
        yield Delta(name, weight, matrix=delta)


def change_of(delta: Delta) -> MatrixChange:
    """The figures of one parameter."""
    values: tuple[float, ...] = ()
    if delta.weight.dim() != 2:
        size = float(delta.whole.norm())
    else:
        found = delta.decomposed().s if delta.product else spectra.values(delta.whole)
        values = tuple(found.tolist())
        size = sum(s * s for s in values) ** 0.5
    plain = delta.short_name
    layer = _LAYER.search(plain)
    return MatrixChange(
        name=plain,
        layer=int(layer[1]) if layer else None,
        kind=plain[layer.end() :] if layer else plain.rsplit(".", 1)[-1],
        shape=tuple(delta.weight.shape),
        norm=float(delta.weight.float().norm()),
        change=size,
        singular_values=values,
        rank=len(delta.product[1]) if delta.product else 0,
    )


@torch.inference_mode()
def weight_spectrum(delta: Delta) -> tuple[float, ...]:
    """Singular values of the base's W itself, to lay beside those of ΔW; none of a vector."""
    return tuple(spectra.values(delta.weight).tolist()) if delta.weight.dim() == 2 else ()


@torch.inference_mode()
def view(delta: Delta) -> MatrixView:
    """One matrix in full: its figures, both spectra, and ΔW, V and U to look at."""
    whole = delta.whole
    side = max(1, math.ceil(math.sqrt(whole.numel() / MOST)))
    v, u = delta.product or (None, None)
    return MatrixView(
        change=change_of(delta),
        spectrum=weight_spectrum(delta),
        w=picture(delta.weight, side, side),
        delta=picture(whole, side, side),
        v=None if v is None else picture(v, side, 1),
        u=None if u is None else picture(u, 1, side),
    )


def picture(matrix: Tensor, rows: int, columns: int) -> Picture:
    """A matrix [d, k] or vector [d]; of each block of entries the one farthest from 0 is kept."""
    whole = matrix.float() if matrix.dim() == 2 else matrix.float()[None]
    block = (rows if matrix.dim() == 2 else 1, columns)
    found = whole
    if block != (1, 1):
        pool = torch.nn.functional.max_pool2d
        high, low = (pool(part[None], block, ceil_mode=True)[0] for part in (whole, -whole))
        found = torch.where(high >= low, high, -low)
    largest = float(found.abs().max()) if found.numel() else 0.0
    scaled = (found / largest * STEPS).round() if largest > 0 else torch.zeros_like(found)
    return Picture(
        shape=(whole.shape[0], whole.shape[1]),
        rows=found.shape[0],
        columns=found.shape[1],
        largest=largest,
        entries=scaled.to(torch.int8).cpu().numpy().tobytes(),
    )
