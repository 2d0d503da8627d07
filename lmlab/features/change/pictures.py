"""A matrix as a picture of at most some number of entries, one byte each."""

import math

import torch
from torch import Tensor

from lmlab.features.change.matrices import MatrixView, Picture
from lmlab.features.change.weight_change import Delta, change_of, weight_spectrum

MOST = 160_000  # entries of a picture
STEPS = 127


@torch.inference_mode()
def view(delta: Delta) -> MatrixView:
    """One matrix in full: its figures, both spectra, and ΔW, V and U to look at."""
    block = _block(delta.whole)
    return MatrixView(
        change=change_of(delta),
        spectrum=weight_spectrum(delta),
        w=picture(delta.weight, (block, block)),
        delta=picture(delta.whole, (block, block)),
        v=None if delta.v is None else picture(delta.v, (block, 1)),
        u=None if delta.u is None else picture(delta.u, (1, block)),
    )


def picture(matrix: Tensor, block: tuple[int, int]) -> Picture:
    """A matrix [d, k] or vector [d]; of each block of entries the one farthest from 0 is kept."""
    whole = matrix.float() if matrix.dim() == 2 else matrix.float()[None]
    rows = block[0] if matrix.dim() == 2 else 1
    found = _pooled(whole, rows, block[1])
    largest = float(found.abs().max()) if found.numel() else 0.0
    scaled = (found / largest * STEPS).round() if largest > 0 else torch.zeros_like(found)
    return Picture(
        shape=(whole.shape[0], whole.shape[1]),
        rows=found.shape[0],
        columns=found.shape[1],
        largest=largest,
        entries=scaled.to(torch.int8).cpu().numpy().tobytes(),
    )


def _block(matrix: Tensor) -> int:
    """The side of the blocks that make a matrix small enough."""
    return max(1, math.ceil(math.sqrt(matrix.numel() / MOST)))


def _pooled(matrix: Tensor, rows: int, columns: int) -> Tensor:
    if rows == columns == 1:
        return matrix
    block, pool = (rows, columns), torch.nn.functional.max_pool2d
    high = pool(matrix[None], block, ceil_mode=True)[0]
    low = -pool(-matrix[None], block, ceil_mode=True)[0]
    return torch.where(high >= -low, high, low)
