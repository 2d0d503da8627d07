"""What looking at training text gives back: mixtures of corpora, and one small corpus document by
document. Frozen, plain Python values; no models.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

Agreement = Literal["same", "explained", "apart", "unknown"]
FoundKind = Literal["e-mail", "phone"]
MASKS: dict[FoundKind, str] = {"e-mail": "[e-mail]", "phone": "[phone]"}


@dataclass(frozen=True, slots=True)
class Part:
    """One corpus of a mixture, as its source prints it.

    Attributes:
        name: of the corpus.
        size: in the mixture's unit.
        weight: share of what is read in training, from 0 to 1.
        epochs: how often it was read according to the source, or None.
        size_step, weight_step, epochs_step: the last printed digit of each; 0 for an exact number.
        spread: standard deviation of what was read of it, in the unit, where that was drawn.
        about: one line.
    """

    name: str
    size: float
    weight: float
    epochs: float | None = None
    size_step: float = 0.0
    weight_step: float = 0.0
    epochs_step: float = 0.0
    spread: float = 0.0
    about: str = ""


@dataclass(frozen=True)
class Mixture:
    """What one model, or one family of models, was trained on.

    Attributes:
        name: of the model or collection.
        unit: of sizes and of the total, for instance ``billion tokens``.
        total: how much is read in training.
        parts: in the order of the source.
        source: where the figures come from.
        link: address of the source; empty for our own.
        remark: what a reader has to know about the figures.
        told: heading of the source's own epochs.
        size_digits: decimals of a size.
    """

    name: str
    unit: str
    total: float
    parts: tuple[Part, ...]
    source: str
    link: str = ""
    remark: str = ""
    told: str = "published"
    size_digits: int = 0


@dataclass(frozen=True, slots=True)
class Mixed:
    """What a weight and a total mean for one part.

    Attributes:
        part: the part.
        read: how much of it is read, in the mixture's unit, repeats counted.
        epochs: ``read`` over its size.
        low, high: what the epochs can be when rounding and chance are allowed for.
        agreement: of the computed with the source's epochs.
        words: the same in a sentence; empty where the source gives none.
    """

    part: Part
    read: float
    epochs: float
    low: float
    high: float
    agreement: Agreement
    words: str


class Found(NamedTuple):
    """A piece of a document that looks like personal data: characters ``start`` to ``end``."""

    kind: FoundKind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two documents that are the same or nearly so.

    Attributes:
        first, second: places of the documents, the earlier one first.
        similarity: Jaccard, of the sets of shingles; 1 for an exact duplicate.
        exact: whether they are the same but for white space.
    """

    first: int
    second: int
    similarity: float
    exact: bool


@dataclass(frozen=True, slots=True)
class Quality:
    """How a model likes a document's beginning.

    Attributes:
        bits_per_byte: of the scored part.
        perplexity: of the same, per token.
        n_tokens: that were scored.
    """

    bits_per_byte: float
    perplexity: float
    n_tokens: int


@dataclass(frozen=True, slots=True)
class Looked:
    """One document and what was found in it.

    Attributes:
        text: the document.
        tokens: under the model's tokenizer, nothing added.
        found: e-mail addresses and telephone numbers, in order.
        language: ISO 639 code, or empty where there is too little to tell by.
        confidence: of the language guess, from 0 to 1.
        twin: of the pair in which it is the later one, or None.
        quality: under the model; None where nothing could be scored.
    """

    text: str
    tokens: int
    found: tuple[Found, ...]
    language: str
    confidence: float
    twin: Duplicate | None
    quality: Quality | None

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
            if one.start > at:
                pieces.append((self.text[at : one.start], None))
            pieces.append((self.text[one.start : one.end], one.kind))
            at = one.end
        if at < len(self.text):
            pieces.append((self.text[at:], None))
        return pieces


@dataclass(frozen=True, slots=True)
class Inspecting:
    """Progress of an inspection: what is going on, and how far the whole is (0 to 1)."""

    message: str
    share: float


@dataclass(frozen=True)
class Inspected:
    """A corpus, document by document.

    Attributes:
        name: of the corpus, as shown to people.
        model: whose tokens and whose scores these are.
        threshold: similarity from which on two documents are near duplicates.
        documents: in the order in which they came.
        scored_chars: how much of a document's beginning was scored at most.
    """

    name: str
    model: str
    threshold: float
    documents: tuple[Looked, ...]
    scored_chars: int

    @cached_property
    def pairs(self) -> tuple[Duplicate, ...]:
        """Duplicates, exact ones first, then by similarity."""
        found = [one.twin for one in self.documents if one.twin is not None]
        return tuple(sorted(found, key=lambda p: (not p.exact, -p.similarity, p.second)))

    @property
    def n_chars(self) -> int:
        return sum(len(one.text) for one in self.documents)

    @property
    def n_bytes(self) -> int:
        return sum(one.n_bytes for one in self.documents)

    @property
    def n_tokens(self) -> int:
        return sum(one.tokens for one in self.documents)

    def languages(self) -> list[tuple[str, int]]:
        """Documents by language, the most frequent first; the empty code last."""
        counts: dict[str, int] = {}
        for one in self.documents:
            counts[one.language] = counts.get(one.language, 0) + 1
        return sorted(counts.items(), key=lambda item: (not item[0], -item[1], item[0]))


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What is dropped from a corpus and what is masked.

    Attributes:
        exact, near: whether the later document of a pair is dropped.
        mask: whether addresses and numbers are replaced.
        languages: codes that are kept; empty keeps all.
        most_bits: bits per byte above which a document is dropped; None keeps all.
    """

    exact: bool = True
    near: bool = True
    mask: bool = True
    languages: tuple[str, ...] = ()
    most_bits: float | None = None


@dataclass(frozen=True)
class Cleaned:
    """What is left of a corpus.

    Attributes:
        kept: places of the documents that stay.
        dropped: {why: how many}, each document under the first reason that fits, in order.
        masked: pieces that are replaced in what is kept.
        tokens: of what is kept, before masking.
    """

    kept: tuple[int, ...]
    dropped: dict[str, int]
    masked: int
    tokens: int
