"""What looking at a small corpus gives back, document by document. Frozen, plain Python values."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

FoundKind = Literal["e-mail", "phone"]
MASKS: dict[FoundKind, str] = {"e-mail": "[e-mail]", "phone": "[phone]"}


class Found(NamedTuple):
    """A piece of a document that looks like personal data: characters ``start`` to ``end``."""

    kind: FoundKind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Places of two documents that are the same or nearly so, the earlier one first."""

    first: int
    second: int
    similarity: float  # Jaccard, of the sets of shingles; 1 of an exact duplicate
    exact: bool  # the same but for case and white space


@dataclass(frozen=True, slots=True)
class Quality:
    """How well a model predicts a document's beginning."""

    bits_per_byte: float
    perplexity: float
    n_tokens: int


@dataclass(frozen=True, slots=True)
class Looked:
    """One document and what was found in it."""

    text: str
    tokens: int  # under the model's tokenizer, nothing added
    found: tuple[Found, ...]  # in order
    language: str  # ISO 639 code; empty where there is too little to tell by
    confidence: float  # of that guess, from 0 to 1
    twin: Duplicate | None  # the pair in which it is the later one
    quality: Quality | None  # None where nothing could be scored

    @property
    def n_bytes(self) -> int:
        """Length in UTF-8."""
        return len(self.text.encode())

    def count(self, kind: FoundKind) -> int:
        """How many pieces of a kind were found."""
        return sum(one.kind == kind for one in self.found)

    @property
    def masked(self) -> str:
        """The text with what was found replaced."""
        return "".join(text if kind is None else MASKS[kind] for text, kind in self.segments())

    def segments(self) -> list[tuple[str, FoundKind | None]]:
        """The whole text in pieces, each with the kind of what was found in it."""
        pieces: list[tuple[str, FoundKind | None]] = []
        at = 0
        for one in self.found:
            pieces.append((self.text[at : one.start], None))
            pieces.append((self.text[one.start : one.end], one.kind))
            at = one.end
        pieces.append((self.text[at:], None))
        return [piece for piece in pieces if piece[0]]


@dataclass(frozen=True, slots=True)
class Inspecting:
    """Progress of an inspection: what is going on, and how far the whole is (0 to 1)."""

    message: str
    share: float


@dataclass(frozen=True)
class Inspected:
    """A corpus, document by document, in the order in which they came."""

    name: str
    model: str  # whose tokens and whose scores these are
    threshold: float  # similarity from which on two documents are near duplicates
    documents: tuple[Looked, ...]
    scored_chars: int  # how much of a document's beginning was scored at most

    @cached_property
    def pairs(self) -> tuple[Duplicate, ...]:
        """Duplicates, exact ones first, then by similarity."""
        found = [one.twin for one in self.documents if one.twin is not None]
        return tuple(sorted(found, key=lambda p: (not p.exact, -p.similarity, p.second)))

    @property
    def n_tokens(self) -> int:
        """Of all documents."""
        return sum(one.tokens for one in self.documents)

    def languages(self) -> list[tuple[str, int]]:
        """Documents by language, the most frequent first; the empty code last."""
        counts = Counter(one.language for one in self.documents)
        return sorted(counts.items(), key=lambda item: (not item[0], -item[1], item[0]))
