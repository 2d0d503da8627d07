"""The Jensen–Shannon distance of rows of distributions: pure mathematics over tensors."""

import math

import torch
from torch import Tensor

LN2 = math.log(2)


def entropy(p: Tensor) -> Tensor:
    """Entropy of each row of probabilities [N, V], in bits: [N]."""
    found: Tensor = torch.special.entr(p).sum(-1) / LN2
    return found


def distance(p: Tensor, q: Tensor, of_p: Tensor, of_q: Tensor) -> Tensor:
    """√JSD of each row, from 0 (the same) to 1 (nothing in common): [N].

    JSD(p, q) = H((p + q)/2) − (H(p) + H(q))/2 (Lin 1991), in bits; its root is a metric (Endres and
    Schindelin 2003).

    Args:
        p: [N, V] probabilities.
        q: the same of the other distribution.
        of_p: [N], ``entropy(p)``, which is needed for every other q as well.
        of_q: ``entropy(q)``.
    """
    divergence = entropy((p + q) / 2) - (of_p + of_q) / 2
    return divergence.clamp(0, 1).sqrt()
