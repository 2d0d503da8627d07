"""What a model has read, in one or several rows. Rows of unequal length end in one column: the
shorter ones are padded on the left.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

PLAIN_LAYERS = (DynamicLayer, DynamicSlidingWindowLayer)


@dataclass
class Past:
    """What a model has read. A state that is no plain key–value cache is opaque here."""

    state: Any  # as the model's forward pass handed it out
    length: int  # columns read, a soft prompt counted
    # [R] columns on the left of each row that are no tokens; None where no row has any
    pads: Tensor | None = None

    @property
    def window(self) -> int | None:
        """Positions up to which nothing that was read is dropped; None where nothing ever is."""
        layers = getattr(self.state, "layers", ())
        found = (getattr(layer, "sliding_window", None) for layer in layers)
        return min((int(one) for one in found if one), default=None)

    def widened(self, rows: int) -> "Past":
        """The past of one row for several, which go on without touching it."""
        state = self.state
        if _is_plain(state):
            return Past(_expanded(state, rows), self.length)
        state = copy.deepcopy(state)
        if isinstance(state, list | tuple):
            state = [part.repeat_interleave(rows, 0) for part in state]
        elif rows > 1:
            state.batch_repeat_interleave(rows)
        return Past(state, self.length)

    def select(self, rows: Tensor) -> None:
        """Go on with some of the rows only."""
        if isinstance(self.state, list | tuple):
            self.state = [part[rows] for part in self.state]
        else:
            self.state.batch_select_indices(rows)
        self.pads, cut = kept_pads(self.pads, rows)
        if cut:
            _shift(self.state, -cut)
            self.length -= cut

    def join(self, others: Sequence["Past"]) -> None:
        """Go on with the rows of others too, after these; the others are used up.

        Raises:
            ValueError: it is no plain key–value cache.
        """
        every = [self, *others]
        if not all(_is_plain(one.state) for one in every):
            raise ValueError("rows of this state cannot be put side by side")
        length = max(one.length for one in every)
        rows = [(one.length, one.pads, len(_keys_of(one.state))) for one in every]
        self.pads = joined_pads(length, rows, _keys_of(self.state).device)
        for one in every:
            _shift(one.state, length - one.length)
        for layer, *more in zip(*(one.state.layers for one in every), strict=True):
            if layer.keys is not None:
                layer.keys = torch.cat([layer.keys, *(other.keys for other in more)])
                layer.values = torch.cat([layer.values, *(other.values for other in more)])
        self.length = length


def kept_pads(pads: Tensor | None, rows: Tensor) -> tuple[Tensor | None, int]:
    """The pads of some of the rows, and how many columns no token is left in, which are cut."""
    if pads is None:
        return None, 0
    left = pads[rows]
    cut = int(left.min())
    left = left - cut
    return (left if left.any() else None), cut


def joined_pads(
    length: int, parts: Sequence[tuple[int, Tensor | None, int]], device: torch.device
) -> Tensor | None:
    """The pads of rows that are put side by side: (columns, pads, how many rows) of each part."""
    found = [
        length - n + (torch.zeros(rows, dtype=torch.long, device=device) if pads is None else pads)
        for n, pads, rows in parts
    ]
    pads = torch.cat(found)
    return pads if pads.any() else None


def _is_plain(state: Any) -> bool:
    return isinstance(state, DynamicCache) and all(type(x) in PLAIN_LAYERS for x in state.layers)


def _keys_of(state: Any) -> Tensor:
    keys: Tensor = next(layer.keys for layer in state.layers if layer.keys is not None)
    return keys


def _shift(state: Any, by: int) -> None:
    """Put so many columns more on the left of every layer; fewer where it is below zero."""
    if not by:
        return
    for layer in state.layers:
        if layer.keys is None:
            continue
        more = by
        if type(layer) is DynamicSlidingWindowLayer:
            layer.cumulative_length += by
            within = min(layer.sliding_window - 1, layer.cumulative_length)
            more = within - layer.keys.shape[2]
        layer.keys = F.pad(layer.keys, (0, 0, more, 0))
        layer.values = F.pad(layer.values, (0, 0, more, 0))


def _expanded(cache: DynamicCache, rows: int) -> DynamicCache:
    """The same keys and values for several rows; nothing is copied before the rows go on."""
    wide = copy.copy(cache)
    wide.layers = [copy.copy(layer) for layer in cache.layers]
    for layer in wide.layers:
        for name in ("keys", "values"):
            held = getattr(layer, name)
            if held is not None:
                setattr(layer, name, held.expand(rows, *held.shape[1:]))
    return wide
