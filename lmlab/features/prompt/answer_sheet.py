"""Predictions as CSV that is safe to open in a spreadsheet."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from lmlab.features.prompt.evaluations import Evaluation, Prediction
from lmlab.parts.tables import neutral


def to_csv(evaluations: Sequence[Evaluation]) -> str:
    """One row for each prediction; with labels also ``ln_p(label)`` for each of them, with options
    of its own ``options`` and ``ln_p``, both JSON lists. A text that a spreadsheet would run as a
    formula gets a quote before it."""
    rows = [_row(evaluation, p) for evaluation in evaluations for p in evaluation.predictions]
    out = io.StringIO(newline="")
    header = dict.fromkeys(name for row in rows for name in row)
    writer = csv.DictWriter(out, [*header], lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: neutral(v) if isinstance(v, str) else v for k, v in row.items()})
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
    scores = [round(value, 6) for value in p.logprobs]
    if p.options:
        row |= {"options": json.dumps(p.options, ensure_ascii=False), "ln_p": json.dumps(scores)}
    labelled = zip(evaluation.labels, scores, strict=False)
    return row | {f"ln_p({label})": score for label, score in labelled}
