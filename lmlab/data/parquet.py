"""Tables in Parquet that may come from strangers: sizes are looked at before anything is built."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lmlab.data.rows import MAX_CELL, MAX_COLUMNS, MAX_ROWS
from lmlab.data.sets import MAX_BYTES, Table
from lmlab.errors import InputError

# Bytes, or characters, of a table once unpacked.
MOST_UNPACKED = 10 * MAX_BYTES
ROWS_AT_ONCE = 200


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

    try:
        columns, rows = _read(source, name, limit)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        first = "".join(str(error).strip().splitlines()[:1])
        raise InputError(f"{name} is no Parquet that can be read: {first[:120]}") from None
    if not rows:
        raise InputError(f"There are no rows in {name}.")
    return Table(name, columns, tuple(rows))


def _read(
    source: bytes | Path, name: str, limit: int | None
) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    from pyarrow.parquet import ParquetFile

    def opened(**more: Any) -> Any:
        return ParquetFile(io.BytesIO(source) if isinstance(source, bytes) else source, **more)

    file = opened()
    columns = tuple(file.schema_arrow.names)
    texts = _check(file, columns, name, limit)
    # A value that is repeated stands in the file once: it is not multiplied before it was measured.
    batches = opened(read_dictionary=texts).iter_batches(batch_size=ROWS_AT_ONCE)
    most, rows, total = min(limit or MAX_ROWS, MAX_ROWS), list[dict[str, str]](), 0
    for row in _rows(batches, columns):
        total += sum(map(len, row.values()))
        if total > MOST_UNPACKED:
            raise _too_large(name)
        rows.append(row)
        if len(rows) >= most:
            break
    return columns, rows


def _check(file: Any, columns: Sequence[str], name: str, limit: int | None) -> list[str]:
    """Look at a file's outline; the columns that hold text."""
    from pyarrow import types

    meta = file.metadata
    if len(columns) > MAX_COLUMNS:
        raise InputError(f"{name} has more than {MAX_COLUMNS} columns.")
    if len(set(columns)) < len(columns):
        raise InputError(f"Two columns of {name} have the same name.")
    if limit is None and meta.num_rows > MAX_ROWS:
        raise InputError(f"{name} has more than {MAX_ROWS:,} rows.", "Take a part of it.")
    unpacked = sum(meta.row_group(i).total_byte_size for i in range(min(meta.num_row_groups, 1000)))
    if limit is None and unpacked > MOST_UNPACKED:
        raise _too_large(name)
    texts = []
    for field in file.schema_arrow:
        kind = field.type
        if types.is_dictionary(kind):
            kind = kind.value_type
        if types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind):
            raise InputError(
                f"The column ‘{field.name[:40]}’ holds lists, objects or bytes.",
                "Use plain values.",
            )
        if types.is_string(kind) or types.is_large_string(kind):
            texts.append(field.name)
    return texts


def _rows(batches: Any, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    import pyarrow.compute as pc
    from pyarrow import DictionaryArray, types

    for batch in batches:
        for column, values in zip(columns, batch.columns, strict=True):
            held = values.dictionary if isinstance(values, DictionaryArray) else values
            if types.is_string(held.type) or types.is_large_string(held.type):
                longest = pc.max(pc.utf8_length(held)).as_py() or 0
                if longest > MAX_CELL:
                    raise InputError(
                        f"A cell of the column ‘{column[:40]}’ has {longest:,} characters, more "
                        f"than {MAX_CELL:,}."
                    )
        for row in batch.to_pylist():
            yield {column: _cell(row.get(column)) for column in columns}


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _too_large(name: str) -> InputError:
    return InputError(f"{name} is larger than {MOST_UNPACKED / 1e6:.0f} MB once unpacked.")
