"""The tokens of a scored text, held in columns; each can be looked at as an object.

4,000 tokens with ten alternatives each take about half a megabyte this way.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from lmlab.measures import Columns

Integers = NDArray[np.int32]


class Alternative(NamedTuple):
    """A token that the model thought possible at a position."""

    id: int
    text: str
    logprob: float


@dataclass(frozen=True, slots=True)
class TokenScore:
    """One token of a scored text."""

    id: int  # the token's id in the vocabulary
    # what it shows as: the characters it completes, or its bytes as ``⟨F0 9F⟩`` where it holds only
    # a part of a character
    text: str
    start: int  # first character it completes, counted in ``Scored.text``
    end: int  # one past the last; equal to ``start`` when it completes none
    logprob: float | None  # ln p(token | everything before), or None when it was not scored
    rank: int | None  # 1 for the model's favourite, or None
    entropy: float | None  # of the model's distribution at this position, in nats, or None
    top: tuple[Alternative, ...] = ()  # the likeliest tokens at this position, best first
    # ln p of the likeliest, or None; that of the first alternative where it is left out
    best: float | None = None

    def __post_init__(self) -> None:
        if self.best is None and self.top:
            object.__setattr__(self, "best", self.top[0].logprob)


@dataclass(frozen=True)
class Alternatives:
    """The alternatives of all tokens, in a row."""

    ends: Integers  # by token, where its own end; they begin where the last token's do
    # id and display text of each that occurs, once; a token may show as more than one text, by
    # where it stands
    words: tuple[tuple[int, str], ...]
    places: Integers  # in ``words``
    logprobs: NDArray[np.float64]  # in nats

    @classmethod
    def none(cls, count: int) -> "Alternatives":
        """No alternatives of so many tokens."""
        return cls(integers([0] * count), (), integers([]), np.zeros(0))

    def span(self, i: int) -> range:
        """Where those of a token stand."""
        return range(int(self.ends[i - 1]) if i else 0, int(self.ends[i]))

    def of(self, i: int, most: int | None = None) -> tuple[Alternative, ...]:
        """Those of a token, the likeliest ones."""
        found = ((self.words[self.places[j]], self.logprobs[j]) for j in self.span(i)[:most])
        return tuple(Alternative(word, text, float(logprob)) for (word, text), logprob in found)


@dataclass(frozen=True, eq=False)
class Tokens(Sequence[TokenScore]):
    """Tokens in columns."""

    texts: tuple[str, ...]  # what each shows as
    starts: Integers  # the characters that each completes
    ends: Integers
    # see ``lmlab.measures``, those that the backend gives; NaN where a token was not scored
    columns: Columns
    top: Alternatives

    @classmethod
    def of(cls, tokens: Iterable[TokenScore]) -> "Tokens":
        """Tokens that are given as objects."""
        rows = tuple(tokens)
        top = [a for row in rows for a in row.top]
        words = {
            pair: place for place, pair in enumerate(dict.fromkeys((a.id, a.text) for a in top))
        }
        names = ("id", "logprob", "rank", "entropy", "best")
        return cls(
            texts=tuple(row.text for row in rows),
            starts=integers([row.start for row in rows]),
            ends=integers([row.end for row in rows]),
            columns={
                # None becomes NaN.
                name: np.array([getattr(row, name) for row in rows], dtype=np.float64)
                for name in names
            },
            top=Alternatives(
                integers(np.cumsum([len(row.top) for row in rows])),
                tuple(words),
                integers([words[a.id, a.text] for a in top]),
                np.array([a.logprob for a in top], dtype=np.float64),
            ),
        )

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Which are scored."""
        return ~np.isnan(self.columns["logprob"])

    @property
    def bare(self) -> "Tokens":
        """The same without alternatives."""
        return replace(self, top=Alternatives.none(len(self)))

    def alike(self, other: "Tokens") -> bool:
        """Whether a text was cut in the same way."""
        return (
            self.texts == other.texts
            and np.array_equal(self.starts, other.starts)
            and np.array_equal(self.ends, other.ends)
        )

    def beside(self, other: "Tokens") -> Columns:
        """The columns, and those of the same tokens under a second model."""
        second = {f"{name}_2": column for name, column in other.columns.items()}
        return {**self.columns, **second}

    def __len__(self) -> int:
        return len(self.texts)

    @overload
    def __getitem__(self, i: int) -> TokenScore: ...
    @overload
    def __getitem__(self, i: slice) -> tuple[TokenScore, ...]: ...
    def __getitem__(self, i: int | slice) -> TokenScore | tuple[TokenScore, ...]:
        if isinstance(i, slice):
            return tuple(self[j] for j in range(*i.indices(len(self))))
        i = range(len(self))[i]
        columns = self.columns
        found = {
            name: _optional(columns[name][i]) if name in columns else None
            for name in ("logprob", "rank", "entropy", "best")
        }
        rank = found.pop("rank")
        return TokenScore(
            id=int(self.columns["id"][i]),
            text=self.texts[i],
            start=int(self.starts[i]),
            end=int(self.ends[i]),
            rank=None if rank is None else int(rank),
            top=self.top.of(i),
            **found,
        )

    def __iter__(self) -> Iterator[TokenScore]:
        return (self[i] for i in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(self.texts)


def integers(values: Any) -> Integers:
    """Whole numbers as a column."""
    return np.asarray(values, dtype=np.int32)


def _optional(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
