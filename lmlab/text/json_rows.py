"""Rows of JSON: an object on each line, a list of objects, or an object that holds such a list."""

import json
from collections.abc import Iterator
from typing import Any

from lmlab.errors import InputError
from lmlab.text import rows
from lmlab.text.records import Place, Record
from lmlab.text.rows import Faults, Literal, cell, column_name, is_chat, said

SPACE = " \t\r\n"


def json_rows(text: str, faults: Faults) -> Iterator[Record]:
    """One row for each object; an InputError where there is none, or no cell, names the line."""
    for count, (place, value) in enumerate(_values(text, faults), 1):
        rows.check_count(count)
        try:
            if not isinstance(value, dict):
                raise InputError(f"{said(place)} is no JSON object.")
            yield Record(
                {column_name(key, place): cell(one, place) for key, one in value.items()}, place
            )
        except InputError as error:
            faults.take(error)


def _values(text: str, faults: Faults) -> Iterator[tuple[Place, Any]]:
    start = len(text) - len(text.lstrip(SPACE))
    if text[start : start + 1] == "[":
        return _listed(text, start)
    lines = text.split("\n")
    first = next((line for line in lines if line.strip()), "")
    if _parsed(first) is None and (whole := _parsed(text)) is not None:
        return _held(whole[0])
    return _lines(lines, faults)


def _lines(lines: list[str], faults: Faults) -> Iterator[tuple[Place, Any]]:
    row = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        row += 1
        if found := _parsed(line):
            yield Place(row, number), found[0]
        else:
            hint = "JSONL has one object on each line; a JSON file holds a list of objects."
            faults.take(InputError(f"Line {number:,} is no valid JSON.", hint))


def _listed(text: str, start: int) -> Iterator[tuple[Place, Any]]:
    """The values of a list, each with the line where it begins."""
    decoder = _decoder()
    at, line, seen, row = start + 1, 1, 0, 0
    while True:
        at = _past(text, at)
        if text[at : at + 1] == "]" and not row:
            at += 1
            break
        line, seen = line + text.count("\n", seen, at), at
        row += 1
        place = Place(row, line)
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            raise InputError(f"Line {line:,} (row {row:,}) is no valid JSON.") from None
        yield place, value
        at = _past(text, at)
        mark = text[at : at + 1]
        at += 1
        if mark == "]":
            break
        if mark != ",":
            line += text.count("\n", seen, at)
            raise InputError(f"Line {line:,} is no valid JSON.", "A comma stands between rows.")
    if text[_past(text, at) :]:
        raise InputError("Something follows the list of rows.", "A JSON file holds one list.")


def _held(value: Any) -> Iterator[tuple[Place, Any]]:
    """The only list of objects that an object holds; else the object as one row."""
    only = next(iter(value.values())) if isinstance(value, dict) and len(value) == 1 else None
    held = [value]
    if isinstance(only, list) and all(isinstance(row, dict) for row in only) and not is_chat(only):
        held = only or held
    return ((Place(number), row) for number, row in enumerate(held, 1))


def _past(text: str, at: int) -> int:
    """The first place from ``at`` on that is no white space."""
    while text[at : at + 1] and text[at] in SPACE:
        at += 1
    return at


def _parsed(text: str) -> tuple[Any] | None:
    """The value of a text, in a tuple; None where it is no JSON."""
    try:
        return (_decoder().decode(text),)
    except (ValueError, RecursionError):
        return None


def _decoder() -> json.JSONDecoder:
    """Numbers stay as they are written."""
    return json.JSONDecoder(parse_int=Literal, parse_float=Literal, parse_constant=rows.no_constant)
