"""Results as pandas tables and as CSV that is safe to open in a spreadsheet."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from lmlab.measures import Columns, Measure, measures
from lmlab.scoring.scored import Scored

# A cell that begins with one of these is taken for a formula (OWASP, "CSV injection").
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def factors(scored: Scored, other: Scored | None = None) -> pd.DataFrame:
    """One row for each token: the factors of the text's likelihood.

    Columns: ``i`` (from 1), ``token``, ``id``, ``start`` and ``end`` (characters), and every
    measure by its ``name``; with ``other``, whose tokens must be the same, also its measures
    (``…_2``) and those of two models.
    """
    tokens = scored.tokens
    table = pd.DataFrame(
        {
            "i": range(1, len(tokens) + 1),
            "token": tokens.texts,
            "id": tokens.columns["id"].astype(int),
            "start": tokens.starts,
            "end": tokens.ends,
        }
    )
    for one in measures(tokens.columns):
        table[one.name] = _values(one, tokens.columns)
    if other is not None:
        for one in measures(other.tokens.columns):
            table[f"{one.name}_2"] = _values(one, other.tokens.columns)
        both = scored.tokens.beside(other.tokens)
        for one in measures(both):
            if one.pair:
                table[one.name] = _values(one, both)
    return table


def _values(one: Measure, columns: Columns) -> "pd.Series[float]":
    values = pd.Series(one.value(columns))
    whole = one.digits == 0 and not np.isinf(values).any()
    return values.round().astype("Int64") if whole else values


def to_csv(scored: Scored, other: Scored | None = None, *, separator: str = ",") -> str:
    """The factors as CSV; a token that a spreadsheet would run as a formula gets a quote before it.

    >>> neutral("=cmd|' /C calc'!A0")
    "'=cmd|' /C calc'!A0"
    """
    table = factors(scored, other)
    table["token"] = [neutral(text) for text in table["token"]]
    return str(table.to_csv(index=False, sep=separator, lineterminator="\r\n"))


def csv_of(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows with the same columns as CSV that is safe to open in a spreadsheet."""
    cells = [{k: neutral(v) if isinstance(v, str) else v for k, v in row.items()} for row in rows]
    # As objects, or whole numbers beside an empty cell would become fractions.
    return str(pd.DataFrame(cells, dtype=object).to_csv(index=False, lineterminator="\r\n"))


def rows_of(
    items: Iterable[Any], columns: str, **made: Callable[[Any], Any]
) -> Iterator[dict[str, Any]]:
    """Things as rows for ``csv_of``.

    Args:
        items: one a row.
        columns: with blanks between: attributes, or ``name=attribute`` where a column has another
            name; ``a.b`` is empty where ``a`` is None.
        made: columns among them that are no attributes.
    """
    named = (column.partition("=") for column in columns.split())
    take = {name: made.get(name) or partial(_attribute, own or name) for name, _, own in named}
    return ({name: value(item) for name, value in take.items()} for item in items)


def _attribute(path: str, item: Any) -> Any:
    for name in path.split("."):
        item = None if item is None else getattr(item, name)
    return item


def neutral(cell: str) -> str:
    """A text cell that no spreadsheet takes for a formula.

    Spaces before the sign do not protect: some programs trim them.
    """
    return f"'{cell}" if cell.lstrip(" ").startswith(FORMULA_STARTS) else cell
