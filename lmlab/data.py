"""Small tables in: JSONL, CSV and TSV that may come from strangers; and the sets that ship.

Every cell becomes a string. Sizes are checked before anything is built; what cannot be read is told
with its row.
"""

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from lmlab.assets import assets_dir
from lmlab.errors import InputError

Row = Mapping[str, str]

MAX_BYTES = 5_000_000
MAX_ROWS = 20_000
MAX_COLUMNS = 64
MAX_CELL = 20_000
# Share of the rows of a single table that examples are drawn from.
POOL = 0.3
COMPRESSED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")


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
    text = data if isinstance(data, str) else _decoded(data)
    if len(text) > MAX_BYTES:
        raise InputError(f"{name} is larger than {MAX_BYTES / 1e6:.0f} MB.", "Take a part of it.")
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise InputError(f"There are no rows in {name}.")
    if "\0" in text:
        raise InputError(f"{name} holds NUL characters, so it is not a text table.")
    kind = kind or _kind(name, text)
    rows = list(
        _jsonl(text) if kind == "jsonl" else _separated(text, "\t" if kind == "tsv" else ",")
    )
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


def _decoded(data: bytes) -> str:
    if data.startswith(COMPRESSED):
        raise InputError("The file is compressed.", "Unpack it first.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(
            f"The file is not UTF-8 (line {line}, byte {error.start + 1}).", "Convert it to UTF-8."
        ) from None


def _kind(name: str, text: str) -> str:
    ending = Path(name).suffix.lower()
    if ending in (".jsonl", ".ndjson", ".json"):
        return "jsonl"
    if ending in (".csv", ".tsv"):
        return ending[1:]
    first = text.lstrip().split("\n", 1)[0]
    return "jsonl" if first.startswith("{") else "tsv" if "\t" in first else "csv"


def _jsonl(text: str) -> Iterator[Row]:
    lines = ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())
    for count, (number, line) in enumerate(lines):
        _check_count(count + 1)
        try:
            value = json.loads(line, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise InputError(
                f"Line {number} is no valid JSON.", "JSONL has one object on each line."
            ) from None
        if not isinstance(value, dict):
            raise InputError(f"Line {number} is no JSON object.")
        yield {_cell(key, number): _cell(item, number) for key, item in value.items()}


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _separated(text: str, separator: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        header = _header(next(reader))
        count = 0
        for cells in reader:
            if not cells:
                continue
            count += 1
            _check_count(count)
            if len(cells) != len(header):
                raise InputError(
                    f"Line {reader.line_num} has {len(cells)} columns instead of {len(header)}.",
                    "Put a cell with the separator in it between double quotes.",
                )
            yield {
                name: _cell(cell, reader.line_num) for name, cell in zip(header, cells, strict=True)
            }
    except csv.Error as error:
        raise InputError(f"Line {reader.line_num} cannot be read: {error}.") from None


def _header(cells: Sequence[str]) -> list[str]:
    if len(cells) > MAX_COLUMNS:
        raise InputError(f"The header has {len(cells):,} columns; at most {MAX_COLUMNS} are read.")
    names = [_cell(cell, 1).strip() for cell in cells]
    if "" in names:
        raise InputError(f"Column {names.index('') + 1} has no name.", "The first line names them.")
    if repeated := _repeated(names):
        raise InputError(f"Two columns are named ‘{repeated[:40]}’.")
    return names


def _repeated(names: Iterable[str]) -> str:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return ""


def _check_count(count: int) -> None:
    if count > MAX_ROWS:
        raise InputError(
            f"The table has more than {MAX_ROWS:,} rows.", "Take a part of it: a sample will do."
        )


def _cell(value: Any, line: int) -> str:
    if isinstance(value, bool):
        value = "true" if value else "false"
    if value is None:
        return ""
    if isinstance(value, dict | list):
        raise InputError(f"Line {line}: a cell holds a list or an object.", "Use plain values.")
    text = str(value)
    if len(text) > MAX_CELL:
        raise InputError(
            f"Line {line}: a cell has {len(text):,} characters, more than {MAX_CELL:,}."
        )
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise InputError(f"Line {line}: a cell holds half of a surrogate pair.")
    return text


def _no_column(name: str, columns: Sequence[str]) -> InputError:
    return InputError(f"There is no column ‘{name[:40]}’.", f"There are: {', '.join(columns)}.")
