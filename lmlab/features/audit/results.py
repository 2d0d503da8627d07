"""What an audit gives: the same text and model, number by number. Plain values."""

import math
from dataclasses import dataclass
from typing import Any, Literal

Form = Literal["perplexity", "bits", "mean"]


@dataclass(frozen=True, slots=True)
class Change:
    """A token, or a word, whose part of the sum is another one; nats, None where not counted."""

    text: str
    before: float | None
    after: float | None

    @property
    def difference(self) -> float:
        """After minus before."""
        return (self.after or 0.0) - (self.before or 0.0)


@dataclass(frozen=True)
class Row:
    """A convention and its number."""

    key: str
    group: str
    name: str
    how: str  # what is done, in a sentence
    unit: str  # of the number
    form: Form
    who: tuple[tuple[str, str], ...] = ()  # libraries, and the place in their documents or source
    total: float = math.nan  # Σ −ln p of what is counted, in nats
    count: float = math.nan  # what that is divided by
    counted: str = "tokens"  # what the count is of
    texts: tuple[float, ...] = ()  # of a mean of texts: each one's perplexity
    changes: tuple[Change, ...] = ()  # the largest first
    hidden: tuple[int, float] = (0, 0.0)  # how many more there are, and what they make together
    missing: str = ""  # why there is no number

    @property
    def value(self) -> float:
        """The number."""
        if self.missing or not self.count:
            return math.nan
        if self.form == "mean":
            return math.fsum(self.texts) / len(self.texts)
        mean = self.total / self.count
        if self.form == "bits":
            return mean / math.log(2)
        return math.exp(mean) if mean < 700 else math.inf


@dataclass(frozen=True)
class Audit:
    """All rows; the first is the lecture's definition."""

    model: str
    text: str
    context: int
    n_tokens: int
    rows: tuple[Row, ...]
    sources: Any  # what a receipt reads: ``auditing.recipe``
    plan: Any
    notes: tuple[str, ...] = ()
