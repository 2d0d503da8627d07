"""What is common to all kinds of tables: their limits, how bytes become text, how a value becomes
a cell and a cell options again, what becomes of rows that are none. Text only.
"""

import codecs
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lmlab.errors import InputError
from lmlab.text.records import Chat, Flag, Number, Place, Row, is_number

__all__ = ["Row"]

MAX_ROWS = 20_000
MAX_COLUMNS = 64
MAX_CELL = 20_000
MOST_OPTIONS = 50  # of a row
NAMED = 3  # faults that are told one by one
MAX_NAME = 200  # characters of a column's name
COMPRESSED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
# What a turn of a chat is made of, in the two usual ways.
TURN = (frozenset({"role", "content"}), frozenset({"from", "value"}))
WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass
class Faults:
    """What is wrong with single rows: the first fault is an error, or all are gathered."""

    skip: bool = False  # whether rows with a fault are left out
    said: list[str] = field(default_factory=list)  # each fault in a sentence, in order

    def take(self, error: InputError) -> None:
        """Note a row's fault; where rows are not to be left out, it is raised."""
        if not self.skip:
            raise error
        self.said.append(error.message)


def told(faults: Iterable[str]) -> str:
    """Rows that were left out, in a sentence; empty where there are none."""
    found = list(faults)
    if not found:
        return ""
    rows = "1 row was" if len(found) == 1 else f"{len(found):,} rows were"
    more = " …" if len(found) > NAMED else ""
    return f"{rows} skipped: {' '.join(found[:NAMED])}{more}"


class Literal(str):
    """A number of a JSON file, as it is written there."""

    __slots__ = ()


def decoded(data: bytes) -> str:
    """UTF-8, or UTF-16 that says so, which is not compressed, without its byte-order mark."""
    if data.startswith(COMPRESSED):
        raise InputError("The file is compressed.", "Unpack it first.")
    wide = data.startswith(WIDE)
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        kind = "UTF-16" if wide else "UTF-8"
        raise InputError(
            f"The file is not {kind} (line {line}, byte {error.start + 1}).", "Convert it to UTF-8."
        ) from None


def kind_of(name: str, text: str) -> str:
    """``jsonl``, ``csv`` or ``tsv``, by the name's ending, else by the first line."""
    ending = Path(name).suffix.lower()
    if ending in (".jsonl", ".ndjson", ".json"):
        return "jsonl"
    if ending in (".csv", ".tsv"):
        return ending[1:]
    first = text.lstrip().split("\n", 1)[0]
    return "jsonl" if first.startswith(("{", "[")) else "tsv" if "\t" in first else "csv"


def check_count(count: int, most: int = MAX_ROWS) -> None:
    """Refuse one row too many."""
    if count > most:
        raise InputError(
            f"The table has more than {most:,} rows.", "Take a part of it: a sample will do."
        )


def column_name(key: str, place: Place) -> str:
    """A column's name; an InputError where it is too long, or no text."""
    if len(key) > MAX_NAME:
        raise InputError(
            f"{said(place)}: a column’s name has {len(key):,} characters, more than {MAX_NAME}.",
            "The first line names the columns.",
        )
    return str(cell(key, place))


def cell(value: Any, place: Place) -> str:
    """A value as a cell.

    Raises:
        InputError: it is too long, no text, or holds more than a list of plain values or a chat.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return Flag("true" if value else "false")
    if isinstance(value, list) and not any(isinstance(one, dict | list) for one in value):
        value = _joined([cell(one, place) for one in value])
    elif is_chat(value):
        value = Chat(json.dumps(value, ensure_ascii=False))
    if isinstance(value, dict | list):
        raise InputError(f"{said(place)}: a cell holds a list or an object.", "Use plain values.")
    text = value if isinstance(value, Chat) else str(value)
    if len(text) > MAX_CELL:
        raise InputError(
            f"{said(place)}: a cell has {len(text):,} characters, more than {MAX_CELL:,}."
        )
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise InputError(f"{said(place)}: a cell holds half of a surrogate pair.")
    number = isinstance(value, Literal) or not isinstance(value, str)
    return Number(text) if number and is_number(text) else text


def is_chat(value: Any) -> bool:
    """Whether a value is a list of turns, each with who speaks and what is said."""
    if not isinstance(value, list) or not all(isinstance(turn, dict) for turn in value):
        return False
    return bool(value) and all(any(keys <= turn.keys() for keys in TURN) for turn in value)


def said(place: Place) -> str:
    """A place at the beginning of a sentence: the line alone, where there is one."""
    return f"Line {place.line:,}" if place.line else f"Row {place.row:,}"


def _joined(parts: list[str]) -> str:
    """A list, options of a question for instance, as ``options_of`` reads it again."""
    plain = all(part == part.strip() and part and "|" not in part for part in parts)
    if parts and plain and not parts[0].startswith("["):
        return " | ".join(parts)
    return json.dumps(parts, ensure_ascii=False)


def options_of(cell: str) -> tuple[str, ...]:
    """The options in a cell, a JSON list or with ‘|’ between them, without white space at the ends.

    >>> options_of('["a cat", "a dog"]') == options_of("a cat | a dog")
    True

    Raises:
        InputError: fewer than two, too many, an empty one, or the same one twice.
    """
    found = _listed(cell) if cell.lstrip().startswith("[") else cell.split("|")
    options = tuple(option.strip() for option in found)
    if len(options) < 2:
        raise InputError("there are no two options.", "Write a JSON list, or put | between them.")
    if len(options) > MOST_OPTIONS:
        many = f"there are {len(options):,} options; at most {MOST_OPTIONS} are compared."
        raise InputError(many)
    if not all(options):
        raise InputError("an option is empty.")
    if len(set(options)) < len(options):
        twice = next(option for option in options if options.count(option) > 1)
        raise InputError(f"the option ‘{twice[:40]}’ stands there twice.")
    return options


def _listed(cell: str) -> list[str]:
    hint = 'For instance ["yes", "no"].'
    try:
        value = json.loads(cell, parse_constant=no_constant)
    except (ValueError, RecursionError):
        raise InputError("the options are no valid JSON list.", hint) from None
    if not isinstance(value, list) or not all(isinstance(one, str | int | float) for one in value):
        raise InputError("the options are no list of texts.", hint)
    return [one if isinstance(one, str) else json.dumps(one) for one in value]


def no_constant(name: str) -> Any:
    """Refuses NaN and Infinity, which Python reads and JSON does not have."""
    raise ValueError(f"{name} is no JSON")
