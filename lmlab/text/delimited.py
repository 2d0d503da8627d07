"""Rows of CSV and TSV as people have them: by comma, semicolon, tab or bar, with an index column, a
comma too many, spaces around cells. A quote that is never meant as one is found and named.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from lmlab.errors import InputError
from lmlab.text.records import Flag, Number, Place, Record, is_flag, is_number
from lmlab.text.rows import MAX_COLUMNS, MAX_ROWS, Faults, cell, check_count, column_name

SEPARATORS = (",", ";", "\t", "|")
LOOKED_AT = 20  # records that tell the separator
UNNAMED = re.compile(r"(Unnamed: \d+)?")  # as pandas calls what has no name
HINT = "Write a quote within a quoted cell twice, or delete it."


@dataclass(frozen=True, slots=True)
class Cells:
    """A record: its cells, and the lines it stood in, the first of them from 1."""

    cells: list[str]
    lines: tuple[str, ...]
    line: int


def separated(
    text: str, own: str = ",", faults: Faults | None = None, most: int = MAX_ROWS
) -> list[Record]:
    """One row for each record below the header; records with nothing in them are left out.

    ``own`` is what usually stands between two cells of such a file; another is found by itself.

    Raises:
        InputError: a line that cannot be read, or a header that cannot be.
    """
    faults = faults or Faults()
    text, separator = _with_separator(text, own)
    records = _records(text, separator, most + 1)
    if not records:
        return []
    header = records[0]
    if isinstance(header, InputError):
        raise header
    if len(header.cells) > MAX_COLUMNS:
        width = f"The header has {len(header.cells):,} columns; at most {MAX_COLUMNS} are read."
        raise InputError(width)
    check_count(len(records) - 1, most)
    names = _named(header, [one for one in records if isinstance(one, Cells)][1:])
    found = []
    for row, one in enumerate(records[1:], 1):
        try:
            if isinstance(one, InputError):
                raise one
            found.append(_row(one, names, Place(row, one.line)))
        except InputError as error:
            faults.take(error)
    return _typed(found, [name for name in names if name])


def _row(one: Cells, names: Sequence[str], place: Place) -> Record:
    """A record under its columns' names; what stands under no name is left out."""
    cells = _cut(one.cells, len(names))
    if len(cells) != len(names):
        raise InputError(
            f"Line {one.line:,} has {len(one.cells)} columns instead of {len(names)}.",
            "Put a cell with the separator in it between double quotes.",
        )
    raw = "".join(one.lines)
    pairs = zip(names, cells, strict=True)
    return Record({name: cell(_stripped(part, raw), place) for name, part in pairs if name}, place)


def _stripped(part: str, raw: str) -> str:
    """A cell without the spaces around it; between quotes they are meant."""
    bare = part.strip()
    if bare == part:
        return part
    escaped = part.replace('"', '""')
    return part if f'"{escaped}"' in raw else bare


def _typed(rows: list[Record], names: Sequence[str]) -> list[Record]:
    """The same rows; columns of numbers, or of truth values, are marked as such."""
    for name in names:
        parts = [row[name] for row in rows if row[name]]
        kind: type[str] = str
        if parts and all(map(is_number, parts)):
            kind = Number
        elif parts and all(map(is_flag, parts)):
            kind = Flag
        if kind is not str:
            for row in rows:
                row[name] = kind(row[name]) if row[name] else ""
    return rows


def _with_separator(text: str, own: str) -> tuple[str, str]:
    """The text, and what stands between its cells: as Excel says, as is usual, or as fits."""
    first, _, rest = text.partition("\n")
    if (named := re.fullmatch(r'"?sep=(.)"?\r?', first)) is not None:
        # The line counts, so that places stay those of the file.
        return f"\n{rest}", named[1]
    widths = {one: _widths(text, one) for one in (own, *SEPARATORS)}
    if widths[own][:1] > [1] and _fit(widths[own]) > 0.5:
        return text, own
    best = max(widths, key=lambda one: (widths[one][:1] > [1]) * _fit(widths[one]))
    fits = widths[best][:1] > [1] and _fit(widths[best]) > max(0.5, _fit(widths[own], one_is=0))
    return text, best if fits else own


def _widths(text: str, separator: str) -> list[int]:
    """Columns of the first records."""
    lines, found = io.StringIO(text, newline=""), list[int]()
    with suppress(csv.Error):
        for cells in csv.reader(lines, delimiter=separator, skipinitialspace=True):
            if any(cells):
                found.append(len(cells))
            if len(found) > LOOKED_AT:
                break
    return found


def _fit(widths: Sequence[int], one_is: float = 1.0) -> float:
    """Share of the records that have as many columns as the header, or one more."""
    rows = widths[1:]
    if widths[:1] == [1] and one_is == 0:
        return 0.0
    return sum(0 <= n - widths[0] <= 1 for n in rows) / len(rows) if rows else 1.0


def _records(text: str, separator: str, most: int) -> list[Cells | InputError]:
    """Records as they are quoted; where quotes are none, each line of a TSV is one."""
    lines = list(io.StringIO(text, newline=""))
    found: list[Cells | InputError] = []
    header: Cells | None = None
    for one in _quoted(lines, separator):
        if isinstance(one, InputError):
            found.append(one)
        elif header and _swallows(one, header, separator):
            found.append(_swallowed(one))
        elif _from(one, 0):
            found.append(one)
            header = header or one
        if len(found) > most:
            break
    wrong = any(isinstance(one, InputError) for one in found)
    plain = _unquoted(lines, separator) if wrong and separator == "\t" else []
    return [*plain] if plain else found


def _quoted(lines: Sequence[str], separator: str) -> Iterator[Cells | InputError]:
    """Each record that has a cell, or why there is none."""
    reader = csv.reader(iter(lines), delimiter=separator, strict=True, skipinitialspace=True)
    while True:
        begun = reader.line_num
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            over = reader.line_num > begun + 1
            far = f" to {reader.line_num:,}" if over else ""
            place = f"Lines {begun + 1:,}{far}" if over else f"Line {begun + 1:,}"
            yield InputError(f"{place} cannot be read: {error}.", HINT)
            continue
        if cells:
            yield Cells(cells, tuple(lines[begun : reader.line_num]), begun + 1)


def _swallows(one: Cells, header: Cells, separator: str) -> bool:
    """Whether a record looks like several rows that a stray quote has made one.

    Each of its lines has as many columns as the header. A comma of a sentence, which a space
    follows, counts for none, unless the header has such spaces too.
    """
    n = len(header.cells)
    if len(one.lines) < 2 or n < 2 or not any("\n" in part or "\r" in part for part in one.cells):
        return False
    spaced = separator == "\t" or f"{separator} " in "".join(header.lines)
    mark = re.compile(re.escape(separator) + ("" if spaced else "(?! )"))
    widths = {len(mark.findall(line)) + 1 for line in one.lines if line.strip()}
    return widths in ({n}, {n + 1})


def _swallowed(one: Cells) -> InputError:
    last = one.line + len(one.lines) - 1
    return InputError(
        f"A quote that opens in line {one.line:,} closes in line {last:,}, and each line between "
        "has all columns: these are several rows.",
        "Delete the quote, or write it twice; if it is one row, save the table as JSON.",
    )


def _unquoted(lines: Sequence[str], separator: str) -> list[Cells]:
    """Each line as a record, quotes as they stand but around whole cells; none where it does not
    come out even."""
    found = [
        Cells([_unwrapped(part) for part in line.rstrip("\r\n").split(separator)], (line,), number)
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]
    even = len({len(one.cells) for one in found}) == 1 and len(found[0].cells) > 1
    return found if even else []


def _unwrapped(part: str) -> str:
    whole = re.fullmatch(r'\s*"((?:[^"]|"")*)"\s*', part)
    return whole[1].replace('""', '"') if whole else part


def _named(header: Cells, body: Sequence[Cells]) -> list[str]:
    """A name for each column, "" for one that is left out; no two have the same."""
    raw = "".join(header.lines)
    place = Place(0, header.line)
    names = [column_name(_stripped(part, raw), place).strip() for part in header.cells]
    if all(len(one.cells) == len(names) + 1 for one in body) and _counts(body):
        names = ["", *names]  # R names the rows, and not their column
    while names and not names[-1] and not any(_from(one, len(names) - 1) for one in body):
        names.pop()
    for i, found in enumerate(names):
        if UNNAMED.fullmatch(found) and i == 0 and _is_index(body, 0):
            names[0] = ""
        elif not found and any("".join(one.cells[i : i + 1]).strip() for one in body):
            raise InputError(f"Column {i + 1} has no name.", "The first line names them.")
    if repeated := next((name for name in names if name and names.count(name) > 1), ""):
        raise InputError(f"Two columns are named ‘{repeated[:40]}’.")
    return names


def _from(one: Cells, place: int) -> str:
    """What stands in a record from some cell on."""
    return "".join(one.cells[place:]).strip()


def _cut(cells: Sequence[str], n: int) -> list[str]:
    """Cells without empty ones beyond the last column."""
    kept = list(cells)
    while len(kept) > n and not kept[-1].strip():
        kept.pop()
    return kept


def _is_index(body: Sequence[Cells], place: int) -> bool:
    """Whether a column counts the rows: whole numbers, none of them twice."""
    parts = [one.cells[place].strip() for one in body if len(one.cells) > place]
    return bool(parts) and len(set(parts)) == len(parts) and all(map(str.isdecimal, parts))


def _counts(body: Sequence[Cells]) -> bool:
    """Whether the first cells are 1, 2, 3 …, or 0, 1, 2 …"""
    parts = [one.cells[0].strip() for one in body]
    ways = ([str(i + start) for i in range(len(parts))] for start in (0, 1))
    return len(parts) > 1 and parts in ways
