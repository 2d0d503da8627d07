"""Tables in Parquet that may come from strangers: sizes are looked at before anything is read."""

import io
from pathlib import Path
from typing import Any

from lmlab.data import MAX_BYTES, Table
from lmlab.errors import InputError
from lmlab.rows import MAX_CELL, MAX_COLUMNS, MAX_ROWS

# Bytes of a table once unpacked.
MOST_UNPACKED = 10 * MAX_BYTES


def read_parquet(source: bytes | Path, name: str, limit: int | None = None) -> Table:
    """Read a Parquet file; every cell becomes a string.

    Args:
        source: the file's bytes, or its path.
        name: as shown to people.
        limit: take no more rows than that; None refuses a table with too many.

    Raises:
        InputError: damaged, too large, or with cells that hold more than one value.
    """
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        file: Any = ParquetFile(io.BytesIO(source) if isinstance(source, bytes) else source)
        columns = list(file.schema_arrow.names)
        _check(file, columns, name, limit)
        most = min(limit or MAX_ROWS, MAX_ROWS)
        rows: list[dict[str, Any]] = []
        for part in file.iter_batches(batch_size=1000):
            rows += part.to_pylist()
            if len(rows) >= most:
                break
    except InputError:
        raise
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        first = str(error).strip().splitlines()[:1]
        raise InputError(f"{name} is no Parquet that can be read: {''.join(first)[:120]}") from None
    if not rows:
        raise InputError(f"There are no rows in {name}.")
    cells = [
        {column: _cell(row.get(column), number) for column in columns}
        for number, row in enumerate(rows[:most], 1)
    ]
    return Table(name, tuple(columns), tuple(cells))


def _check(file: Any, columns: list[str], name: str, limit: int | None) -> None:
    meta = file.metadata
    if len(columns) > MAX_COLUMNS:
        raise InputError(f"{name} has more than {MAX_COLUMNS} columns.")
    if len(set(columns)) < len(columns):
        raise InputError(f"Two columns of {name} have the same name.")
    if limit is None and meta.num_rows > MAX_ROWS:
        raise InputError(f"{name} has more than {MAX_ROWS:,} rows.", "Take a part of it.")
    unpacked = sum(meta.row_group(i).total_byte_size for i in range(min(meta.num_row_groups, 1000)))
    if limit is None and unpacked > MOST_UNPACKED:
        raise InputError(f"{name} is larger than {MOST_UNPACKED / 1e6:.0f} MB once unpacked.")


def _cell(value: Any, number: int) -> str:
    if value is None:
        return ""
    if isinstance(value, list | dict | bytes):
        raise InputError(
            f"Row {number}: a cell holds a list, an object or bytes.", "Use plain values."
        )
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if len(text) > MAX_CELL:
        raise InputError(
            f"Row {number}: a cell has {len(text):,} characters, more than {MAX_CELL:,}."
        )
    return text
