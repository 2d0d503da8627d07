"""The keys and values that lean steps go on from, one place a step, rows of any length."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import DynamicCache

from lmlab.models.backends.transformers.past import joined_pads, kept_pads

ROOM = 128  # columns that are set aside at a time


class GrowingCache:
    """Keys and values [R, heads, T, width] of every layer, with room for more columns.

    Rows end in one column; shorter ones are padded on the left.
    """

    def __init__(self, cache: DynamicCache) -> None:
        held: Any = cache.layers
        self._keys: list[Tensor] = [layer.keys for layer in held]
        self._values: list[Tensor] = [layer.values for layer in held]
        self.length = self._keys[0].shape[2]
        self.room = 0
        self._pads: Tensor | None = None  # [R] columns that are no tokens; None where all are
        self._mask: Tensor | None = None  # [R, 1, 1, T]: 0, and −∞ where there is no token

    @property
    def places(self) -> int | Tensor:
        """Where in its text each row's newest token stands: [R], or one for all."""
        return self.length if self._pads is None else self.length - self._pads

    def keep(self, rows: Tensor) -> None:
        """Go on with some of the rows only."""
        self._pads, cut = kept_pads(self._pads, rows)
        self._keys = [keys[rows, :, cut:] for keys in self._keys]
        self._values = [values[rows, :, cut:] for values in self._values]
        self.length -= cut
        self._cover()

    def join(self, others: Sequence["GrowingCache"]) -> None:
        """Go on with the rows of others too, after these."""
        every = [self, *others]
        length = max(one.length for one in every)
        parts = [(one.length, one._pads, len(one._keys[0])) for one in every]
        self._pads = joined_pads(length, parts, self._keys[0].device)
        room = max(ROOM, length // 2)

        def beside(layers: Sequence[Tensor]) -> Tensor:
            ends = zip(layers, every, strict=True)
            return torch.cat(
                [F.pad(t[:, :, : e.length], (0, 0, length - e.length, room)) for t, e in ends]
            )

        self._keys = [beside(layers) for layers in zip(*(one._keys for one in every), strict=True)]
        self._values = [beside(some) for some in zip(*(one._values for one in every), strict=True)]
        self.length, self.room = length, room
        self._cover()

    def widen(self) -> None:
        """Make room where there is none left."""
        if self.room:
            return
        self.room = max(ROOM, self.length // 2)
        self._keys = [F.pad(keys, (0, 0, 0, self.room)) for keys in self._keys]
        self._values = [F.pad(values, (0, 0, 0, self.room)) for values in self._values]
        self._cover()

    def attend(self, i: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attention of layer i for the newest position, all [R, heads, width]; [R, H]."""
        keys, values, end = self._keys[i], self._values[i], self.length + 1
        keys[:, :, self.length] = key
        values[:, :, self.length] = value
        seen = F.scaled_dot_product_attention(
            query[:, :, None],
            keys[:, :, :end],
            values[:, :, :end],
            attn_mask=None if self._mask is None else self._mask[..., :end],
            enable_gqa=query.shape[1] != key.shape[1],
        )
        return seen.reshape(len(query), -1)

    def step(self) -> None:
        """The newest position is read in every layer."""
        self.length += 1
        self.room -= 1

    def _cover(self) -> None:
        """Hide the columns that are no tokens."""
        self._mask = None
        if self._pads is not None:
            columns = torch.arange(self.length + self.room, device=self._pads.device)
            hidden = (columns < self._pads[:, None])[:, None, None]
            self._mask = torch.zeros_like(hidden, dtype=self._keys[0].dtype)
            self._mask.masked_fill_(hidden, float("-inf"))
