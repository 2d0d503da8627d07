"""What the Change tab is given of changed weights: JSON for its own components, and CSV."""

import base64
import csv
import io
import math
from collections.abc import Sequence
from typing import Any

from lmlab.features.change.changes import MatrixChange
from lmlab.features.change.matrices import Changes, Knifed, MatrixView, Picture, Unchanged
from lmlab.parts.strip import dump
from lmlab.parts.tables import neutral

COLUMNS = (
    "matrix", "layer", "kind", "shape", "norm_w", "norm_delta", "relative", "effective_rank",
    "stable_rank", "lora_rank", "largest_singular_value",
)  # fmt: skip
KNIFE_COLUMNS = (
    "k", "task_perplexity", "general_perplexity", "task_log_perplexity", "general_log_perplexity",
    "task_bits_per_byte", "general_bits_per_byte", "share_of_squared_norm",
)  # fmt: skip


def change_map(changes: Changes) -> str:
    """The map of layers × matrices, for ``ChangeMap``."""
    inside = [one for one in changes.matrices if one.layer is not None]
    cells = [_cell(one) for one in changes.matrices]
    return dump(
        {
            "base": changes.base,
            "tuned": changes.tuned,
            "layers": sorted({one.layer for one in inside if one.layer is not None}),
            "kinds": list(dict.fromkeys(one.kind for one in inside)),
            "cells": cells,
            "chosen": largest(changes).name,
        }
    )


def nothing(soft: Unchanged) -> str:
    """That a soft prompt changes no weight, for ``ChangeMap`` and ``KnifeCurves``."""
    return dump(
        {
            "cells": [],
            "title": f"{soft.tuned} changes no weight: every ΔW is 0",
            "said": f"All that was learned is a soft prompt: {soft.length:,} vectors of "
            f"{soft.width:,} numbers, which are put before every text. Distribution shows what "
            "they do.",
        }
    )


def largest(changes: Changes) -> MatrixChange:
    """The matrix that changed most for its size."""
    matrices = [one for one in changes.matrices if len(one.shape) == 2] or changes.matrices
    return max(matrices, key=lambda one: one.relative if math.isfinite(one.relative) else -1.0)


def _cell(one: MatrixChange) -> dict[str, Any]:
    matrix = bool(one.singular_values)
    return {
        "name": one.name,
        "layer": one.layer,
        "kind": one.kind,
        "shape": list(one.shape),
        "norm": _number(one.norm),
        "change": _number(one.change),
        "relative": _number(one.relative),
        "effective": _number(one.effective_rank) if matrix else None,
        "stable": _number(one.stable_rank) if matrix else None,
        "rank": one.rank,
    }


def pictures(view: MatrixView) -> str:
    """W, ΔW, V and U, for ``MatrixPictures``."""
    parts = {"w": view.w, "delta": view.delta, "v": view.v, "u": view.u}
    drawn = {name: _picture(part) for name, part in parts.items() if part is not None}
    return dump({"name": view.change.name, **drawn})


def _picture(part: Picture) -> dict[str, Any]:
    return {
        "shape": list(part.shape),
        "rows": part.rows,
        "columns": part.columns,
        "largest": _number(part.largest),
        "entries": base64.b64encode(part.entries).decode("ascii"),
    }


def knife(found: Knifed) -> str:
    """The rank knife's curves, for ``KnifeCurves``."""
    return dump(
        {
            "base": found.base,
            "tuned": found.tuned,
            "task": found.task,
            "general": found.general,
            "ranks": list(found.ranks),
            "points": [
                {
                    "k": point.k,
                    "task": _number(point.task),
                    "general": _number(point.general),
                    "taskBits": _number(point.task_bits),
                    "generalBits": _number(point.general_bits),
                    "kept": _number(point.kept),
                }
                for point in found.points
            ],
            "whole": [_number(found.whole.task), _number(found.whole.general)]
            if found.whole
            else None,
            "gap": _number(found.gap) if found.gap is not None else None,
        }
    )


def changes_csv(changes: Changes) -> str:
    """One row for each matrix and vector."""
    return _csv(COLUMNS, [_row(one) for one in changes.matrices])


def _row(one: MatrixChange) -> list[Any]:
    matrix = bool(one.singular_values)
    return [
        neutral(one.name),
        "" if one.layer is None else one.layer,
        neutral(one.kind),
        "x".join(map(str, one.shape)),
        one.norm,
        one.change,
        one.relative,
        one.effective_rank if matrix else "",
        one.stable_rank if matrix else "",
        one.rank or "",
        one.singular_values[0] if matrix else "",
    ]


def knife_csv(found: Knifed) -> str:
    """One row for each k."""
    rows = [
        [
            point.k, math.exp(point.task), math.exp(point.general), point.task, point.general,
            point.task_bits, point.general_bits, point.kept,
        ]
        for point in found.points
    ]  # fmt: skip
    return _csv(KNIFE_COLUMNS, rows)


def _csv(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\r\n")
    table.writerow(head)
    table.writerows(rows)
    return written.getvalue()


def _number(value: float) -> float | None:
    """With seven digits; None where it is no finite number."""
    return float(f"{value:.7g}") if math.isfinite(value) else None
