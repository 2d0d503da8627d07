"""What the Prompt tab shows besides its own components: readings, figures and tables, as escaped
HTML.
"""

import math
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from lmlab.features.prompt.evaluations import Evaluation
from lmlab.features.prompt.queried import Weighed
from lmlab.maths.agreement import exact_match
from lmlab.numbers import signed
from lmlab.text.reading import Answer
from lmlab.text.templates import PromptTemplate

if TYPE_CHECKING:
    from lmlab.scoring.pairs import PairsResult

LISTED = 300  # pairs
NOTHING = '<p class="lm-why">Run the query to see what the model answers.</p>'
MOST_LABELS = 24  # that are shown side by side


def reading(
    template: PromptTemplate, answer: Answer | None, weighed: Weighed | None, truth: str | None
) -> str:
    """What G read, whether it is right, and the labels by likelihood."""
    parts = []
    if answer is not None:
        said = escape(answer.value) if answer.value is not None else "nothing"
        right = answer.value is not None and truth is not None and exact_match(answer.value, truth)
        mark = "" if truth is None else _mark(right, truth)
        why = f'<p class="lm-why">{escape(answer.reason)}</p>' if answer.reason else ""
        parts.append(
            f'<div class="lm-answer"><span class="lm-name">G reads</span><b dir="auto">{said}</b>'
            f"{mark}</div>{why}"
        )
    if weighed is not None:
        chosen = weighed.choices["sum"]
        mark = "" if truth is None else _mark(chosen == truth, truth)
        parts.append(
            '<div class="lm-answer"><span class="lm-name">by likelihood</span>'
            f'<b dir="auto">{escape(chosen)}</b>{mark}</div>'
        )
        parts.append(_bars(weighed, truth))
    return "".join(parts) or NOTHING


def _mark(right: bool, truth: str) -> str:
    if right:
        return '<span class="lm-mark right">✓ right</span>'
    return f'<span class="lm-mark wrong">✗ it is {escape(truth[:60])}</span>'


def _bars(weighed: Weighed, truth: str | None) -> str:
    """Each label's probability before and after calibration."""
    after = weighed.calibrated
    rows = ""
    likely = sorted(range(len(weighed.labels)), key=lambda i: -weighed.probabilities[i])
    shown = sorted(likely[:MOST_LABELS])
    for i in shown:
        label = weighed.labels[i]
        first = f'<i class="own" style="width:{100 * weighed.probabilities[i]:.1f}%"></i>'
        kind = " actual" if label == truth else ""
        second = f'<i class="after" style="width:{100 * after[i]:.1f}%"></i>' if after else ""
        value = f"{weighed.probabilities[i]:.3f}" + (f" → {after[i]:.3f}" if after else "")
        rows += (
            f'<div class="lm-labelrow{kind}"><b>{escape(label)}</b><span class="lm-pair">'
            f"{first}{second}</span><em>{value}</em></div>"
        )
    key = '<i class="own"></i>probability' + (
        '<i class="after"></i>after calibration' if after else ""
    )
    if more := len(weighed.labels) - len(shown):
        key += f" · the {MOST_LABELS} likeliest; {more:,} more are not shown"
    return f'<div class="lm-labels">{rows}</div><p class="lm-key">{key}</p>'


def cells(results: Sequence[tuple[str, Evaluation]], *, under_way: bool = False) -> str:
    """The figures of every design; the last one may be under way."""
    if not results:
        return ""
    chosen = any(evaluation.chosen for _, evaluation in results)
    extra = ("macro-F1", "ECE", "Brier") if chosen else ("token F1",)
    names = ("", "accuracy", "95 %", "± over draws", "NLL, nats", *extra, "queries", "seconds")
    head = "".join(f"<th>{name}</th>" for name in names)
    last = len(results) - 1 if under_way else -1
    body = "".join(_row(label, e, going=i == last) for i, (label, e) in enumerate(results))
    notes = dict.fromkeys(note for _, evaluation in results for note in evaluation.notes)
    forms = dict.fromkeys(evaluation.form for _, evaluation in results)
    if list(forms) != ["plain"]:
        asked = "; ".join(
            f"{', '.join(label for label, e in results if e.form == form)}: {form} form"
            for form in forms
        )
        notes = dict.fromkeys([f"Asked in – {asked}.", *notes])
    said = "".join(f"<p>{escape(note)}</p>" for note in notes)
    return (
        f'<div class="lm-notes">{said}</div>'
        '<div class="lm-scroll" tabindex="0" role="region" aria-label="What was measured">'
        f'<table class="lm-table lm-cells2"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _row(label: str, e: Evaluation, *, going: bool) -> str:
    found = e.accuracy
    figures = [
        f"<b>{_number(found.mean)}</b>",
        f"{_number(found.low)} – {_number(found.high)}",
        f"{e.spread:.3f}" if e.draws > 1 else "–",
        _number(e.nll.mean),
    ]
    if e.chosen:
        figures += [_number(e.macro_f1), _number(e.calibration_error), _number(e.brier)]
    else:
        figures.append(_number(e.f1.mean))
    asked = f"{e.n:,}" + (f" × {e.draws}" if e.draws > 1 else "")
    unfit = f" ({len(e.unfit)} too long)" if e.unfit else ""
    figures += [asked + unfit, f"{e.seconds:.1f}"]
    row = "".join(f"<td>{figure}</td>" for figure in figures)
    if going:
        return f'<tr class="going"><td class="words">{escape(label)} <i>so far</i></td>{row}</tr>'
    return f'<tr><td class="words">{escape(label)}</td>{row}</tr>'


def details(label: str, evaluation: Evaluation) -> str:
    """Of one design: accuracy by way of choosing a label, and the confusion matrix."""
    if not evaluation.chosen:
        return ""
    ways = "".join(
        f"<tr><td>{way}</td><td>{value:.3f}</td></tr>" for way, value in evaluation.by_way.items()
    )
    whose = f'<p class="lm-why">In detail: {escape(label)}</p>'
    matrix = _confusion(evaluation) if evaluation.labels else ""
    return (
        f'{whose}<div class="lm-details"><section><h3>Accuracy by how a label is chosen</h3>'
        f'<table class="lm-table lm-ways"><tbody>{ways}</tbody></table></section>{matrix}</div>'
    )


def _confusion(evaluation: Evaluation) -> str:
    """True labels against answers; of many labels, those that are true most often."""
    found, labels = evaluation.confusion, evaluation.labels
    often = sorted(range(len(labels)), key=lambda i: -sum(found[i]))
    kept = sorted(often[:MOST_LABELS])
    head = "".join(f"<th>{escape(labels[i])}</th>" for i in kept)
    most = max(1, *(found[i][j] for i in kept for j in kept))
    rows = "".join(
        f'<tr><th scope="row">{escape(labels[i])}</th>'
        + "".join(f'<td style="--share:{found[i][j] / most:.2f}">{found[i][j]}</td>' for j in kept)
        + "</tr>"
        for i in kept
    )
    some = f", the {len(kept)} labels that are true most often" if len(kept) < len(labels) else ""
    return (
        f"<section><h3>True label (rows) and answer (columns){some}</h3>"
        '<div class="lm-scroll" tabindex="0" role="region" aria-label="True label and answer">'
        f'<table class="lm-confusion"><thead><tr><td></td>{head}</tr>'
        f"</thead><tbody>{rows}</tbody></table></div></section>"
    )


def pair_table(result: "PairsResult") -> str:
    """The share of minimal pairs by kind."""
    found = {**result.by_kind, "all": result.accuracy}
    counts = {kind: sum(row[0] == kind for row in result.rows) for kind in found}
    rows = "".join(
        f'<div class="lm-labelrow"><b>{escape(kind)}</b><span class="lm-pair">'
        f'<i class="after" style="width:{100 * one.mean:.0f}%"></i></span>'
        f"<em>{one.mean:.2f} <small>of {counts[kind] or len(result.rows)}</small></em></div>"
        for kind, one in found.items()
    )
    said = f"{len(result.rows)} of {result.total} pairs, {escape(result.model)}"
    return f'<div class="lm-labels">{rows}</div><p class="lm-key">{said}</p>'


def pair_list(result: "PairsResult") -> str:
    """Every pair with its difference, as far as there is room."""
    rows = "".join(
        f'<tr class="{"" if gap > 0 else "wrong"}"><td>{"✓" if gap > 0 else "✗"}</td>'
        f'<td>{signed(gap)}</td><td class="words" dir="auto">{escape(good)}</td>'
        f'<td class="words" dir="auto">{escape(bad)}</td></tr>'
        for _, good, bad, gap in result.rows[:LISTED]
    )
    more = len(result.rows) - LISTED
    said = f'<p class="lm-why">{more:,} more are not listed.</p>' if more > 0 else ""
    return (
        f"<details><summary>Every pair</summary>"
        '<div class="lm-scroll" tabindex="0" role="region" aria-label="Every pair">'
        '<table class="lm-table lm-pairs"><thead><tr><th></th><th>nats</th><th>first</th>'
        f"<th>second</th></tr></thead><tbody>{rows}</tbody></table></div>{said}</details>"
    )


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}".replace("-", "−")
