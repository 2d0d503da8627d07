"""What is left of an inspected corpus: a pure function of what was found and what is wanted."""

import json
from dataclasses import dataclass

from lmlab.features.data.findings import Inspected, Looked

REASONS = ("exact duplicate", "near duplicate", "language", "quality")


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What is dropped from a corpus and what is masked."""

    exact: bool = True  # the later document of such a pair is dropped
    near: bool = True
    mask: bool = True  # addresses and numbers are replaced
    languages: tuple[str, ...] = ()  # codes that are kept; empty keeps all
    most_bits: float | None = None  # bits per byte above which one is dropped; None keeps all


@dataclass(frozen=True)
class Cleaned:
    """What is left of a corpus."""

    kept: tuple[int, ...]  # places of the documents that stay
    dropped: dict[str, int]  # each document under the first reason that fits, in their order
    masked: int  # pieces that are replaced in what is kept
    tokens: int  # of what is kept, before masking


def clean(corpus: Inspected, wanted: Cleaning) -> Cleaned:
    """Which documents stay, and why the others go."""
    dropped = dict.fromkeys(REASONS, 0)
    kept = []
    for place, document in enumerate(corpus.documents):
        if reason := _why_not(document, wanted):
            dropped[reason] += 1
        else:
            kept.append(place)
    left = [corpus.documents[place] for place in kept]
    return Cleaned(
        kept=tuple(kept),
        dropped=dropped,
        masked=sum(len(one.found) for one in left) if wanted.mask else 0,
        tokens=sum(one.tokens for one in left),
    )


def _why_not(document: Looked, wanted: Cleaning) -> str | None:
    """The first reason to drop a document."""
    twin, quality, most = document.twin, document.quality, wanted.most_bits
    fits = (
        twin is not None and twin.exact and wanted.exact,
        twin is not None and not twin.exact and wanted.near,
        wanted.languages and document.language not in wanted.languages,
        most is not None and (quality is None or quality.bits_per_byte > most),
    )
    return next((reason for reason, fit in zip(REASONS, fits, strict=True) if fit), None)


def to_jsonl(corpus: Inspected, wanted: Cleaning) -> str:
    """The cleaned corpus: one object a line, with ``document`` (its place, from 1) and ``text``."""
    lines = []
    for place in clean(corpus, wanted).kept:
        document = corpus.documents[place]
        text = document.masked if wanted.mask else document.text
        lines.append(json.dumps({"document": place + 1, "text": text}, ensure_ascii=False) + "\n")
    return "".join(lines)
