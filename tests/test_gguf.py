"""GGUF files: what a name means, and what is wrong with a file, told before llama.cpp sees it."""

import os
from pathlib import Path

import pytest

from lmlab.cli.main import main
from lmlab.errors import LabError, MemoryLimitError, ModelError
from lmlab.hosting.health import public_name
from lmlab.models import hubfiles
from lmlab.models.backends import gguf, lacking
from lmlab.models.backends.gguf.header import read_header
from lmlab.models.gives import WEIGHTS
from lmlab.models.refs import ModelRef
from lmlab.runs.model_store import ModelStore
from lmlab.settings import Settings
from tests import ggufs

QUIET = lambda message: None  # noqa: E731


@pytest.fixture(scope="module")
def file(folder, tmp_path_factory) -> Path:
    return ggufs.model(
        tmp_path_factory.mktemp("gguf") / "small.gguf", folder("llama", "bytelevel-bos")
    )


@pytest.fixture
def installed(monkeypatch):
    """As if llama.cpp were there, or were not."""

    def make(there: bool) -> None:
        monkeypatch.setattr(gguf, "find_spec", lambda name: there or None)

    return make


def refused(file: Path) -> LabError:
    with pytest.raises(LabError) as caught:
        gguf.find(file, f"gguf:{file.name}")
    return caught.value


def test_a_header_tells_what_a_model_is(file, folder, installed):
    header = read_header(file, "small")
    assert header.metadata["general.architecture"] == "llama"
    assert len(header.metadata["tokenizer.ggml.tokens"]) == 512
    assert "blk.1.ffn_down.weight" in header.tensors
    installed(True)
    found = gguf.find(file, "small")
    assert found.context == 64
    # Two layers of two heads, eight numbers each for keys and values, two bytes a number.
    assert found.cell == 2 * 2 * 2 * (8 + 8)
    assert found.memory(Settings()) > file.stat().st_size


def test_without_llama_cpp_it_is_said_what_to_install(file, installed, capsys):
    installed(False)
    error = refused(file)
    assert error.message == "‘gguf:small.gguf’ is run by llama.cpp, which is not installed."
    assert "pip install 'lmlab[gguf]'" in error.hint
    assert main(["score", "--model", str(file), "--text", "the dog"]) == 2
    assert "lmlab[gguf]" in capsys.readouterr().err


@pytest.mark.parametrize("part", [3, 20, 0.1, 0.5, 0.999])
def test_a_file_that_is_cut_is_no_model(file, tmp_path, part):
    whole = file.read_bytes()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(whole[: part if isinstance(part, int) else int(part * len(whole))])
    error = refused(cut)
    assert isinstance(error, ModelError)
    assert "cut short" in error.message or "no GGUF file" in error.message


def test_random_bytes_are_refused_in_a_sentence(file, tmp_path):
    import random

    whole, draw = bytearray(file.read_bytes()[:20_000]), random.Random(0)
    for i in range(300):
        bad = bytearray(whole)
        for _ in range(3):
            bad[draw.randrange(4, 400)] = draw.randrange(256)
        place = tmp_path / f"{i}.gguf"
        place.write_bytes(bad)
        assert isinstance(refused(place), ModelError)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"tokenizer__ggml__model": None}, "has no tokenizer"),
        ({"tokenizer__ggml__model": "no_vocab"}, "has no tokenizer"),
        ({"tokenizer__ggml__tokens": None}, "has no tokenizer"),
        ({"tokenizer__ggml__tokens": ["a"] * 512}, "has tokens twice"),
        ({"general__architecture": None}, "does not say what kind of model"),
        ({"general__type": "adapter"}, "is an adapter, not a model"),
        ({"general__type": "mmproj"}, "reads pictures"),
        ({"llama__attention__causal": False}, "is not a causal language model"),
        ({"split__count": 2}, "one of several files, of which small-00002-of-00002.gguf is"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(folder, tmp_path, changed, said):
    made = ggufs.model(tmp_path / "small-00001-of-00002.gguf", folder("llama"), **changed)
    assert said in refused(made).message


def test_other_files_are_no_models(tmp_path):
    (tmp_path / "empty.gguf").write_bytes(b"")
    (tmp_path / "page.gguf").write_text("<html>")
    (tmp_path / "old.gguf").write_bytes(b"GGUF" + bytes([1, 0, 0, 0]) + bytes(100))
    assert "cut short" in refused(tmp_path / "empty.gguf").message
    assert "is no GGUF file" in refused(tmp_path / "page.gguf").message
    assert "of a version that is not known" in refused(tmp_path / "old.gguf").message
    assert "There is no file" in refused(tmp_path / "none.gguf").message
    assert "There is no file" in refused(tmp_path).message


def test_what_does_not_fit_is_told_before_it_is_loaded(file, installed):
    installed(True)
    small = ModelStore(Settings(max_model_gb=0.05, offline=True))
    with pytest.raises(MemoryLimitError, match=r"needs 0\.2 GB of memory; a model may take 0\.05"):
        small.load(ModelRef.parse(f"gguf:{file}"), QUIET)
    little = ModelStore(Settings(memory_gb=0.05, offline=True))
    with pytest.raises(MemoryLimitError, match="LMLAB_MEMORY_GB"):
        little.load(ModelRef.parse(str(file)), QUIET)


def test_a_file_is_one_model_whatever_it_is_called_by(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    store = ModelStore(Settings(offline=True))
    names = (str(file), "small.gguf", f"gguf:{file}", "gguf:small.gguf", "./small.gguf")
    assert {store.place(ModelRef.parse(name), QUIET) for name in names} == {file}
    assert store.pinned("small.gguf") == f"gguf:{file}"
    with pytest.raises(ModelError, match="has no revisions"):
        store.place(ModelRef.parse("gguf:small.gguf@main"), QUIET)


def test_names_with_signs_in_them_are_files(file, tmp_path):
    odd = tmp_path / "a+b@c"
    odd.mkdir()
    os.link(file, odd / "x+y.gguf")
    name = f"gguf:{odd}/x+y.gguf"
    assert ModelRef.parse(name) == ModelRef(name)
    assert ModelRef.parse(f"{name}+{file}") == ModelRef(name, str(file))


def test_a_name_of_the_hub_has_a_file():
    assert hubfiles.of_hub("gguf:owner/name/some.Q4_0.gguf") == ("owner/name", "some.Q4_0.gguf")
    assert hubfiles.of_hub("owner/name/deep/some.gguf") == ("owner/name", "deep/some.gguf")
    assert hubfiles.of_hub("gguf:owner/name/../some.gguf") is None
    assert hubfiles.of_hub("gguf:some.gguf") is None
    store = ModelStore(Settings(offline=True))
    with pytest.raises(ModelError, match=r"‘owner/name/none\.gguf’ is not on this machine"):
        store.place(ModelRef.parse("gguf:owner/name/none.gguf@main"), QUIET)
    with pytest.raises(ModelError, match=r"There is no file ‘none\.gguf’"):
        store.place(ModelRef.parse("none.gguf"), QUIET)
    asking = ModelStore(Settings(offline=False))
    assert asking.source("gguf:owner/name/none.gguf").startswith("‘owner/name’ from ")


def test_a_page_opens_no_file_that_its_host_did_not_name(file):
    store = ModelStore(Settings(public=True, offline=True))
    for name in (f"gguf:{file}", str(file), "gguf:owner/name/some.gguf"):
        with pytest.raises(ModelError, match="is not among the models of this page"):
            store.place(ModelRef.parse(name), QUIET)
    named = ModelStore(Settings(public=True, offline=True, models=(f"gguf:{file}",)))
    assert named.place(ModelRef.parse(str(file)), QUIET) == file
    assert public_name(str(file), {}) == "a folder"


def test_a_gguf_file_has_no_weights_to_look_at(file):
    assert lacking(str(file), WEIGHTS) == f"‘{file}’ gives no weights to look at."
    store = ModelStore(Settings(offline=True))
    with pytest.raises(ModelError, match="gives no weights to look at"):
        store.resolve(ModelRef.parse(f"gguf:{file}"), QUIET)
