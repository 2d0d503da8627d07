"""Rows that are the same in what a wording reads, and parts of a table that share none of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from lmlab.errors import InputError
from lmlab.text.records import Row, where
from lmlab.text.rows import Faults

Key = tuple[str, ...]


@dataclass(frozen=True)
class Reads:
    """What a wording reads of a row."""

    columns: tuple[str, ...]
    needed: tuple[str, ...]  # those that may not be empty
    inputs: tuple[str, ...]  # those that stand before the answer
    # refuses a row whose answer is none, with its number; None checks nothing
    check: Callable[[Row, int], None] | None = None

    @property
    def optional(self) -> tuple[str, ...]:
        """Columns that may be empty, or missing."""
        return tuple(name for name in self.columns if name not in self.needed)


def check_row(row: Row, columns: Sequence[str], place: str) -> None:
    """Refuse a row that lacks a column or has nothing in it; an InputError says where."""
    for column in columns:
        if column not in row:
            had = ", ".join(row) or "none"
            raise InputError(f"{place}: column ‘{column}’ is missing.", f"It has {had}.")
        if not row[column].strip():
            raise InputError(f"{place}: column ‘{column}’ is empty.")


def usable(rows: Sequence[Row], reads: Reads, name: str, faults: Faults) -> list[Row]:
    """The rows that a wording can use; the first fault is an error unless faults are gathered."""
    found = []
    for number, row in enumerate(rows, 1):
        try:
            check_row(row, reads.needed, f"{name}, {where(row, number)}")
            if reads.check is not None:
                reads.check(row, number)
        except InputError as error:
            faults.take(error)
        else:
            found.append(row)
    return found


def families(rows: Sequence[Row], reads: Reads | None) -> list[list[Row]]:
    """Rows with the same before the answer, together; what is the same throughout is kept once."""
    found: dict[Key, dict[Key, Row]] = {}
    for row in rows:
        found.setdefault(_family(row, reads), {}).setdefault(_whole(row, reads), row)
    return [list(family.values()) for family in found.values()]


def halves(
    groups: Sequence[list[Row]], seed: int, limit: int | None, first: Callable[[int], int]
) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """Two parts by chance, of ``limit`` rows together; a family of rows stands in one of them.

    ``first`` says how many rows the first part is to have, of how many there are.
    """
    mixed = list(groups)
    Random(seed).shuffle(mixed)
    wanted = first(sum(map(len, mixed)) if limit is None else min(limit, sum(map(len, mixed))))
    one, two = list[Row](), list[Row]()
    for group in mixed:
        left = group if limit is None else group[: limit - len(one) - len(two)]
        (one if len(one) + len(left) <= wanted else two).extend(left)
    return tuple(one), tuple(two)


def apart(rows: Sequence[Row], others: Sequence[Row], reads: Reads | None) -> list[Row]:
    """The rows that are no twins of others."""
    known = {_family(row, reads) for row in others}
    return [row for row in rows if _family(row, reads) not in known]


def told(dropped: int, total: int, reads: Reads | None) -> tuple[str, ...]:
    """A sentence about twins that were dropped; none without any."""
    if not dropped:
        return ()
    which = f"what is read ({', '.join(reads.columns)})" if reads else "every column"
    return (
        f"{dropped:,} of {total:,} rows are twins of others in {which} and were dropped: "
        f"{total - dropped:,} are kept.",
    )


def _whole(row: Row, reads: Reads | None) -> Key:
    if reads is None:
        return tuple(f"{name}\0{cell}" for name, cell in sorted(row.items()))
    return tuple(row.get(name, "") for name in reads.columns)


def _family(row: Row, reads: Reads | None) -> Key:
    """What stands before the answer, white space aside."""
    if reads is None or not reads.inputs:
        return _whole(row, reads)
    return tuple(" ".join(row.get(name, "").split()) for name in reads.inputs)
