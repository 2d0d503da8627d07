"""Pure mathematics of a change of a matrix, ΔW: its singular values, and the nearest matrix of a
lower rank. Knows nothing about models."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Decomposed:
    """ΔW = P·diag(s)·Q in float32, s falling.

    Attributes:
        p: [d, m], orthonormal columns.
        s: [m] singular values.
        q: [m, k], orthonormal rows.
    """

    p: Tensor
    s: Tensor
    q: Tensor

    def kept(self, rank: int) -> Tensor:
        """The nearest matrix of at most that rank (Eckart and Young 1936): [d, k]."""
        return (self.p[:, :rank] * self.s[:rank]) @ self.q[:rank]


def of_matrix(matrix: Tensor) -> Decomposed:
    """The decomposition of a matrix [d, k]."""
    return Decomposed(*torch.linalg.svd(matrix.float(), full_matrices=False))


def of_product(v: Tensor, u: Tensor) -> Decomposed:
    """The decomposition of V·U without making it: V [d, ℓ], U [ℓ, k]; m is at most ℓ."""
    left, r = torch.linalg.qr(v.float())
    right, t = torch.linalg.qr(u.float().t())
    p, s, q = torch.linalg.svd(r @ t.t(), full_matrices=False)
    return Decomposed(left @ p, s, q @ right.t())
