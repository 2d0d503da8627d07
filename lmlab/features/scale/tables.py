"""The Scale tab's tables as CSV that is safe to open in a spreadsheet."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from lmlab.features.scale.counts import PartCount
from lmlab.features.scale.measured import Measured
from lmlab.features.scale.published import Row
from lmlab.parts.tables import neutral


def rows_csv(rows: Sequence[Row]) -> str:
    """Models, one a row."""
    table = [
        {
            "model": row.name,
            "year": row.year,
            "layers": row.layers,
            "width": row.width,
            "heads": row.heads,
            "vocabulary": row.vocabulary,
            "context": row.context,
            "parameters_nominal": row.nominal,
            "parameters_exact": row.exact,
            "tokens_seen": row.tokens,
            "trained_on": row.data,
            "model_public": row.opened.model if row.opened else "",
            "data_public": row.opened.data if row.opened else "",
            "code_public": row.opened.code if row.opened else "",
            "note": row.why,
            "source": row.source,
        }
        for row in rows
    ]
    return _csv(table)


def parts_csv(parts: Sequence[PartCount]) -> str:
    """Parameters by part."""
    table = [
        {
            "part": part.name,
            "formula": part.formula,
            "each": part.each,
            "times": part.times,
            "parameters": part.total,
        }
        for part in parts
    ]
    return _csv(table)


def measured_csv(found: Sequence[Measured]) -> str:
    """What was measured, one model and kind a row."""
    table = [
        {
            "model": one.model,
            "kind": one.kind,
            "parameters": one.parameters,
            "tokens_seen": one.tokens_seen,
            "training_flops": one.flops,
            "bits_per_byte": one.bits_per_byte,
            "perplexity": one.perplexity,
            "nats": one.nats,
            "tokens": one.n_tokens,
            "bytes": one.n_bytes,
            "texts": one.n_texts,
            "vocabulary": one.vocabulary,
        }
        for one in found
    ]
    return _csv(table)


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    cells = [{k: neutral(v) if isinstance(v, str) else v for k, v in row.items()} for row in rows]
    # As objects, or whole numbers beside an empty cell would become fractions.
    table = pd.DataFrame(cells, dtype=object)
    return str(table.to_csv(index=False, lineterminator="\r\n"))
