"""Tables in Parquet that may come from strangers: sizes are looked at before anything is built."""

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lmlab.errors import InputError
from lmlab.text.chats import with_chats
from lmlab.text.records import Place, Record
from lmlab.text.rows import MAX_CELL, MAX_COLUMNS, MAX_ROWS, Faults, cell
from lmlab.text.sets import MAX_BYTES, Table, made, read_table

# Bytes, or characters, of a table once unpacked.
MOST_UNPACKED = 10 * MAX_BYTES
ROWS_AT_ONCE = 200
INDEX = re.compile(r"__index_level_\d+__")  # that pandas adds
PLAIN = "Use plain values."


def read_parquet(
    source: bytes | Path, name: str, limit: int | None = None, *, skip: bool = False
) -> Table:
    """Read a Parquet file, or its first ``limit`` rows; every cell becomes a string.

    Raises:
        InputError: damaged, too large, or with cells that hold objects or bytes.
    """
    import pyarrow

    faults = Faults(skip)
    try:
        columns, rows = _read(source, name, limit, faults)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        first = "".join(str(error).strip().splitlines()[:1])
        raise InputError(f"{name} is no Parquet that can be read: {first[:120]}") from None
    return made(name, list(with_chats(rows, faults)), faults, columns)


def read_any(content: bytes | str, name: str, *, skip: bool = False) -> Table:
    """A table of a visitor's, Parquet or text, told by its name's ending."""
    if not name.lower().endswith(".parquet") or isinstance(content, str):
        return read_table(content, name, skip=skip)
    if len(content) > MAX_BYTES:
        raise InputError(f"{name} is larger than {MAX_BYTES / 1e6:.0f} MB.")
    return read_parquet(content, name, skip=skip)


def _read(
    source: bytes | Path, name: str, limit: int | None, faults: Faults
) -> tuple[tuple[str, ...], list[Record]]:
    from pyarrow.parquet import ParquetFile

    def opened(**more: Any) -> Any:
        return ParquetFile(io.BytesIO(source) if isinstance(source, bytes) else source, **more)

    file = opened()
    columns = tuple(file.schema_arrow.names)
    _check(file, columns, name, limit)
    kept = tuple(column for column in columns if not INDEX.fullmatch(column))
    texts = [path.path for path in map(file.schema.column, range(len(file.schema)))
             if path.logical_type.type == "STRING"]  # fmt: skip
    # A value that is repeated stands in the file once: it is not multiplied before it was measured.
    batches = opened(read_dictionary=texts).iter_batches(batch_size=ROWS_AT_ONCE, columns=[*kept])
    most, rows, total = min(limit or MAX_ROWS, MAX_ROWS), list[Record](), 0
    for number, values in enumerate(_rows(batches, kept, name), 1):
        place = Place(number)
        try:
            row = Record({column: cell(value, place) for column, value in values.items()}, place)
        except InputError as error:
            faults.take(error)
            continue
        total += sum(map(len, row.values()))
        if total > MOST_UNPACKED:
            raise _too_large(name)
        rows.append(row)
        if len(rows) >= most:
            break
    return kept, rows


def _check(file: Any, columns: Sequence[str], name: str, limit: int | None) -> None:
    """Look at a file's outline."""
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
    for field in file.schema_arrow:
        kind = field.type
        if types.is_dictionary(kind):
            kind = kind.value_type
        listed = types.is_list(kind) or types.is_large_list(kind)
        deep = types.is_nested(kind) and not listed
        if deep or types.is_binary(kind) or types.is_large_binary(kind):
            raise InputError(f"The column ‘{field.name[:40]}’ holds objects or bytes.", PLAIN)


def _rows(batches: Any, columns: Sequence[str], name: str) -> Iterator[dict[str, Any]]:
    for batch in batches:
        for column, values in zip(columns, batch.columns, strict=True):
            for texts in _texts(values):
                _measure(texts, column, name)
        yield from batch.to_pylist()


def _texts(values: Any) -> Iterator[Any]:
    """The arrays of text in an array, those within lists of objects too."""
    from pyarrow import LargeListArray, ListArray, StructArray, types

    held = values.type.value_type if types.is_dictionary(values.type) else values.type
    if types.is_string(held) or types.is_large_string(held):
        yield values
    elif isinstance(values, ListArray | LargeListArray):
        yield from _texts(values.flatten())
    elif isinstance(values, StructArray):
        for part in values.flatten():
            yield from _texts(part)


def _measure(texts: Any, column: str, name: str) -> None:
    """Refuse texts that are too long, each or together, before any is copied."""
    import pyarrow.compute as pc
    from pyarrow import DictionaryArray

    lengths = pc.utf8_length(texts.dictionary if isinstance(texts, DictionaryArray) else texts)
    longest = pc.max(lengths).as_py() or 0
    if longest > MAX_CELL:
        cell_of = f"A cell of the column ‘{column[:40]}’"
        raise InputError(f"{cell_of} has {longest:,} characters, more than {MAX_CELL:,}.")
    if isinstance(texts, DictionaryArray):
        lengths = lengths.take(texts.indices)
    if (pc.sum(lengths).as_py() or 0) > MOST_UNPACKED:
        raise _too_large(name)


def _too_large(name: str) -> InputError:
    return InputError(f"{name} is larger than {MOST_UNPACKED / 1e6:.0f} MB once unpacked.")
