"""One design against another: more examples, other wordings, other orders, other models.

A study is a list of designs and a stream of their results, drawn as they come.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from lmlab.budget import Left, Rounds
from lmlab.errors import InputError
from lmlab.features.prompt.evaluation import iter_evaluate, refuse_empty
from lmlab.features.prompt.evaluations import Evaluating, Evaluation
from lmlab.models.fair_lock import stepwise
from lmlab.models.model import LM
from lmlab.text.protocols import Protocol, asked, draw, order_of
from lmlab.text.rows import Row
from lmlab.text.sets import Dataset
from lmlab.text.templates import PromptTemplate

MOST_ORDERS = 24

Steps = Iterator[Evaluating | Evaluation]
# Asks a design some of its queries, by their places; goes on from a result.
Ask = Callable[["Design", Sequence[int], Evaluation | None], Steps]


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
    total: int  # that are asked in this round, and before
    evaluation: Evaluation | None = None  # None before the first prediction
    final: bool = False
    left: Left | None = None  # of the whole study; None: not known yet


def iter_study(ask: Ask, designs: Sequence[Design], seconds: float = math.inf) -> Iterator[Cell]:
    """Measure designs side by side: all of them on some queries, then on more, as many as fit.

    Args:
        ask: runs a design's model.
        seconds: that all may take, about, unless the designs' protocol says ``all``.

    Raises:
        LabError: what ``iter_evaluate`` raises.
    """
    protocol, found = designs[0].protocol, dict[int, Evaluation]()
    order = order_of(asked(designs[0].data, protocol), protocol)
    budget = math.inf if protocol.measure == "all" else seconds
    rounds = Rounds(len(order), budget, parts=len(designs))
    for places in rounds:
        chosen = [order[place] for place in places]
        for which in range(len(designs)):
            yield from _turn(ask, designs, which, chosen, found, rounds)
    for which, result in found.items():
        refuse_empty(result)
        yield _cell(designs, which, result.within(rounds.portion), final=True)


def _turn(
    ask: Ask,
    designs: Sequence[Design],
    which: int,
    places: Sequence[int],
    found: dict[int, Evaluation],
    rounds: Rounds,
) -> Iterator[Cell]:
    """One design's part of a round."""
    before = found.get(which)
    known = before.asked if before else 0
    for step in ask(designs[which], places, before):
        if isinstance(step, Evaluation):
            found[which], left = step, rounds.left(which, 1.0)
            yield replace(_cell(designs, which, step), left=left)
        else:
            left = rounds.left(which, (step.done - known) / max(1, step.total - known))
            cell = Cell(which, len(designs), designs[which].label, step.done, step.total)
            yield replace(cell, evaluation=step.so_far, left=left)


def _cell(
    designs: Sequence[Design], which: int, result: Evaluation, *, final: bool = False
) -> Cell:
    n = result.asked
    shown = result if result.predictions else None
    return Cell(which, len(designs), designs[which].label, n, n, shown, final)


def ask_design(
    lm: LM, design: Design, places: Sequence[int], before: Evaluation | None = None
) -> Steps:
    """Some queries of a design; others use the model between two steps."""
    steps = iter_evaluate(
        lm, design.template, design.data, design.protocol, examples=design.examples, places=places,
        before=before,
    )  # fmt: skip
    return stepwise([lm], steps)


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
