"""What a visitor has put together on the Prompt tab: the design, its rows, and how it is read from
the form. Draws nothing.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from lmlab.errors import InputError
from lmlab.features.prompt import prompt_view
from lmlab.features.prompt.service import Prompting
from lmlab.models import forms
from lmlab.parts.forms import Controls
from lmlab.parts.upload_table import OWN, Own
from lmlab.text import sets as data
from lmlab.text.protocols import MOST_SHOTS as MOST
from lmlab.text.protocols import Protocol
from lmlab.text.rows import Row
from lmlab.text.sets import Dataset
from lmlab.text.templates import PromptTemplate
from lmlab.text.wordings import read_wording

MOST_SHOTS = MOST
MEASURED = Controls("prompt", Protocol(draws=3, limit=60), (("draws", "limit", "way"),), info=False)
EXAMPLES = Controls("prompt", Protocol(shots=3), (("shots", "seed"),), info=False, width=80)
LONGEST_CELL = 20_000


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
    # what the examples were drawn by, so that they are not drawn again without need
    drawn: "Key | None" = None
    auto: tuple[Row, ...] = ()  # the rows that were drawn; every other example is the visitor's own
    sought: str = ""  # what the visitor looks for among the rows

    def own(self, row: Row) -> bool:
        """Whether a row was typed or chosen, rather than drawn."""
        return not any(row.items() <= one.items() for one in self.auto)


@dataclass(frozen=True)
class Form:
    """The form's values, in the order of ``prompt.Inputs.values``."""

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

    @property
    def own(self) -> bool:
        """Whether the rows are the visitor's."""
        return self.data == OWN

    @property
    def key(self) -> Key:
        """What examples are drawn by."""
        return Key(self.data, self.columns, self.shots, self.seed)

    def template(self, prompts: Prompting) -> PromptTemplate:
        """The wording as it stands in the editor."""
        return read_wording(self.wording)

    def dataset(
        self, prompts: Prompting, template: PromptTemplate, *, shots: bool | None = None
    ) -> Dataset:
        """The rows that examples and queries come from, under the template's names."""
        if not self.own:
            return prompts.dataset(self.data)
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


def edited(text: Any, columns: Sequence[str], most: int) -> list[dict[str, str]]:
    """Rows as a visitor's page told them; only known columns and strings are kept.

    Raises:
        InputError: no list of rows, too many, or too long.
    """
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


def solved(rows: Sequence[Row], template: PromptTemplate) -> list[Row]:
    """Examples that are whole.

    Raises:
        InputError: names the example and the column that is empty.
    """
    for number, row in enumerate(rows, 1):
        for column in template.needed:
            if not row.get(column, "").strip():
                raise InputError(f"Example {number}: ‘{column}’ is empty.")
    return list(rows)


def asked(query: Mapping[str, str] | None, template: PromptTemplate) -> dict[str, str]:
    """The query, without an answer that is not known."""
    row = dict(query or {})
    if not row.get(template.answer):
        row.pop(template.answer, None)
    return {**dict.fromkeys(template.fields, ""), **row}


def fits(sheet: Sheet, template: PromptTemplate) -> bool:
    """Whether the rows have what a wording asks for."""
    rows = [*sheet.examples, sheet.query or {}]
    known = all(set(template.needed) <= set(row) for row in rows)
    answers = {row.get(template.answer, "") for row in rows} - {""}
    return known and (not template.labels or answers <= set(template.labels))


def shape(template: PromptTemplate) -> tuple[str, ...]:
    """What the look of the rows depends on."""
    return (*template.columns, "", *template.labels)


def example_json(sheet: Sheet, template: PromptTemplate) -> str:
    """The examples for ``promptwidgets.Rows``."""
    kept = [sheet.own(row) for row in sheet.examples]
    return _json(sheet.examples, template, single=False, kept=kept)


def query_json(sheet: Sheet, template: PromptTemplate) -> str:
    """The query for ``promptwidgets.Rows``."""
    return _json([sheet.query or {}], template, single=True)


def at_row(sheet: Sheet, rows: Sequence[Row], row: int) -> Sheet:
    """The sheet with another query; past the last comes the first."""
    row = row % len(rows) if rows else 0
    return replace(sheet, query=dict(rows[row]) if rows else None, row=row)


def _json(
    rows: Sequence[Row], template: PromptTemplate, *, single: bool, kept: Sequence[bool] = ()
) -> str:
    return prompt_view.sheet(
        rows,
        template.columns,
        template.answer,
        template.labels,
        single=single,
        kept=kept,
        stamp=uuid.uuid4().hex[:8],
    )
