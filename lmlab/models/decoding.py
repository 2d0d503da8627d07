"""Runs a model on sequences that begin alike, and on rows that go on token by token. Knows ids, not
text. What sequences share is read once; where that was not shown to give what ``LM.rows`` gives,
and in a model that keeps nothing, everything is read anew.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import takewhile
from typing import Any

import torch
from torch import Tensor

from lmlab.errors import MemoryLimitError, ModelError
from lmlab.progress import Reading

# Shorter beginnings are not worth a cache.
LEAST = 8


@contextmanager
def memory_for(what: str, hint: str) -> Iterator[None]:
    """The machine's limits become the user's errors: not enough memory ``what``."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise MemoryLimitError(f"There is not enough memory {what}.", hint) from error


def refuse_nan(found: Tensor, name: str, what: str) -> None:
    """Raise a ModelError where a model's numbers for something are none."""
    if found.isnan().any():
        raise ModelError(f"‘{name}’ gives not-a-number for {what}.", "Its weights may be damaged.")


class SharedPrefix:
    """A model that has read a prefix.

    Args:
        lm: the ``LM``; the caller holds its weights' lock.
        prefix: the ids that every sequence begins with, a soft prompt not counted; may be empty.
    """

    def __init__(self, lm: Any, prefix: Sequence[int]) -> None:
        self._lm = lm
        self.prefix = tuple(prefix)
        self._past: Any = None
        if self.prefix and lm.shares:
            with _prompts():
                self._past = lm.begin(self.prefix)

    def rows(self, rests: Sequence[Sequence[int]]) -> Tensor:
        """The body's rows [B, T, H] of sequences without the prefix, padded on the right to T."""
        width = max(map(len, rests))
        past = self.past(len(rests), width)
        if past is None:
            with _prompts():
                rows: Tensor = self._lm.rows([(*self.prefix, *rest) for rest in rests])
            return rows[:, len(self.prefix) :]
        ids = torch.zeros(len(rests), width, dtype=torch.long)
        for i, rest in enumerate(rests):
            ids[i, : len(rest)] = torch.tensor(rest)
        return self._over(ids.to(self._lm.device), past)[0]

    def past(self, rows: int, more: int) -> Any:
        """What the prefix left, for so many rows that go on by so many ids; None: read all anew."""
        border, length = self._lm.border, len(self.prefix) + more
        if self._past is None or (border is not None and length > border):
            return None
        if not self._lm.reaches(length):
            return None
        return self._past.widened(rows)

    def _over(self, ids: Tensor, past: Any) -> tuple[Tensor, Any]:
        with _prompts():
            found: tuple[Tensor, Any] = self._lm.over(ids, past)
        return found


def _prompts() -> AbstractContextManager[None]:
    return memory_for("for these prompts", "Take fewer or shorter examples.")


def common_prefix(sequences: Sequence[Sequence[int]], most: int) -> tuple[int, ...]:
    """What all sequences begin with, at most ``most`` ids; empty when it is too short to matter."""
    ordered = [tuple(sequence[:most]) for sequence in sequences]
    pairs = zip(min(ordered), max(ordered), strict=False)
    shared = tuple(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return shared if len(shared) >= LEAST else ()


def going_on() -> AbstractContextManager[None]:
    """Where completions may outgrow the memory."""
    return memory_for("to go on", "Shorten the prompt.")


class Decoder:
    """One model, several rows that go on; each step reads everything anew.

    Args:
        lm: the ``LM``; the caller holds its weights' lock.
        rows: how many completions of a prompt run side by side.
    """

    refuses = True  # not-a-number in one row, which then ends all of them

    def __init__(self, lm: Any, rows: int = 1) -> None:
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

    def join(self, others: Sequence[Any]) -> None:
        """Go on with the rows of other decoders of the model too, after these, whatever their
        length; the others are used up. For models that say ``LM.together``."""
        for other in others:
            self._ids += other._ids
        self._rows = len(self._ids)

    @torch.inference_mode()
    def _anew(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """The logits [R, V] after prompts, read whole by the plain pass."""
        with going_on():
            rows = self._lm.rows(prompts)
            ends = torch.tensor([len(ids) - 1 for ids in prompts], device=rows.device)
            last = rows[torch.arange(len(prompts), device=rows.device), ends]
            return self._checked(self._lm.head.logits(last))

    def _checked(self, logits: Tensor) -> Tensor:
        logits = logits.float()
        if self.refuses:
            refuse_nan(logits, self._lm.name, "this prompt")
        return logits
