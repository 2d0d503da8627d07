"""Rows of a table that know where they stood in their file, and cells that know what they were.

Every cell is a string, as it was written. A cell that was a number, a truth value or a chat in its
file is a string all the same, of a kind that says so, so that templates can compute with it.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

Row = Mapping[str, str]

NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d{1,3})?")
LONGEST_NUMBER = 300


class Number(str):
    """A number, as it was written."""

    __slots__ = ()


class Flag(str):
    """A truth value, as it was written."""

    __slots__ = ()


class Chat(str):
    """A chat: a JSON list of {role, content}."""

    __slots__ = ()


KINDS: Mapping[str, type[str]] = {"number": Number, "flag": Flag, "chat": Chat}


class Place(NamedTuple):
    """Where a row stood."""

    row: int  # from 1, headers and empty lines not counted
    line: int = 0  # of the file, from 1; 0 where files have none

    def __str__(self) -> str:
        told = f" (line {self.line:,})" if self.line not in (0, self.row) else ""
        return f"row {self.row:,}{told}"


class Record(dict[str, str]):
    """A row with its place."""

    __slots__ = ("place",)

    def __init__(self, cells: Mapping[str, str], place: Place) -> None:
        super().__init__(cells)
        self.place = place


def place_of(row: Row) -> Place | None:
    """Where a row stood in its file; None where that is not known."""
    return getattr(row, "place", None)


def where(row: Row, number: int) -> str:
    """The row's place in its file, else its number, in words: ‘row 7 (line 8)’."""
    return str(place_of(row) or f"row {number:,}")


def placed(row: Row, number: int, message: str) -> str:
    """A sentence about a row, with its place before it, where that or a number is known."""
    known = number or place_of(row)
    said = f"{where(row, number)}: {message[:1].lower()}{message[1:]}" if known else message
    return said[:1].upper() + said[1:]


def is_number(text: str) -> bool:
    """Whether a text is a number as JSON writes one.

    >>> is_number("-4.50"), is_number("007"), is_number("4,5")
    (True, False, False)
    """
    return len(text) <= LONGEST_NUMBER and NUMBER.fullmatch(text) is not None


def is_flag(text: str) -> bool:
    """Whether a text is a truth value."""
    return text.lower() in ("true", "false")


def marked(cell: Any) -> Any:
    """A cell with its kind, for JSON: plain strings as they are, others as {kind: text}."""
    return next(({name: str(cell)} for name, kind in KINDS.items() if type(cell) is kind), cell)


def retyped(row: Row, others: Iterable[Row]) -> dict[str, str]:
    """A row that was typed in, its cells of the kinds that other rows' cells have."""
    known: dict[str, set[type[str]]] = {}
    for other in others:
        for name, cell in other.items():
            if cell:
                known.setdefault(name, set()).add(type(cell))
    fits: dict[type[str], Callable[[str], bool]] = {Number: is_number, Flag: is_flag}
    found = {}
    for name, cell in row.items():
        kinds = known.get(name, set())
        kind = next(iter(kinds)) if len(kinds) == 1 else str
        found[name] = kind(cell) if kind in fits and fits[kind](cell) else cell
    return found


def stored(row: Row) -> dict[str, Any]:
    """A row for a file of JSON, cells of a kind as JSON's own values where that loses nothing."""
    return {name: _value(cell) for name, cell in row.items()}


def _value(cell: str) -> Any:
    found = marked(cell)
    if not isinstance(found, dict):
        return cell
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError):
        return found
    return value if json.dumps(value, ensure_ascii=False) == cell else found


def restored(cells: Mapping[str, Any], place: Place | None = None) -> Row:
    """What ``stored`` was given."""
    row = {name: _cell(value) for name, value in cells.items()}
    return Record(row, place) if place else row


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        ((name, text),) = value.items()
        return KINDS[name](text)
    kind = Flag if isinstance(value, bool) else Chat if isinstance(value, list) else Number
    return kind(json.dumps(value, ensure_ascii=False))
