"""Results as pandas tables and as CSV that is safe to open in a spreadsheet."""

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
    if other is None:
        return table
    for one in measures(other.tokens.columns):
        table[f"{one.name}_2"] = _values(one, other.tokens.columns)
    both = scored.tokens.beside(other.tokens)
    return table.assign(**{one.name: _values(one, both) for one in measures(both) if one.pair})


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


def neutral(cell: str) -> str:
    """A text cell that no spreadsheet takes for a formula.

    Spaces before the sign do not protect: some programs trim them.
    """
    return f"'{cell}" if cell.lstrip(" ").startswith(FORMULA_STARTS) else cell
