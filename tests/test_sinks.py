"""A run's events in TensorBoard and Trackio, where these are installed."""

from types import SimpleNamespace

import pytest

from lmlab.errors import InputError
from lmlab.runs import sinks
from lmlab.runs.store import Runs
from lmlab.runs.worker import train
from lmlab.settings import Settings
from lmlab.training.events import Evaluated, Finished, Sampled, Started, TrainStep
from tests.tuningbits import DATA, TEMPLATE, quick

OWNER = "0" * 32


def run(tmp_path, **settings):
    """A run's events, told where the settings say."""
    folder = Runs(tmp_path / "runs").new(OWNER, "tiny", DATA, TEMPLATE, quick(steps=4))
    return folder, list(train(folder, Settings(device="cpu", **settings)))


def test_tensorboard_shows_what_the_run_says(tmp_path):
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder, events = run(tmp_path, tensorboard=tmp_path / "board")
    (place,) = (tmp_path / "board").iterdir()
    assert folder.path.name not in place.name  # whoever knows a run's id can open it
    found = EventAccumulator(str(place)).Reload()
    steps = [one for one in events if isinstance(one, TrainStep)]
    read = found.Scalars("train/loss")
    assert [one.step for one in read] == [one.step for one in steps]
    assert [one.value for one in read] == pytest.approx([one.loss for one in steps], rel=1e-6)
    levels = [one for one in events if isinstance(one, Evaluated) and one.valid_loss is not None]
    assert [one.value for one in found.Scalars("eval/loss")] == pytest.approx(
        [one.valid_loss for one in levels], rel=1e-6
    )
    assert any(name.startswith("config") for name in found.Tags()["tensors"])


def test_a_sink_that_is_not_installed_is_said_before_anything_is_learned(tmp_path, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(sinks, "import_module", missing)
    with pytest.raises(InputError, match=r"trackio, which is not installed. pip install 'lmlab\["):
        run(tmp_path, trackio="lab")


def test_trackio_is_told_each_step_and_a_sink_that_breaks_ends_no_run(tmp_path, monkeypatch):
    told, asked = [], {}

    class Run:
        def log(self, values, step):
            told.append((step, values))
            if step == 2 and "train/loss" in values:
                raise RuntimeError("the disk of Trackio is full")

    def init(**given):
        asked.update(given)
        return Run()

    package = SimpleNamespace(init=init, finish=lambda: told.append((0, {})))
    monkeypatch.setattr(sinks, "import_module", lambda name: package)
    folder, events = run(tmp_path, trackio="lab")
    assert (asked["project"], asked["resume"]) == ("lab", "allow")
    assert asked["config"]["steps"] == 4
    assert folder.path.name not in asked["name"]
    assert isinstance(events[-1], Finished)
    assert events[-1].step == 4
    losses = [values["train/loss"] for _, values in told if "train/loss" in values]
    assert losses == [one.loss for one in events if isinstance(one, TrainStep)][:2]
    assert any("samples/0" in values for _, values in told) == any(
        isinstance(one, Sampled) and one.step < 2 for one in events
    )
    assert [step for step, _ in told[-2:]] == [2, 0]  # the one that broke, and its end
    assert isinstance(events[0], Started)
