"""Small tables in: JSONL, CSV and TSV that may come from strangers; and the sets that ship.

Every cell becomes a string. Sizes are checked before anything is built; what cannot be read is told
with its row.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from lmlab.assets import assets_dir
from lmlab.data.rows import MAX_COLUMNS, Row, decoded, jsonl, kind_of, separated
from lmlab.errors import InputError

MAX_BYTES = 5_000_000
# Share of the rows of a single table that examples are drawn from.
POOL = 0.3


@dataclass(frozen=True)
class Table:
    """Rows of strings.

    Attributes:
        name: as shown to people.
        columns: in order.
        rows: each with some or all of the columns.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def columns_for(
        self, fields: Sequence[str], chosen: Sequence[str | None] = ()
    ) -> dict[str, str]:
        """{field: column}: as chosen; else of the same name; else those that are left, in order.

        Raises:
            InputError: there are too few columns.
        """
        found = {f: c for f, c in zip(fields, chosen, strict=False) if c in self.columns and c}
        left = [c for c in self.columns if c not in fields and c not in found.values()]
        for field in fields:
            if field in found:
                continue
            if field in self.columns:
                found[field] = field
            elif left:
                found[field] = left.pop(0)
            else:
                raise InputError(
                    f"The table has no column for ‘{field}’.", f"It has {', '.join(self.columns)}."
                )
        return {field: found[field] for field in fields}

    def mapped(self, fields: Mapping[str, str]) -> "Table":
        """The same rows under the names that a template uses: {field: column}."""
        if missing := [column for column in fields.values() if column not in self.columns]:
            raise _no_column(missing[0], self.columns)
        rows = tuple(
            {field: row[column] for field, column in fields.items() if column in row}
            for row in self.rows
        )
        return Table(self.name, tuple(fields), rows)


@dataclass(frozen=True)
class Dataset:
    """A labelled set in two parts that share no row.

    Attributes:
        name: as shown to people.
        pool: what examples are drawn from.
        queries: what is asked.
    """

    name: str
    pool: tuple[Row, ...]
    queries: tuple[Row, ...]

    def check(self, columns: Sequence[str]) -> None:
        """Refuse the set when a row lacks a column or has nothing in it.

        Raises:
            InputError: names the row, counted from 1 within its part.
        """
        for part, rows in (("examples", self.pool), ("queries", self.queries)):
            for number, row in enumerate(rows, 1):
                _check_row(row, columns, f"{self.name}, row {number} of the {part}")
        if not self.queries:
            raise InputError(f"‘{self.name}’ has no rows to ask.")


def read_table(data: bytes | str, name: str = "the table", kind: str = "") -> Table:
    """Read JSONL, CSV or TSV.

    Args:
        data: the file's bytes, or pasted text.
        name: of the file; its ending tells the kind where ``kind`` does not.
        kind: ``jsonl``, ``csv`` or ``tsv``; else told from the name, else from the first line.

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
    kind = kind or kind_of(name, text)
    rows = list(jsonl(text) if kind == "jsonl" else separated(text, "\t" if kind == "tsv" else ","))
    if not rows:
        raise InputError(f"There are no rows in {name} below its header.")
    columns = tuple(dict.fromkeys(key for row in rows for key in row))
    if len(columns) > MAX_COLUMNS:
        raise InputError(f"{name} has more than {MAX_COLUMNS} columns.")
    return Table(name, columns, tuple(rows))


def read_file(path: Path) -> Table:
    """Read a table from a file of this machine."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path.name} is larger than {MAX_BYTES / 1e6:.0f} MB.")
        return read_table(path.read_bytes(), path.name)
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror}.") from error


def shipped_sets() -> list[str]:
    """Names of the sets that ship with all three splits."""
    folder = assets_dir() / "datasets"
    return sorted(path.parent.name for path in folder.glob("*/test.jsonl"))


def shipped(name: str, split: str = "test") -> Dataset:
    """A shipped set: examples from its training split, queries from another."""
    if name not in shipped_sets():
        raise InputError(
            f"There is no data set named ‘{name[:60]}’.", f"There are: {', '.join(shipped_sets())}."
        )
    folder = assets_dir() / "datasets" / name
    pool, queries = (read_file(folder / f"{part}.jsonl") for part in ("train", split))
    return Dataset(name, pool.rows, queries.rows)


def split(table: Table, seed: int = 0, share: float = POOL) -> Dataset:
    """Two parts of one table, by chance; a row that occurs twice stays in one of them."""
    unique = list({tuple(sorted(row.items())): row for row in table.rows}.values())
    Random(seed).shuffle(unique)
    cut = min(len(unique) - 1, math.ceil(share * len(unique)))
    return Dataset(table.name, tuple(unique[:cut]), tuple(unique[cut:]))


def _check_row(row: Row, columns: Sequence[str], place: str) -> None:
    for column in columns:
        if column not in row:
            raise InputError(
                f"{place}: column ‘{column}’ is missing.", f"It has {', '.join(row) or 'none'}."
            )
        if not row[column].strip():
            raise InputError(f"{place}: column ‘{column}’ is empty.")


def _no_column(name: str, columns: Sequence[str]) -> InputError:
    return InputError(f"There is no column ‘{name[:40]}’.", f"There are: {', '.join(columns)}.")
