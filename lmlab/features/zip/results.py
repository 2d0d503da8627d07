"""What the page is told of a text that is zipped: plain values."""

from dataclasses import dataclass
from typing import NamedTuple

from lmlab.scoring.scored import Scored


class Part(NamedTuple):
    """A token's part of the interval, as parts of 1."""

    text: str
    low: float
    size: float


@dataclass(frozen=True, slots=True)
class Shown:
    """One symbol: a token, or bytes that no token gives back."""

    text: str
    bits: float
    part: Part | None  # None of bytes
    others: tuple[Part, ...]  # the largest
    out: int  # bits of the code that are settled after it
    needs: int  # bits of the code that the far side needs to know it


@dataclass(frozen=True)
class Zipped:
    """A text and its code."""

    model: str
    text: str
    scored: Scored  # what said at once how long the code would be
    symbols: tuple[Shown, ...]
    code: bytes
    file: int  # bytes of the file
    coded: bool  # whether the code is in it; else the text as it is
    fingerprint: str
    weights: int | None  # bytes of the model that both sides have; None where not known

    @property
    def surprisal(self) -> float:
        """Σ −log₂ p of all symbols, in bits."""
        return sum(one.bits for one in self.symbols)


@dataclass(frozen=True, slots=True)
class Came:
    """What the far side has so far."""

    text: str
    done: int
    total: int
    same: bool = False  # whether it is at its end, and the very text
