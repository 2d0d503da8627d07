"""What sentences cost in tokens: results and the file of sentences. Knows no models."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from lmlab.errors import InputError

BYTES = "plain bytes"  # the tokenizer whose tokens are bytes; no name that a model could have
MOST_LINES, MOST_NAME = 40, 40


@dataclass(frozen=True)
class Row:
    """A sentence under one tokenizer."""

    language: str  # or what else its line began with
    text: str
    pieces: tuple[str, ...]  # what its tokens show as, nothing added before or after
    unknown: int = 0  # tokens that stand for characters which the tokenizer does not have
    bits_per_byte: float | None = None  # under a model, where one was asked

    @property
    def tokens(self) -> int:
        """How many there are."""
        return len(self.pieces)

    @property
    def bytes_per_token(self) -> float:
        """UTF-8 bytes of the sentence by tokens."""
        return len(self.text.encode()) / len(self.pieces)


@dataclass(frozen=True)
class Counted:
    """All sentences under one tokenizer."""

    tokenizer: str
    size: int  # how many tokens it has
    context: int | None  # positions that its model reads at once; None where that is not known
    rows: tuple[Row, ...]

    def price(self, row: Row) -> float:
        """Tokens against those of the first sentence."""
        return row.tokens / self.rows[0].tokens

    def share(self, row: Row) -> float | None:
        """Part of the context that the sentence takes."""
        return row.tokens / self.context if self.context else None

    def scored(self, bits: Sequence[float]) -> "Counted":
        """The same with bits per byte of each sentence."""
        rows = (
            replace(row, bits_per_byte=one if math.isfinite(one) else None)
            for row, one in zip(self.rows, bits, strict=True)
        )
        return replace(self, rows=tuple(rows))


@cache
def shipped() -> Mapping[str, str]:
    """One sentence by language."""
    text = (Path(__file__).parent / "sentences.json").read_text(encoding="utf-8")
    found: dict[str, str] = json.loads(text)
    return found


def lines(sentences: Mapping[str, str]) -> str:
    """Sentences as they are typed: ``NAME: SENTENCE``, one a line."""
    return "\n".join(f"{name}: {text}" for name, text in sentences.items())


def parse(text: str) -> list[tuple[str, str]]:
    """(name, sentence) of each line that is not empty; one without a name has its number.

    Raises:
        InputError: there is none, too many, or one has a name alone.

    >>> parse("German: Guten Tag!\\n\\nat 10:30 we go")
    [('German', 'Guten Tag!'), ('2', 'at 10:30 we go')]
    """
    found = list[tuple[str, str]]()
    for line in filter(None, map(str.strip, text.splitlines())):
        name, colon, sentence = line.partition(": ")
        named = bool(colon) and 0 < len(name) <= MOST_NAME
        name, sentence = (name, sentence.strip()) if named else (str(len(found) + 1), line)
        if not sentence or (line.endswith(":") and len(line) <= MOST_NAME):
            raise InputError(f"‘{line[:MOST_NAME]}’ has no sentence.", "Write NAME: SENTENCE.")
        found.append((name, sentence))
    if not found:
        raise InputError("There is no sentence.", "Write NAME: SENTENCE, one a line.")
    if len(found) > MOST_LINES:
        raise InputError(f"{len(found):,} sentences are given; at most {MOST_LINES} are counted.")
    return found


def rows_of(found: Sequence[Counted]) -> list[dict[str, Any]]:
    """One row for each sentence and tokenizer, for JSON and CSV."""
    return [
        {
            "tokenizer": one.tokenizer,
            "language": row.language,
            "characters": len(row.text),
            "bytes": len(row.text.encode()),
            "tokens": row.tokens,
            "unknown": row.unknown,
            "bytes_per_token": row.bytes_per_token,
            "context_share": one.share(row),
            "price": one.price(row),
            "bits_per_byte": row.bits_per_byte,
            "text": row.text,
        }
        for one in found
        for row in one.rows
    ]
