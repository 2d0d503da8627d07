"""Prompts, predictions and pairs as JSON for the page. Knows results only, by type."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lmlab.parts.strip import dump

if TYPE_CHECKING:
    from lmlab.features.prompt.evaluations import Evaluation
    from lmlab.scoring.pairs import Judged
    from lmlab.text.parts import Prompt
    from lmlab.text.reading import Answer

# Predictions that travel to the page, and characters of each query.
ROWS, SHOWN = 3000, 160
SPACE = (
    "The prompt ends in white space: many tokenizers keep a word together with the space before "
    "it, so that the answer has to begin oddly. Put the space into the target instead."
)


def preview(
    prompt: "Prompt",
    *,
    length: tuple[int, int] | None = None,
    plain: "Prompt | None" = None,
    added: str = "",
    answer: "Answer | None" = None,
    notes: Sequence[str] = (),
) -> str:
    """A prompt by its parts."""
    found = [*notes, *([SPACE] if prompt.ends_in_space else [])]
    read = answer is not None and answer.value is not None and answer.end > answer.start
    value: dict[str, Any] = {
        "parts": _parts(prompt),
        "plain": _parts(plain) if plain is not None else None,
        "n": length[0] if length else None,
        "context": length[1] if length else None,
        "added": added,
        "read": [answer.start, answer.end] if read and answer is not None else None,
        "notes": found,
    }
    return dump(value)


def problem(message: str) -> str:
    """A sentence in place of a prompt."""
    return dump({"error": message, "notes": []})


def sheet(
    rows: Sequence[Mapping[str, str]],
    columns: Sequence[str],
    answer: str,
    labels: Iterable[str],
    *,
    single: bool,
    kept: Sequence[bool] = (),
    stamp: str,
) -> str:
    """Rows that can be edited: which stay as they are when others are drawn; ``stamp`` tells equal
    ones apart."""
    value = {"columns": columns, "answer": answer, "labels": list(labels), "single": single}
    rows = [dict(row) for row in rows]
    return dump({**value, "rows": rows, "kept": list(kept), "stamp": stamp})


def pool(
    rows: Sequence[tuple[int, Mapping[str, str], bool]],
    columns: Sequence[str],
    found: int,
    total: int,
) -> str:
    """Rows to choose from: (number, row, whether it is chosen); ``found`` of ``total`` match."""
    shown = [
        {"n": n, "cells": [row.get(c, "")[:SHOWN] for c in columns], "on": on}
        for n, row, on in rows
    ]
    return dump({"rows": shown, "found": found, "total": total})


def predictions(results: Sequence[tuple[str, "Evaluation"]]) -> str:
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


def pair(found: "Judged", good: int, bad: int) -> str:
    """Two sentences with the tokens at which they part."""
    first = found.prefers_good
    gap = abs(found.difference)
    sides = [_side(found.good, good, first), _side(found.bad, bad, not first)]
    said = f"A difference of {gap:.2f} nats: the {'first' if first else 'second'} sentence is "
    return dump({"sides": sides, "said": said, "ratio": f"{_times(gap)} as likely."})


def _times(nats: float) -> str:
    return f"{2.718281828459045**nats:,.1f} times" if nats < 30 else f"e^{nats:.0f} times"


def _side(scored: Any, mark: int, better: bool) -> dict[str, Any]:
    tokens = [
        [t.text, None if t.logprob is None else round(-t.logprob, 4), t.rank or 0]
        for t in scored.tokens
    ]
    nats = tokens[mark][1] or 0.0
    return {
        "tokens": tokens,
        "mark": mark,
        "better": better,
        "logprob": scored.logprob,
        "bits": nats / 0.6931471805599453,
    }


def _parts(prompt: "Prompt") -> list[dict[str, Any]]:
    return [
        {"kind": part.kind, "index": part.index, "text": prompt.text[part.start : part.end]}
        for part in prompt.parts
    ]
