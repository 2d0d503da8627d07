"""What the Prompt tab shows: rows, prompts, predictions and pairs as JSON for its components;
readings, figures and tables as HTML. Knows results only.
"""

import csv
import io
import json
import math
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lmlab.features.prompt.evaluations import Evaluation, Prediction
from lmlab.maths.agreement import exact_match
from lmlab.numbers import signed
from lmlab.parts.html import html
from lmlab.parts.strip import dump
from lmlab.parts.tables import neutral
from lmlab.text.parts import Prompt
from lmlab.text.reading import Answer
from lmlab.text.templates import PromptTemplate

if TYPE_CHECKING:
    from lmlab.features.prompt.service import Asked, Weighed
    from lmlab.features.prompt.sheet import Numbered, Sheet
    from lmlab.scoring.pairs import Judged, PairsResult

Labelled = Sequence[tuple[str, Evaluation]]
HTML = "features/prompt/views"
# Predictions that travel to the page, and characters of each query.
ROWS, SHOWN = 3000, 160
LISTED = 300  # pairs
MOST_LABELS = 24  # that are shown side by side
SPACE = (
    "The prompt ends in white space: many tokenizers keep a word together with the space before "
    "it, so that the answer has to begin oddly. Put the space into the target instead."
)


def preview(
    prompt: Prompt,
    asked: "Asked | None" = None,
    *,
    added: str = "",
    answer: Answer | None = None,
    notes: Sequence[str] = (),
) -> str:
    """A prompt by its parts, with its length where it was asked, what the model added to it and
    what was read in that; notes stand above it."""
    notes = [*notes, *(asked.notes if asked else ()), *([SPACE] if prompt.ends_in_space else ())]
    read = answer is not None and answer.value is not None and answer.end > answer.start
    return dump(
        {
            "parts": _parts(prompt),
            "plain": _parts(asked.plain) if asked and asked.plain else None,
            "n": asked.n_tokens if asked else None,
            "context": asked.context if asked else None,
            "added": added,
            "read": [answer.start, answer.end] if answer is not None and read else None,
            "notes": notes,
        }
    )


def problem(message: str) -> str:
    """A sentence in place of a prompt."""
    return dump({"error": message, "notes": []})


def _parts(prompt: Prompt) -> list[dict[str, Any]]:
    return [
        {"kind": part.kind, "index": part.index, "text": prompt.text[part.start : part.end]}
        for part in prompt.parts
    ]


def examples(sheet: "Sheet", template: PromptTemplate) -> str:
    """The examples, to type in."""
    return _rows(sheet.examples, template, [sheet.own(row) for row in sheet.examples])


def query(sheet: "Sheet", template: PromptTemplate) -> str:
    """The query, to type in."""
    return _rows([sheet.query or {}], template)


def _rows(
    rows: Sequence[Mapping[str, str]], template: PromptTemplate, kept: Sequence[bool] | None = None
) -> str:
    """Rows, and which of them stay when others are drawn; one row alone has none of that."""
    return dump(
        {
            "columns": template.columns,
            "answer": template.answer,
            "labels": list(template.labels),
            "single": kept is None,
            "rows": [dict(row) for row in rows],
            "kept": kept or [],
            "stamp": uuid.uuid4().hex[:8],  # tells equal rows apart
        }
    )


def pool(rows: "Sequence[Numbered]", columns: Sequence[str], found: int, total: int) -> str:
    """Rows to choose from: (number, row, whether it is chosen); ``found`` of ``total`` match."""
    shown = [
        {"n": n, "cells": [row.get(c, "")[:SHOWN] for c in columns], "on": on}
        for n, row, on in rows
    ]
    return dump({"rows": shown, "found": found, "total": total})


def predictions(results: Labelled) -> str:
    """The predictions of several designs, each under its label."""
    rows = [
        {
            "design": label if evaluation.draws < 2 else f"{label} · {p.draw + 1}",
            "row": p.row,
            "query": p.query[:SHOWN],
            "truth": p.truth,
            "answer": p.answer,
            "correct": p.correct,
            "nll": round(p.nll, 4),
            "reason": p.reason,
        }
        for label, evaluation in results
        for p in evaluation.predictions
    ]
    return dump({"rows": rows[:ROWS], "total": len(rows)})


def to_csv(evaluations: Sequence[Evaluation]) -> str:
    """One row for each prediction; with labels also ``ln_p(label)`` for each of them, with options
    of its own ``options`` and ``ln_p``, both JSON lists. A text that a spreadsheet would run as a
    formula gets a quote before it."""
    rows = [_csv_row(evaluation, p) for evaluation in evaluations for p in evaluation.predictions]
    out = io.StringIO(newline="")
    header = dict.fromkeys(name for row in rows for name in row)
    writer = csv.DictWriter(out, [*header], lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: neutral(v) if isinstance(v, str) else v for k, v in row.items()})
    return out.getvalue()


def _csv_row(evaluation: Evaluation, p: Prediction) -> dict[str, Any]:
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


def pair(found: "Judged", good: int, bad: int) -> str:
    """Two sentences with the tokens at which they part."""
    first, gap = found.prefers_good, abs(found.difference)
    sides = [_side(found.good, good, first), _side(found.bad, bad, not first)]
    said = f"A difference of {gap:.2f} nats: the {'first' if first else 'second'} sentence is "
    times = f"{math.exp(gap):,.1f} times" if gap < 30 else f"e^{gap:.0f} times"
    return dump({"sides": sides, "said": said, "ratio": f"{times} as likely."})


def _side(scored: Any, mark: int, better: bool) -> dict[str, Any]:
    tokens = [
        [t.text, None if t.logprob is None else round(-t.logprob, 4), t.rank or 0]
        for t in scored.tokens
    ]
    bits = (tokens[mark][1] or 0.0) / math.log(2)
    return {
        "tokens": tokens, "mark": mark, "better": better, "logprob": scored.logprob, "bits": bits,
    }  # fmt: skip


def reading(
    answer: Answer | None = None, weighed: "Weighed | None" = None, truth: str | None = None
) -> str:
    """What G read, whether it is right, and the labels by likelihood before and after
    calibration, the likeliest where there are many."""
    said = answer.value if answer is not None else None
    right = said is not None and truth is not None and exact_match(said, truth)
    p = weighed.probabilities if weighed else ()
    likely = sorted(range(len(p)), key=lambda i: -p[i])
    shown = sorted(likely[:MOST_LABELS])
    return html(HTML, "reading", answer, right, weighed, shown, truth, MOST_LABELS)


def cells(results: Labelled, *, under_way: bool = False) -> str:
    """The figures of every design, which may be under way."""
    chosen = any(evaluation.chosen for _, evaluation in results)
    extra = ("macro-F1", "ECE", "Brier") if chosen else ("token F1",)
    head = ("", "accuracy", "95 %", "± over draws", "NLL, nats", *extra, "queries", "seconds")
    rows = [(label, _figures(e), under_way) for label, e in results]
    notes = list(dict.fromkeys(note for _, evaluation in results for note in evaluation.notes))
    forms = dict.fromkeys(evaluation.form for _, evaluation in results)
    if list(forms) != ["plain"]:
        asked = "; ".join(
            f"{', '.join(label for label, e in results if e.form == form)}: {form} form"
            for form in forms
        )
        notes.insert(0, f"Asked in – {asked}.")
    return html(HTML, "cells", head, rows, notes)


def _figures(e: Evaluation) -> list[str]:
    figures = [
        signed(e.accuracy.mean, 3),
        f"{signed(e.accuracy.low, 3)} – {signed(e.accuracy.high, 3)}",
        f"{e.spread:.3f}" if e.draws > 1 else "–",
        signed(e.nll.mean, 3),
    ]
    more = (e.macro_f1, e.calibration_error, e.brier) if e.chosen else (e.f1.mean,)
    asked = f"{e.n:,}" + (f" × {e.draws}" if e.draws > 1 else "")
    unfit = f" ({len(e.unfit)} too long)" if e.unfit else ""
    return [*figures, *(signed(one, 3) for one in more), asked + unfit, f"{e.seconds:.1f}"]


def details(label: str, evaluation: Evaluation) -> str:
    """Of one design: accuracy by way of choosing a label, and the confusion matrix of its labels,
    of many those that are true most often."""
    if not evaluation.chosen:
        return ""
    labels = evaluation.labels
    found = evaluation.confusion if labels else []
    often = sorted(range(len(labels)), key=lambda i: -sum(found[i]))
    kept = sorted(often[:MOST_LABELS])
    most = max([1, *(found[i][j] for i in kept for j in kept)])
    counts = [[(found[i][j], found[i][j] / most) for j in kept] for i in kept]
    return html(HTML, "details", label, evaluation.by_way, labels, counts, kept)


def pair_table(result: "PairsResult") -> str:
    """The share of minimal pairs by kind."""
    counts = {kind: sum(row[0] == kind for row in result.rows) for kind in result.by_kind}
    found = {**result.by_kind, "all": result.accuracy}
    rows = [(kind, o.mean, counts.get(kind) or len(result.rows)) for kind, o in found.items()]
    said = f"{len(result.rows)} of {result.total} pairs, {result.model}"
    if result.portion:
        said = f"{result.model}. {result.portion.told('pairs')}"
    return html(HTML, "pair_table", rows, said)


def pair_list(result: "PairsResult") -> str:
    """Every pair with its difference, as far as there is room."""
    return html(HTML, "pair_list", result.rows, LISTED)
