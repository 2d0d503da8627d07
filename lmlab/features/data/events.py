"""What happens in the Data tab's lower half: a corpus is read, looked at, cleaned, handed over."""

import json
import math
import uuid
from collections.abc import Callable
from html import escape
from typing import Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.features.data import cleaning, plots
from lmlab.features.data.findings import Cleaned, Cleaning, Inspected
from lmlab.features.data.language_names import language_name
from lmlab.features.data.service import Corpora
from lmlab.lab import Lab
from lmlab.parts.stream import Busy, Work, result
from lmlab.text.documents import CUTS

OWN = "own text"
EXACT, NEAR, MASK, FILTER = (
    "drop exact duplicates",
    "drop near duplicates",
    "mask personal data",
    "drop above the threshold",
)
WISHES = (EXACT, NEAR, MASK, FILTER)
ALL = "all languages"


def inspector(lab: Lab) -> Callable[..., Work]:
    """The handler of Inspect."""

    def inspect(
        source: str,
        file: Any,
        pasted: str | None,
        cut: str,
        model: str,
        similarity: float | None,
        wishes: list[str],
    ) -> Work:
        name, texts = chosen(lab, source, file, pasted, cut)
        yield Busy("reading …")
        if similarity is None:
            raise InputError("The similarity of near duplicates is empty.", "Type a number.")
        steps = lab.service(Corpora).inspect(model, name, texts, float(similarity))
        found = yield from result(steps, Inspected, lambda step: Busy(step.message, step.share))
        return drawn(found, wishes)

    return inspect


def chosen(
    lab: Lab, source: str, file: Any, pasted: str | None, cut: str
) -> tuple[str, tuple[str, ...]]:
    """The corpus that is meant: its name and its documents."""
    if source != OWN:
        return source, lab.service(Corpora).sample(source)
    if cut not in CUTS:
        raise InputError("Choose where the text is cut.")
    if file is not None and lab.settings.uploads:
        name = str(getattr(file, "orig_name", None) or file).rsplit("/", 1)[-1]
        most = 4 * lab.service(Corpora).limits.chars + 1
        with open(str(file), "rb") as opened:
            return name, lab.service(Corpora).read(opened.read(most), name, cut)
    if not (pasted or "").strip():
        raise InputError("There is no text.", "Choose a file, or paste one.")
    return "the pasted text", lab.service(Corpora).read(pasted or "", "the pasted text", cut)


def drawn(corpus: Inspected, wishes: list[str]) -> dict[str, Any]:
    """What a corpus is shown in, the threshold, and what is kept of it."""
    at = plots.threshold(corpus)
    names = [(ALL, "")] + [
        (f"{language_name(code)} ({n})", code) for code, n in corpus.languages() if code
    ]
    return {
        "findings": plots.findings(corpus),
        "quality": plots.quality(corpus, at),
        "language": gr.update(choices=names, value=""),
        "at": at,
        "kept": corpus,
        "summary": summary(corpus, wishes, "", at),
    }


def wanted(wishes: list[str], language: str | None, at: float | None) -> Cleaning:
    """What the form says."""
    return Cleaning(
        exact=EXACT in wishes,
        near=NEAR in wishes,
        mask=MASK in wishes,
        languages=(language,) if language else (),
        most_bits=at if FILTER in wishes else None,
    )


def cut_at(event: gr.EventData) -> Any:
    """Where the threshold was left."""
    try:
        at = float(event.at)
    except (AttributeError, TypeError, ValueError):
        return gr.skip()
    return at if math.isfinite(at) and at >= 0 else gr.skip()


def summed(
    corpus: Inspected | None, wishes: list[str], language: str | None, at: float | None
) -> str:
    """The summary for what the form says now."""
    return "" if corpus is None else summary(corpus, wishes, language, at)


def summary(corpus: Inspected, wishes: list[str], language: str | None, at: float | None) -> str:
    """What is left of a corpus step by step, as escaped HTML."""
    left = cleaning.clean(corpus, wanted(wishes, language, at))
    everything = len(corpus.documents)
    rows, n = [_bar("as it came", everything, everything)], everything
    for reason, count in left.dropped.items():
        if count:
            n -= count
            rows.append(_bar(f"without {_plural(reason, language)}", n, everything, -count))
    return (
        f'<div class="lm-funnel">{"".join(rows)}</div>'
        f'<p class="lm-left"><b>{len(left.kept):,} of {everything:,} documents</b>, '
        f"{left.tokens:,} of {corpus.n_tokens:,} tokens{_masked(left)}.</p>"
    )


def _plural(reason: str, language: str | None) -> str:
    if reason == "language":
        return f"other languages than {language_name(language or '')}"
    return "what lies above the threshold" if reason == "quality" else f"{reason}s"


def _bar(label: str, n: int, of: int, change: int = 0) -> str:
    less = f" <small>−{-change:,}</small>" if change else ""
    return (
        f'<div class="lm-step2"><span>{escape(label)}</span><span class="lm-track">'
        f'<i style="width:{100 * n / max(1, of):.1f}%"></i></span><em>{n:,}{less}</em></div>'
    )


def _masked(left: Cleaned) -> str:
    if not left.masked:
        return ""
    return f"; {left.masked:,} {'piece' if left.masked == 1 else 'pieces'} masked"


def downloader(kind: str) -> Callable[..., str]:
    """The handler that hands a file over: the cleaned corpus (``jsonl``) or the table (``csv``)."""

    def hand_over(
        corpus: Inspected | None, wishes: list[str], language: str | None, at: float | None
    ) -> str:
        if corpus is None:
            raise InputError("There is nothing to download yet.", "Inspect a corpus first.")
        if kind == "csv":
            file, text = "documents.csv", plots.to_csv(corpus)
        else:
            file = "cleaned.jsonl"
            text = cleaning.to_jsonl(corpus, wanted(wishes, language, at))
        value = {"action": "download", "name": uuid.uuid4().hex, "file": file, "text": text}
        return json.dumps(value).replace("<", "\\u003c")

    return hand_over
