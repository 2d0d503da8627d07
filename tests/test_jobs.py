"""Runs in the background, as the page asks for them."""

import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from lmlab.errors import InputError, LabError, ModelError
from lmlab.features.tuning.service import Tuning
from lmlab.lab import Lab
from lmlab.runs.jobs import Jobs
from lmlab.runs.store import Runs
from lmlab.settings import Settings
from lmlab.text.twins import Reads
from lmlab.training.events import Finished, Saved, TrainStep
from lmlab.training.sets import TuningData
from tests.tuningbits import DATA, ROWS, TEMPLATE, quick

OWNER, OTHER = "owner-one-0000", "owner-two-0000"
ENDLESS = quick(steps=4000, save_every=50)


@pytest.fixture
def lab(tmp_path):
    settings = Settings(
        device="cpu",
        dtype="float32",
        runs_dir=tmp_path / "runs",
        train_threads=1,
        max_queue=2,
        max_rank=16,
        max_steps=5000,
    )
    lab = Lab.open(settings)
    yield lab
    lab.jobs.close()


@pytest.fixture
def model(folder) -> Path:
    return folder("llama", "bytelevel-bos")


def wait(lab, run: str, state: str, seconds: float = 150.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        info = lab.service(Tuning).run(OWNER, run)
        if info.state == state:
            return info
        time.sleep(0.05)
    raise AssertionError(f"still {info.state}: {info.message}")


def test_runs_wait_their_turn_stop_resume_and_serve_as_models(lab, model):
    tuning, name = lab.service(Tuning), str(model)
    first = tuning.start(OWNER, name, DATA, TEMPLATE, ENDLESS)
    second = tuning.start(OWNER, name, DATA, TEMPLATE, quick())
    third = tuning.start(OTHER, name, DATA, TEMPLATE, quick())
    assert [tuning.run(OWNER, run).place for run in (second,)] == [0]
    assert tuning.run(OTHER, third).place == 1
    with pytest.raises(InputError, match="2 runs are waiting"):
        tuning.start(OWNER, name, DATA, TEMPLATE, quick())
    with pytest.raises(InputError, match="under way"):
        tuning.resume(OWNER, first)
    for event in tuning.events(OWNER, first, wait=0.5):
        if isinstance(event, TrainStep) and event.step >= 3:
            break
    assert tuning.run(OWNER, first).state == "running"
    assert tuning.run(OWNER, second).state == "queued"
    tuning.stop(OTHER, third)
    assert tuning.run(OTHER, third).state == "stopped"
    tuning.stop(OWNER, first)
    stopped = wait(lab, first, "stopped")
    assert stopped.step >= 3
    assert stopped.can_resume
    # Whoever comes back sees the whole curve.
    steps = [e.step for e in tuning.read(OWNER, first) if isinstance(e, TrainStep)]
    assert steps == list(range(1, stopped.step + 1))
    done = wait(lab, second, "done")
    assert done.model_name == f"{name}+run:{second}"
    *_, base, tuned = (
        list(lab.score(one, "Say dog: the dog"))[-1] for one in (name, f"run:{second}")
    )
    assert tuned.logprob > base.logprob
    assert list(lab.score(f"run:{first}", "hello"))[-1].n_tokens
    tuning.delete(OWNER, second)
    with pytest.raises(ModelError, match="no such fine-tuning run"):
        list(lab.score(f"run:{second}", "hello"))
    with pytest.raises(InputError, match="no such run"):
        tuning.read(OWNER, second)


def test_a_failed_run_says_why_and_a_killed_one_can_go_on(lab, model):
    tuning = lab.service(Tuning)
    rows = (*ROWS, *({"word": f"{i}", "answer": "x"} for i in range(20)))
    # Long in tokens though not in characters, so that only the run itself finds out.
    odd = (*rows, {"word": "é" * 40, "answer": "x"})
    wordy = (*odd, *({"word": "the dog " * 9, "answer": f"{i}"} for i in range(4)))
    run = tuning.start(OWNER, str(model), TuningData("odd", wordy, ()), TEMPLATE, quick())
    failed = wait(lab, run, "failed")
    assert "no token carries loss" in failed.message
    assert [e for e in tuning.events(OWNER, run) if isinstance(e, TrainStep)] == []

    run = tuning.start(OWNER, str(model), DATA, TEMPLATE, ENDLESS)
    for event in tuning.events(OWNER, run):
        if isinstance(event, Saved):
            break
    lab.jobs._running[run].kill()
    killed = wait(lab, run, "failed")
    assert "signal 9" in killed.message
    assert killed.can_resume
    tuning.resume(OWNER, run)
    wait(lab, run, "running")
    tuning.stop(OWNER, run)
    stopped = wait(lab, run, "stopped")
    assert stopped.step >= 50
    assert isinstance(tuning.read(OWNER, run)[-1], Finished)


def test_what_can_be_told_at_once_is(lab, model):
    tuning, name = lab.service(Tuning), str(model)
    for config, said in (
        (quick(rank=32), "rank 32 is above|as the rank"),
        (quick(steps=6000), "At most 5,000 steps"),
        (quick(targets="nope"), "‘nope’"),
        (quick(method="selective", parts=("biases",)), "‘biases’"),
        (quick(max_length=100), "longer than the model reads"),
    ):
        with pytest.raises(InputError, match=said):
            tuning.start(OWNER, name, DATA, TEMPLATE, config)
    with pytest.raises(InputError, match="too few"):
        tuning.start(OWNER, name, TuningData("few", ROWS[:3], ()), TEMPLATE, quick())
    odd = tuple({"word": "x"} for _ in range(9))
    with pytest.raises(InputError, match="column ‘answer’ is missing"):
        tuning.start(OWNER, name, TuningData("odd", odd, ()), TEMPLATE, quick())
    long = (*ROWS, {"word": "dog " * 99, "answer": "x"})
    with pytest.raises(InputError, match="no token carries loss"):
        tuning.start(OWNER, name, TuningData("long", long, ()), TEMPLATE, quick())
    with pytest.raises(LabError, match="adapter"):
        tuning.start(OWNER, f"{name}+qa", DATA, TEMPLATE, quick())
    assert tuning.runs(OWNER) == []


def test_previews_counts_and_templates(lab, model):
    tuning = lab.service(Tuning)
    view = tuning.preview(str(model), DATA, TEMPLATE, quick(), -1)
    assert (view.row, view.rows) == (len(ROWS) - 1, len(ROWS))
    found = tuning.count(str(model), quick(), DATA)
    assert found.seconds > 0
    assert found.trainable < found.total
    shape = tuning.outline(str(model)).shape
    assert {"q_proj", "down_proj"} <= set(shape.linear_names)
    assert (shape.auto_targets, shape.layers) == (("q_proj", "v_proj"), 2)
    assert tuning.templates_for("qa")[0].name == "qa-tuned"
    assert tuning.templates_for("verse") == [None]
    assert None in tuning.templates_for("")
    assert tuning.sets()[0] == "qa"
    table = tuning.table(b"w,a\ndog,x\ncat,y\n", "t.csv")
    assert tuning.split(table, reads=Reads(("w",), ("w",), ()), held_out=0.5).columns == ("w", "a")


def test_parquet_is_read_within_limits(lab):
    import io

    import pyarrow as pa
    from pyarrow.parquet import write_table

    def packed(columns) -> bytes:
        buffer = io.BytesIO()
        write_table(pa.table(columns), buffer)
        return buffer.getvalue()

    def repeated(size: int):
        """One value in the file, six thousand cells once it is read."""
        return pa.DictionaryArray.from_arrays(pa.array([0] * 6000), pa.array(["x" * size]))

    table = lab.service(Tuning).table(
        packed({"word": ["dog", None], "n": [1, 2], "b": [True, False]}), "t.parquet"
    )
    assert list(table.rows) == [
        {"word": "dog", "n": "1", "b": "true"},
        {"word": "", "n": "2", "b": "false"},
    ]
    for content, said in (
        (b"PAR1 nonsense", "no Parquet"),
        (packed({"word": ["x"] * 30_000}), "more than 20,000 rows"),
        (packed({"word": [{"a": 1}]}), "holds objects"),
        (packed({"word": ["x" * 30_000]}), "30,000 characters"),
        (packed({f"c{i}": [1] for i in range(70)}), "more than 64 columns"),
        (packed({"word": repeated(10_000)}), "once unpacked"),
        (packed({"word": repeated(10_000_000)}), "10,000,000 characters"),
        (packed({"word": pa.array([], pa.string())}), "no rows"),
    ):
        with pytest.raises(InputError, match=said):
            lab.service(Tuning).table(content, "t.parquet")


class FakeHub:
    """Stands in for the Hub's client."""

    calls: list = []  # noqa: RUF012

    def __init__(self, endpoint=None, token=None):
        self.token = token

    def create_repo(self, repo, private, exist_ok):
        if self.token != "hf_good":
            raise RuntimeError(f"401 for token {self.token}")
        self.calls.append(("create", repo, private))

    def upload_folder(self, repo_id, folder_path, commit_message):
        names = {path.name for path in Path(folder_path).iterdir()}
        self.calls.append(("upload", repo_id, names))


def test_push_uses_the_token_once_and_tells_nobody(lab, model, monkeypatch, caplog):
    from lmlab.runs import hub as hubruns
    from lmlab.runs.worker import train

    caplog.set_level("DEBUG")
    monkeypatch.setattr(hubruns, "HfApi", FakeHub)
    tuning = lab.service(Tuning)
    folder = lab.store.runs.new(OWNER, str(model), DATA, TEMPLATE, quick(steps=2))
    with pytest.raises(InputError, match="not saved anything"):
        tuning.push(OWNER, folder.path.name, "me/run", "hf_good")
    list(train(folder, lab.settings))
    run = folder.path.name
    address = tuning.push(OWNER, run, "me/run", " hf_good ")
    assert address.endswith("/me/run")
    assert FakeHub.calls[0] == ("create", "me/run", True)
    assert {"adapter_model.safetensors", "README.md"} <= FakeHub.calls[1][2]
    with pytest.raises(InputError, match="did not take") as error:
        tuning.push(OWNER, run, "me/run", "hf_secret")
    assert error.value.__cause__ is error.value.__context__ is None
    for repo, token in (("me", "hf_good"), ("../x/y", "hf_good"), ("me/run", " ")):
        with pytest.raises(InputError):
            tuning.push(OWNER, run, repo, token)
    with pytest.raises(InputError, match="no such run"):
        tuning.push(OTHER, run, "me/run", "hf_good")
    written = b"".join(p.read_bytes() for p in lab.store.runs.root.rglob("*") if p.is_file())
    for place in (caplog.text.encode(), str(error.value).encode(), written):
        assert b"hf_" not in place


def test_a_set_of_the_hub_is_read_from_its_parquet(lab, tmp_path, monkeypatch):
    import pyarrow as pa
    from pyarrow.parquet import write_table

    from lmlab.runs import hub as hubruns

    write_table(pa.table({"word": ["dog"] * 30}), tmp_path / "0.parquet")

    sizes = {"default/train/0000.parquet": 9, "default/test/0000.parquet": 10**12}
    files = [SimpleNamespace(rfilename=name, size=size) for name, size in sizes.items()]

    class Api(FakeHub):
        def dataset_info(self, repo, revision, files_metadata):
            if repo == "gone":
                raise RuntimeError("404")
            return SimpleNamespace(siblings=files)

    monkeypatch.setattr(hubruns, "HfApi", Api)
    monkeypatch.setattr(hubruns, "hf_hub_download", lambda *a, **k: str(tmp_path / "0.parquet"))
    assert len(lab.service(Tuning).hub_table("owner/set").rows) == 30
    for repo, split, said in (
        ("gone", "train", "cannot be had"),
        ("owner/set", "dev", "default/test"),
        ("owner/set", "test", "larger than"),
        ("../x", "train", "no name"),
    ):
        with pytest.raises(InputError, match=said):
            lab.service(Tuning).hub_table(repo, split=split)


def test_a_stopped_run_is_resumed_while_its_process_still_ends(tmp_path):
    """On a slow machine a process lives on for seconds after its last word."""
    launched, ends = [], [threading.Event(), threading.Event()]

    def start(folder):
        end = ends[len(launched)]
        launched.append(folder.path.name)
        folder.set_state("running")
        return SimpleNamespace(wait=lambda *_: end.wait() and 0, terminate=end.set, kill=end.set)

    settings = Settings(runs_dir=tmp_path)
    jobs = Jobs(settings, start)
    folder = Runs(tmp_path).new(OWNER, "base", DATA, TEMPLATE, quick())
    jobs.submit(folder)
    with pytest.raises(InputError, match="under way"):
        jobs.submit(folder)
    folder.set_state("stopped")
    jobs.submit(folder)
    assert jobs.info(folder).state == "queued"
    assert len(launched) == 1
    ends[0].set()
    for _ in range(200):
        if len(launched) == 2:
            break
        time.sleep(0.05)
    assert len(launched) == 2
    assert folder.state["state"] == "running"
    jobs.close()


def submitted(jobs, tmp_path, place, owner):
    """A run that somebody at an address submits."""
    jobs.ask_whence(lambda: place)
    folder = Runs(tmp_path).new(owner.ljust(16, "-"), "base", DATA, TEMPLATE, quick())
    jobs.submit(folder)
    return folder


@pytest.fixture
def queue(tmp_path):
    """(jobs whose runs end when they are told to, names of those that began, ``end()``)."""
    began, ends = [], []

    def start(folder):
        over = threading.Event()
        began.append(folder.path.name)
        ends.append(over)
        folder.set_state("running")
        return SimpleNamespace(wait=lambda *_: over.wait() and 0, terminate=over.set, kill=over.set)

    def end():
        n = len(began)
        folder = Runs(tmp_path).find(began[-1])
        folder.set_state("done")
        ends[-1].set()
        for _ in range(600):
            if len(began) > n:
                return
            time.sleep(0.02)

    jobs = Jobs(Settings(runs_dir=tmp_path, max_queue=4), start)
    yield jobs, began, end
    jobs.close()


def test_addresses_take_turns_in_training(queue, tmp_path):
    """Three made-up owners had the queue for themselves for two hours."""
    jobs, began, end = queue
    asked = [("bad", "a"), ("bad", "b"), ("bad", "c"), ("home", "d"), ("bad", "e")]
    runs = {owner: submitted(jobs, tmp_path, place, owner) for place, owner in asked}
    assert jobs.place(runs["d"]) == 0
    for _ in range(4):
        end()
    assert began == [runs[owner].path.name for owner in "adbce"]


def test_a_full_queue_of_one_address_makes_room_for_another(queue, tmp_path):
    jobs, _, _ = queue
    bad = [submitted(jobs, tmp_path, "bad", f"owner {i}") for i in range(5)]
    with pytest.raises(InputError, match="waiting already"):
        submitted(jobs, tmp_path, "bad", "another")
    home = submitted(jobs, tmp_path, "home", "one")
    assert jobs.place(home) == 0
    assert jobs.counts() == (1, 4)
    assert bad[-1].state["state"] == "stopped"
    assert "made room" in bad[-1].state["message"]
    jobs.stop(home)
    jobs.submit(bad[-1])
    assert jobs.place(bad[-1]) is not None
