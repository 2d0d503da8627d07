"""Predictions as rows, for the page and for CSV that is safe to open in a spreadsheet."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from lmlab.features.prompt.evaluations import Evaluation
from lmlab.parts.tables import neutral
from lmlab.text.predictions import Prediction

COLUMNS = (
    "model",
    "template",
    "data",
    "shots",
    "draw",
    "row",
    "query",
    "truth",
    "answer",
    "correct",
    "nll",
    "n_tokens",
    "n_prompt",
    "f1",
    "completion",
    "reason",
)
OWN = ("options", "ln_p")


def rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """One row for each prediction; with labels also ``ln_p(label)`` for each of them, with options
    of its own ``options`` and ``ln_p``, both JSON lists."""
    return [_row(evaluation, p) for p in evaluation.predictions]


def to_csv(evaluations: Sequence[Evaluation], separator: str = ",") -> str:
    """All predictions; a text that a spreadsheet would run as a formula gets a quote before it."""
    labels = dict.fromkeys(label for e in evaluations for label in e.labels)
    own = any(p.options for e in evaluations for p in e.predictions)
    header = [*COLUMNS, *(OWN if own else ()), *(_name(label) for label in labels)]
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator, lineterminator="\r\n")
    writer.writerow([neutral(name) for name in header])
    for evaluation in evaluations:
        for row in rows(evaluation):
            cells = [row.get(name, "") for name in header]
            writer.writerow([neutral(cell) if isinstance(cell, str) else cell for cell in cells])
    return out.getvalue()


def _row(evaluation: Evaluation, p: Prediction) -> dict[str, Any]:
    row = {
        "model": evaluation.model,
        "template": evaluation.template,
        "data": evaluation.data,
        "shots": evaluation.shots,
        "draw": p.draw + 1,
        "row": p.row,
        "query": p.query,
        "truth": p.truth,
        "answer": "" if p.answer is None else p.answer,
        "correct": int(p.correct),
        "nll": round(p.nll, 6),
        "n_tokens": p.n_tokens,
        "n_prompt": p.n_prompt,
        "f1": "" if p.logprobs else round(p.f1, 6),
        "completion": p.completion,
        "reason": p.reason,
    }
    if p.options:
        scores = [round(value, 6) for value in p.logprobs]
        row |= {"options": json.dumps(p.options, ensure_ascii=False), "ln_p": json.dumps(scores)}
    pairs = zip(evaluation.labels, p.logprobs, strict=False)
    return row | {_name(label): round(value, 6) for label, value in pairs}


def _name(label: str) -> str:
    return f"ln_p({label})"
