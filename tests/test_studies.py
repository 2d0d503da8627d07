"""Studies of designs, the lottery of orders, and minimal pairs."""

import json
from functools import partial

import pytest

from lmlab.api import load
from lmlab.errors import InputError
from lmlab.features.prompt.studies import (
    Design,
    ask_design,
    iter_study,
    models_study,
    order_study,
    orders,
    shots_study,
    templates_study,
)
from lmlab.scoring.pairs import MinimalPair, first_difference, iter_pairs, judge, shipped_pairs
from lmlab.scoring.score import score
from lmlab.text.protocols import Protocol
from tests.test_evaluation import DATA, LABELLED, close


@pytest.fixture(scope="module")
def lm(folder):
    return load(str(folder("llama", "bytelevel-bos")))


def base(**asked) -> Design:
    """What the studies vary."""
    return Design("", "m", LABELLED, DATA, Protocol(**asked))


def asks(model):
    """Asks one model, whatever its name is."""
    return partial(ask_design, model)


def test_studies_stream_their_cells(lm):
    designs = shots_study(base(draws=2), [2, 0, 1, 1])
    steps = list(iter_study(asks(lm), designs))
    final = [step for step in steps if step.final]
    assert [(c.design, c.label, c.evaluation.shots) for c in final] == [
        (0, "0", 0),
        (1, "1", 1),
        (2, "2", 2),
    ]
    assert (steps[0].done, steps[0].evaluation) == (0, None)
    wordings = templates_study(base(shots=1), [LABELLED, LABELLED])
    one, two = [cell for cell in iter_study(asks(lm), wordings) if cell.final]
    close(one.evaluation, two.evaluation)
    models = models_study(base(), ["m", "n", "m"])
    assert [design.model for design in models] == ["m", "n"]


def test_the_lottery_of_orders(lm):
    rows = list(DATA.pool)
    assert len(orders(rows[:3])) == 6
    many = orders(rows[:5])
    assert len(many) == len({json.dumps(order) for order in many}) == 24
    assert all(sorted(map(str, order)) == sorted(map(str, rows[:5])) for order in many)
    (design,) = order_study(base(shots=3))
    *_, cell = iter_study(asks(lm), [design])
    assert len(cell.evaluation.by_draw) == 6
    assert len(cell.evaluation.draws_by("calibrated")) == 6
    with pytest.raises(InputError, match="at least two"):
        order_study(base(shots=1))


def test_minimal_pairs(lm):
    pairs = [
        MinimalPair("order", "the little dog", "little the dog"),
        MinimalPair("word", "a cat", "a hill"),
    ]
    one, two = judge(lm, pairs)
    assert one.difference == pytest.approx(
        score(lm, pairs[0].good).logprob - score(lm, pairs[0].bad).logprob, rel=1e-4
    )
    good, bad = first_difference(two.good, two.bad)
    assert two.good.tokens[good].start <= 2 < two.good.tokens[good].end
    assert bad <= good + 1
    *_, result = iter_pairs(lm, pairs)
    assert result.total == 2
    assert set(result.by_kind) == {"order", "word"}
    assert result.accuracy.mean == sum(j.prefers_good for j in (one, two)) / 2


def test_the_shipped_pairs_differ_in_one_place():
    pairs = shipped_pairs()
    assert len(pairs) >= 50
    assert len({pair.kind for pair in pairs}) >= 6
    assert all(pair.good != pair.bad for pair in pairs)
