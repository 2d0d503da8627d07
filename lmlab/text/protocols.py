"""How a design is measured: shots, draws, queries. Chooses rows; runs no model."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from lmlab.errors import InputError
from lmlab.models.forms import FORMS, Form
from lmlab.text.predictions import WAYS, Way
from lmlab.text.rows import Row
from lmlab.text.sets import Dataset

LIMIT = 100
LONGEST_ANSWER = 32
MAX_SHOTS, MAX_DRAWS = 64, 100


@dataclass(frozen=True)
class Protocol:
    """How a design is measured.

    Attributes:
        shots: examples in each prompt.
        draws: how many sets of examples; without shots there is one.
        seed: of the draws and of which queries are asked.
        limit: most queries; None for all.
        way: how a label is chosen.
        calibrate: whether to ask a query without content too (Zhao et al. 2021).
        form: plain or chat; None: as the model was tuned, else as the wording says, else chat where
            the tokenizer has a chat template.
        max_new_tokens: longest free answer.
        share: whether to read a common beginning once.
    """

    shots: int = 0
    draws: int = 1
    seed: int = 0
    limit: int | None = LIMIT
    way: Way = "sum"
    calibrate: bool = True
    form: Form | None = None
    max_new_tokens: int = LONGEST_ANSWER
    share: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.shots <= MAX_SHOTS:
            raise InputError(f"shots must be from 0 to {MAX_SHOTS}, not {self.shots}.")
        if not 1 <= self.draws <= MAX_DRAWS:
            raise InputError(f"draws must be from 1 to {MAX_DRAWS}, not {self.draws}.")
        if self.limit is not None and self.limit < 1:
            raise InputError(f"At least one query has to be asked, not {self.limit}.")
        if self.way not in WAYS:
            raise InputError(f"There is no way ‘{self.way}’.", f"There are: {', '.join(WAYS)}.")
        if self.form is not None and self.form not in FORMS:
            raise InputError(f"There is no form ‘{self.form}’.", f"There are: {', '.join(FORMS)}.")
        if self.way == "calibrated" and not self.calibrate:
            raise InputError("A label can be chosen by calibrated scores only with calibration on.")


def asked(data: Dataset, protocol: Protocol) -> tuple[Row, ...]:
    """The queries: all, or as many as the limit says, the same for every design."""
    if protocol.limit is None or protocol.limit >= len(data.queries):
        return data.queries
    chance = Random(f"{protocol.seed}/queries")
    picked = chance.sample(range(len(data.queries)), protocol.limit)
    return tuple(data.queries[i] for i in sorted(picked))


def drawn(data: Dataset, protocol: Protocol) -> list[list[Row]]:
    """The examples of each draw; fewer shots of a draw are the first of more."""
    if not protocol.shots:
        return [[]]
    return [draw(data.pool, protocol.shots, protocol.seed, i) for i in range(protocol.draws)]


def draw(pool: Sequence[Row], shots: int, seed: int, which: int = 0) -> list[Row]:
    """One set of examples, in the order in which they were drawn."""
    if shots > len(pool):
        raise InputError(
            f"{shots} shots are more than the {len(pool)} rows that examples can be drawn from.",
            "Take fewer shots, or more rows.",
        )
    return Random(f"{seed}/{which}").sample(pool, len(pool))[:shots]
