"""What the task documents of pre-training never show: words, formats, and rows of real sets.

One place, so that the corpus, the report, the cards and the tests cannot disagree.
"""

import hashlib
from typing import Literal

Split = Literal["train", "valid", "test"]

WORDS: frozenset[str] = frozenset(
    "rabbit eagle monkey spider cookie onion lemon honey plane jacket boot knee chair pillow "
    "hammer bucket river island tower painter tailor garage guitar trumpet bottle candle "
    "basket village guest summer walk laugh jump paint visit climb follow collect".split()
)
"""Never an input of a task that can generalise (plural, past tense, capitals, letters …)."""

FORMATS: frozenset[str] = frozenset(
    {"fat-arrow", "tilde-list", "in-out-slash", "quoted-dash", "source-target", "bracket-bar"}
)
"""Never used in a training document."""


def split_of(key: str, valid: float = 0.1, test: float = 0.1) -> Split:
    """The split that a row belongs to, by a hash of its text alone."""
    digest = hashlib.sha256(key.strip().lower().encode()).digest()
    share = int.from_bytes(digest[:6], "big") / 2**48
    if share < test:
        return "test"
    return "valid" if share < test + valid else "train"
