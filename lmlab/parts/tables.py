"""Results as pandas tables and as CSV that is safe to open in a spreadsheet."""

import math

import pandas as pd

from lmlab.results.scored import Scored

LN2 = math.log(2)
# A cell that begins with one of these is taken for a formula (OWASP, "CSV injection").
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def factors(scored: Scored, other: Scored | None = None) -> pd.DataFrame:
    """One row for each token: the factors of the text's likelihood.

    Columns: ``i`` (from 1), ``token``, ``id``, ``start`` and ``end`` (characters), ``p``,
    ``ln_p`` (nats), ``surprisal_bits``, ``rank``, ``entropy_bits``; with ``other``, whose tokens
    must be the same, also ``ln_p_2``, ``rank_2`` and ``difference_bits``.
    """
    tokens = scored.tokens
    table = pd.DataFrame(
        {
            "i": range(1, len(tokens) + 1),
            "token": [token.text for token in tokens],
            "id": [token.id for token in tokens],
            "start": [token.start for token in tokens],
            "end": [token.end for token in tokens],
            "p": [None if t.logprob is None else math.exp(t.logprob) for t in tokens],
            "ln_p": [token.logprob for token in tokens],
            "surprisal_bits": [None if t.logprob is None else -t.logprob / LN2 for t in tokens],
            "rank": pd.array([token.rank for token in tokens], dtype="Int64"),
            "entropy_bits": [None if t.entropy is None else t.entropy / LN2 for t in tokens],
        }
    )
    if other is not None:
        table["ln_p_2"] = [token.logprob for token in other.tokens]
        table["rank_2"] = pd.array([token.rank for token in other.tokens], dtype="Int64")
        table["difference_bits"] = (table["ln_p_2"] - table["ln_p"]) / LN2
    return table


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
