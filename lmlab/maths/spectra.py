"""Pure mathematics of a change of a matrix, ΔW: its singular values, and the nearest matrix of a
lower rank. Knows nothing about models."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Decomposed:
    """ΔW = P·diag(s)·Q in float32, s falling."""

    p: Tensor  # [d, m], orthonormal columns
    s: Tensor  # [m] singular values
    q: Tensor  # [m, k], orthonormal rows

    def kept(self, rank: int) -> Tensor:
        """The nearest matrix of at most that rank (Eckart and Young 1936): [d, k]."""
        return (self.p[:, :rank] * self.s[:rank]) @ self.q[:rank]


# From this ratio of its sides on, the small product of a matrix with itself is quicker.
LONG = 4


def values(matrix: Tensor) -> Tensor:
    """The singular values of a matrix [d, k] alone, falling: [min(d, k)].

    Of a long one they are roots of the eigenvalues of the product with itself, in float64, in which
    squaring loses nothing that float32 has.
    """
    d, k = matrix.shape
    if max(d, k) < LONG * min(d, k):
        found: Tensor = torch.linalg.svdvals(matrix.float())
        return found
    tall = (matrix if d >= k else matrix.t()).double()
    squares: Tensor = torch.linalg.eigvalsh(tall.t() @ tall)
    return squares.clamp(min=0).sqrt().flip(0).float()


def of_matrix(matrix: Tensor) -> Decomposed:
    """The decomposition of a matrix [d, k]."""
    return Decomposed(*torch.linalg.svd(matrix.float(), full_matrices=False))


def of_product(v: Tensor, u: Tensor) -> Decomposed:
    """The decomposition of V·U without making it: V [d, ℓ], U [ℓ, k]; m is at most ℓ."""
    left, r = torch.linalg.qr(v.float())
    right, t = torch.linalg.qr(u.float().t())
    p, s, q = torch.linalg.svd(r @ t.t(), full_matrices=False)
    return Decomposed(left @ p, s, q @ right.t())
