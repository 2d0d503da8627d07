"""Runs a model on many token sequences that begin alike: what they share is read once.

Gives the same rows as ``LM.rows``; where that was not shown on the model, it reads everything.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from lmlab.errors import MemoryLimitError
from lmlab.models.head import Head

# Shorter beginnings are not worth a cache.
LEAST = 8


class Reader(Protocol):
    """What a ``lmlab.models.model.LM`` reads ids by, which is said there."""

    @property
    def name(self) -> str: ...
    @property
    def device(self) -> torch.device: ...
    @property
    def border(self) -> int | None: ...
    @property
    def shares(self) -> bool: ...
    @property
    def head(self) -> Head: ...
    def rows(self, sequences: Sequence[Sequence[int]]) -> Tensor: ...
    def over(self, ids: Tensor, past: Any) -> tuple[Tensor, Any]: ...


class SharedPrefix:
    """A model that has read a prefix.

    Args:
        lm: the model; the caller holds its weights' lock.
        prefix: the ids that every sequence begins with, a soft prompt not counted; may be empty.
    """

    def __init__(self, lm: Reader, prefix: Sequence[int]) -> None:
        self._lm = lm
        self.prefix = tuple(prefix)
        self._past: Any = None
        if self.prefix and lm.shares:
            self._past = self._over(torch.tensor([self.prefix], device=lm.device), None)[1]

    def rows(self, rests: Sequence[Sequence[int]]) -> Tensor:
        """The body's rows [B, T, H] of sequences without the prefix, padded on the right to T."""
        past = self.past(len(rests), max(map(len, rests)))
        if past is None:
            return self._all(rests)
        width = max(map(len, rests))
        ids = torch.zeros(len(rests), width, dtype=torch.long)
        for i, rest in enumerate(rests):
            ids[i, : len(rest)] = torch.tensor(rest)
        return self._over(ids.to(self._lm.device), past)[0]

    def past(self, rows: int, more: int) -> Any:
        """What the prefix left, for so many rows that go on by so many ids; None: read all anew."""
        border = self._lm.border
        if self._past is None or (border is not None and len(self.prefix) + more > border):
            return None
        return self._past.widened(rows)

    def _all(self, rests: Sequence[Sequence[int]]) -> Tensor:
        try:
            rows = self._lm.rows([(*self.prefix, *rest) for rest in rests])
        except torch.OutOfMemoryError as error:
            raise _no_memory() from error
        return rows[:, len(self.prefix) :]

    def _over(self, ids: Tensor, past: Any) -> tuple[Tensor, Any]:
        """Run; the machine's limits become the user's errors."""
        try:
            return self._lm.over(ids, past)
        except torch.OutOfMemoryError as error:
            raise _no_memory() from error


def _no_memory() -> MemoryLimitError:
    return MemoryLimitError(
        "There is not enough memory for these prompts.", "Take fewer or shorter examples."
    )


def common_prefix(sequences: Sequence[Sequence[int]], most: int) -> tuple[int, ...]:
    """What all sequences begin with, at most ``most`` ids; empty when it is too short to matter."""
    ordered = [tuple(sequence) for sequence in sequences]
    first, last = min(ordered), max(ordered)
    length = 0
    for a, b in zip(first[:most], last[:most], strict=False):
        if a != b:
            break
        length += 1
    return first[:length] if length >= LEAST else ()
