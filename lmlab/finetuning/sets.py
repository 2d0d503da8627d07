"""The rows that a run learns from, and those that are held out. Knows no model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from lmlab.assets import assets_dir
from lmlab.data import sets as data
from lmlab.data.sets import Table
from lmlab.errors import InputError

Row = Mapping[str, str]

HELD_OUT = 0.1
FEWEST = 8


@dataclass(frozen=True)
class TuningData:
    """Two parts of a set that share no row.

    Attributes:
        name: as shown to people.
        train: what is learned from.
        valid: what is held out; may be empty.
        origin: where it came from: ``shipped``, ``upload``, ``hub`` or ``file``.
    """

    name: str
    train: tuple[Row, ...]
    valid: tuple[Row, ...]
    origin: str = "shipped"

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, in the order of their first appearance."""
        return tuple(dict.fromkeys(key for row in self.train for key in row))

    @property
    def n_bytes(self) -> int:
        """What the rows take on the disk, about."""
        rows = (*self.train, *self.valid)
        return sum(
            len(k) + len(v.encode("utf-8", "replace")) + 8 for r in rows for k, v in r.items()
        )

    def check(self, columns: Sequence[str]) -> None:
        """Refuse a row that lacks a column or has nothing in it.

        Raises:
            InputError: names the row, counted from 1 within its part; or there are too few rows.
        """
        if len(self.train) < FEWEST:
            raise InputError(
                f"‘{self.name}’ has {len(self.train)} rows to learn from; that is too few.",
                f"Give at least {FEWEST}.",
            )
        self.check_rows(columns)

    def check_rows(self, columns: Sequence[str], first: int = 1) -> None:
        """The same for however few rows; ``first`` is the number of the first."""
        for part, rows in (("training", self.train), ("held-out", self.valid)):
            for number, row in enumerate(rows, first):
                _check(row, columns, f"{self.name}, row {number} of the {part} part")


def shipped_data(name: str) -> TuningData:
    """A shipped set: its training and validation parts."""
    found = data.shipped(name, "valid")
    return TuningData(name, found.pool, found.queries)


def split_table(
    table: Table,
    fields: Mapping[str, str] | None = None,
    *,
    seed: int = 0,
    held_out: float = HELD_OUT,
    limit: int | None = None,
    origin: str = "upload",
) -> TuningData:
    """Two parts of one table, by chance; a row that occurs twice is kept once.

    Args:
        table: the rows.
        fields: {a template's field: the table's column}, none of which may be empty; columns not
            named keep their names.
        seed: of the split.
        held_out: share of the rows that is held out, from 0 to 0.9.
        limit: most rows; the first ones after shuffling are kept.
        origin: where the table came from.

    Raises:
        InputError: a column that is not there, or is empty in some row; says which.
    """
    if not 0 <= held_out <= 0.9:
        raise InputError("The share of rows held out is a number from 0 to 0.9.")
    if fields:
        used = set(fields.values())
        same = {column: column for column in table.columns if column not in used}
        table = table.mapped({**same, **fields})
        # Here, as nobody could find a row by its number once they are shuffled.
        for number, row in enumerate(table.rows, 1):
            _check(row, tuple(fields), f"{table.name}, row {number}")
    rows = list({tuple(sorted(row.items())): row for row in table.rows}.values())
    Random(seed).shuffle(rows)
    rows = rows[:limit]
    cut = min(len(rows) - 1, round(len(rows) * held_out))
    return TuningData(table.name, tuple(rows[cut:]), tuple(rows[:cut]), origin)


def _check(row: Row, columns: Sequence[str], place: str) -> None:
    for column in columns:
        if column not in row:
            had = ", ".join(row) or "none"
            raise InputError(f"{place}: column ‘{column}’ is missing.", f"It has {had}.")
        if not row[column].strip():
            raise InputError(f"{place}: column ‘{column}’ is empty.")


def probe_texts(count: int) -> list[str]:
    """General texts for forgetting, an even choice among the shipped ones."""
    rows = data.read_file(assets_dir() / "datasets" / "probes" / "general.jsonl").rows
    count = min(count, len(rows))
    return [rows[i * len(rows) // count]["text"] for i in range(count)]
