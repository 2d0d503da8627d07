"""From hidden states to statistics of each next-token distribution, in bounded memory.

A full table of length × vocabulary is never made. Two ways, equal in result:

- ``TiledHead``: for a head that is one linear map. Multiplies tiles of the weight with the
  transposed hidden states (the orientation that CPU matrix kernels run fastest) and keeps running
  sums while a tile is in cache.
- ``SlicedHead``: for any other head. Applies the model's own head to slices of rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from lmlab.maths.metrics import RowStats, concat, row_stats

TILE = 2048
BLOCK = 64
LANES = 16
ROWS = 512
BUDGET = 100_000_000
LOWEST = -1e30


class Head(Protocol):
    """Turns rows of a model's output into statistics about their targets."""

    def stats(self, hidden: Tensor, targets: Tensor, top_k: int) -> RowStats:
        """Statistics of the next-token distribution of each row of ``hidden`` [N, H]."""
        ...

    def logits(self, hidden: Tensor, /) -> Tensor:
        """The logits [N, V] of a few rows; the caller bounds how many."""
        ...


@dataclass(frozen=True)
class SlicedHead:
    """Applies ``logits`` to slices of rows, each slice's table at most ``BUDGET`` bytes."""

    logits: Callable[[Tensor], Tensor]  # the model's own head, [n, H] to [n, V]
    vocabulary: int  # V

    def stats(self, hidden: Tensor, targets: Tensor, top_k: int) -> RowStats:
        rows = max(1, BUDGET // (4 * self.vocabulary))
        pieces = zip(torch.split(hidden, rows), torch.split(targets, rows), strict=True)
        return concat([row_stats(self.logits(h), y, top_k) for h, y in pieces])


@dataclass(frozen=True)
class TiledHead:
    """A head that is ``hidden @ weight.T (+ bias)``; float32 on the CPU."""

    weight: Tensor  # [V, H]
    bias: Tensor | None = None  # [V] or None

    def logits(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.weight, self.bias)

    def stats(self, hidden: Tensor, targets: Tensor, top_k: int) -> RowStats:
        rows = max(LANES, min(ROWS, BUDGET // (4 * len(self.weight)) // LANES * LANES))
        scratch = _Scratch.make(self.weight, min(rows, _up(len(hidden), LANES)))
        parts = []
        for h, y in zip(torch.split(hidden, rows), torch.split(targets, rows), strict=True):
            width = _up(len(h), LANES)
            if width != scratch.width:
                scratch = _Scratch.make(self.weight, width)
            parts.append(self._block(h, y, min(top_k, len(self.weight)), scratch))
        return concat(parts)

    def _block(self, hidden: Tensor, targets: Tensor, top_k: int, scratch: "_Scratch") -> RowStats:
        """Statistics of at most ``ROWS`` rows, padded to the scratch's width: odd ones are slow."""
        n, missing = len(hidden), scratch.width - len(hidden)
        columns = F.pad(hidden, (0, 0, 0, missing)).t().contiguous()
        targets = F.pad(targets, (0, missing))
        best, log_norm, entropy = self._normalise(columns, scratch)
        target = scratch.logits.gather(0, targets[None])[0]
        ids, values = scratch.top(top_k)
        return RowStats(
            logprob=(target - log_norm)[:n],
            rank=scratch.rank(target, len(self.weight))[:n],
            entropy=entropy[:n],
            best=(best - log_norm)[:n],
            top_ids=ids[:n],
            top_logprobs=(values - log_norm[:, None])[:n],
        )

    def _normalise(self, columns: Tensor, scratch: "_Scratch") -> tuple[Tensor, Tensor, Tensor]:
        """Fill the table tile by tile; each column's maximum, log of the normaliser and entropy.

        With m the running maximum, s = Σ exp(x − m) and t = Σ exp(x − m)·(x − m), the entropy is
        ln s − t / s.
        """
        m = self.weight.new_full((scratch.width,), LOWEST)
        s, t = torch.zeros_like(m), torch.zeros_like(m)
        for low in range(0, len(self.weight), TILE):
            high = min(low + TILE, len(self.weight))
            x = scratch.logits[low:high]
            torch.mm(self.weight[low:high], columns, out=x)
            if self.bias is not None:
                x += self.bias[low:high, None]
            new = torch.maximum(m, scratch.block_maxima(low, high))
            shift = m - new
            decay = shift.exp()
            centred = torch.sub(x, new, out=scratch.centred[: high - low])
            weights = torch.exp(centred, out=scratch.weights[: high - low])
            t = decay * (t + shift * s) + centred.mul_(weights).sum(0)
            s = decay * s + weights.sum(0)
            m = new
        return m, m + s.log(), s.log() - t / s


@dataclass(frozen=True)
class _Scratch:
    """Buffers of one call, reused from block to block."""

    logits: Tensor
    maxima: Tensor
    centred: Tensor
    weights: Tensor

    @classmethod
    def make(cls, weight: Tensor, width: int) -> "_Scratch":
        """Buffers for blocks of ``width`` rows.

        Of the weight's own kind: torch's default may be another one at any time, since transformers
        changes it for all threads while one of them loads or outlines a model.
        """
        vocabulary = len(weight)
        padded = _up(vocabulary, BLOCK)
        logits = weight.new_empty(padded, width)
        logits[vocabulary:] = -torch.inf
        tile = min(TILE, padded)
        return cls(
            logits,
            weight.new_empty(padded // BLOCK, width),
            weight.new_empty(tile, width),
            weight.new_empty(tile, width),
        )

    @property
    def width(self) -> int:
        return self.logits.shape[1]

    def block_maxima(self, low: int, high: int) -> Tensor:
        """Maxima of each 64 rows of [low, high), kept for ``top``; returns the maximum of all."""
        first, last = low // BLOCK, _up(high, BLOCK) // BLOCK
        view = self.logits[first * BLOCK : last * BLOCK].view(last - first, BLOCK, -1)
        torch.amax(view, 1, out=self.maxima[first:last])
        return self.maxima[first:last].amax(0)

    def top(self, k: int) -> tuple[Tensor, Tensor]:
        """Exact top-k of each column: the k best lie within the k blocks of highest maximum."""
        blocks = self.maxima.t().topk(min(k, len(self.maxima)), -1).indices
        ids = (blocks[:, :, None] * BLOCK + torch.arange(BLOCK)).flatten(1)
        best = self.logits.t().gather(1, ids).topk(k, -1)
        return ids.gather(1, best.indices), best.values

    def rank(self, target: Tensor, vocabulary: int) -> Tensor:
        """1 + how many entries of each column exceed its target."""
        count = torch.ones_like(target)
        for low in range(0, vocabulary, TILE):
            rows = self.logits[low : min(low + TILE, vocabulary)]
            count += torch.gt(rows, target, out=self.centred[: len(rows)]).sum(0)
        return count.long()


def _up(n: int, multiple: int) -> int:
    return -(-n // multiple) * multiple
