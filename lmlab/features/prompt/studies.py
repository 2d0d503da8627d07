"""One design against another: more examples, other wordings, other orders, other models.

A study is a list of designs and a stream of their results, drawn as they come.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from random import Random

from lmlab.errors import InputError
from lmlab.features.prompt.evaluation import iter_evaluate
from lmlab.features.prompt.evaluations import Evaluation
from lmlab.models.fair_lock import stepwise
from lmlab.models.model import LM
from lmlab.text.protocols import Protocol, draw
from lmlab.text.rows import Row
from lmlab.text.sets import Dataset
from lmlab.text.templates import PromptTemplate

MOST_ORDERS = 24

Borrow = Callable[[str], AbstractContextManager[LM]]


@dataclass(frozen=True)
class Design:
    """One thing to measure."""

    label: str  # as shown on the axis
    model: str
    template: PromptTemplate
    data: Dataset
    protocol: Protocol
    examples: Sequence[Sequence[Row]] | None = None  # sets in place of drawn ones


@dataclass(frozen=True, slots=True)
class Cell:
    """How far a design of a study is, in prompts, and what it has shown."""

    design: int  # its place
    designs: int  # how many there are
    label: str
    done: int
    total: int
    evaluation: Evaluation | None  # None before the first prediction
    final: bool


def iter_study(borrow: Borrow, designs: Sequence[Design]) -> Iterator[Cell]:
    """Measure each design in turn; each model is borrowed for its own designs only.

    Raises:
        LabError: what ``iter_evaluate`` raises.
    """
    for place, design in enumerate(designs):
        with borrow(design.model) as lm:
            yield from iter_design(lm, design, place, len(designs))


def iter_design(lm: LM, design: Design, place: int = 0, of: int = 1) -> Iterator[Cell]:
    """Measure one design, which stands at a place among several; others use the model between."""
    steps = iter_evaluate(
        lm, design.template, design.data, design.protocol, examples=design.examples
    )
    for step in stepwise([lm], steps):
        if isinstance(step, Evaluation):
            n = len(step.predictions) + len(step.unfit)
            yield Cell(place, of, design.label, n, n, step, final=True)
        else:
            yield Cell(place, of, design.label, step.done, step.total, step.so_far, final=False)


def shots_study(design: Design, shots: Sequence[int]) -> list[Design]:
    """From none to many examples; more shots of a draw begin with the fewer ones."""
    if not shots:
        raise InputError("No number of shots is named.", "For instance 0, 1, 2, 4.")
    of = {k: replace(design.protocol, shots=k) for k in sorted(set(shots))}
    return [replace(design, label=str(k), protocol=protocol) for k, protocol in of.items()]


def templates_study(design: Design, templates: Sequence[PromptTemplate]) -> list[Design]:
    """The same examples and queries through every wording."""
    return [replace(design, label=one.title or one.name, template=one) for one in templates]


def models_study(design: Design, models: Sequence[str]) -> list[Design]:
    """The same design under several models."""
    return [replace(design, label=name, model=name) for name in dict.fromkeys(models)]


def order_study(design: Design, examples: Sequence[Row] | None = None) -> list[Design]:
    """The same examples, by default drawn ones, in every order or in a sample of the orders: each
    is one draw."""
    seed = design.protocol.seed
    if examples is None:
        examples = draw(design.data.pool, design.protocol.shots, seed)
    if len(examples) < 2:
        raise InputError("An order needs at least two examples.", "Take two shots or more.")
    ways = orders(examples, seed)
    label = f"{len(ways)} orders of {len(examples)} examples"
    return [replace(design, label=label, examples=ways)]


def orders(examples: Sequence[Row], seed: int = 0) -> list[list[Row]]:
    """All orders of the examples, or a sample of different ones where there are too many."""
    if math.factorial(len(examples)) <= MOST_ORDERS:
        return [list(order) for order in itertools.permutations(examples)]
    chance = Random(f"{seed}/orders")
    places = range(len(examples))
    found: dict[tuple[int, ...], None] = {}
    while len(found) < MOST_ORDERS:
        found[tuple(chance.sample(places, len(places)))] = None
    return [[examples[i] for i in order] for order in found]
