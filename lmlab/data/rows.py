"""Lines and records of a table as rows of strings, each refused with its place when it cannot be
one. Text only.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lmlab.errors import InputError

Row = Mapping[str, str]

MAX_ROWS = 20_000
MAX_COLUMNS = 64
MAX_CELL = 20_000
MAX_NAME = 200  # characters of a column's name
COMPRESSED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")


def decoded(data: bytes) -> str:
    """UTF-8 that is not compressed, without its byte-order mark."""
    if data.startswith(COMPRESSED):
        raise InputError("The file is compressed.", "Unpack it first.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(
            f"The file is not UTF-8 (line {line}, byte {error.start + 1}).", "Convert it to UTF-8."
        ) from None


def kind_of(name: str, text: str) -> str:
    """``jsonl``, ``csv`` or ``tsv``, by the name's ending, else by the first line."""
    ending = Path(name).suffix.lower()
    if ending in (".jsonl", ".ndjson", ".json"):
        return "jsonl"
    if ending in (".csv", ".tsv"):
        return ending[1:]
    first = text.lstrip().split("\n", 1)[0]
    return "jsonl" if first.startswith("{") else "tsv" if "\t" in first else "csv"


def jsonl(text: str) -> Iterator[Row]:
    """One row for each line that is not empty."""
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
        yield {_name(key, number): _cell(item, number) for key, item in value.items()}


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def separated(text: str, separator: str) -> Iterator[Row]:
    """One row for each record below the header."""
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
    names = [_name(cell, 1).strip() for cell in cells]
    if "" in names:
        raise InputError(f"Column {names.index('') + 1} has no name.", "The first line names them.")
    if repeated := _repeated(names):
        raise InputError(f"Two columns are named ‘{repeated[:40]}’.")
    return names


def _name(key: str, line: int) -> str:
    """A column's name."""
    if len(key) > MAX_NAME:
        raise InputError(
            f"Line {line}: a column’s name has {len(key):,} characters, more than {MAX_NAME}.",
            "The first line names the columns.",
        )
    return _cell(key, line)


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


def _joined(parts: list[str]) -> str:
    """A list, options of a question for instance, as ``lmlab.prompts.options`` reads it again."""
    plain = all(part == part.strip() and part and "|" not in part for part in parts)
    if parts and plain and not parts[0].startswith("["):
        return " | ".join(parts)
    return json.dumps(parts, ensure_ascii=False)


def _cell(value: Any, line: int) -> str:
    if isinstance(value, bool):
        value = "true" if value else "false"
    if value is None:
        return ""
    if isinstance(value, list) and not any(isinstance(one, dict | list) for one in value):
        value = _joined([_cell(one, line) for one in value])
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
