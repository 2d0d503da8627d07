"""What a tokenizer that was trained on a text has learned: frozen plain values."""

import math
from dataclasses import dataclass

from lmlab.maths.levels import entropy_of_counts


@dataclass(frozen=True, slots=True)
class Piece:
    """A token: its id, what it shows as, and how often the text has it."""

    id: int
    text: str
    count: int


@dataclass(frozen=True, slots=True)
class Merge:
    """A pair that became one token."""

    left: str  # what the first shows as
    right: str  # the second
    text: str  # both together
    count: int  # how often the text has the new token, after all merges


@dataclass(frozen=True)
class TokenizerView:
    """A vocabulary, and a sample cut by it."""

    size: int  # tokens in it, bytes and end-of-text included: the lecture's V
    n_merges: int  # learned
    merges: tuple[Merge, ...]  # the first of them, in order
    frequent: tuple[Piece, ...]  # the tokens that the text has most of, most frequent first
    pieces: tuple[Piece, ...]  # the sample as tokens
    n_tokens: int  # in the whole text, end-of-text left out
    n_bytes: int  # of the whole text in UTF-8
    n_chars: int  # of it
    counts: tuple[int, ...]  # how often each token that occurs does, in no order

    @property
    def bytes_per_token(self) -> float:
        """How much of the text a token holds on average."""
        return self.n_bytes / self.n_tokens if self.n_tokens else math.nan

    @property
    def uniform(self) -> float:
        """ln V: the loss of a model that has learned nothing, nats a token."""
        return math.log(self.size)

    @property
    def unigram(self) -> float:
        """Entropy of the tokens' frequencies, nats a token."""
        return entropy_of_counts(self.counts)
