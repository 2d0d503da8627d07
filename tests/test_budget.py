"""How many rows a study, minimal pairs, drift and the map of tasks read: by a clock that the tests
turn."""

import json
from dataclasses import replace
from functools import partial

import pytest

from lmlab.api import load
from lmlab.budget import FEW, FEWEST, Left, Portion, Rounds, by_chance
from lmlab.errors import InputError
from lmlab.features.change import drift, drift_service
from lmlab.features.change.changes import Drift, SoFar, TaskMap
from lmlab.features.change.drift_service import Drifting, TaskMaps
from lmlab.features.prompt import studies
from lmlab.features.prompt.receipt import evaluation as receipt
from lmlab.features.prompt.studies import Design, ask_design, iter_study, shots_study
from lmlab.lab import Lab
from lmlab.scoring import pairs
from lmlab.scoring.comparison import compare
from lmlab.settings import Settings
from lmlab.text.protocols import Protocol
from lmlab.text.sets import Dataset
from tests.test_evaluation import DATA, LABELLED

MANY = replace(DATA, queries=tuple(DATA.queries[n % len(DATA.queries)] for n in range(60)))


class Clock:
    """Stands until it is turned."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def measured(rounds: Rounds, clock: Clock, costs, start=0.0):
    """Reads rows that take so long in each part, and what the reading of a part takes besides; what
    was left and what did pass, after each row."""
    told = []
    for rows in rounds:
        for part, cost in enumerate(costs):
            clock.now += start
            for n in range(1, len(rows) + 1):
                clock.now += cost
                told.append((rounds.left(part, n / len(rows)), clock.now))
    return told


@pytest.mark.parametrize(
    ("cost", "rows"), [(0.01, 100), (0.7, 100), (1.0, 60), (5.0, 12), (25.0, 4), (100.0, 4)]
)
def test_what_fits_a_minute_is_measured(cost, rows):
    clock = Clock()
    rounds = Rounds(100, 60.0, clock=clock)
    measured(rounds, clock, [cost])
    assert rounds.done == rows
    assert clock.now - 100 <= max(1.25 * 60, FEWEST * cost)
    whole = Portion(rows, 100, pytest.approx(100 * cost))
    assert rounds.portion == (None if rows == 100 else whole)
    every = Rounds(100, clock=clock)
    measured(every, clock, [cost])
    assert every.done == 100


def test_every_part_reads_the_same_rows_and_few_at_first():
    clock = Clock()
    rounds = Rounds(100, 60.0, parts=3, clock=clock)
    seen = []
    for rows in rounds:
        seen.append(rows)
        clock.now += 4.0 * len(rows)
    assert seen[0] == range(FEW)
    assert [rows.start for rows in seen[1:]] == [rows.stop for rows in seen[:-1]]
    assert rounds.portion == Portion(15, 100, pytest.approx(400.0))


@pytest.mark.parametrize("costs", [(0.3,), (2.0,), (0.05, 0.4, 1.5)])
def test_time_left_is_right_within_a_third_after_ten_steps(costs):
    clock = Clock()
    rounds = Rounds(40, 60.0, parts=len(costs), clock=clock)
    told = measured(rounds, clock, costs, start=1.0)
    end = told[-1][1]
    assert told[0][0] is None
    for left, now in told[10:]:
        assert left is not None
        assert left.seconds == pytest.approx(end - now, rel=0.3, abs=5.0)
        assert 0 < left.share <= 1
    shares = [left.share for left, _ in told if left]
    assert shares[-1] > 0.9
    assert Left(41.2, 0.5).told == "about 41 s left"


def test_any_beginning_of_the_order_is_the_same_choice():
    order = by_chance(range(50), 7)
    assert sorted(order) == list(range(50))
    assert order == by_chance(range(50), 7) != by_chance(range(50), 8)


# --- what it is used for --------------------------------------------------------------------------


@pytest.fixture
def slow(monkeypatch):
    """Rounds by a clock that goes on by a second each time that a row is read."""
    clock = Clock()
    for module in (studies, drift_service, pairs):
        monkeypatch.setattr(module, "Rounds", partial(Rounds, clock=clock))
    return clock


@pytest.fixture(scope="module")
def lm(folder):
    return load(str(folder("llama", "bytelevel-bos")))


def study(lm, clock, data: Dataset, **asked):
    """Designs of none and of one example, whose every prompt takes a second."""

    def ask(design, places, before):
        clock.now += len(places)
        yield from ask_design(lm, design, places, before)

    designs = shots_study(Design("", "m", LABELLED, data, Protocol(**asked)), [0, 1])
    return list(iter_study(ask, designs, 20.0))


def test_designs_are_compared_on_the_same_rows(lm, slow):
    cells = study(lm, slow, MANY)
    final = [cell.evaluation for cell in cells if cell.final]
    rows = [{one.row for one in found.predictions} for found in final]
    assert rows[0] == rows[1] == {place + 1 for place in by_chance(range(60))[:10]}
    told = "Measured on 10 of 60 rows; all of them would take about 2.0 min."
    assert all(found.notes[0] == told for found in final)
    # Both designs have shown something before one of them is asked more.
    first = [cell.design for cell in cells if cell.done <= 2 and cell.evaluation]
    assert {*first} == {0, 1}
    assert any(cell.left and cell.left.seconds > 1 for cell in cells)
    said = json.loads(json.dumps(final[0].to_dict()))
    assert (said["n"], said["rows"], said["seconds_of_all"]) == (10, 60, 120.0)
    asked = [("a", {"dog": " dog"}, "dog")]
    assert told in receipt(final[0], asked)


def test_all_rows_are_measured_where_they_are_asked_for(lm, slow):
    whole = [cell.evaluation for cell in study(lm, slow, MANY, measure="all") if cell.final]
    assert [found.n for found in whole] == [60, 60]
    assert [found.portion for found in whole] == [None, None]
    assert "rows" not in whole[0].to_dict()
    # What is asked in rounds is what is asked at once.
    at_once = next(ask_design(lm, Design("", "m", LABELLED, MANY, Protocol()), range(60)))
    assert at_once.total == 60
    *_, once = ask_design(lm, Design("", "m", LABELLED, MANY, Protocol()), range(60))
    assert [p.nll for p in once.predictions] == pytest.approx(
        [p.nll for p in whole[0].predictions], abs=1e-5
    )


def test_a_design_of_which_nothing_fits_is_refused_at_the_end(lm, slow):
    long = {"text": "the little dog " * 30, "label": "dog", "y": "x"}
    with pytest.raises(InputError, match=f"reads at most {lm.context}"):
        study(lm, slow, Dataset("long", DATA.pool, (long,) * 9))


def test_minimal_pairs_stop_when_the_time_is_over(lm, slow, monkeypatch):
    judge = pairs.judge

    def slowly(lm, some, top_k=5):
        slow.now += 4 * len(some)
        return judge(lm, some, top_k)

    monkeypatch.setattr(pairs, "judge", slowly)
    wanted = [pairs.MinimalPair("word", f"a cat {n}", f"a hill {n}") for n in range(50)]
    steps = list(pairs.iter_pairs(lm, wanted, 60.0))
    assert len(steps[0].rows) == FEW
    assert steps[-1].portion == Portion(15, 50, 200.0)
    places = [wanted.index(pairs.MinimalPair(*row[:3])) for row in steps[-1].rows]
    assert places == sorted(by_chance(range(50))[:15])


@pytest.fixture(scope="module")
def lab():
    return Lab.open(Settings(offline=True, device="cpu", dtype="float32", study_seconds=60.0))


def test_drift_reads_as_many_texts_of_every_kind(lab, slow, monkeypatch):
    with lab.store.borrow("tiny") as one:
        compared = compare(one, one, "The dog ran home.")

    def slowly(one, two, requests, **more):
        for _ in requests:
            slow.now += 1.0
            yield compared

    monkeypatch.setattr(drift, "iter_kind", slowly)
    ask = partial(lab.service(Drifting).measure, "tiny", "tiny", rows=12)
    steps = list(ask())
    found = [step for step in steps if isinstance(step, Drift)]
    (few,) = {one.n_texts for one in found if one.portion}
    assert FEWEST <= few < 12
    assert {one.portion.used for one in found if one.portion} == {few}
    so_far = [step.found for step in steps if isinstance(step, SoFar)]
    assert {one.kind for one in so_far} >= {one.kind for one in found if one.portion}
    # A part is not kept for who asks for all.
    again = [step for step in ask(measure="all") if isinstance(step, Drift)]
    assert [one.portion for one in again] == [None] * len(found)
    assert max(one.n_texts for one in again) == 12


def test_the_map_is_of_what_fits_and_is_not_kept_then(lab, slow, monkeypatch):
    apart = drift.Between([[0.0, 0.2, 0.3], [0.2, 0.0, 0.4], [0.3, 0.4, 0.0]], [-1.0] * 3, 2)

    def slowly(lms, request):
        slow.now += 3.0
        return apart

    monkeypatch.setattr(drift, "between", slowly)
    three = [("tiny", ""), ("tiny", "german"), ("tiny", "qa")]
    monkeypatch.setattr(TaskMaps, "variants", lambda maps: three)
    maps = lab.service(TaskMaps)
    *steps, found = maps.measure(8)
    assert isinstance(found, TaskMap)
    few = max(found.n_rows)
    assert FEWEST <= few < 8
    assert found.portion == Portion(few, 8, pytest.approx(8 * 3 * len(found.kinds)))
    assert [type(one.found) for one in steps if isinstance(one, SoFar)]
    assert maps._kept.get(8) is None
