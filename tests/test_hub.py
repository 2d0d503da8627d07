"""Hub ids, against a server on this machine that speaks the Hub's protocol for real folders."""

import errno
import shutil
import threading
import time
from collections import namedtuple
from pathlib import Path

import pytest

from lmlab.assets import models_dir
from lmlab.errors import DiskError, LabError, MemoryLimitError, ModelError
from lmlab.features.languages.service import Languages
from lmlab.lab import Lab
from lmlab.models import downloads, hub
from lmlab.models.folders import numbers_of
from lmlab.models.refs import ModelRef
from lmlab.models.wanted import Part
from lmlab.runs.model_store import ModelStore
from lmlab.scoring.score import score
from lmlab.settings import Settings
from tests.hubserver import OLD, Hub, commit, served

TEXT = "the little dog"
HALF = 300_000  # bytes of the weights of tiny, which has 600,800


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """The shipped tiny, with more files than are wanted."""
    folder = shutil.copytree(models_dir() / "tiny", tmp_path_factory.mktemp("hub") / "tiny")
    (folder / "onnx").mkdir()
    for twice in ("onnx/model.safetensors", "consolidated.00.safetensors"):
        shutil.copy(folder / "model.safetensors", folder / twice)
    (folder / "pytorch_model.bin").write_bytes(b"never fetched")
    for name in ("tiny-00001-of-00002.gguf", "tiny-00002-of-00002.gguf"):
        (folder / name).write_bytes(name.encode())
    return folder


@pytest.fixture
def near(tiny, folder, broken, tmp_path, monkeypatch):
    """The hub, and huggingface_hub pointed at it with a cache of its own."""
    repos = {"lab/tiny": tiny, "lab/pickles": broken("pickle_only")}
    old = {"lab/tiny": folder("llama")}
    with served(Hub(repos, old)) as near:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr(hub, "endpoint", lambda: near.address)
        monkeypatch.setattr(hub, "cache_dir", lambda: tmp_path / "cache")
        monkeypatch.setattr(downloads, "PAUSE", 0.0)
        yield near


def store(**changed) -> ModelStore:
    return ModelStore(Settings(allow_hub=True, **changed))


def scored(name: str, said=None, **changed) -> float:
    with store(**changed).borrow(name, said) as lm:
        return score(lm, TEXT).logprob


def parts(tmp_path: Path) -> dict[str, int]:
    return {one.name: one.stat().st_size for one in tmp_path.rglob("*.part.incomplete")}


def test_a_hub_id_is_fetched_once_and_scored(near, tiny):
    heard: list[str] = []
    fetched = scored("lab/tiny", heard.append)
    assert fetched == scored(str(tiny))
    assert any("Fetching lab/tiny (1 MB)" in message for message in heard)
    assert near.files == ["model.safetensors"]
    assert scored("lab/tiny", offline=True) == fetched
    near.asked.clear()
    assert scored("lab/tiny") == fetched
    assert near.files == []


def test_what_is_twice_there_or_no_safetensors_is_not_fetched(near):
    scored("lab/tiny")
    files = {path.partition("/main/")[2] or path.rpartition("/")[2] for path in near.asked}
    assert not {one for one in files if "onnx" in one or "consolidated" in one or ".bin" in one}


def test_a_branch_and_no_branch_are_one_copy(near):
    lab = store()
    for name in ("lab/tiny", "lab/tiny@main"):
        with lab.borrow(name):
            pass
    assert len(lab.loaded()) == 1


def test_a_revision_is_another_model(near, folder):
    assert scored(f"lab/tiny@{OLD}") == scored(str(folder("llama")))
    assert scored(f"lab/tiny@{commit(near.old['lab/tiny'])}") == scored(str(folder("llama")))
    assert scored("lab/tiny") != scored(f"lab/tiny@{OLD}")
    assert scored(f"lab/tiny@{OLD}", offline=True) == scored(str(folder("llama")))


def test_a_cut_in_the_middle_goes_on_where_it_was(near, tiny):
    near.cuts = [HALF]
    assert scored("lab/tiny") == scored(str(tiny))
    assert near.ranges == [f"bytes={HALF}-"]


def test_what_came_before_a_cut_is_kept_for_the_next_time(near, tiny, tmp_path):
    near.cuts, near.down_after_cut = [HALF], True
    with pytest.raises(ModelError, match="cannot be reached"):
        scored("lab/tiny")
    assert list(parts(tmp_path).values()) == [HALF]
    near.down, near.down_after_cut, near.ranges = [], False, []
    assert scored("lab/tiny") == scored(str(tiny))
    assert near.ranges == [f"bytes={HALF}-"]
    assert parts(tmp_path) == {}


def test_a_server_that_knows_no_parts_sends_all_of_it_again(near, tiny):
    near.whole_only, near.cuts = True, [HALF]
    assert scored("lab/tiny") == scored(str(tiny))
    assert near.files == ["model.safetensors"] * 2


def test_a_short_fault_of_the_server_is_waited_out(near, tiny):
    near.down = [503, 429]
    assert scored("lab/tiny") == scored(str(tiny))


def test_wrong_sums_are_refused_and_nothing_of_them_stays(near, tiny, tmp_path):
    near.spoilt = True
    with pytest.raises(ModelError, match=r"‘model\.safetensors’ is not what the Hub says it is"):
        scored("lab/tiny")
    assert parts(tmp_path) == {}
    with pytest.raises(ModelError, match="not on this machine"):
        scored("lab/tiny", offline=True)
    near.spoilt = False
    assert scored("lab/tiny") == scored(str(tiny))


def test_a_beginning_that_is_another_files_is_thrown_away(near, tiny):
    repo = hub.look(Part("lab/tiny"), Settings(), "")
    (large,) = [file for file in repo.files if file.path == "model.safetensors"]
    for size in (HALF, large.size + 1):
        repo.blobs.mkdir(parents=True, exist_ok=True)
        large.part(repo.blobs).write_bytes(b"x" * size)
        assert scored("lab/tiny") == scored(str(tiny))
        shutil.rmtree(repo.blobs.parent)


@pytest.mark.parametrize("state", [401, 403])
def test_a_gated_model_says_what_to_do(near, state, monkeypatch):
    near.gated = {"lab/tiny": state}
    with pytest.raises(ModelError, match=r"is gated.*Accept its terms at http.*HF_TOKEN"):
        scored("lab/tiny")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with pytest.raises(ModelError, match=r"LMLAB_HUB_TOKEN") as caught:
        scored("lab/tiny", hub_token=False)
    assert near.tokens == []
    near.gated = {}
    scored("lab/tiny")
    # The token goes to the Hub alone.
    assert {*near.tokens} == {"Bearer hf_secret"}
    assert near.strayed == []
    assert "hf_secret" not in str(caught.value)


def test_files_by_name_are_fetched_alone(near, tiny):
    part = Part("lab/tiny", None, ("onnx/model.safetensors",))
    assert hub.snapshot_of(*part) is None
    folder = hub.fetch(part, Settings(), lambda repo: None, lambda said: None, "")
    assert [one.relative_to(folder) for one in folder.rglob("*.*")] == [
        Path(*part.files[0].split("/"))
    ]
    assert hub.snapshot_of(*part) == folder
    assert hub.cached(part, "") == folder
    with pytest.raises(
        ModelError, match=r"has no file ‘a\.bin’ on the Hub\. It has: pytorch_model"
    ):
        hub.look(part._replace(files=("a.bin",)), Settings(), "")


def test_a_gguf_file_is_fetched_with_all_that_it_is_a_part_of(near):
    first, second = (f"tiny-0000{i}-of-00002.gguf" for i in (1, 2))
    ref = ModelRef.parse(f"gguf:lab/tiny/{second}")
    lab = store()
    assert lab.parts(ref) == [Part("lab/tiny", None, (second, first))]
    assert not lab.is_here(str(ref))
    with pytest.raises(MemoryLimitError, match="needs"):
        store(max_model_gb=1e-9).place(ref, lambda said: None)
    found = lab.place(ref, lambda said: None)
    assert found.read_bytes() == second.encode()
    assert (found.parent / first).read_bytes() == first.encode()
    assert lab.is_here(str(ref))
    near.asked.clear()
    assert store(offline=True).place(ref, lambda said: None) == found
    assert near.asked == []
    with pytest.raises(ModelError, match=r"no file ‘none\.gguf’ on the Hub\. It has: tiny-00001"):
        lab.place(ModelRef.parse("gguf:lab/tiny/none.gguf"), lambda said: None)
    with pytest.raises(ModelError, match="not among the models of this page"):
        store(allow_local=False).parts(ref)


def test_a_repository_that_is_not_there(near):
    with pytest.raises(ModelError, match="no model named ‘lab/none’"):
        scored("lab/none")


def test_a_revision_that_is_not_there_is_named(near):
    with pytest.raises(ModelError, match="no revision ‘step9’"):
        scored("lab/tiny@step9")


def test_a_renamed_model_is_found_under_its_old_name(near, tiny):
    near.renamed = {"old/tiny": "lab/tiny"}
    assert scored("old/tiny") == scored(str(tiny))
    assert scored("old/tiny", offline=True) == scored(str(tiny))
    assert hub.look(Part("old/tiny"), Settings(), "").called == "lab/tiny"


def test_pickles_are_refused_before_anything_is_fetched(near):
    with pytest.raises(ModelError, match="safetensors"):
        scored("lab/pickles")
    assert not [path for path in near.asked if "/resolve/" in path]


def test_without_a_network_what_is_here_is_used(near, tiny, monkeypatch):
    fetched = scored("lab/tiny")
    monkeypatch.setattr(hub, "endpoint", lambda: "http://127.0.0.1:9")
    assert scored("lab/tiny") == fetched
    with pytest.raises(ModelError, match="‘lab/other’ is not on this machine, and the Hub cannot"):
        scored("lab/other")


def test_a_model_of_which_a_part_is_here_is_not_taken_for_whole(near, monkeypatch):
    scored("lab/tiny")
    next(hub.snapshot_of("lab/tiny").glob("*.safetensors")).unlink()
    assert hub.snapshot_of("lab/tiny") is None
    with pytest.raises(ModelError, match="on this machine, and the Hub cannot"):
        scored("lab/tiny", offline=True)
    scored("lab/tiny")
    assert hub.snapshot_of("lab/tiny") is not None


def test_a_disk_that_is_too_small_is_told_before_anything_is_fetched(near, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(hub.shutil, "disk_usage", lambda folder: usage(600_000_000))
    monkeypatch.setattr(hub, "snapshot_download", None)
    with pytest.raises(DiskError, match=r"are to come, and the disk has room for 0 GB.*HF_HOME"):
        scored("lab/tiny", free_gb=0.6)
    assert not [path for path in near.asked if "/resolve/" in path]


def test_a_disk_that_fills_up_keeps_what_came(near, tiny, tmp_path, monkeypatch):
    ask = downloads._ask

    def full(part, url, headers, have, come):
        if part.stat().st_size:
            raise OSError(errno.ENOSPC, "No space left on device")
        ask(part, url, headers, have, come)

    near.cuts = [HALF]
    with monkeypatch.context() as patch:
        patch.setattr(downloads, "_ask", full)
        with pytest.raises(DiskError, match="full; what came is kept"):
            scored("lab/tiny")
    assert HALF in parts(tmp_path).values()
    assert scored("lab/tiny") == scored(str(tiny))


@pytest.mark.parametrize("tells", [True, False])
def test_a_model_over_the_budget_is_refused_before_anything_is_fetched(near, tells):
    near.tells_numbers = tells
    with pytest.raises(MemoryLimitError, match="a model may take 1e-06 GB"):
        scored("lab/tiny", memory_gb=1e-6)
    assert not [path for path in near.asked if "/resolve/" in path]


def test_before_and_after_fetching_the_same_is_said_of_a_model_that_does_not_fit(near, tiny):
    numbers = numbers_of(tiny)
    scored("lab/tiny")
    said = []
    for name, offline in (("lab/tiny", False), ("lab/tiny", True)):
        with pytest.raises(MemoryLimitError) as caught:
            scored(name, memory_gb=4e-9 * numbers - 1e-9, offline=offline)
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert f"needs {4e-9 * numbers:.2g} GB" in said[0]


def test_what_would_fit_is_named(near):
    with pytest.raises(MemoryLimitError) as caught:
        store(memory_gb=0.6).check_fits(10**12, "me/large")
    named = "HuggingFaceTB/SmolLM2-135M (0.54 GB)"
    assert "These fit: openai-community/gpt2 (0.55 GB), " in str(caught.value)
    assert named in str(caught.value)
    # A stranger is told of what the host lets him have alone.
    with pytest.raises(MemoryLimitError) as caught:
        store(memory_gb=0.6, models=("distilbert/*",)).check_fits(10**12, "me/large")
    assert "These fit: distilbert/distilgpt2 (0.35 GB)." in str(caught.value)


def test_two_who_want_one_model_fetch_it_once(near):
    found, lab = [], store()

    def ask() -> None:
        with lab.borrow("lab/tiny") as lm:
            found.append(score(lm, TEXT).logprob)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 3
    assert near.files == ["model.safetensors"]


def test_a_download_says_how_far_it_is(monkeypatch):
    """What lay there before is no speed."""
    said: list[str] = []
    clock = iter(range(100, 200, 2))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    tell = downloads.told("a/b", 1_000_000, 4_000_000, said.append)
    tell(1_000_000)
    assert said == ["Fetching a/b: 2 of 4 MB, 0.5 MB/s, about 4 s left …"]
    tell(2_000_000)
    assert said[-1].endswith("4 of 4 MB, 0.8 MB/s, about 0 s left …")


def test_the_hub_can_be_switched_off(near):
    lab = ModelStore(Settings(allow_hub=False))
    with pytest.raises(ModelError, match="no model named ‘lab/tiny’ here"), lab.borrow("lab/tiny"):
        pass
    assert near.asked == []


@pytest.mark.parametrize("name", ["../up", "a/b/c", "lab/tiny@../x", "http://10.0.0.1/x"])
def test_an_odd_name_asks_nobody(near, name):
    with pytest.raises(LabError):
        scored(name)
    assert near.asked == []


def test_of_a_model_s_tokenizer_the_weights_are_not_fetched(near):
    def counts(**given):
        lab = Lab.open(Settings(**given))
        return [*lab.service(Languages).count(["lab/tiny"], [("a", "The cat sat.")])]

    with pytest.raises(ModelError, match="not among the models"):
        counts(models=("other/one",), any_model=False)
    assert near.asked == []
    *_, found = counts(allow_hub=True)
    assert found.rows[0].pieces
    assert "tokenizer.json" in " ".join(near.asked)
    assert "safetensors" not in " ".join(near.asked)
