"""How a design is measured: shots, draws, queries. Chooses rows; runs no model."""

from collections.abc import Sequence
from random import Random
from typing import Annotated, ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from lmlab.budget import MEASURED, Measure, by_chance
from lmlab.errors import InputError
from lmlab.models.forms import Form
from lmlab.options import CHECKED, Checked, Option
from lmlab.text.choosing import Way
from lmlab.text.rows import Row
from lmlab.text.sets import Dataset

LIMIT = 100
LONGEST_ANSWER = 32
MAX_SHOTS, MAX_DRAWS = 64, 100
MOST_SHOTS = 16  # on the page
FORM = (
    "plain text, or the turns of the model’s chat template; default: as it was tuned, else as the "
    "template says, else chat where the model has a chat template"
)
ROWS = "time: where all queries would take too long, as many as fit, the same of each design; all"
QUERIES = Option(
    "Queries",
    "most queries; default: all",
    id="queries",
    high=400,
    wrong="At least one query has to be asked, not {value}.",
)


@dataclass(frozen=True, config=CHECKED)
class Protocol(Checked):
    """How a design is measured.

    Without shots there is one draw; the seed draws examples and queries; no limit asks all; a
    content-free query calibrates (Zhao et al. 2021); a common beginning is read once where shared.
    """

    LIMITS: ClassVar[str] = "{name} must be from {low} to {high}, not {value}."
    shots: Annotated[
        int, Field(ge=0, le=MAX_SHOTS), Option("Shots", high=MOST_SHOTS, step=1, flag=None)
    ] = 0
    draws: Annotated[
        int,
        Field(ge=1, le=MAX_DRAWS),
        Option("Draws of examples", "sets of examples for each number", high=20),
    ] = 1
    seed: Annotated[int, Option("Seed", "of the examples that are drawn", low=0)] = 0
    limit: Annotated[int | None, Field(ge=1), QUERIES] = LIMIT
    way: Annotated[Way, Option("Label chosen by", "how a label is chosen")] = "sum"
    calibrate: bool = True
    form: Annotated[Form | None, Option(help=FORM)] = None
    measure: Annotated[Measure, Option("Rows", ROWS, id="rows", labels=MEASURED)] = "time"
    max_new_tokens: int = LONGEST_ANSWER
    share: bool = True

    def __post_init__(self) -> None:
        if self.way == "calibrated" and not self.calibrate:
            raise InputError("A label can be chosen by calibrated scores only with calibration on.")


def asked(data: Dataset, protocol: Protocol) -> Sequence[Row]:
    """The queries: all, or as many as the limit says, the same for every design."""
    if protocol.limit is None or protocol.limit >= len(data.queries):
        return data.queries
    chance = Random(f"{protocol.seed}/queries")
    picked = chance.sample(range(len(data.queries)), protocol.limit)
    return tuple(data.queries[i] for i in sorted(picked))


def order_of(queries: Sequence[Row], protocol: Protocol) -> list[int]:
    """Places of the queries in the order in which they are asked where not all of them may be."""
    return by_chance(range(len(queries)), protocol.seed)


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
