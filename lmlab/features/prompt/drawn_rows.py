"""Which rows stand as examples: drawn by seed, chosen by hand, typed in. What is the visitor's own
stays when shots or seed change. Draws nothing on the page.
"""

from collections.abc import Sequence
from dataclasses import replace

from lmlab.errors import InputError
from lmlab.features.prompt.sheet import MOST_SHOTS, Key, Sheet
from lmlab.text.protocols import draw
from lmlab.text.rows import Row

MOST_ROWS = 64
FOUND = 40  # rows of a search that are shown

Numbered = tuple[int, Row, bool]


def drawn(sheet: Sheet, key: Key, pool: Sequence[Row], shots: int, seed: int) -> Sheet:
    """The sheet with its examples as the form asks for them; rows of the visitor's own stay.

    Another set, or no rows yet: all are drawn. Another seed: those that were drawn give way to
    others. Another number of shots: rows are added or taken away at the end.

    Raises:
        InputError: there are fewer rows than shots.
    """
    order = draw(pool, len(pool), seed)
    draw(pool, shots, seed)
    old = sheet.drawn
    rows = list(sheet.examples)
    own = [row for row in rows if sheet.own(row)]
    if old is None or old[:2] != key[:2]:
        rows, own = order[:shots], []
    elif old.seed != key.seed:
        fresh = iter([row for row in order if not any(_same(row, one) for one in own)])
        rows = [row if row in own else next(fresh, row) for row in rows]
    rows = _resized(rows, own, order, shots)
    auto = tuple(row for row in rows if row not in own)
    return replace(sheet, examples=tuple(rows), auto=auto, drawn=key)


def edited(sheet: Sheet, rows: Sequence[Row]) -> Sheet:
    """The sheet with other examples; it counts as drawn with so many shots."""
    changed = replace(sheet, examples=tuple(rows))
    if sheet.drawn is None:
        return changed
    return replace(changed, drawn=sheet.drawn._replace(shots=min(len(rows), MOST_SHOTS)))


def taken(sheet: Sheet, pool: Sequence[Row], number: int) -> Sheet:
    """A row of the pool by its number, from 1: added at the end, or removed where it is there.

    Raises:
        InputError: there is no such row, or there are too many examples.
    """
    if not 1 <= number <= len(pool):
        raise InputError(f"There is no row {number}: examples come from 1 to {len(pool):,}.")
    row = pool[number - 1]
    rest = [one for one in sheet.examples if not _same(one, row)]
    if len(rest) < len(sheet.examples):
        return edited(sheet, rest)
    if len(rest) >= MOST_ROWS:
        raise InputError(f"At most {MOST_ROWS} examples stand in a prompt.", "Remove one.")
    return edited(sheet, [*rest, row])


def sought(sheet: Sheet, pool: Sequence[Row]) -> tuple[list[Numbered], int]:
    """The first rows that match what is sought, by a number or by any cell, and how many do."""
    text = sheet.sought.strip().casefold()
    hits = [
        (n, row)
        for n, row in enumerate(pool, 1)
        if not text or text == str(n) or any(text in cell.casefold() for cell in row.values())
    ]
    shown = hits[:FOUND]
    return [(n, row, any(_same(one, row) for one in sheet.examples)) for n, row in shown], len(hits)


def among(row: Row, rows: Sequence[Row]) -> bool:
    """Whether a row is one of some."""
    return any(_same(row, one) for one in rows)


def _same(one: Row, other: Row) -> bool:
    """Whether a row is another as far as it goes: a row that was shown has a wording's columns."""
    return bool(one) and (one.items() <= other.items() or other.items() <= one.items())


def _resized(rows: list[Row], own: list[Row], order: list[Row], shots: int) -> list[Row]:
    """Rows taken from the end, never the visitor's own; or further ones that are drawn."""
    while len(rows) > shots:
        last = next((i for i in reversed(range(len(rows))) if rows[i] not in own), None)
        if last is None:
            break
        rows = rows[:last] + rows[last + 1 :]
    for row in order:
        if len(rows) >= shots:
            break
        if not any(_same(row, one) for one in rows):
            rows = [*rows, row]
    return rows
