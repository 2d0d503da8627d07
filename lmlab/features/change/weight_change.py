"""ΔW between a base and a tuned model, matrix by matrix. Stored weights are never written to."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from lmlab.errors import ModelError
from lmlab.features.change.changes import MatrixChange
from lmlab.maths import spectra
from lmlab.maths.spectra import Decomposed
from lmlab.models.model import LM

_LAYER = re.compile(r"(?:^|\.)(\d+)\.")


@dataclass(frozen=True)
class Delta:
    """What was added to one parameter.

    Attributes:
        name: of the base's parameter.
        weight: [d, k] or [d], the base's, outputs first.
        matrix: ΔW, where it is not made of two.
        v: [d, ℓ], the lecture's V with α·s in it, where an adapter makes ΔW.
        u: [ℓ, k], the lecture's U.
        turned: the model keeps the matrix with its inputs first.
    """

    name: str
    weight: Tensor
    matrix: Tensor | None = None
    v: Tensor | None = None
    u: Tensor | None = None
    turned: bool = False

    def decomposed(self) -> Decomposed:
        """Its singular values and vectors; only of a matrix."""
        if self.v is not None and self.u is not None:
            return spectra.of_product(self.v, self.u)
        if self.matrix is None:
            raise ValueError(f"{self.name} did not change")
        return spectra.of_matrix(self.matrix)

    def singular_values(self) -> tuple[float, ...]:
        """Those of ΔW, falling; none of a vector."""
        if self.weight.dim() != 2:
            return ()
        if self.v is not None and self.u is not None:
            return tuple(spectra.values_of_product(self.v, self.u).tolist())
        if self.matrix is None:
            raise ValueError(f"{self.name} did not change")
        return tuple(spectra.values(self.matrix).tolist())

    @property
    def short_name(self) -> str:
        """The name of its matrix, as in ``MatrixChange.name``."""
        return self.name.removesuffix(".weight")

    @property
    def whole(self) -> Tensor:
        """ΔW itself: [d, k] or [d]."""
        if self.v is not None and self.u is not None:
            return self.v @ self.u
        if self.matrix is None:
            raise ValueError(f"{self.name} did not change")
        return self.matrix

    @property
    def rank(self) -> int:
        """The adapter's ℓ; 0 where there is none."""
        return 0 if self.u is None else len(self.u)


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
    _check_plain(tuned)
    tuned.adapters.activate(None)
    own = {id(module): path for path, module in tuned.model.named_modules()}
    for product in tuned.adapters.products(tuned.folder):
        inner = product.base
        turned = type(inner).__name__ == "Conv1D"
        weight = inner.weight.t() if turned else inner.weight
        v = product.v.float() * (tuned.attached.alpha * product.scale)
        u = product.u.float()
        yield Delta(f"{own[id(inner)]}.weight", weight.detach(), None, v, u, turned)


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
        if (extra := added.get(name)) and extra.v is not None and extra.u is not None:
            product = extra.v @ extra.u
            delta = delta + (product.t() if extra.turned else product)
        yield Delta(name, weight, matrix=delta)


def _check_plain(lm: LM) -> None:
    if not lm.attached.plain:
        raise ModelError(
            f"The adapter of ‘{lm.name}’ does more than add V·U to matrices.",
            "What it changes is not one ΔW for each matrix.",
        )


def change_of(delta: Delta) -> MatrixChange:
    """The figures of one parameter."""
    values = delta.singular_values()
    if delta.weight.dim() == 2:
        size = sum(s * s for s in values) ** 0.5
    else:
        size = 0.0 if delta.matrix is None else float(delta.matrix.norm())
    plain = delta.short_name
    found = _LAYER.search(plain)
    return MatrixChange(
        name=plain,
        layer=int(found[1]) if found else None,
        kind=plain[found.end() :] if found else plain.rsplit(".", 1)[-1],
        shape=tuple(delta.weight.shape),
        norm=float(delta.weight.float().norm()),
        change=size,
        singular_values=values,
        rank=delta.rank,
    )


@torch.inference_mode()
def weight_spectrum(delta: Delta) -> tuple[float, ...]:
    """Singular values of the base's W itself, to lay beside those of ΔW; none of a vector."""
    if delta.weight.dim() != 2:
        return ()
    return tuple(spectra.values(delta.weight).tolist())
