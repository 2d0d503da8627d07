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
    model: str  # name
    template: PromptTemplate  # the wording
    data: Dataset  # examples and queries
    protocol: Protocol  # how it is measured
    examples: Sequence[Sequence[Row]] | None = None  # sets of examples in place of drawn ones


@dataclass(frozen=True, slots=True)
class Studying:
    """Progress of a study, in prompts of the design that is measured now."""

    design: int  # its place
    designs: int  # how many there are
    label: str  # its label
    done: int  # prompts of it that were asked
    total: int  # all of its prompts


@dataclass(frozen=True, slots=True)
class Cell:
    """A design's result."""

    design: int  # its place
    label: str  # its label
    evaluation: Evaluation  # the figures so far
    final: bool  # whether that is all


def iter_study(borrow: Borrow, designs: Sequence[Design]) -> Iterator[Studying | Cell]:
    """Measure each design in turn; each model is borrowed for its own designs only.

    Raises:
        LabError: what ``iter_evaluate`` raises.
    """
    for place, design in enumerate(designs):
        with borrow(design.model) as lm:
            yield from iter_design(lm, design, place, len(designs))


def iter_design(lm: LM, design: Design, place: int = 0, of: int = 1) -> Iterator[Studying | Cell]:
    """Measure one design, which stands at a place among several; others use the model between."""
    steps = iter_evaluate(
        lm, design.template, design.data, design.protocol, examples=design.examples
    )
    for step in stepwise([lm], steps):
        if isinstance(step, Evaluation):
            yield Cell(place, design.label, step, final=True)
            continue
        yield Studying(place, of, design.label, step.done, step.total)
        if step.so_far is not None:
            yield Cell(place, design.label, step.so_far, final=False)


def shots_study(
    model: str, template: PromptTemplate, data: Dataset, protocol: Protocol, shots: Sequence[int]
) -> list[Design]:
    """From none to many examples; more shots of a draw begin with the fewer ones."""
    if not shots:
        raise InputError("No number of shots is named.", "For instance 0, 1, 2, 4.")
    ordered = sorted(set(shots))
    return [Design(str(k), model, template, data, replace(protocol, shots=k)) for k in ordered]


def templates_study(
    model: str, templates: Sequence[PromptTemplate], data: Dataset, protocol: Protocol
) -> list[Design]:
    """The same examples and queries through every wording."""
    return [Design(t.title or t.name, model, t, data, protocol) for t in templates]


def order_study(
    model: str,
    template: PromptTemplate,
    data: Dataset,
    protocol: Protocol,
    examples: Sequence[Row] | None = None,
) -> list[Design]:
    """The same examples in every order, or in a sample of them: each order is one draw."""
    if examples is None:
        examples = draw(data.pool, protocol.shots, protocol.seed)
    if len(examples) < 2:
        raise InputError("An order needs at least two examples.", "Take two shots or more.")
    ways = orders(examples, protocol.seed)
    label = f"{len(ways)} orders of {len(examples)} examples"
    return [Design(label, model, template, data, protocol, ways)]


def models_study(
    models: Sequence[str], template: PromptTemplate, data: Dataset, protocol: Protocol
) -> list[Design]:
    """The same design under several models."""
    return [Design(name, name, template, data, protocol) for name in dict.fromkeys(models)]


def orders(examples: Sequence[Row], seed: int = 0, most: int = MOST_ORDERS) -> list[list[Row]]:
    """All orders of the examples, or a sample of ``most`` different ones where there are more."""
    if math.factorial(len(examples)) <= most:
        return [list(order) for order in itertools.permutations(examples)]
    chance = Random(f"{seed}/orders")
    places = range(len(examples))
    found: dict[tuple[int, ...], None] = {}
    while len(found) < most:
        found[tuple(chance.sample(places, len(places)))] = None
    return [[examples[i] for i in order] for order in found]
