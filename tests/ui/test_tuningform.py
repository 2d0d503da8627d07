"""The Fine-tune tab's form, and what the page's script may ask for; no browser."""

import time

import pytest

from lmlab.errors import InputError
from lmlab.features.tuning.form import KEYS, PRESETS, RACE, config_of, values_of
from lmlab.features.tuning.service import Tuning
from lmlab.parts.run_following import follower
from lmlab.text.wordings import shipped_templates
from lmlab.training.config import FinetuneConfig
from lmlab.training.sets import TuningData

OWNER = "0123456789abcdef0123456789abcdef"
WORDING = shipped_templates()["qa-tuned"]
ROWS = tuple({"question": f"Who is {i}?", "answer": "the king"} for i in range(20))
TINY = TuningData("few", ROWS[:16], ROWS[16:])


@pytest.fixture(scope="module")
def tuning(mock_lab) -> Tuning:
    return mock_lab().service(Tuning)


def test_the_form_gives_back_every_config():
    configs = [preset.config for preset in PRESETS]
    configs += [FinetuneConfig(**changed) for changed in RACE.values()]
    for config in configs:
        found = config_of(tuple(values_of(config)))
        shown = {key: (a, b) for key, (a, b) in config.difference(found).items() if key in KEYS}
        assert shown == {}


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("steps", None, "‘steps’ is empty"),
        ("rank", 1.5, "whole number"),
        ("learning_rate", "1e400", "cannot be inf"),
        ("layers", "0, x", "‘x’ is no layer"),
        ("names", "a" * 5000, "too long"),
    ],
)
def test_a_box_that_cannot_be_read_is_named(key, value, words):
    values = values_of(FinetuneConfig())
    values[KEYS.index(key)] = value
    with pytest.raises(InputError, match=words):
        config_of(tuple(values))


@pytest.mark.parametrize(
    "asked",
    [None, [], {}, {"owner": "../x"}, {"owner": 3}, {"owner": OWNER, "run": {}, "have": -1}],
)
def test_a_stranger_who_follows_gets_nothing(tuning, asked):
    run = tuning.start("f" * 32, "base", TINY, WORDING, FinetuneConfig(steps=1))
    assert follower(tuning)(asked)["run"] == ""
    answer = follower(tuning)({"owner": OWNER, "run": run, "have": 0})
    assert answer["run"] == ""


def test_the_owner_gets_what_is_new(tuning):
    config = FinetuneConfig(steps=3, samples=0)
    run = tuning.start(OWNER, "base", TINY, WORDING, config)
    while not tuning.run(OWNER, run).is_over:
        time.sleep(0.05)
    whole = follower(tuning)({"owner": OWNER, "run": "", "have": 0})
    assert (whole["run"], whole["state"]) == (run, "done")
    assert [event[1] for event in whole["events"] if event[0] == "step"] == [1, 2, 3]
    rest = follower(tuning)({"owner": OWNER, "run": run, "have": whole["have"] - 1})
    assert rest["events"] == whole["events"][-1:]
    assert rest["have"] == whole["have"]
