"""Drift by kinds of text, checkpoints along a run, and the map of tasks."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lmlab.errors import InputError, ModelError
from lmlab.features import features
from lmlab.features.change import task_texts, timemachine_service
from lmlab.features.change.changes import Drift, Moment, Reading, TaskMap
from lmlab.features.change.drift import between
from lmlab.features.change.drift_service import OWN, Drifting, TaskMaps
from lmlab.features.change.service import Changing, KnifeTexts
from lmlab.features.change.timemachine_service import TimeMachine, opening
from lmlab.lab import Lab
from lmlab.maths import mds
from lmlab.maths.metrics import distance, entropy
from lmlab.page.lecture.events import preparer
from lmlab.page.scenes.course import shipped
from lmlab.runs.model_store import ModelStore
from lmlab.runs.store import Runs
from lmlab.runs.worker import train
from lmlab.scoring.comparison import compare
from lmlab.scoring.score import ScoreRequest, score
from lmlab.settings import Settings
from lmlab.training.outcomes import snapshots
from tests.folders import save_chat_model
from tests.tuningbits import DATA, TEMPLATE, quick

OWNER = "owner-one-0000"
SETTINGS = Settings(offline=True, device="cpu", dtype="float32")
TEXT = "Once upon a time there was a little dog who lived in a small house by the river."


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab.open(SETTINGS)


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    """A run of twelve steps, and a lab that knows it."""
    root = tmp_path_factory.mktemp("runs")
    base = folder("llama", "bytelevel-bos")
    config = quick(steps=12)
    made = Runs(root).new(OWNER, str(base), DATA, TEMPLATE, config)
    for _ in train(made, SETTINGS):
        pass
    return made, Lab.open(SETTINGS.model_copy(update={"runs_dir": root}))


def moments(machine: TimeMachine, stops, text: str) -> list[Moment]:
    return [step for step in machine.travel(stops, text) if isinstance(step, Moment)]


# --- kinds of text and drift ----------------------------------------------------------------------


def test_the_task_comes_first_then_general_text_then_other_tasks(lab):
    kinds = lab.service(Drifting).kinds("base+sentiment", 4)
    assert [kind.group for kind in kinds] == ["task"] + ["general"] * 5 + ["other"] * 4
    assert kinds[0].name == "sentiment"
    assert "sentiment" not in [kind.name for kind in kinds[1:]]
    assert all(1 < len(kind.passages) <= 4 for kind in kinds)
    assert kinds[0].passages[0].text in (" positive", " negative")
    assert kinds[0].passages[0].prefix.startswith("Review:")
    assert lab.service(Drifting).kinds("base+qa-prompt", 4)[0].name == "qa"
    assert lab.service(Drifting).kinds("base", 4)[0].group == "general"


def test_a_visitors_text_stands_in_the_place_of_the_task(lab):
    kinds = lab.service(Drifting).kinds("base+sentiment", 4, "one text\n\nanother\n\n\n")
    assert (kinds[0].name, kinds[0].group) == (OWN, "task")
    assert [one.text for one in kinds[0].passages] == ["one text", "another"]
    with pytest.raises(InputError, match="characters"):
        lab.service(Drifting).kinds("base", 4, "x" * (SETTINGS.max_chars + 1))
    with pytest.raises(InputError, match="From 2 to"):
        lab.service(Drifting).kinds("base", 1)


def test_what_a_run_learned_is_its_task(run):
    made, lab = run
    kinds = lab.service(Drifting).kinds(f"{made.spec.model}+run:{made.spec.id}", 3)
    assert (kinds[0].name, kinds[0].group) == ("words", "task")
    assert kinds[0].passages[0].prefix.startswith("Say ")


def test_a_run_in_the_chat_form_is_asked_in_it(tmp_path):
    lab = Lab.open(SETTINGS.model_copy(update={"runs_dir": tmp_path}))
    base = save_chat_model(tmp_path / "model")
    for form in ("plain", "chat"):
        made = Runs(tmp_path).new(OWNER, str(base), DATA, TEMPLATE, quick(steps=1, form=form))
        for _ in train(made, SETTINGS):
            pass
        tuned = f"{base}+run:{made.spec.id}"
        kinds = lab.service(Drifting).kinds(tuned, 3)
        task, *others = [kind for kind in kinds if kind.name != "german"]
        in_chat = [p.prefix.endswith("<|im_start|>assistant\n") for p in task.passages]
        assert in_chat == [p.turn for p in task.passages] == [form == "chat"] * 3
        assert task.passages[0].text == " the dog"[form == "chat" :]
        asked = {kind.name: kind.passages[0].turn for kind in others}
        assert asked["qa"] == (form == "chat")
        assert not asked["verse"]
        cut = lab.service(Changing).task(tuned, KnifeTexts(rows=3, probes=1))
        assert cut.passages[0] == task.passages[0]


def test_measured_drift_is_the_mean_of_the_texts(lab):
    small = Drifting(lab)
    found = []
    for step in small.measure("base", "base+german", rows=3):
        if isinstance(step, Drift):
            found.append(step)
            if len(found) == 2:
                break
    task, stories = found
    kinds = small.kinds("base+german", 3)
    with lab.store.borrow_all(["base", "base+german"]) as (one, two):
        pairs = [compare(one, two, p.text, prefix=p.prefix) for p in kinds[0].passages]
    there = [pair.mean_kl[1] for pair in pairs]
    assert task.kl == pytest.approx(np.mean(there), rel=1e-4)
    assert min(there) <= task.kl_low <= task.kl <= task.kl_high <= max(there)
    assert task.kl_reverse_low <= task.kl_reverse <= task.kl_reverse_high
    assert (task.group, stories.group) == ("task", "general")
    assert stories.n_texts == 3
    assert task.after < task.before
    assert stories.forgetting > 0


# --- snapshots and journeys -----------------------------------------------------------------------


def drifts(lab, *asked, **more):
    return [
        step for step in lab.service(Drifting).measure(*asked, **more) if isinstance(step, Drift)
    ]


def test_what_ships_is_measured_once(lab, monkeypatch):
    first = drifts(lab, "tiny", "tiny", rows=2)
    monkeypatch.setattr("lmlab.features.change.drift.iter_kind", lambda *_, **__: iter(()))
    assert drifts(lab, "tiny", "tiny", rows=2) == first
    assert drifts(lab, "tiny", "tiny", rows=3) == []
    assert [one.kind for one in drifts(lab, "tiny", "tiny", rows=2, own="mine")] == [
        one.kind for one in first
    ]


def test_a_visitors_text_is_not_kept(lab, monkeypatch):
    first = [one.kind for one in drifts(lab, "tiny", "tiny", rows=2, own="one text")]
    assert OWN in first
    monkeypatch.setattr("lmlab.features.change.drift.iter_kind", lambda *_, **__: iter(()))
    again = [one.kind for one in drifts(lab, "tiny", "tiny", rows=2, own="one text")]
    assert sorted([OWN, *again]) == sorted(first)


def test_the_next_scene_is_measured_while_one_is_shown(monkeypatch):
    lab = Lab.open(SETTINGS)
    names = [scene.name for scene in shipped()]
    before = names[names.index("forgetting") - 1]
    preparer(lab, shipped(), features())((), SimpleNamespace(name=before))
    monkeypatch.setattr("lmlab.features.change.drift.iter_kind", lambda *_, **__: iter(()))
    assert len(drifts(lab, "base", "qa")) == len(lab.service(Drifting).kinds("qa"))


def test_a_run_keeps_snapshots_evenly_and_each_loads_as_a_model(run):
    made, lab = run
    assert list(made.snapshots) == [2, 4, 6, 8, 10]
    name = f"{made.spec.model}+run:{made.spec.id}"
    with lab.store.borrow_all([made.spec.model, f"{name}@2", name]) as lms:
        losses = [score(lm, " the dog", prefix="Say dog:").log_perplexity for lm in lms]
    assert losses[0] > losses[1] > losses[2]
    for wrong in ("3", "x", "9" * 30, "../4"):
        with (
            pytest.raises(ModelError, match="kept nothing of step"),
            lab.store.borrow(f"{name}@{wrong}"),
        ):
            pass


def test_snapshots_stay_within_their_room(folder, tmp_path):
    assert [snapshots(n) for n in (1, 20_000_000, 60_000_000)] == [8, 5, 0]
    made = Runs(tmp_path).new(
        OWNER, str(folder("llama", "bytelevel-bos")), DATA, TEMPLATE, quick(steps=1)
    )
    for _ in train(made, SETTINGS):
        pass
    assert made.snapshots == {}


def test_a_full_run_is_looked_back_on_too(folder, tmp_path):
    base = folder("gpt2", "bytelevel-bos")
    made = Runs(tmp_path).new(OWNER, str(base), DATA, TEMPLATE, quick(method="full", steps=3))
    for _ in train(made, SETTINGS):
        pass
    lab = Lab.open(SETTINGS.model_copy(update={"runs_dir": tmp_path}))
    stops = lab.service(TimeMachine).of_run(f"run:{made.spec.id}")
    assert [stop.step for stop in stops] == [0, 1, 2, 3]
    found = moments(lab.service(TimeMachine), stops, "Say dog: the dog")
    assert len({round(m.scored.logprob, 4) for m in found}) == 4


def test_the_shipped_journey_is_in_order_and_becomes_language(lab):
    stops = lab.service(TimeMachine).shipped()
    steps = [stop.step for stop in stops]
    assert steps[0] == 0
    assert steps == sorted(steps)
    assert len(steps) > 5
    found = moments(lab.service(TimeMachine), [stops[0], stops[4], stops[-1]], TEXT)
    first, middle, last = (moment.scored.perplexity for moment in found)
    assert first == pytest.approx(found[0].vocabulary, rel=0.35)
    assert first > middle > last
    with lab.store.borrow(stops[-1].model) as lm:
        expected = score(lm, TEXT)
    assert found[-1].scored.logprob == pytest.approx(expected.logprob, rel=1e-5)
    assert len(found[0].scored.tokens[3].top) == 8
    assert all(moment.written for moment in found)


def test_what_was_scored_is_not_scored_again(lab, monkeypatch):
    stops = lab.service(TimeMachine).shipped()[:2]
    before = moments(lab.service(TimeMachine), stops, TEXT)

    def never(*_):
        raise AssertionError("it was borrowed again")

    monkeypatch.setattr(ModelStore, "borrow", never)
    assert moments(lab.service(TimeMachine), stops, TEXT) == before


def test_progress_is_told_and_stopping_keeps_what_is_there(lab):
    steps = lab.service(TimeMachine).travel(lab.service(TimeMachine).shipped(), TEXT)
    seen = []
    for step in steps:
        seen.append(step)
        if isinstance(step, Moment):
            break
    steps.close()
    assert isinstance(seen[0], Reading)
    assert seen[-1].scored.text == TEXT


def test_a_run_s_journey_starts_at_its_base(run):
    made, lab = run
    stops = lab.service(TimeMachine).of_run(f"{made.spec.model}+run:{made.spec.id}")
    assert [stop.step for stop in stops] == [0, 2, 4, 6, 8, 10, 12]
    found = moments(lab.service(TimeMachine), stops, "Say dog: the dog")
    assert found[0].scored.logprob < found[-1].scored.logprob
    # Its snapshots are let go of, and can be had again.
    with lab.store.borrow(stops[0].model) as lm:
        assert not any(path in lm.adapters for path in made.snapshots.values())
    with lab.store.borrow(stops[1].model) as lm:
        again = score(lm, "Say dog: the dog")
    assert again.logprob == pytest.approx(found[1].scored.logprob, rel=1e-5)
    with pytest.raises(InputError, match="not a run"):
        lab.service(TimeMachine).of_run("base+sentiment")
    with pytest.raises(InputError, match="not a run"):
        lab.service(TimeMachine).of_run("run:0123456789abcdef")


def test_revisions_are_put_in_order_of_their_steps(lab, folder):
    stops = lab.service(TimeMachine).of_revisions("EleutherAI/pythia-70m", "step64, step0 step1000")
    assert [stop.step for stop in stops] == [0, 64, 1000]
    assert stops[1].model == "EleutherAI/pythia-70m@step64"
    here = lab.service(TimeMachine).of_revisions(
        str(folder("llama", "bytelevel-bos")), "step0 step64"
    )
    with pytest.raises(ModelError, match="no revisions"):
        moments(lab.service(TimeMachine), here, "the dog")


@pytest.mark.parametrize(
    ("name", "revisions", "words"),
    [
        ("", "step0 step1", "No model"),
        ("a+b", "step0 step1", "alone"),
        ("a", "step0", "From 2 to"),
        ("a", "main step1", "does not tell a step"),
        ("a", "step1 s1", "same step"),
        ("a", " ".join(f"step{i}" for i in range(timemachine_service.MOST + 1)), "From 2 to"),
    ],
)
def test_revisions_that_cannot_be_are_refused(lab, name, revisions, words):
    with pytest.raises(InputError, match=words):
        lab.service(TimeMachine).of_revisions(name, revisions)


def test_a_text_that_cannot_be_is_refused(lab):
    stops = lab.service(TimeMachine).shipped()[:1]
    for text, words in ((" ", "no text"), ("x" * (SETTINGS.max_chars + 1), "characters")):
        with pytest.raises(InputError, match=words):
            list(lab.service(TimeMachine).travel(stops, text))
    with pytest.raises(InputError, match="tokens"):
        list(lab.service(TimeMachine).travel(stops, "dog " * 700))


def test_checkpoints_with_other_tokens_are_refused(lab, folder):
    stops = lab.service(TimeMachine).of_revisions("x", "step0 step1")
    paths = [folder("llama", "bytelevel-bos"), "base"]
    from dataclasses import replace

    stops = [replace(stop, model=str(path)) for stop, path in zip(stops, paths, strict=True)]
    with pytest.raises(InputError, match="different tokens"):
        list(lab.service(TimeMachine).travel(stops, TEXT))


def test_an_opening_ends_with_a_word():
    assert TEXT.startswith(opening(TEXT))
    assert opening("x" * 500) == "x" * 72
    assert task_texts.own_texts("", 3) == ()


# --- multidimensional scaling ---------------------------------------------------------------------


def test_points_of_a_plane_are_found_again():
    draw = np.random.default_rng(3)
    points = draw.normal(size=(7, 2))
    table = np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1))
    found = mds.scaled(table.tolist())
    assert found.stress < 1e-4
    assert found.points[0] == (0.0, 0.0)
    for i in range(7):
        for j in range(7):
            assert math.dist(found.points[i], found.points[j]) == pytest.approx(
                table[i, j], abs=1e-3
            )


def test_stress_is_kruskals_and_iterations_lower_it():
    # Four points at equal distances do not fit into a plane.
    table = 1 - np.eye(4)
    start = mds.classical(table)
    found = mds.scaled(table.tolist())
    assert 0 < found.stress <= mds.stress_1(table, mds.smacof(table, start)) + 1e-12
    between = [math.dist(a, b) for a in found.points for b in found.points]
    wanted = table.reshape(-1)
    residue = sum((d - w) ** 2 for d, w in zip(between, wanted, strict=True))
    assert found.stress == pytest.approx(math.sqrt(residue / sum(d * d for d in between)))
    assert mds.scaled(table.tolist()) == found


@pytest.mark.parametrize("table", [[[0, 1], [2, 0]], [[1.0]], [[0, -1], [-1, 0]], [[0, math.nan]]])
def test_what_is_no_distance_is_refused(table):
    with pytest.raises(ValueError, match="distances"):
        mds.scaled(table)


def test_few_points_have_a_picture_too():
    assert mds.scaled([[0.0]]).points == ((0.0, 0.0),)
    assert mds.scaled([[0.0, 2.0], [2.0, 0.0]]).points[1] == pytest.approx((2.0, 0.0))
    assert mds.scaled([[0.0, 0.0], [0.0, 0.0]]).stress == 0.0


# --- the map of tasks -----------------------------------------------------------------------------


def test_the_distance_is_the_root_of_the_divergence():
    p = torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.2, 0.3, 0.5]])
    q = torch.tensor([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.5, 0.3, 0.2]])
    found = distance(p, q, entropy(p), entropy(q))
    assert found[0] == 0
    assert found[1] == 1
    middle = (p[2] + q[2]) / 2
    expected = sum((x * (x / middle).log2()).sum() / 2 for x in (p[2], q[2]))
    assert float(found[2]) == pytest.approx(math.sqrt(float(expected)), abs=1e-5)


def test_models_between_each_other(lab):
    request = ScoreRequest(" positive", "Review: a warm and funny film\nSentiment:")
    names = ["base", "base+sentiment", "base", "base+qa-prompt"]
    with lab.store.borrow_all(names) as lms:
        found = between(lms, request)
        expected = [score(lm, request.text, prefix=request.prefix).logprob for lm in lms]
    assert found.logprob == pytest.approx(expected, abs=1e-4)
    table = np.array(found.distances)
    assert np.array_equal(table, table.T)
    assert table[0, 2] == table[0, 0] == 0.0
    assert 0 < table[0, 1] < 1
    assert table[0, 1] == pytest.approx(table[2, 1], abs=1e-6)
    assert found.n_tokens == 1


def test_the_map_is_measured_once_and_for_everybody(lab, monkeypatch):
    steps = list(lab.service(TaskMaps).measure(2))
    found = steps[-1]
    assert isinstance(found, TaskMap)
    assert found.names[0] == "base"
    assert {"base+german", "base+verse", "qa"} < set(found.names)
    assert found.kinds[-1] == "stories"
    assert found.spread[0] == 0.0
    assert 0 < found.stress < 0.4
    own = [found.kinds.index(task) for task in found.own[1:]]
    assert all(found.moved(i, kind) < 0 for i, kind in enumerate(own, 1))
    assert all(found.moved(0, kind) == 0 for kind in range(len(found.kinds)))
    monkeypatch.setattr(ModelStore, "borrow_all", None)
    assert list(lab.service(TaskMaps).measure(2)) == [found]
    with pytest.raises(InputError, match="From 2 to"):
        list(lab.service(TaskMaps).measure(1))


def test_without_variants_there_is_no_map(tmp_path):
    lab = Lab(ModelStore(SETTINGS, models=tmp_path), SETTINGS)
    with pytest.raises(InputError, match="no tuned variants"):
        list(lab.service(TaskMaps).measure())
