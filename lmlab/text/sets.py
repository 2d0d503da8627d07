"""Small tables in: JSON, CSV and TSV that may come from strangers; and the sets that ship.

Every cell becomes a string. Sizes are checked before anything is built; what cannot be read is told
with its row.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from lmlab.assets import assets_dir
from lmlab.errors import InputError
from lmlab.text import twins
from lmlab.text.chats import MESSAGES, with_chats
from lmlab.text.delimited import separated
from lmlab.text.json_rows import json_rows
from lmlab.text.records import Chat, Record, Row, place_of, where
from lmlab.text.rows import MAX_COLUMNS, Faults, decoded, kind_of, told
from lmlab.text.twins import Reads

T = TypeVar("T")
MAX_BYTES = 5_000_000
POOL = 0.3  # share of the rows of a single table that examples are drawn from
SPLITS = ("test", "valid")  # of a shipped set, to be asked


@dataclass(frozen=True)
class Table:
    """Rows of strings."""

    name: str
    columns: tuple[str, ...]
    rows: Sequence[Row]  # each with some or all of the columns
    skipped: tuple[str, ...] = ()  # rows that were left out, a sentence each

    @property
    def chats(self) -> bool:
        """Whether its rows are chats."""
        return MESSAGES in self.columns and isinstance(self.rows[0].get(MESSAGES), Chat)

    @property
    def notes(self) -> tuple[str, ...]:
        """What became of rows that are not there, in sentences."""
        return (f"{self.name}: {told(self.skipped)}",) if self.skipped else ()

    def columns_for(
        self, fields: Sequence[str], chosen: Sequence[str | None] = (), optional: Sequence[str] = ()
    ) -> dict[str, str]:
        """{field: column}: as chosen; else of the same name; else those that are left, in order.

        An optional field that has neither is left out.

        Raises:
            InputError: there are too few columns.
        """
        found = {f: c for f, c in zip(fields, chosen, strict=False) if c in self.columns and c}
        left = [c for c in self.columns if c not in fields and c not in found.values()]
        for field in fields:
            if field in self.columns:
                found.setdefault(field, field)
            elif field not in found and field not in optional:
                if not left:
                    has = f"It has {', '.join(self.columns)}."
                    raise InputError(f"The table has no column for ‘{field}’.", has)
                found[field] = left.pop(0)
        return {field: found[field] for field in fields if field in found}

    def mapped(self, fields: Mapping[str, str]) -> "Table":
        """The same rows under the names that a template uses: {field: column}."""
        if missing := [column for column in fields.values() if column not in self.columns]:
            known = ", ".join(self.columns)
            raise InputError(f"There is no column ‘{missing[0][:40]}’.", f"There are: {known}.")
        rows = tuple(_renamed(row, fields) for row in self.rows)
        return replace(self, columns=tuple(fields), rows=rows)

    def usable(self, reads: Reads, *, skip: bool = False) -> "Table":
        """The rows that a wording can use.

        Raises:
            InputError: a row lacks something, and rows are not to be skipped; or none is left.
        """
        faults = Faults(skip, list(self.skipped))
        rows = twins.usable(self.rows, reads, self.name, faults)
        return replace(self, rows=_some(rows, self.name, faults), skipped=tuple(faults.said))


@dataclass(frozen=True)
class Dataset:
    """A labelled set in two parts that share no row."""

    name: str
    pool: Sequence[Row]  # what examples are drawn from
    queries: Sequence[Row]  # what is asked
    notes: tuple[str, ...] = ()  # what became of rows that are in neither, in sentences

    def check(self, columns: Sequence[str]) -> None:
        """Refuse a set with a row that lacks a column or has nothing in it; the InputError names
        the row of the file, else counted from 1 within its part."""
        for part, rows in (("examples", self.pool), ("queries", self.queries)):
            for number, row in enumerate(rows, 1):
                known = place_of(row) is not None
                place = where(row, number) if known else f"row {number} of the {part}"
                twins.check_row(row, columns, f"{self.name}, {place}")
        if not self.queries:
            raise InputError(f"‘{self.name}’ has no rows to ask.")


def read_table(data: bytes | str, name: str = "the table", *, skip: bool = False) -> Table:
    """Read JSONL, a JSON list, CSV or TSV, told by the name's ending, else by the first line.

    ``skip`` leaves out rows that cannot be read, and says which.

    Raises:
        InputError: too large, compressed, not UTF-8, or a row that cannot be read; says which.
    """
    text = data if isinstance(data, str) else decoded(data)
    if len(text) > MAX_BYTES:
        raise InputError(f"{name} is larger than {MAX_BYTES / 1e6:.0f} MB.", "Take a part of it.")
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise InputError(f"There are no rows in {name}.")
    if "\0" in text:
        raise InputError(f"{name} holds NUL characters, so it is not a text table.")
    faults, kind = Faults(skip), kind_of(name, text)
    found: Iterable[Record]
    if kind == "jsonl":
        found = json_rows(text, faults)
    else:
        found = separated(text, "\t" if kind == "tsv" else ",", faults)
    return made(name, list(with_chats(found, faults)), faults)


def made(name: str, rows: Sequence[Row], faults: Faults, columns: Sequence[str] = ()) -> Table:
    """A table of rows that were read."""
    kept = _some(rows, name, faults)
    columns = tuple(dict.fromkeys((*columns, *(key for row in kept for key in row))))
    if len(columns) > MAX_COLUMNS:
        raise InputError(f"{name} has more than {MAX_COLUMNS} columns.")
    return Table(name, columns, kept, tuple(faults.said))


def _some(rows: Sequence[Row], name: str, faults: Faults) -> tuple[Row, ...]:
    if not rows:
        raise InputError(f"There are no rows in {name} below its header.", told(faults.said))
    return tuple(rows)


def _renamed(row: Row, fields: Mapping[str, str]) -> Row:
    cells = {field: row[column] for field, column in fields.items() if column in row}
    place = place_of(row)
    return Record(cells, place) if place else cells


def read_file(path: Path, *, skip: bool = False) -> Table:
    """Read a table from a file of this machine; ``skip`` leaves out rows that cannot be read."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path.name} is larger than {MAX_BYTES / 1e6:.0f} MB.")
        return read_table(path.read_bytes(), path.name, skip=skip)
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror}.") from error


def shipped_sets() -> list[str]:
    """Names of the sets that ship with all three splits."""
    return sorted(path.parent.name for path in (assets_dir() / "datasets").glob("*/test.jsonl"))


def shipped(name: str, split: str = "test") -> Dataset:
    """A shipped set: examples from its training split, queries from another."""
    if name not in (known := shipped_sets()):
        there = f"There are: {', '.join(known)}."
        raise InputError(f"There is no data set named ‘{name[:60]}’.", there)
    if split not in SPLITS:
        there = f"There are: {', '.join(SPLITS)}."
        raise InputError(f"‘{name}’ has no split ‘{split[:40]}’.", there)
    folder = assets_dir() / "datasets" / name
    pool, queries = (read_file(folder / f"{part}.jsonl") for part in ("train", split))
    return Dataset(name, pool.rows, queries.rows)


def split(table: Table, seed: int = 0, share: float = POOL, reads: Reads | None = None) -> Dataset:
    """Two parts of one table, by chance, the pool of examples with a share of the rows.

    A row that occurs twice is kept once, and rows that have the same before the answer stay in one
    part; without ``reads`` every column counts.
    """
    groups = twins.families(table.rows, reads)
    pool, queries = twins.halves(groups, seed, None, lambda n: min(n - 1, math.ceil(share * n)))
    dropped = len(table.rows) - len(pool) - len(queries)
    notes = (*table.notes, *twins.told(dropped, len(table.rows), reads))
    return Dataset(table.name, pool, queries, notes)


def undivided(table: Table, examples: Table | None = None, reads: Reads | None = None) -> Dataset:
    """All rows of a table as queries; examples are drawn from another, its twins left out."""
    pool = twins.apart(examples.rows, table.rows, reads) if examples else []
    notes = [*table.notes, *(examples.notes if examples else ())]
    if examples and (lost := len(examples.rows) - len(pool)):
        notes.append(
            f"{lost:,} of {len(examples.rows):,} rows of {examples.name} stand among the queries "
            "as well: no examples are drawn from them."
        )
    return Dataset(table.name, tuple(pool), table.rows, tuple(notes))


def general_texts() -> dict[str, list[str]]:
    """{kind: texts} of the shipped general texts, which nothing that ships was trained on."""
    found: dict[str, list[str]] = {}
    for row in read_file(assets_dir() / "datasets" / "probes" / "general.jsonl").rows:
        found.setdefault(row["kind"], []).append(row["text"])
    return found


def evenly(rows: Sequence[T], count: int) -> list[T]:
    """An even choice of at most ``count`` rows."""
    count = min(count, len(rows))
    return [rows[i * len(rows) // count] for i in range(count)]
