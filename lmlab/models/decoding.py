"""Rows that go on token by token: each step reads everything anew. Knows ids, not text."""

from collections.abc import Generator, Sequence

import torch
from torch import Tensor

from lmlab.errors import MemoryLimitError, ModelError
from lmlab.models.sharedprefix import Reader, SharedPrefix
from lmlab.progress import Reading


class Decoder:
    """One model, several rows of one length that go on.

    Args:
        lm: the model; the caller holds its weights' lock.
        rows: how many completions of a prompt run side by side.
    """

    def __init__(self, lm: Reader, rows: int = 1) -> None:
        self._lm = lm
        self._rows = rows
        self._ids: list[list[int]] = []

    def read(self, ids: Sequence[int]) -> Tensor:
        """Read the prompt; the logits [R, V] of what comes next."""
        pieces = self.reading(ids)
        while True:
            try:
                next(pieces)
            except StopIteration as done:
                logits: Tensor = done.value
                return logits

    def reading(self, ids: Sequence[int]) -> Generator[Reading, None, Tensor]:
        """Like ``read``, as a stream: how far it is, and the logits as the generator's value."""
        yield from ()  # all of it is read at once
        self._ids = [list(ids) for _ in range(self._rows)]
        return self._anew([ids]).expand(self._rows, -1)

    def read_all(self, prompts: Sequence[Sequence[int]], prefix: SharedPrefix) -> Tensor:
        """Read prompts of one length, all of which begin with a prefix; the logits [R, V]."""
        self._ids = [list(ids) for ids in prompts]
        return self._anew(prompts)

    def feed(self, newest: Sequence[int]) -> Tensor:
        """Read one more token in each row; the logits [R, V] of what comes next."""
        for row, token in zip(self._ids, newest, strict=True):
            row.append(token)
        return self._anew(self._ids)

    def keep(self, places: Sequence[int]) -> None:
        """Go on with some of the rows only."""
        self._ids = [self._ids[place] for place in places]

    @torch.inference_mode()
    def _anew(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """The logits [R, V] after prompts of one length, read whole by the plain pass."""
        try:
            rows = self._lm.rows(prompts)[:, -1]
            return self._checked(self._lm.head.logits(rows))
        except torch.OutOfMemoryError as error:
            raise no_memory() from error

    def _checked(self, logits: Tensor) -> Tensor:
        logits = logits.float()
        if logits.isnan().any():
            raise ModelError(
                f"‘{self._lm.name}’ gives not-a-number for this prompt.",
                "Its weights may be damaged.",
            )
        return logits


def no_memory() -> MemoryLimitError:
    """What to say where a completion outgrows the memory."""
    return MemoryLimitError("There is not enough memory to go on.", "Shorten the prompt.")
