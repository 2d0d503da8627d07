"""How long the rows of a table are in tokens, roughly: for an estimate before a run. No torch."""

from typing import TYPE_CHECKING

from lmlab.text.records import Row
from lmlab.training.sets import TuningData

if TYPE_CHECKING:
    from lmlab.models.tokens import Vocabulary

ROWS_READ = 48  # rows whose length is looked at for an estimate
CHECKED = 3  # of the longest rows: those that must be learnable


def longest_rows(found: TuningData, n: int) -> list[tuple[int, Row]]:
    """The rows of most characters, with their numbers from 1."""
    rows = found.train
    by_size = sorted(range(len(rows)), key=lambda i: -sum(map(len, rows[i].values())))
    return [(i + 1, rows[i]) for i in by_size[:n]]


def row_tokens(vocabulary: "Vocabulary", found: TuningData) -> tuple[float, list[int]]:
    """Mean length of a row in tokens, from some of them, and the lengths of the longest."""
    rows = found.train[:: max(1, len(found.train) // ROWS_READ)]
    lengths = [_length(vocabulary, row) for row in rows]
    longest = [_length(vocabulary, row) for _, row in longest_rows(found, CHECKED)]
    return sum(lengths) / max(1, len(lengths)), longest


def _length(vocabulary: "Vocabulary", row: Row) -> int:
    return len(vocabulary.ids(" ".join(row.values()))) + 3


def longest_batch(longest: list[int], context: int) -> tuple[int, int]:
    """Width of the longest batch and the positions that carry loss in it: all of them, for want of
    a wording.
    """
    width = max(2, min(max(longest), context))
    return width, width - 1
