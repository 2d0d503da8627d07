"""Faults of disks, clocks and hands: a bad folder, a full disk, a damaged file cost themselves
alone.
"""

import errno
import io
import json
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from lmlab.errors import DiskError, InputError, MemoryLimitError, ModelError
from lmlab.features.tuning.service import Tuning
from lmlab.lab import Lab
from lmlab.parts.run_views import news
from lmlab.runs import folder as folders
from lmlab.runs import locks, processes, records, room
from lmlab.runs import worker as tunerun
from lmlab.runs.jobs import Jobs
from lmlab.runs.locks import HeldError
from lmlab.runs.processes import FULL, HELD
from lmlab.runs.store import ASIDE, PAGES, RunFolder, Runs, UnreadRunError, new_spec
from lmlab.runs.worker import train
from lmlab.settings import Settings
from lmlab.training import checkpoints, whole
from lmlab.training.events import Lost, Started, TrainStep
from tests.tuningbits import DATA, TEMPLATE, losses, quick

OWNER, OTHER = "owner-one-0000", "owner-two-0000"
SETTINGS = Settings(device="cpu", dtype="float32")
FULL_DISK = OSError(errno.ENOSPC, "No space left on device")


def new(root: Path, owner: str = OWNER, model: object = "base", **changes) -> RunFolder:
    return Runs(root).new(owner, str(model), DATA, TEMPLATE, quick(**changes))


def until(what, seconds: float = 120.0):
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)
    return found


class Faked:
    """Processes that end when a test says so."""

    def __init__(self) -> None:
        self.launched: list[str] = []
        self.ends: dict[str, threading.Event] = {}
        self.status = 0

    def __call__(self, folder: RunFolder):
        name = folder.path.name
        self.launched.append(name)
        end = self.ends.setdefault(name, threading.Event())
        return SimpleNamespace(
            wait=lambda *_: end.wait() and self.status, terminate=end.set, kill=end.set
        )

    def end(self, folder: RunFolder, status: int = 0) -> None:
        self.status = status
        self.ends[folder.path.name].set()


@pytest.fixture
def faked():
    made = Faked()
    yield made
    for end in made.ends.values():
        end.set()


def lab_over(root: Path, faked: Faked, **settings) -> Lab:
    lab = Lab.open(Settings(device="cpu", dtype="float32", runs_dir=root, **settings))
    lab.__dict__["jobs"] = Jobs(lab.settings, faked)
    return lab


# --- one bad folder -------------------------------------------------------------------------------

BAD = {
    "empty": b"",
    "torn": b'{"id": "x", "own',
    "no object": b"[1, 2]",
    "another thing": b'{"name": "x"}',
    "no text": b"\xff\xfe\x00",
    "deep": b"[" * 5000,
}


def bad_folders(root: Path) -> None:
    for i, content in enumerate(BAD.values()):
        path = root / f"{i:016x}"
        path.mkdir(parents=True)
        (path / "run.json").write_bytes(content)
    (root / ("e" * 16)).mkdir()  # a start that broke
    (root / "notes").mkdir()  # somebody's own


def test_one_bad_folder_costs_itself_alone(tmp_path, faked, caplog):
    bad_folders(tmp_path)
    mine, other = new(tmp_path), new(tmp_path, OTHER)
    (mine.path / "state.json").write_text("[1]")
    (other.path / "state.json").unlink()
    lab = lab_over(tmp_path, faked, keep_days=100)
    with caplog.at_level(logging.WARNING, "lmlab"):
        assert [info.id for info in lab.service(Tuning).runs(OWNER)] == [mine.path.name]
        assert len(caplog.records) == len(BAD)
        lab.service(Tuning).runs(OTHER)
        assert len(caplog.records) == len(BAD)  # said once
    assert not any(f"{i:016x}" in caplog.text for i in range(len(BAD)))
    lab.service(Tuning).recover()
    assert sorted(path.name for path in (tmp_path / ASIDE).iterdir()) == [
        f"{i:016x}" for i in range(len(BAD))
    ]
    assert (tmp_path / ASIDE / f"{1:016x}" / "run.json").read_bytes() == BAD["torn"]
    lab.store.runs.tidy(100)
    assert [info.state for info in lab.service(Tuning).runs(OTHER)] == ["interrupted"]
    with pytest.raises(InputError, match="no such run"):
        lab.service(Tuning).run(OWNER, f"{0:016x}")
    lab.service(Tuning).resume(OWNER, mine.path.name)
    assert faked.launched == [mine.path.name]
    lab.jobs.close()


@pytest.mark.parametrize(
    "state",
    [
        {"state": "dancing"},
        {"state": "stopped", "step": "many", "seconds": [1], "message": 3, "valid_loss": "nan"},
        {"state": "stopped", "step": -1, "trainable": True, "reason": {}},
    ],
)
def test_a_state_that_makes_no_sense_is_left_out(tmp_path, state):
    run = new(tmp_path)
    (run.path / "state.json").write_text(json.dumps(state))
    (run.path / "adapter-last").mkdir()
    info = run.info()
    assert (info.step, info.message, info.model_name) == (0, "", "")
    assert info.state in ("interrupted", "stopped")
    assert info.can_resume
    (run.path / "state.json").write_text('{"seconds": NaN}')
    assert run.info().seconds == 0


def test_runs_of_other_versions_are_read_or_named(tmp_path, faked):
    older, newer, strange = new(tmp_path), new(tmp_path), new(tmp_path)
    known = json.loads((older.path / "run.json").read_text())
    for name in ("format", "origin", "created"):
        del known[name]
    del known["config"]["precision"]
    (older.path / "run.json").write_text(json.dumps(known))
    known["hue"] = "blue"
    (newer.path / "run.json").write_text(json.dumps(known))
    known["config"]["hue"] = "blue"
    (strange.path / "run.json").write_text(json.dumps(known))
    assert older.spec.config == newer.spec.config == quick()
    lab = lab_over(tmp_path, faked)
    lab.service(Tuning).recover()
    assert strange.path.exists()
    assert len(lab.service(Tuning).runs(OWNER)) == 2
    with pytest.raises(UnreadRunError, match=r"another version of lmlab.*‘hue’"):
        lab.service(Tuning).run(OWNER, strange.path.name)
    (strange.path / "run.json").write_text('{"format": 99, "what": 1}')
    with pytest.raises(UnreadRunError, match="a newer version"):
        _ = strange.spec
    assert Runs(tmp_path).set_aside() == []


def test_files_are_on_the_disk_before_they_get_their_names(tmp_path, monkeypatch):
    done = []
    real_sync, real_replace = os.fsync, Path.replace
    monkeypatch.setattr(whole.os, "fsync", lambda fd: (done.append("sync"), real_sync(fd)))
    monkeypatch.setattr(
        Path, "replace", lambda self, to: (done.append("name"), real_replace(self, to))
    )
    whole.write_whole(tmp_path / "a.json", "1")
    assert done == ["sync", "name"]
    with whole.whole_folder(tmp_path / "whole", tmp_path / "part") as part:
        (part / "x").write_text("x")
        assert done[2:] == []
    assert done[2:3] == ["sync"]
    assert (tmp_path / "whole" / "x").exists()
    with pytest.raises(KeyError), whole.whole_folder(tmp_path / "whole", tmp_path / "part"):
        raise KeyError
    assert (tmp_path / "whole" / "x").exists()
    assert not (tmp_path / "part").exists()


# --- one run, one process -------------------------------------------------------------------------


def test_a_run_is_one_process_alone(tmp_path, folder):
    run = new(tmp_path, model=folder("llama", "bytelevel-bos"), steps=4)
    assert not run.is_alive
    events = train(run, SETTINGS)
    next(events)
    assert run.is_alive
    before = run.state
    with pytest.raises(HeldError, match="under way already"):
        next(train(run, SETTINGS))
    assert run.state == before
    # A clock that jumped says that it is another process; the lock knows better.
    run.set_state("running", born=before["born"] + 86_400)
    assert run.is_alive
    list(events)
    assert not run.is_alive
    assert [e.step for e in run.events() if isinstance(e, TrainStep)] == [1, 2, 3, 4]


def test_two_pages_train_what_waits_once(tmp_path, faked):
    one, two = Jobs(Settings(max_jobs=1), faked), Jobs(Settings(max_jobs=9), faked)
    first, second = new(tmp_path), new(tmp_path)
    one.submit(first)
    one.submit(second)
    second.set_state("queued", server=1, server_born=0.0)  # as if the clock had jumped
    assert two.recover([first, second]) == []
    assert faked.launched == [first.path.name]
    # The first page goes, with its lock; its process lives on for a while.
    with locks.hold(first.lock_file):
        one._page.close()
        assert two.recover([first, second]) == [second.path.name]
        assert faked.launched == [first.path.name, second.path.name]
        with pytest.raises(InputError, match="under way"):
            two.submit(first)
        # Another process was first: nothing is said of the run.
        faked.end(first, HELD)
        until(lambda: not one._running)
        assert one.counts() == (1, 1)
        assert first.state["state"] == "queued"
    # What the other page has taken up is not this one's any more.
    until(lambda: one.counts() == (0, 0))
    assert faked.launched == [first.path.name, second.path.name]
    for jobs in (one, two):
        jobs.close()


def worker(monkeypatch, run: RunFolder, **more) -> int:
    """What a run's process does, in this one; its status."""
    settings = SETTINGS.model_copy(update={"train_threads": 1, "train_nice": 0})
    request = {"folder": str(run.path), "settings": settings.model_dump(mode="json"), **more}
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(request) + "\n"))
    monkeypatch.setattr(tunerun.signal, "signal", lambda *_: None)
    monkeypatch.setattr(tunerun, "bound_memory", lambda n_bytes: None)
    monkeypatch.setattr(tunerun, "log_into", lambda path: path.write_text("log"))
    return tunerun.main()


def test_a_process_leaves_alone_what_is_not_its_pages(tmp_path, monkeypatch):
    run = new(tmp_path)
    run.set_state("queued", page="mine")
    assert worker(monkeypatch, run, page="other") == HELD
    with locks.hold(run.lock_file):
        assert worker(monkeypatch, run, page="mine") == HELD
    assert run.state == {"state": "queued", "page": "mine"}


# --- a full disk ----------------------------------------------------------------------------------


def test_after_a_full_disk_the_queue_goes_on(tmp_path, faked, monkeypatch):
    jobs = Jobs(Settings(max_jobs=1), faked)
    first, second, third = (new(tmp_path) for _ in range(3))
    for run in (first, second, third):
        jobs.submit(run)
    first.set_state("running", step=3)
    with monkeypatch.context() as full:
        full.setattr(folders, "write_whole", _full)
        faked.end(first, FULL)
        until(lambda: second.path.name in faked.launched)
        info = jobs.info(first)
        assert info.state == "failed"
        assert "The disk is full" in info.message
        assert first.state["state"] == "running"  # there was no room to say it
        with pytest.raises(DiskError, match="The disk is full"):
            jobs.submit(first)
        jobs.stop(second)  # an empty file still finds room, or the process is asked
    assert jobs.info(first).state == "failed"
    assert "The disk is full" in first.state["message"]  # now there is
    faked.end(second)
    until(lambda: third.path.name in faked.launched)
    jobs.close()


def _full(*arguments):
    raise FULL_DISK


def test_an_error_in_writing_an_end_down_lets_the_next_run_start(tmp_path, faked, monkeypatch):
    jobs = Jobs(Settings(max_jobs=1), faked)
    first, second = new(tmp_path), new(tmp_path)
    jobs.submit(first)
    jobs.submit(second)
    monkeypatch.setattr(jobs._ends, "failed", lambda *_: 1 / 0)
    faked.end(first, -9)
    until(lambda: second.path.name in faked.launched)
    jobs.close()


def test_a_process_that_cannot_be_started_is_said_and_passed_over(tmp_path, faked):
    def start(folder):
        if not faked.launched:
            faked.launched.append("")
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
        return faked(folder)

    jobs = Jobs(Settings(max_jobs=1), start)
    first, second = new(tmp_path), new(tmp_path)
    jobs.submit(first)
    jobs.submit(second)
    assert "could not be started" in jobs.info(first).message
    assert faked.launched[1:] == [second.path.name]
    jobs.close()


@pytest.mark.parametrize("part", ["train.jsonl", "state.json", "run.json"])
@pytest.mark.parametrize("there", [False, True])
def test_a_start_on_a_full_disk_leaves_nothing(tmp_path, monkeypatch, part, there):
    real = folders.write_whole

    def full(path, text):
        if path.name == part:
            raise FULL_DISK
        real(path, text)

    for module in (folders, records):
        monkeypatch.setattr(module, "write_whole", full)
    path = tmp_path / "run"
    if there:
        path.mkdir()
    spec = new_spec("0" * 16, OWNER, "base", DATA, TEMPLATE, quick())
    with pytest.raises(DiskError, match="The disk is full"):
        RunFolder.create(path, spec, DATA)
    assert list(tmp_path.rglob("*")) == ([path] if there else [])


def test_a_start_that_is_refused_leaves_nothing(tmp_path, faked, folder, monkeypatch):
    name = str(folder("llama", "bytelevel-bos"))
    lab = lab_over(tmp_path, faked, max_queue=1)
    start = lambda: lab.service(Tuning).start(OWNER, name, DATA, TEMPLATE, quick())  # noqa: E731
    first, second = start(), start()
    with pytest.raises(InputError, match="1 runs are waiting"):
        start()
    lab.service(Tuning).stop(OWNER, second)
    with monkeypatch.context() as full:
        full.setattr(lab.jobs, "submit", _full)
        with pytest.raises(OSError, match="No space"):
            start()
    for change, said in (
        ({"own_runs_gb": 1e-9}, "one may take 1e-09 GB"),
        ({"runs_gb": 0.15, "own_runs_gb": 0.15}, "Your runs take .* Delete some first"),
        ({"free_gb": 1e9}, "The disk is full"),
    ):
        changed = lab.settings.model_copy(update=change)
        other = Lab(lab.store, changed)
        other.__dict__["jobs"] = lab.jobs
        tuning = other.service(Tuning)
        if "Your" in said:
            (tmp_path / first / "filler").write_bytes(b"x" * 60_000_000)
        with pytest.raises(DiskError, match=said):
            tuning.start(OWNER, name, DATA, TEMPLATE, quick())
    with pytest.raises(DiskError, match="all visitors take"):
        room.check_disk(Runs(tmp_path), OTHER, 10**8, changed.model_copy(
            update={"runs_gb": 0.15, "free_gb": 0.0}))  # fmt: skip
    monkeypatch.setattr(room, "free_memory", lambda: 10**8)
    with pytest.raises(MemoryLimitError, match=r"0\.1 GB are free just now"):
        start()
    assert {path.name for path in tmp_path.iterdir()} == {first, second, PAGES}
    lab.jobs.close()


def test_sweeping_sees_every_folder(tmp_path):
    runs, kept, old = Runs(tmp_path), new(tmp_path), new(tmp_path)
    for name in ("e" * 16, "f" * 16, "notes"):
        (tmp_path / name).mkdir()
    (old.path / "state.json").unlink()
    torn = kept.path / ".state.json.77.78"
    torn.write_text("{")
    (tmp_path / PAGES).mkdir()
    (tmp_path / PAGES / "gone.lock").touch()
    long_ago = time.time() - 5 * 86_400
    for path in (tmp_path / ("e" * 16), tmp_path / "notes", old.path / "run.json", torn):
        os.utime(path, (long_ago, long_ago))
    runs.tidy(4)
    assert not (tmp_path / ("e" * 16)).exists()  # broke long ago
    assert (tmp_path / ("f" * 16)).exists()  # may just be being made
    assert (tmp_path / "notes").exists()
    assert not old.path.exists()
    assert not torn.exists()
    assert list((tmp_path / PAGES).iterdir()) == []
    assert kept.path.exists()


# --- damaged files --------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["trained.safetensors", "optimiser.pt", "place.json"])
def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one(tmp_path, folder, file):
    model = folder("llama", "bytelevel-bos")
    change = {"steps": 9, "save_every": 3, "dropout": 0.2}
    everything = losses(train(new(tmp_path / "whole", model=model, **change), SETTINGS))
    run = new(tmp_path / "cut", model=model, **change)
    steps = iter(range(99))
    list(train(run, SETTINGS, should_stop=lambda: "stopped" if next(steps) > 19 else None))
    last = checkpoints.step_of(run.path)
    assert last > 6
    path = run.path / "checkpoints" / str(last) / file
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    path.write_bytes(damaged)
    events = list(train(run, SETTINGS))
    assert isinstance(events[0], Started)
    assert events[0].first == 6
    (said,) = [one for one in events[0].warnings if "damaged" in one]
    assert f"checkpoint of step {last} is damaged (checkpoints/{last}/{file})" in said
    assert "goes on from that of step 6" in said
    assert losses(run.events()) == everything
    left = sorted(one.name for one in (run.path / "checkpoints").iterdir())
    assert left in (["6", "9"], ["8", "9"], ["7", "9"])


def test_a_damaged_line_in_the_middle_costs_itself_alone(tmp_path, folder):
    run = new(tmp_path, model=folder("llama", "bytelevel-bos"), steps=6, save_every=2)
    list(train(run, SETTINGS))
    whole_log, log = run.events(), run.path / "metrics.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    lines[3] = b"\0" * 30 + b"\xff\xfe{\n"
    lines[4] = b'{"event": "TrainStep"}\n'
    log.write_bytes(b"".join(lines))
    assert run.events() == [*whole_log[:3], Lost(4), Lost(5), *whole_log[5:]]
    assert run.events(4) == [Lost(5), *whole_log[5:]]
    assert news(run.events())[3:5] == [["lost", 4], ["lost", 5]]
    assert run.info().state == "done"
    events = list(train(run, SETTINGS))
    assert "2 lines of the run's log, metrics.jsonl, could not be read" in events[0].warnings[0]
    assert not any(isinstance(event, Lost) for event in run.events())
    assert (run.path / "metrics-damaged.jsonl").exists()


@pytest.mark.parametrize(
    ("method", "file"),
    [
        ("lora", "adapter_model.safetensors"),
        ("prompt", "adapter_config.json"),
        ("full", "model.safetensors"),
    ],
)
def test_what_was_learned_is_written_anew_where_it_is_damaged(
    tmp_path, folder, faked, method, file
):
    lab = lab_over(tmp_path, faked)
    model = folder("llama", "bytelevel-bos")
    run = new(tmp_path, model=model, steps=2, method=method)
    list(train(run, SETTINGS))
    name, path = run.path.name, run.learned / file
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2])
    info = lab.service(Tuning).run(OWNER, name)
    assert f"damaged: {run.learned.name}/{file}. Its last checkpoint is kept" in info.message
    assert info.can_resume
    with pytest.raises(ModelError, match=f"{file}.*resume the run"):
        list(lab.score(f"run:{name}", "hello"))
    lab.service(Tuning).resume(OWNER, name)
    assert faked.launched == [name]
    list(train(run, SETTINGS))
    assert path.read_bytes() == good
    assert not run.info().can_resume


def test_damaged_rows_and_read_only_folders_are_sentences(tmp_path, folder, monkeypatch):
    run = new(tmp_path, model=folder("llama", "bytelevel-bos"))
    text = (run.path / "train.jsonl").read_text()
    (run.path / "train.jsonl").write_text(text[: len(text) // 2])
    with pytest.raises(InputError, match=r"train\.jsonl of this run.* is damaged"):
        list(train(run, SETTINGS))
    assert "train.jsonl" in run.info().message
    barred = OSError(errno.EROFS, "Read-only file system", str(run.path / "lock"))

    def refuse(*arguments):
        raise barred

    monkeypatch.setattr(locks.os, "open", refuse)
    with pytest.raises(DiskError, match="‘lock’ lies on a disk that is read-only"):
        list(train(run, SETTINGS))


def test_a_process_on_a_full_disk_says_so_with_its_status(tmp_path, folder, monkeypatch):
    """The real thing: a disk of its own that is full, where one may be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    try:
        run = new(disk, model=folder("llama", "bytelevel-bos"), steps=3)
        (disk / "filler").write_bytes(b"x" * (os.statvfs(disk).f_bavail * 4096 - 4096))
        with pytest.raises(OSError, match="No space"):
            (disk / "more").write_bytes(b"x" * 10_000)
        assert worker(monkeypatch, run) == FULL
        said = processes.told(processes.End(FULL), run.has_checkpoint)
        assert said.startswith("The disk is full.")
        with pytest.raises(DiskError, match="The disk is full"):
            new(disk)
        assert [path.name for path in Runs(disk).root.glob("*/run.json")] == ["run.json"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)
