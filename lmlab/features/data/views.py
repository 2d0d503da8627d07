"""An inspected corpus as HTML and JSON for the page, and as CSV. Texts are bounded: the page shows
beginnings.
"""

import statistics
from collections.abc import Sequence
from typing import Any

from lmlab.features.data.cleaning import Cleaning, clean
from lmlab.features.data.findings import MASKS, FoundKind, Inspected, Looked
from lmlab.features.data.language import language_name
from lmlab.parts.html import filled
from lmlab.parts.strip import dump
from lmlab.parts.tables import csv_of

SHOWN_PAIRS = 60
SHOWN_PRIVATE = 60
SHOWN = 420  # characters of a text beside another
LINE = 220  # characters of a text in a list
AROUND = 90  # characters of a document on either side of what was found in it
Pieces = list[tuple[str, Any]]


def findings(corpus: Inspected) -> str:
    """Counts, duplicates side by side, what was found of personal data, languages, as HTML."""
    documents, texts = corpus.documents, [one.text for one in corpus.documents]
    private = [i for i, one in enumerate(documents) if one.found]
    pairs = [(p, texts[p.first], texts[p.second]) for p in corpus.pairs[:SHOWN_PAIRS]]
    examples = {one.language: one.text for one in reversed(documents)}
    languages = corpus.languages()
    return filled(
        "features/data/findings",
        corpus=corpus,
        characters=sum(map(len, texts)),
        exact=sum(pair.exact for pair in corpus.pairs),
        near=sum(not pair.exact for pair in corpus.pairs),
        private=private,
        emails=_counted(documents, "e-mail"),
        phones=_counted(documents, "phone"),
        pairs=[(pair, marked(one, two), marked(two, one)) for pair, one, two in pairs],
        masked=[(i, *_masked(documents[i])) for i in private[:SHOWN_PRIVATE]],
        languages=[(language_name(code), n, cut(examples[code], 70)) for code, n in languages],
    )


def _counted(documents: Sequence[Looked], kind: FoundKind) -> dict[str, int]:
    counts = [one.count(kind) for one in documents]
    return {"documents": sum(n > 0 for n in counts), "pieces": sum(counts)}


def marked(text: str, other: str, length: int = SHOWN) -> Pieces:
    """The beginning of a text in pieces, each with whether its words are missing in another.

    >>> marked("a red kite", "a blue kite")
    [('a ', False), ('red ', True), ('kite', False)]
    """
    known = {word.casefold() for word in other.split()}
    pieces: Pieces = []
    for word in cut(text, length).split(" "):
        new = any(w.casefold() not in known for w in word.split())
        if pieces and pieces[-1][1] == new:
            pieces[-1] = (f"{pieces[-1][0]}{word} ", new)
        else:
            pieces.append((f"{word} ", new))
    return [*pieces[:-1], (pieces[-1][0][:-1], pieces[-1][1])]


def cut(text: str, length: int) -> str:
    """The beginning of a text, with a sign where it was cut."""
    return text if len(text) <= length else f"{text[:length]}…"


def _masked(document: Looked) -> tuple[Pieces, Pieces]:
    """The beginning of a document in pieces, as found and masked; what stands between two finds is
    shortened in the middle."""
    before: Pieces = []
    pieces = document.segments()
    for i, (text, kind) in enumerate(pieces):
        if not kind and len(text) > 2 * AROUND:
            end = text[-AROUND:] if i < len(pieces) - 1 else ""
            text = f"{text[:AROUND] if i else ''} … {end}"
        before.append((text, kind))
        if sum(len(shown) for shown, _ in before) > 2 * SHOWN:
            break
    return before, [(MASKS[kind] if kind else text, kind) for text, kind in before]


def quality(corpus: Inspected, at: float) -> str:
    """Every document's bits per byte with its beginning, the best first, and a threshold: for
    ``QualityView``."""
    scored = [(one.quality, i, one) for i, one in enumerate(corpus.documents) if one.quality]
    scored.sort(key=lambda item: (item[0].bits_per_byte, item[1]))
    return dump(
        {
            "model": corpus.model,
            "beginning": corpus.scored_chars,
            "unscored": len(corpus.documents) - len(scored),
            "at": at,
            "documents": [
                {
                    "document": i + 1,
                    "bits": round(score.bits_per_byte, 4),
                    # JSON has no word for infinity.
                    "perplexity": min(round(score.perplexity, 2), 1e300),
                    "language": language_name(one.language),
                    "text": cut(one.text, LINE),
                }
                for score, i, one in scored
            ],
        }
    )


def threshold(corpus: Inspected) -> float:
    """Bits per byte that three quarters of the documents stay below, two decimals; 0 of nothing."""
    bits = [one.quality.bits_per_byte for one in corpus.documents if one.quality is not None]
    if len(bits) < 2:
        return round(bits[0] + 0.01, 2) if bits else 0.0
    return round(statistics.quantiles(bits, n=4)[2], 2)


def summary(corpus: Inspected, wanted: Cleaning) -> str:
    """What is left of a corpus step by step, as HTML."""
    left, of = clean(corpus, wanted), len(corpus.documents)
    names = {
        "language": f"other languages than {', '.join(map(language_name, wanted.languages))}",
        "quality": "what lies above the threshold",
    }
    steps, n = [("as it came", of, 0)], of
    for reason, count in left.dropped.items():
        if count:
            n -= count
            steps.append((f"without {names.get(reason, f'{reason}s')}", n, count))
    return filled("features/data/summary", steps=steps, left=left, of=of, tokens=corpus.n_tokens)


def to_csv(corpus: Inspected) -> str:
    """One row for each document."""
    return csv_of(_row(i, one) for i, one in enumerate(corpus.documents))


def _row(place: int, one: Looked) -> dict[str, Any]:
    twin, score = one.twin, one.quality
    return {
        "document": place + 1,
        "characters": len(one.text),
        "bytes": one.n_bytes,
        "tokens": one.tokens,
        "language": one.language,
        "confidence": round(one.confidence, 4),
        "exact_duplicate_of": twin.first + 1 if twin and twin.exact else None,
        "near_duplicate_of": twin.first + 1 if twin and not twin.exact else None,
        "similarity": round(twin.similarity, 4) if twin else None,
        "e_mails": one.count("e-mail"),
        "phones": one.count("phone"),
        "bits_per_byte": round(score.bits_per_byte, 4) if score else None,
        "perplexity": round(score.perplexity, 3) if score else None,
        "scored_tokens": score.n_tokens if score else None,
        "text": one.text,
    }
