"""How much of the held-out rows a run measures: by a clock that the tests turn."""

import itertools
from dataclasses import replace

import pytest

from lmlab.runs.records import read
from lmlab.runs.siblings import alike
from lmlab.runs.store import Runs
from lmlab.runs.worker import train
from lmlab.settings import Settings
from lmlab.text.sets import evenly
from lmlab.training.batches import mean_loss
from lmlab.training.events import Evaluated, Finished, Sampled, Sized, TrainStep, from_dict, to_dict
from lmlab.training.finetune import finetune
from lmlab.training.sets import TuningData
from lmlab.training.sizing import Budget, Size, evaluations, fitted
from tests.tuningbits import QUICK, ROWS, TEMPLATE, WORDS, material, tuned

HELD = tuple({"word": f"{a} {b}", "answer": b} for a in WORDS for b in WORDS[:4])
MANY = TuningData("words", ROWS, HELD, "upload")
CONFIG = replace(QUICK, steps=3, answer_rows=20, probe_rows=6, samples=3)


def slow(seconds: float) -> Budget:
    """A budget on a machine where everything that is timed takes so long."""
    ticks = itertools.count()
    return Budget(3.0, clock=lambda: seconds * next(ticks))


def events_of(folder, config=CONFIG, budget=None, data=MANY, **more):
    model = tuned(folder, config)
    found = material(model, TEMPLATE, data, config)
    return list(finetune(model, found, budget=budget, **more)), model, found


def test_a_budget_is_shared_out_and_never_below_the_fewest():
    needs = {
        "samples": [0.0, 2.0, 4.0],
        "probe": [1.5 * n for n in range(5)],
        "answers": [0.5 * n for n in range(41)],
        "valid": [0.1 * n for n in range(201)],
    }
    assert fitted(needs, 200.0) == Size(200, 4, 40, 2)
    assert fitted(needs, 200.0).seconds == pytest.approx(50.0)
    assert fitted(needs, 12.0) == Size(35, 2, 7, 1)
    # Three answers of forty would say nothing.
    assert fitted(needs, 6.0) == Size(25, 1, 0, 1)
    assert fitted(needs, -1.0) == Size(8, 1, 0, 1)
    few = {**needs, "valid": [0.0, 9.0], "answers": [0.0, 1.0]}
    assert fitted(few, 9.0) == Size(1, 1, 1, 1)


def test_a_tenth_of_a_long_run_goes_into_measuring_whatever_the_least():
    needs = {
        "samples": [0.0],
        "probe": [0.0],
        "answers": [0.0],
        "valid": [n / 2 for n in range(201)],
    }
    long = replace(CONFIG, steps=1000, evaluate_every=100)
    assert evaluations(long) == 11
    # a tenth of 1,000 steps of 5.5 s, shared by 11 evaluations
    assert Budget().size(needs, long, step=5.5, spent=1.0).valid == 2 * 49
    assert Budget().size(needs, long, step=9.0, spent=1.0).valid == 200
    assert Budget().size(needs, CONFIG, step=5.5, spent=1.0).valid == 8


def test_a_slow_machine_measures_an_even_choice_and_says_so(folder):
    made, model, found = events_of(folder("llama", "bytelevel-bos"), budget=slow(1.0))
    sized = next(event for event in made if isinstance(event, Sized))
    assert sized.whole == Size(len(HELD), 6, 20, 3)
    assert sized.used == Size(8, 1, 0, 1)
    assert "8 of 48 held-out rows, 1 of 6 general texts, no answers, 1 of 3 samples" in sized.told
    assert from_dict(to_dict(sized)) == sized
    # Told before anything is measured; the same rows are read before and after.
    first = next(place for place, event in enumerate(made) if isinstance(event, Evaluated))
    assert made.index(sized) < first
    assert made[first].accuracy is None
    assert [event.index for event in made if isinstance(event, Sampled)] == [0, 0]
    last = next(event for event in made if isinstance(event, Finished))
    rows = evenly(found.valid, 8)
    again = mean_loss(model.model.eval(), rows, 0, True, model.base.device)
    assert last.valid_loss == pytest.approx(again, abs=1e-6)


@pytest.mark.parametrize("config", [CONFIG, replace(CONFIG, measure="all")])
def test_a_quick_machine_and_a_wish_measure_all(folder, config):
    budget = slow(1e-4 if config.measure == "time" else 1.0)
    made, _, _ = events_of(folder("llama", "bytelevel-bos"), config, budget)
    sized = next(event for event in made if isinstance(event, Sized))
    assert sized.used == sized.whole == Size(len(HELD), 6, 20, 3)
    assert sized.told == ""
    assert sum(isinstance(event, Sampled) for event in made) == 6


def test_a_run_that_goes_on_keeps_its_rows(folder, tmp_path):
    path, config = folder("llama", "bytelevel-bos"), replace(CONFIG, steps=6, save_every=1)
    model, seen = tuned(path, config), []
    stopped = finetune(
        model,
        material(model, TEMPLATE, MANY, config),
        budget=slow(1.0),
        out=tmp_path,
        should_stop=lambda: "stopped" if 2 in seen else None,
    )
    for event in stopped:
        seen += [event.step] if isinstance(event, TrainStep) else []
    assert seen == [1, 2]
    # Now everything is quick, and is measured as before all the same.
    onward, _, _ = events_of(path, config, slow(1e-4), out=tmp_path)
    assert not any(isinstance(event, Sized) for event in onward)
    whole, _, _ = events_of(path, config, slow(1.0))
    assert onward[-1].valid_loss == pytest.approx(whole[-1].valid_loss, abs=1e-6)
    assert onward[-1].valid_before == whole[-1].valid_before


def test_runs_on_the_same_rows_are_measured_alike(folder, tmp_path):
    path, runs = str(folder("llama", "bytelevel-bos")), Runs(tmp_path)

    def new(owner="owner-one-0000", config=CONFIG):
        return runs.new(owner, path, MANY, TEMPLATE, config)

    first = new()
    for _ in train(first, Settings(device="cpu", measure_seconds=1e-9)):
        pass
    info = first.info()
    assert (info.measured, info.held_out) == (8, len(HELD))
    assert "48 held out, of which 8 were measured" in (first.path / "README.md").read_text()
    second, other = new(config=replace(CONFIG, rank=2)), new("owner-two-0000")
    assert alike(second, second.spec) == (Size(8, 1, 0, 1), Size(len(HELD), 6, 20, 3))
    assert alike(other, other.spec) is None
    for _ in train(second, Settings(device="cpu")):
        pass
    assert second.info().measured == 8
    third = new(config=replace(CONFIG, answer_rows=1))
    assert alike(third, third.spec) is None
    assert isinstance(next(e for e in read(second.path) if isinstance(e, Sized)), Sized)
