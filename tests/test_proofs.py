"""What a probe found of a model is kept for its next loading, and for no other model."""

import json
import os
import shutil

import pytest
import torch

from lmlab.errors import ModelError
from lmlab.generation.complete import generate, iter_sample
from lmlab.models.backends.transformers import loading, proofs
from lmlab.models.backends.transformers.body import Body
from lmlab.models.backends.transformers.loading import inspect, load
from lmlab.scoring.score import score
from lmlab.settings import Settings
from tests import architectures, folders
from tests.right import GREEDY, TEXT, check_completions, check_scores


@pytest.fixture(autouse=True)
def old(monkeypatch):
    """The files of a test count as old at once."""
    monkeypatch.setattr(proofs, "GRAIN", -1e18)


@pytest.fixture
def model(folder, tmp_path):
    """A folder of its own, which a test may change."""
    return shutil.copytree(folder("llama", "bytelevel-bos"), tmp_path / "model")


@pytest.fixture
def passes(model, tmp_path, monkeypatch):
    """``passes(**settings)``: loads the folder and counts the probe's forward passes."""
    made = []
    call, over = Body.__call__, Body.over
    monkeypatch.setattr(Body, "__call__", lambda *a: made.append(0) or call(*a))
    monkeypatch.setattr(Body, "over", lambda *a, **k: made.append(0) or over(*a, **k))

    def count(then=lambda lm: None, **settings):
        made.clear()
        given = {"cache_dir": tmp_path / "cache", "device": "cpu", **settings}
        weights = load(inspect(model, "m"), Settings(**given))
        then(weights.lm("m"))
        return len(made)

    return count


def kept(tmp_path):
    """The one file of proofs."""
    (file,) = (tmp_path / "cache" / "proofs").iterdir()
    return file


def test_a_model_that_was_loaded_before_is_not_probed_again(passes):
    assert passes() > 0
    assert passes() == 0


def test_what_was_shown_after_loading_is_kept_too(passes):
    def ask(lm):
        lm.switch_on()
        assert lm.ways.shared
        assert lm.ways.notes() == []

    asked = passes(ask)
    assert asked > passes() == passes(ask) == 0


def test_a_model_with_a_kept_proof_gives_the_same(model, tmp_path):
    settings = Settings(cache_dir=tmp_path / "cache", device="cpu")
    found = []
    for _ in range(2):
        lm = load(inspect(model, "m"), settings).lm("m")
        list(iter_sample(lm, TEXT, GREEDY, n=2))
        found.append((score(lm, TEXT), list(generate(lm, TEXT, GREEDY)), type(lm.head)))
        with torch.inference_mode():
            check_scores(lm)
            check_completions(lm)
    assert found[0] == found[1]


@pytest.mark.parametrize("kind", ["openai-gpt", "rwkv", "mamba", "mistral", "gemma2"])
def test_models_of_awkward_kinds_are_run_as_before(kind, tmp_path):
    folder, cache = tmp_path / "model", tmp_path / "cache"
    changes = {"sliding_window": 16} if kind == "mistral" else {}
    architectures.make(kind, **changes).save_pretrained(folder)
    folders.make_tokenizer("bytelevel-bos").save_pretrained(folder)
    ways = []
    for _ in range(2):
        lm = load(inspect(folder, "m"), Settings(cache_dir=cache, device="cpu")).lm("m")
        with torch.inference_mode():
            check_scores(lm)
            check_completions(lm)
        ways.append(lm.ways)
    assert ways[0]._shown == ways[1]._shown
    assert (ways[0].window, ways[0].notes()) == (ways[1].window, ways[1].notes())


def touched(model):
    file = model / "model.safetensors"
    at = file.stat()
    os.utime(file, ns=(at.st_atime_ns, at.st_mtime_ns + 1))


def swapped(model):
    """Other weights of the same size, written as of the same time."""
    file = model / "model.safetensors"
    at, data = file.stat(), bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(at.st_atime_ns, at.st_mtime_ns))


def reconfigured(model):
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"rms_norm_eps": 1e-4}))


@pytest.mark.parametrize("change", [touched, swapped, reconfigured])
def test_a_changed_folder_is_proved_anew(passes, model, change):
    first = passes()
    change(model)
    assert passes() == first
    assert passes() == 0


def test_other_bytes_are_noticed_where_the_clock_stands_still(passes, model, monkeypatch):
    stamps = proofs.stamps_of
    still = lambda path: [(*one[:2], 0, 0) for one in stamps(path)]  # noqa: E731
    monkeypatch.setattr(proofs, "stamps_of", still)
    monkeypatch.setattr(loading, "stamps_of", still)
    first = passes()
    assert passes() == 0
    swapped(model)
    assert passes() == first


def test_another_model_in_the_same_place_is_proved_anew(passes, model, tmp_path):
    first = passes()
    shutil.copytree(model, tmp_path / "other")
    model.rename(tmp_path / "gone")
    (tmp_path / "other").rename(model)
    assert passes() == first


def test_another_number_format_is_proved_anew(passes):
    passes()
    assert passes(dtype="bfloat16") > 0


@pytest.mark.parametrize("which", range(7))
def test_another_version_is_proved_anew(passes, monkeypatch, which):
    first, known = passes(), list(proofs._house())
    known[which] += "1"
    monkeypatch.setattr(proofs, "_house", lambda: tuple(known))
    assert passes() == first


def test_a_folder_that_may_still_change_is_proved_each_time(passes, monkeypatch, tmp_path):
    monkeypatch.setattr(proofs, "GRAIN", 1e18)
    assert passes() == passes() > 0
    assert not (tmp_path / "cache").exists()


def test_a_folder_that_changes_while_it_is_read_is_not_believed(passes, model, monkeypatch):
    first = passes()
    check = proofs.Proof.__init__

    def late(self, made, folder, before, settings):
        reconfigured(model)
        check(self, made, folder, before, settings)

    monkeypatch.setattr(proofs.Proof, "__init__", late)
    assert passes() == first


@pytest.mark.parametrize(
    "broken", [b"", b"{", b"[]", b"\xff", b'{"key": "x"}', b"[" * 10_000, b"null"]
)
def test_a_broken_file_is_as_if_it_were_not_there(passes, tmp_path, broken):
    first = passes()
    kept(tmp_path).write_bytes(broken)
    assert passes() == first
    assert passes() == 0


def test_a_file_of_another_form_is_as_if_it_were_not_there(passes, tmp_path):
    first = passes()
    found = json.loads(kept(tmp_path).read_text())
    kept(tmp_path).write_text(json.dumps(found | {"shown": {"causal": "yes"}}))
    assert passes() == first


def test_where_nothing_can_be_written_models_load_all_the_same(passes, tmp_path):
    (tmp_path / "file").write_text("")
    assert passes(cache_dir=tmp_path / "file") == passes(cache_dir=tmp_path / "file") > 0


def test_a_full_disk_leaves_nothing_half_written(passes, tmp_path, monkeypatch):
    def full(*names):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(proofs.os, "replace", full)
    assert passes() == passes() > 0
    assert list((tmp_path / "cache" / "proofs").iterdir()) == []


def test_without_a_home_models_load_all_the_same(passes, monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(proofs, "_default", homeless)
    assert passes(cache_dir=None) == passes(cache_dir=None) > 0


def test_a_changed_model_tells_nothing_of_its_folder(passes, tmp_path):
    passes()
    before = kept(tmp_path).read_text()

    def change(lm):
        lm.model.get_input_embeddings().weight.mul_(2)
        assert lm.ways.past

    assert passes(change) > 0
    assert kept(tmp_path).read_text() == before


def test_nothing_that_may_hang_on_a_failure_is_kept(passes, model, tmp_path, monkeypatch):
    def ask(lm):
        with monkeypatch.context() as patched:
            patched.setattr(type(lm.ways), "_stepped", None)
            assert not lm.ways.past
        assert lm.ways.shown("later", lambda: True)

    passes(ask)
    assert json.loads(kept(tmp_path).read_text())["shown"] == {"batch": True, "causal": True}
    assert passes(lambda lm: lm.ways.past) > 0


def test_a_model_that_looks_ahead_is_refused_again(tmp_path):
    architectures.make("bert", is_decoder=False).save_pretrained(tmp_path / "model")
    folders.make_tokenizer("bytelevel-bos").save_pretrained(tmp_path / "model")
    for _ in range(2):
        with pytest.raises(ModelError, match="not a causal language model"):
            load(inspect(tmp_path / "model", "m"), Settings(cache_dir=tmp_path, device="cpu"))


def test_only_so_many_are_kept(monkeypatch, tmp_path, folder):
    monkeypatch.setattr(proofs, "MOST", 2)
    for name in "abc":
        path = shutil.copytree(folder("llama", "bytelevel-bos"), tmp_path / name)
        load(inspect(path, "m"), Settings(cache_dir=tmp_path / "cache", device="cpu"))
    assert len(list((tmp_path / "cache" / "proofs").iterdir())) == 2


def test_tests_keep_nothing_in_the_users_own_cache():
    assert Settings().cache_dir == proofs.Path(os.devnull)
