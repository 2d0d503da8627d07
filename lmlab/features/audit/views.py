"""An audit as a table, and as CSV."""

import math

from lmlab.features.audit.results import Audit, Row
from lmlab.parts.html import filled
from lmlab.parts.tables import csv_of, rows_of


def table(found: Audit | None) -> str:
    """One row for each convention, with the tokens that make the difference."""
    return filled("features/audit/table", found=found, told=told, number=number, away=away)


def number(row: Row) -> str:
    """The value of a row as it is shown."""
    if math.isnan(row.value):
        return "–"
    digits = 3 if row.form == "bits" else 2
    return f"{row.value:,.{digits}f}" if row.value < 1e9 else f"{row.value:.3g}"


def away(row: Row, found: Audit) -> str:
    """How far a perplexity by token is from the definition's, in per cent."""
    base = found.rows[0].value
    if row.unit != "a token" or not math.isfinite(row.value / base) or row is found.rows[0]:
        return ""
    percent = 100 * (row.value / base - 1)
    return "the same" if abs(percent) < 0.005 else f"{percent:+.2f} %".replace("-", "−")


def told(row: Row, found: Audit) -> str:
    """Where the difference comes from, in numbers."""
    base = found.rows[0]
    if row.form == "mean":
        low, high = min(row.texts), max(row.texts)
        return f"the texts’ own perplexities: {low:,.1f} to {high:,.1f}"
    sums = f"Σ {base.total:,.2f} → {row.total:,.2f} nats" if row.changes else "the same tokens"
    if (row.count, row.counted) == (base.count, base.counted):
        return sums
    counted = "" if row.counted == base.counted else f" {row.counted}"
    return f"{sums}, ÷ {row.count:,.0f}{counted} for {base.count:,.0f} tokens"


def to_csv(found: Audit) -> str:
    """All rows."""
    rows = rows_of(
        found.rows,
        "key group name value unit nats=total count counted missing",
        who=lambda row: "; ".join(f"{library}: {place}" for library, place in row.who),
    )
    return csv_of(rows)
