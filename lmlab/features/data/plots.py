"""Mixtures and inspected corpora as JSON for the page, and as CSV that is safe to open in a
spreadsheet. Texts are bounded: the page shows beginnings.
"""

import csv
import io
import json
import statistics
from collections.abc import Sequence
from typing import Any

from lmlab.features.data.findings import (
    MASKS,
    Duplicate,
    FoundKind,
    Inspected,
    Looked,
    Mixed,
    Mixture,
)
from lmlab.features.data.language_names import language_name
from lmlab.parts.tables import neutral

SHOWN_PAIRS = 60
SHOWN_PRIVATE = 60
SHOWN = 420  # characters of a text beside another
LINE = 220  # characters of a text in a list
AROUND = 90  # characters of a document on either side of what was found in it
COLUMNS = (
    "document",
    "characters",
    "bytes",
    "tokens",
    "language",
    "confidence",
    "exact_duplicate_of",
    "near_duplicate_of",
    "similarity",
    "e_mails",
    "phones",
    "bits_per_byte",
    "perplexity",
    "scored_tokens",
    "text",
)


def mixtures(known: Sequence[tuple[Mixture, Sequence[Mixed]]], warn: float) -> str:
    """Mixtures with their parts as the source has them; weights in per cent.

    Args:
        known: each with what its own weights mean.
        warn: epochs past which repeats are said to add little.
    """
    return _json({"warn": warn, "mixtures": [_mixture(*pair) for pair in known]})


def _mixture(mixture: Mixture, rows: Sequence[Mixed]) -> dict[str, Any]:
    return {
        "name": mixture.name,
        "unit": mixture.unit,
        "total": round(mixture.total, 3),
        "digits": mixture.size_digits,
        "told": mixture.told,
        "source": mixture.source,
        "link": mixture.link,
        "remark": mixture.remark,
        "parts": [
            {
                "name": row.part.name,
                "about": row.part.about,
                "size": row.part.size,
                "weight": round(100 * row.part.weight, 4),
                "told": row.part.epochs,
                "agreement": row.agreement,
                "words": row.words,
            }
            for row in rows
        ],
    }


def findings(corpus: Inspected) -> str:
    """Counts, duplicates side by side, what was found of personal data, languages."""
    documents = corpus.documents
    twins = [one.twin for one in documents if one.twin is not None]
    private = [i for i, one in enumerate(documents) if one.found]
    value = {
        "name": corpus.name,
        "model": corpus.model,
        "documents": len(documents),
        "characters": corpus.n_chars,
        "bytes": corpus.n_bytes,
        "tokens": corpus.n_tokens,
        "exact": sum(twin.exact for twin in twins),
        "near": sum(not twin.exact for twin in twins),
        "threshold": corpus.threshold,
        "private": len(private),
        "emails": _kinds(documents, "e-mail"),
        "phones": _kinds(documents, "phone"),
        "pairs": [_pair(corpus, pair) for pair in corpus.pairs[:SHOWN_PAIRS]],
        "found": [_private(i, documents[i]) for i in private[:SHOWN_PRIVATE]],
        "languages": _languages(corpus),
    }
    return _json(value)


def _kinds(documents: Sequence[Looked], kind: FoundKind) -> list[int]:
    """How many documents have some, and how many there are in all."""
    counts = [one.count(kind) for one in documents]
    return [sum(n > 0 for n in counts), sum(counts)]


def _pair(corpus: Inspected, pair: Duplicate) -> dict[str, Any]:
    first, second = (corpus.documents[i].text for i in (pair.first, pair.second))
    return {
        "first": pair.first + 1,
        "second": pair.second + 1,
        "similarity": round(pair.similarity, 3),
        "exact": pair.exact,
        "left": marked(first, second),
        "right": marked(second, first),
    }


def marked(text: str, other: str, length: int = SHOWN) -> list[tuple[str, bool]]:
    """The beginning of a text in pieces, each with whether its words are missing in another.

    >>> marked("a red kite", "a blue kite")
    [('a ', False), ('red ', True), ('kite', False)]
    """
    known = {word.casefold() for word in other.split()}
    pieces: list[tuple[str, bool]] = []
    beginning = cut(text, length)
    for word in beginning.split(" "):
        new = bool(word.strip()) and any(w.casefold() not in known for w in word.split())
        if pieces and pieces[-1][1] == new:
            pieces[-1] = (f"{pieces[-1][0]}{word} ", new)
        else:
            pieces.append((f"{word} ", new))
    if pieces:
        pieces[-1] = (pieces[-1][0][:-1], pieces[-1][1])
    return pieces


def cut(text: str, length: int) -> str:
    """The beginning of a text, with a sign where it was cut."""
    return text if len(text) <= length else f"{text[:length]}…"


def _private(place: int, document: Looked) -> dict[str, Any]:
    before: list[list[str]] = []
    after: list[list[str]] = []
    size = 0
    pieces = document.segments()
    for i, (text, kind) in enumerate(pieces):
        shown = text if kind else _around(text, first=i == 0, last=i == len(pieces) - 1)
        before.append([shown, kind or ""])
        after.append([MASKS[kind] if kind else shown, kind or ""])
        size += len(shown)
        if size > 2 * SHOWN:
            break
    return {"document": place + 1, "before": before, "after": after}


def _around(text: str, *, first: bool, last: bool) -> str:
    """What stands between two finds, shortened in the middle."""
    if len(text) <= 2 * AROUND:
        return text
    start = "" if first else text[:AROUND]
    end = "" if last else text[-AROUND:]
    return f"{start} … {end}"


def _languages(corpus: Inspected) -> list[dict[str, Any]]:
    found = []
    for code, n in corpus.languages():
        example = next(one.text for one in corpus.documents if one.language == code)
        found.append({"name": language_name(code), "n": n, "example": cut(example, 70)})
    return found


def quality(corpus: Inspected, at: float | None = None) -> str:
    """Every document's bits per byte with its beginning, the best first.

    Args:
        corpus: inspected.
        at: the threshold; by default three quarters of the documents stay.
    """
    scored = [
        (i, one, one.quality) for i, one in enumerate(corpus.documents) if one.quality is not None
    ]
    scored.sort(key=lambda item: (item[2].bits_per_byte, item[0]))
    value = {
        "model": corpus.model,
        "beginning": corpus.scored_chars,
        "unscored": len(corpus.documents) - len(scored),
        "at": threshold(corpus) if at is None else at,
        "documents": [
            {
                "document": i + 1,
                "bits": round(score.bits_per_byte, 4),
                # JSON has no word for infinity.
                "perplexity": min(round(score.perplexity, 2), 1e300),
                "language": language_name(one.language),
                "text": cut(one.text, LINE),
            }
            for i, one, score in scored
        ],
    }
    return _json(value)


def threshold(corpus: Inspected) -> float:
    """Bits per byte that three quarters of the documents stay below, two decimals; 0 of nothing."""
    bits = [one.quality.bits_per_byte for one in corpus.documents if one.quality is not None]
    if len(bits) < 2:
        return round(bits[0] + 0.01, 2) if bits else 0.0
    return round(statistics.quantiles(bits, n=4)[2], 2)


def to_csv(corpus: Inspected) -> str:
    """One row for each document; a text that a spreadsheet would run as a formula gets a quote."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for i, one in enumerate(corpus.documents):
        cells = _cells(i, one)
        writer.writerow([neutral(cell) if isinstance(cell, str) else cell for cell in cells])
    return out.getvalue()


def _cells(place: int, one: Looked) -> list[Any]:
    twin, score = one.twin, one.quality
    return [
        place + 1,
        len(one.text),
        one.n_bytes,
        one.tokens,
        one.language,
        round(one.confidence, 4),
        twin.first + 1 if twin and twin.exact else "",
        twin.first + 1 if twin and not twin.exact else "",
        round(twin.similarity, 4) if twin else "",
        one.count("e-mail"),
        one.count("phone"),
        round(score.bits_per_byte, 4) if score else "",
        round(score.perplexity, 3) if score else "",
        score.n_tokens if score else "",
        one.text,
    ]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
