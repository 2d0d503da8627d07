"""The rows that a run learns from, and those that are held out. Knows no model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lmlab.errors import InputError
from lmlab.text import sets as data
from lmlab.text import twins
from lmlab.text.records import Row, place_of, where
from lmlab.text.sets import Table
from lmlab.text.templates import PromptTemplate
from lmlab.text.twins import Reads

HELD_OUT = 0.1
FEWEST = 8
PLAIN = "text"  # the column that is learned where there is no template


@dataclass(frozen=True)
class TuningData:
    """Two parts of a set that share no row."""

    name: str  # as shown to people
    train: Sequence[Row]  # what is learned from
    valid: Sequence[Row]  # what is held out; may be empty
    origin: str = "shipped"  # where it came from: ``shipped``, ``upload``, ``hub`` or ``file``
    notes: tuple[str, ...] = ()  # what became of rows that are in neither part, in sentences

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, in the order of their first appearance."""
        return tuple(dict.fromkeys(key for row in self.train for key in row))

    @property
    def n_bytes(self) -> int:
        """What the rows take on the disk, about."""
        rows = (*self.train, *self.valid)
        return sum(
            len(k) + len(v.encode("utf-8", "replace")) + 8 for r in rows for k, v in r.items()
        )

    def check(self, columns: Sequence[str]) -> None:
        """Refuse a row that lacks a column or has nothing in it. Raises InputError: names the row
        of the file, else counted from 1 within its part; or there are too few rows.
        """
        if len(self.train) < FEWEST:
            raise InputError(
                f"‘{self.name}’ has {len(self.train)} rows to learn from; that is too few.",
                f"Give at least {FEWEST}.",
            )
        self.check_rows(columns)

    def check_rows(self, columns: Sequence[str], first: int = 1) -> None:
        """The same for however few rows; ``first`` is the number of the first."""
        for part, rows in (("training", self.train), ("held-out", self.valid)):
            for number, row in enumerate(rows, first):
                known = place_of(row) is not None
                place = where(row, number) if known else f"row {number} of the {part} part"
                twins.check_row(row, columns, f"{self.name}, {place}")


def shipped_data(name: str) -> TuningData:
    """A shipped set: its training and validation parts."""
    found = data.shipped(name, "valid")
    return TuningData(name, found.pool, found.queries)


def split_table(
    table: Table,
    *,
    reads: Reads,
    seed: int = 0,
    held_out: float = HELD_OUT,
    limit: int | None = None,
    origin: str = "upload",
    skip: bool = False,
    second: Table | None = None,
) -> TuningData:
    """Two parts of one table, by chance; a row that occurs twice is kept once, and rows that have
    the same before the answer stay in one part.

    Args:
        reads: what the wording reads.
        held_out: share of the rows that is held out, from 0 to 0.9.
        limit: most rows; the first ones after shuffling are kept.
        skip: leave out rows that cannot be used, and say which.
        second: all rows that are held out, in place of a share; their twins are not learned from.

    Raises:
        InputError: a column that is not there, or is empty in some row; says which.
    """
    if not 0 <= held_out <= 0.9:
        raise InputError("The share of rows held out is a number from 0 to 0.9.")
    table = table.usable(reads, skip=skip)
    notes = table.notes
    rows: Sequence[Row] = table.rows
    if second is not None:
        second = second.usable(reads, skip=skip)
        held_out, notes = 0.0, (*notes, *second.notes)
        rows = twins.apart(rows, second.rows, reads)
        if lost := len(table.rows) - len(rows):
            notes += (
                f"{lost:,} of {len(table.rows):,} rows stand in {second.name} as well and are not "
                "learned from.",
            )
    groups = twins.families(rows, reads)
    dropped = len(rows) - sum(map(len, groups))
    valid, train = twins.halves(
        groups, seed, limit, lambda n: max(0, min(n - 1, round(n * held_out)))
    )
    notes += twins.told(dropped, len(rows), reads)
    held = second.rows if second else valid
    return TuningData(table.name, train, held, origin, notes)


def probe_texts(count: int) -> list[str]:
    """General texts for forgetting, an even choice among the shipped ones."""
    return data.evenly([text for texts in data.general_texts().values() for text in texts], count)


def reads_of(template: PromptTemplate | None) -> Reads:
    """What is read of a row."""
    return Reads((PLAIN,), (PLAIN,), (PLAIN,)) if template is None else template.reads


def columns_of(template: PromptTemplate | None) -> tuple[str, ...]:
    """The columns that every row needs."""
    return reads_of(template).needed


MaskKind = Literal["start", "prompt", "answer", "end"]


@dataclass(frozen=True, slots=True)
class MaskToken:
    """One token of a structured row."""

    id: int  # of the token
    text: str  # what it shows as
    kind: MaskKind
    loss: bool  # whether it carries loss


@dataclass(frozen=True)
class MaskView:
    """A row as the model will read it: the lecture's F(y, u)."""

    row: int  # which, from 0
    rows: int  # how many there are
    tokens: tuple[MaskToken, ...]  # in order, start and end token included
    prompt: str  # the text before the answer
    answer: str  # the text of the answer
    warnings: tuple[str, ...] = ()  # the answer was cut, …; in sentences
    error: str = ""  # why this row cannot be learned from; empty where it can

    @property
    def n_loss(self) -> int:
        """Tokens that carry loss."""
        return sum(token.loss for token in self.tokens)
