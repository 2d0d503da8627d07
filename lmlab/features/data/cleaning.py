"""What is left of an inspected corpus: a pure function of what was found and what is wanted."""

import json

from lmlab.features.data.findings import Cleaned, Cleaning, Inspected, Looked

REASONS = ("exact duplicate", "near duplicate", "language", "quality")


def clean(corpus: Inspected, wanted: Cleaning) -> Cleaned:
    """Which documents stay, and why the others go."""
    dropped = dict.fromkeys(REASONS, 0)
    kept = []
    for place, document in enumerate(corpus.documents):
        reason = why_not(document, wanted)
        if reason is None:
            kept.append(place)
        else:
            dropped[reason] += 1
    left = [corpus.documents[place] for place in kept]
    return Cleaned(
        kept=tuple(kept),
        dropped=dropped,
        masked=sum(len(one.found) for one in left) if wanted.mask else 0,
        tokens=sum(one.tokens for one in left),
    )


def why_not(document: Looked, wanted: Cleaning) -> str | None:
    """The first reason to drop a document, or None."""
    twin, quality = document.twin, document.quality
    if twin is not None and twin.exact and wanted.exact:
        return REASONS[0]
    if twin is not None and not twin.exact and wanted.near:
        return REASONS[1]
    if wanted.languages and document.language not in wanted.languages:
        return REASONS[2]
    if wanted.most_bits is not None and (
        quality is None or quality.bits_per_byte > wanted.most_bits
    ):
        return REASONS[3]
    return None


def to_jsonl(corpus: Inspected, wanted: Cleaning) -> str:
    """The cleaned corpus: one object a line, with ``document`` (its place, from 1) and ``text``."""
    lines = []
    for place in clean(corpus, wanted).kept:
        document = corpus.documents[place]
        text = document.masked if wanted.mask else document.text
        lines.append(json.dumps({"document": place + 1, "text": text}, ensure_ascii=False))
    return "".join(f"{line}\n" for line in lines)
