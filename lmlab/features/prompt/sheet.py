"""What a visitor has put together on the Prompt tab: the design, its rows, and how it is read from
the form. What is the visitor's own stays when shots or seed change. Draws nothing on the page.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from lmlab.errors import InputError
from lmlab.models import forms
from lmlab.parts.forms import Controls
from lmlab.parts.upload_table import FIELDS, OWN, Own
from lmlab.text import sets as data
from lmlab.text.protocols import MOST_SHOTS, Protocol, draw
from lmlab.text.rows import Row
from lmlab.text.sets import Dataset
from lmlab.text.templates import PromptTemplate
from lmlab.text.wordings import read_wording

COUNTS = ("draws", "limit", "way", "measure")
MEASURED = Controls("prompt", Protocol(draws=3, limit=60), (COUNTS,), info=False)
EXAMPLES = Controls("prompt", Protocol(shots=3), (("shots", "seed"),), info=False, width=80)
LONGEST_CELL = 20_000
MOST_ROWS = 64
FOUND = 40  # rows of a search that are shown
FIXED = 6  # values of the form before its columns

Numbered = tuple[int, Row, bool]


class Key(NamedTuple):
    """What examples are drawn by."""

    data: str
    columns: tuple[str | None, ...]
    shots: float | None
    seed: float | None


@dataclass(frozen=True)
class Sheet:
    """The rows that are shown."""

    examples: tuple[Row, ...] = ()  # in the order of the prompt
    query: Mapping[str, str] | None = None  # with its answer, where that is known
    row: int = 0  # number of the query within the set, from 0
    shape: tuple[str, ...] = ()  # columns and labels that the rows are shown with
    drawn: Key | None = None  # what the examples were drawn by
    auto: tuple[Row, ...] = ()  # the rows that were drawn; every other example is the visitor's own
    sought: str = ""  # what the visitor looks for among the rows

    def own(self, row: Row) -> bool:
        """Whether a row was typed or chosen, rather than drawn."""
        return not any(row.items() <= one.items() for one in self.auto)

    def draw(self, key: Key, pool: Sequence[Row], shots: int, seed: int) -> "Sheet":
        """With examples as the form asks for them.

        Another set, or no rows yet: all are drawn. Another seed: those that were drawn give way to
        others. Another number of shots: rows are added or taken away at the end. There must be as
        many rows as shots.
        """
        order = draw(pool, len(pool), seed)
        draw(pool, shots, seed)
        rows = list(self.examples)
        own = [row for row in rows if self.own(row)]
        if self.drawn is None or self.drawn[:2] != key[:2]:
            rows, own = order[:shots], []
        elif self.drawn.seed != key.seed:
            fresh = iter([row for row in order if not among(row, own)])
            rows = [row if row in own else next(fresh, row) for row in rows]
        while len(rows) > shots:
            last = next((i for i in reversed(range(len(rows))) if rows[i] not in own), None)
            if last is None:
                break
            del rows[last]
        for row in order:
            if len(rows) < shots and not among(row, rows):
                rows.append(row)
        auto = tuple(row for row in rows if row not in own)
        return replace(self, examples=tuple(rows), auto=auto, drawn=key)

    def edited(self, rows: Sequence[Row]) -> "Sheet":
        """With other examples; they count as drawn with so many shots."""
        changed = replace(self, examples=tuple(rows))
        if self.drawn is None:
            return changed
        return replace(changed, drawn=self.drawn._replace(shots=min(len(rows), MOST_SHOTS)))

    def taken(self, pool: Sequence[Row], number: int) -> "Sheet":
        """A row of the pool by its number, from 1: added at the end, or removed where it is there;
        an InputError where there is none, or there are too many examples."""
        if not 1 <= number <= len(pool):
            raise InputError(f"There is no row {number}: examples come from 1 to {len(pool):,}.")
        row = pool[number - 1]
        rest = [one for one in self.examples if not among(one, [row])]
        if len(rest) < len(self.examples):
            return self.edited(rest)
        if len(rest) >= MOST_ROWS:
            raise InputError(f"At most {MOST_ROWS} examples stand in a prompt.", "Remove one.")
        return self.edited([*rest, row])

    def search(self, pool: Sequence[Row]) -> tuple[list[Numbered], int]:
        """The first rows that match what is sought, by a number or by any cell, each with its
        number and whether it is an example; and how many do."""
        text = self.sought.strip().casefold()
        hits = [
            (n, row)
            for n, row in enumerate(pool, 1)
            if not text or text == str(n) or any(text in cell.casefold() for cell in row.values())
        ]

        def chosen(row: Row) -> bool:
            return any(among(one, [row]) for one in self.examples)

        return [(n, row, chosen(row)) for n, row in hits[:FOUND]], len(hits)

    def solved(self, template: PromptTemplate) -> list[Row]:
        """The examples; an InputError names one that is not whole, and its column."""
        for number, row in enumerate(self.examples, 1):
            for column in template.needed:
                if not row.get(column, "").strip():
                    raise InputError(f"Example {number}: ‘{column}’ is empty.")
        return list(self.examples)

    def asked(self, template: PromptTemplate) -> dict[str, str]:
        """The query, without an answer that is not known."""
        row = dict(self.query or {})
        if not row.get(template.answer):
            row.pop(template.answer, None)
        return {**dict.fromkeys(template.fields, ""), **row}

    def fits(self, template: PromptTemplate) -> bool:
        """Whether the rows have what a wording asks for."""
        rows = [*self.examples, self.query or {}]
        known = all(set(template.needed) <= set(row) for row in rows)
        answers = {row.get(template.answer, "") for row in rows} - {""}
        return known and (not template.labels or answers <= set(template.labels))

    def at_row(self, rows: Sequence[Row], row: int) -> "Sheet":
        """With another query; past the last comes the first."""
        row = row % len(rows) if rows else 0
        return replace(self, query=dict(rows[row]) if rows else None, row=row)


@dataclass(frozen=True)
class Form:
    """The design's values, in the order in which ``design`` hands them over."""

    data: str
    table: Own | None
    wording: str
    shots: float | None
    seed: float | None
    form: forms.Form | None
    columns: tuple[str | None, ...]

    @classmethod
    def read(cls, *values: Any) -> "Form":
        """From the components' values."""
        name, table, wording, shots, seed, form, *columns = values
        given = (name or "", table, wording or "", shots, seed, forms.form_named(form))
        return cls(*given, tuple(columns))

    @classmethod
    def first_of(cls, values: Sequence[Any]) -> tuple["Form", Sequence[Any]]:
        """The form whose values come first, and the values that follow."""
        return cls.read(*values[: FIXED + FIELDS]), values[FIXED + FIELDS :]

    @property
    def key(self) -> Key:
        """What examples are drawn by."""
        return Key(self.data, self.columns, self.shots, self.seed)

    def template(self) -> PromptTemplate:
        """The wording as it stands in the editor."""
        return read_wording(self.wording)

    def dataset(self, template: PromptTemplate, *, shots: bool | None = None) -> Dataset:
        """The rows that examples and queries come from, under the template's names.

        ``shots`` says whether examples are shown, so that queries may not stand among them; by
        default as the form says.
        """
        if self.data != OWN:
            return data.shipped(self.data)
        if self.table is None:
            raise InputError("There is no table of yours yet.", "Upload one, or paste it.")
        reads = template.reads
        table, second = self.table.mapped(reads, self.columns)
        if second is not None:
            return data.undivided(table, second, reads)
        found = data.split(table, self.number(self.seed, "seed"), reads=reads)
        if self.shots if shots is None else shots:
            return found
        # All rows are asked, those first that stay when examples are drawn.
        first = {id(row) for row in found.queries}
        rest = [row for row in table.rows if id(row) not in first]
        return replace(found, queries=(*found.queries, *rest), notes=table.notes)

    @staticmethod
    def number(value: float | None, name: str) -> int:
        """A whole number that is not negative."""
        if value is None or value != int(value) or not 0 <= value < 2**53:
            raise InputError(f"{name} must be a whole number from 0 on.")
        return int(value)


def typed(text: Any, columns: Sequence[str], most: int) -> list[dict[str, str]]:
    """Rows as a visitor's page told them; only known columns and strings are kept, and too many or
    too long ones are an InputError."""
    try:
        rows = json.loads(str(text))
    except ValueError:
        rows = None
    if not isinstance(rows, list) or len(rows) > most:
        raise InputError(f"That is no list of at most {most} rows.")
    found = []
    for row in rows:
        kept = {c: row.get(c) or "" for c in columns} if isinstance(row, dict) else {}
        if any(not isinstance(v, str) or len(v) > LONGEST_CELL for v in kept.values()):
            raise InputError(f"A cell is longer than {LONGEST_CELL:,} characters.")
        found.append(kept)
    return found


def among(row: Row, rows: Sequence[Row]) -> bool:
    """Whether a row is one of some, as far as each goes: one that was shown has a wording's columns
    alone."""
    cells = row.items()
    return bool(row) and any(cells <= one.items() or one.items() <= cells for one in rows)
