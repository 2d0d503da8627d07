"""Runs on the disk: whole or not at all, their owner's alone, resumed as if never stopped."""

import errno
import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import LlamaModel

from lmlab.errors import InputError, LabError
from lmlab.runs.records import rewind
from lmlab.runs.store import RunFolder, Runs, archive, fingerprint, new_spec
from lmlab.runs.worker import train
from lmlab.settings import Settings
from lmlab.training import checkpoints, loop, pacing
from lmlab.training.events import Evaluated, Finished, Sampled, Saved, Started, TrainStep
from tests.tuningbits import DATA, TEMPLATE, losses, quick

OWNER, OTHER = "owner-one-0000", "owner-two-0000"
SETTINGS = Settings(device="cpu", dtype="float32")
# Dropout, accumulation and evaluations on the way: all that could differ after a restart.
LONG = quick(
    steps=14, dropout=0.2, accumulation=2, evaluate_every=4, save_every=3, answer_rows=2, samples=1
)


def made(root: Path, model: Path, config=LONG) -> RunFolder:
    return Runs(root).new(OWNER, str(model), DATA, TEMPLATE, config)


@pytest.fixture
def model(folder) -> Path:
    return folder("llama", "bytelevel-bos")


def test_a_run_keeps_what_was_asked(tmp_path, model):
    folder = made(tmp_path, model)
    spec = folder.spec
    assert (spec.model, spec.config, spec.template) == (str(model), LONG, TEMPLATE)
    assert folder.data(spec) == DATA
    assert OWNER not in (folder.path / "run.json").read_text()
    assert folder.info(place=3).place == 3
    assert folder.info().state == "interrupted"
    with pytest.raises(InputError, match="is there already"):
        RunFolder.create(folder.path, spec, DATA)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is there already"):
        RunFolder.create(tmp_path / "file", spec, DATA)


def test_runs_are_their_owners_alone(tmp_path, model):
    runs = Runs(tmp_path)
    mine = made(tmp_path, model)
    assert [one.path for one in runs.owned(OWNER)] == [mine.path]
    assert runs.owned(OTHER) == []
    with pytest.raises(InputError, match="no such run of yours"):
        runs.of(OTHER, mine.path.name)
    for hostile in ("../" + mine.path.name, "", ".", "a" * 16, mine.path.name + "/../x"):
        with pytest.raises(InputError, match="no such run"):
            runs.of(OWNER, hostile)
    runs.delete(mine)
    assert not mine.path.exists()
    assert fingerprint(OWNER) != fingerprint(OTHER)
    with pytest.raises(InputError, match="not known who"):
        runs.owned("")


def test_a_torn_line_is_left_out_and_a_log_is_cut_at_a_step(tmp_path, model):
    folder = made(tmp_path, model)
    steps = [TrainStep(i, float(i), 0.1, 0.2, 3, 0.4) for i in range(1, 7)]
    for event in (*steps, Finished("stopped", 6)):
        folder.append(event)
    with (folder.path / "metrics.jsonl").open("a") as log:
        log.write('{"event": "TrainStep", "st')
    assert folder.events() == [*steps, Finished("stopped", 6)]
    assert folder.events(after=5) == [steps[5], Finished("stopped", 6)]
    rewind(folder.path, 4)
    assert folder.events() == steps[:4]


def test_who_sees_a_run_that_is_over_reads_all_of_it(tmp_path, model, monkeypatch):
    """The state said so before the log did, and a page missed the last figures."""
    folder, last = made(tmp_path, model), []
    write = RunFolder.set_state

    def note(self, state, **known):
        if state not in ("queued", "running"):
            last.append(self.events()[-1])
        write(self, state, **known)

    monkeypatch.setattr(RunFolder, "set_state", note)
    *_, end = train(folder, SETTINGS)
    assert last == [end]


def test_a_run_writes_all_it_should(tmp_path, model):
    folder = made(tmp_path, model)
    events = list(train(folder, SETTINGS))
    assert folder.events() == events
    info = folder.info()
    assert (info.state, info.step, info.reason) == ("done", 14, "done")
    assert info.valid_loss == events[-1].valid_loss
    assert not info.can_resume
    card = (folder.path / "adapter-14" / "README.md").read_text()
    assert "| rank | 4 |" in card
    assert (
        f"| held-out loss, nats a token | {info.valid_before:.4g} | {info.valid_loss:.4g} |" in card
    )
    config = json.loads((folder.path / "adapter-14" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(model)
    left = sorted(path.name for path in (folder.path / "checkpoints").iterdir())
    assert left == ["12", "14"]  # the one before stays
    import zipfile

    path = archive(folder)
    names = set(zipfile.ZipFile(path).namelist())
    path.unlink()
    assert {"adapter_model.safetensors", "adapter_config.json", "README.md", "run.json"} <= names


@pytest.mark.parametrize("changes", [{}, {"method": "full"}, {"method": "prompt", "length": 4}])
def test_a_stopped_run_goes_on_as_if_nothing_had_happened(tmp_path, model, changes):
    config = replace(LONG, **changes)
    whole = list(train(made(tmp_path / "whole", model, config), SETTINGS))
    folder = made(tmp_path / "parts", model, config)
    first = []
    for event in train(
        folder, SETTINGS, should_stop=lambda: "stopped" if len(losses(first)) > 1 else None
    ):
        first.append(event)
    assert first[-1].reason == "stopped"
    assert first[-1].path == f"{'adapter' if config.is_adapter else 'model'}-{first[-1].step}"
    old = folder.learned
    assert folder.info().state == "stopped"
    assert folder.info().can_resume
    step = checkpoints.step_of(folder.path)
    assert 0 < step < 14
    second = list(train(folder, SETTINGS))
    assert second[0].first == step
    assert folder.learned.name.endswith("-14")
    assert not old.exists()
    both = folder.events()
    assert losses(both) == losses(whole)
    assert _measured(both) == _measured(whole)
    assert second[-1].valid_loss == whole[-1].valid_loss


def _measured(events):
    return [
        (e.step, e.valid_loss, e.probe_loss, e.accuracy) for e in events if isinstance(e, Evaluated)
    ]


def test_a_run_killed_at_any_moment_goes_on(tmp_path, model):
    config = replace(LONG, steps=40, save_every=2)
    torch.set_num_threads(1)
    whole = list(train(made(tmp_path / "whole", model, config), SETTINGS))
    folder = made(tmp_path / "killed", model, config)
    rng, killed = random.Random(int(os.environ.get("LMLAB_KILL_SEED", "1"))), 0
    for _ in range(2):
        process = _process(folder)
        goal = checkpoints.step_of(folder.path) + rng.randint(2, 14)
        while process.poll() is None and _last_step(folder) < goal:
            time.sleep(0.002)
        time.sleep(rng.random() * 0.03)
        process.send_signal(signal.SIGKILL)
        killed += process.wait(60) == -signal.SIGKILL
        assert folder.info().state == "interrupted" or killed == 0
    assert killed
    assert _process(folder).wait(120) == 0
    both = folder.events()
    steps = [event.step for event in both if isinstance(event, TrainStep)]
    assert steps == list(range(1, 41))
    assert losses(both) == pytest.approx(losses(whole), rel=1e-5)
    assert folder.info().state == "done"
    assert sum(isinstance(event, Started) for event in both) >= 2


def _last_step(folder: RunFolder) -> int:
    steps = [event.step for event in folder.events() if isinstance(event, TrainStep)]
    return max(steps, default=0)


def _process(folder: RunFolder) -> "subprocess.Popen[str]":
    settings = SETTINGS.model_copy(update={"train_threads": 1}).model_dump(mode="json")
    process = subprocess.Popen(
        [sys.executable, "-m", "lmlab.runs.worker"], stdin=subprocess.PIPE, text=True
    )
    process.stdin.write(json.dumps({"folder": str(folder.path), "settings": settings}) + "\n")
    process.stdin.close()
    return process


def test_a_full_disk_keeps_the_last_good_checkpoint(tmp_path, model, monkeypatch):
    folder = made(tmp_path, model)
    real, calls = torch.save, 0

    def full(*arguments, **named):
        nonlocal calls
        calls += 1
        if calls > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*arguments, **named)

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(InputError, match="The disk is full; the last good checkpoint is kept"):
        list(train(folder, SETTINGS))
    assert folder.info().state == "failed"
    assert "disk is full" in folder.info().message
    assert checkpoints.step_of(folder.path) == 6
    assert not (folder.path / "checkpoints" / ".partial").exists()
    monkeypatch.undo()
    assert list(train(folder, SETTINGS))[-1].reason == "done"
    saved = [event.step for event in folder.events() if isinstance(event, Saved)]
    assert saved == [3, 6, 9, 12, 14]


def test_a_log_on_a_full_disk_is_told(tmp_path, model):
    folder = made(tmp_path, model)
    (folder.path / "metrics.jsonl").symlink_to("/dev/full")
    folder_log = folder.path / "metrics.jsonl"
    with pytest.raises(LabError, match="disk is full"):
        # Cutting the log would replace the link by a file: the run is entered as new.
        _without_rewind(folder)
    assert folder_log.is_symlink()


def _without_rewind(folder: RunFolder) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lmlab.runs.worker.rewind", lambda folder, step: None)
        list(train(folder, SETTINGS))


def test_time_and_failures_end_a_run_with_a_sentence(tmp_path, model):
    folder = made(tmp_path, model)
    short = SETTINGS.model_copy(update={"max_train_seconds": 1e-9})
    finished = list(train(folder, short))[-1]
    assert (finished.reason, finished.step) == ("limit", 0)
    assert "time limit" in folder.info().message
    lost = new_spec("0" * 16, OWNER, str(tmp_path / "nowhere"), DATA, TEMPLATE, LONG)
    folder = RunFolder.create(tmp_path / lost.id, lost, DATA)
    with pytest.raises(LabError, match="no model named"):
        list(train(folder, SETTINGS.model_copy(update={"allow_hub": False})))
    assert folder.info().state == "failed"


def test_old_runs_are_removed_only_where_that_is_set(tmp_path, model):
    folder, runs = made(tmp_path, model), Runs(tmp_path)
    old = time.time() - 3 * 86_400
    os.utime(folder.path / "state.json", (old, old))
    runs.tidy(None)
    runs.tidy(4)
    assert folder.path.exists()
    runs.tidy(2)
    assert not folder.path.exists()


def test_a_stop_is_heard_between_rows_wherever_it_comes(tmp_path, model, monkeypatch):
    """Hardly a pass of the model lies between two questions, and nothing is lost or said twice
    whichever of them is answered.
    """
    monkeypatch.setattr(loop, "GRACE", -1.0)
    config = replace(
        LONG, steps=3, evaluate_every=1, sample_every=1, answer_rows=4, samples=2, probe_rows=4
    )
    passes, gaps, asks, forward = 0, [], 0, LlamaModel.forward

    def counted(*args, **named):
        nonlocal passes
        passes += 1
        return forward(*args, **named)

    def stop(at):
        nonlocal passes, asks
        asks += 1
        gaps.append(passes)
        passes = 0
        return "stopped" if asks >= at else None

    monkeypatch.setattr(LlamaModel, "forward", counted)
    folder = made(tmp_path / "whole", model, config)
    whole = list(train(folder, SETTINGS, should_stop=lambda: stop(math.inf)))
    assert max(gaps[1:]) <= 4  # short ones try out short cuts
    for at in range(asks // 4, asks, asks // 6):
        asks, folder = 0, made(tmp_path / str(at), model, config)
        ended = list(train(folder, SETTINGS, should_stop=lambda at=at: stop(at)))[-1]
        assert asks <= at + 1  # and once more after a whole step
        if ended.reason == "stopped" and 0 < ended.step < 3:
            assert ended.valid_loss is not None
            list(train(folder, SETTINGS))
            assert _said(folder.events()) == _said(whole)


def test_who_stops_slow_steps_waits_for_no_batch_of_measuring(tmp_path, model, monkeypatch):
    """On a model of 135 M the first such batch took 42 s."""
    monkeypatch.setattr(loop, "GRACE", 0.04)
    passes, forward = 0, LlamaModel.forward

    def slow(*args, **named):
        nonlocal passes
        passes += 1
        time.sleep(0.05)
        return forward(*args, **named)

    monkeypatch.setattr(LlamaModel, "forward", slow)
    steps = []
    folder = made(tmp_path, model, replace(LONG, steps=9, evaluate_every=0))
    for event in train(folder, SETTINGS, should_stop=lambda: "stopped" if steps else None):
        if isinstance(event, TrainStep):
            steps.append(event)
            passes = 0
    assert (event.reason, event.step, passes) == ("stopped", 1, 0)
    assert "ended before it was measured" in event.message


def _said(events):
    kinds = (Evaluated, Sampled, TrainStep)
    return [replace(e, seconds=0.0) if hasattr(e, "seconds") else e for e in events
            if isinstance(e, kinds)]  # fmt: skip


def test_checkpoints_come_by_time_as_well(tmp_path, model, monkeypatch):
    """Those by steps stay; a minute of work is all that a kill costs."""
    now = 0.0
    monkeypatch.setattr(pacing.time, "monotonic", lambda: now)
    config = replace(LONG, steps=12, save_every=5, save_seconds=60.0, evaluate_every=6)
    saved = []
    for event in train(made(tmp_path, model, config), SETTINGS):
        if isinstance(event, TrainStep):
            now += 25.0  # three steps take more than a minute
        if isinstance(event, Evaluated) and event.step == 6:
            now += 100.0
        if isinstance(event, Saved):
            saved.append(event.step)
    assert saved == [3, 5, 6, 9, 10, 12]
