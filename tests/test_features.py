"""Features are found by their folders, and so is one from elsewhere, with no other file touched."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import lmlab.features
from lmlab.errors import InputError
from lmlab.features import features, wordings
from lmlab.lab import Lab
from lmlab.page.app import build_page, chosen
from lmlab.page.lecture import links
from lmlab.page.lecture.events import check
from lmlab.page.lecture.filling import Filling
from lmlab.page.lecture.stage import stages
from lmlab.page.scenes.course import shipped
from lmlab.page.web_files import files
from lmlab.parts.stream import streamed
from lmlab.settings import read_settings
from tests.ui.guide import made

ROOT = Path(__file__).parents[1]


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder with the feature of the guide, which is forgotten afterwards."""
    folder = made(tmp_path / "mytabs")
    monkeypatch.setattr(lmlab.features, "__path__", [*lmlab.features.__path__])
    monkeypatch.setenv("LMLAB_FEATURES", str(folder))
    yield folder
    for name in [name for name in sys.modules if name.startswith("lmlab.features.order")]:
        del sys.modules[name]


def test_every_folder_is_a_feature_under_its_own_name():
    folders = {path.name for path in (ROOT / "lmlab" / "features").glob("[a-z]*") if path.is_dir()}
    found = features()
    assert {one.name for one in found} == folders
    assert [one.order for one in found] == sorted({one.order for one in found})
    for one in found:
        assert all(callable(one.load(where)) for where in (one.build, *one.commands))
        assert one.folder == ROOT / "lmlab" / "features" / one.name


def test_a_folder_from_elsewhere_is_a_tab_a_link_a_scene_and_terms(elsewhere):
    settings = read_settings(offline=True)
    assert settings.features == (elsewhere,)
    tabs = chosen(settings, ["order", "about"])
    assert [one.title for one in tabs] == ["Word order", "About"]
    page = build_page(Lab.open(settings), ["order", "about"])
    filling = Filling(Lab.open(settings), stages(page), wordings(tabs))
    stage = filling.stage("order")
    assert set(stage.controls) == {"text", "model"}
    assert links.query(stage, ["One two", "base"]) == "tab=order&text=One+two"
    scene = next(one for one in shipped(tabs) if one.tab == "order")
    assert scene.name == "order-of-words"
    check(filling, scene)
    assert b"The same words, last one first." in files()["made.js"]


def test_a_folder_from_elsewhere_is_a_command(elsewhere, folder):
    words = [sys.executable, "-m", "lmlab", "order", "--model", str(folder())]
    done = subprocess.run(
        [*words, "--text", "the cat sat"], capture_output=True, text=True, check=True, cwd=ROOT,
        env={**os.environ, "LMLAB_FEATURES": str(elsewhere)},
    )  # fmt: skip
    first, second = done.stdout.splitlines()
    assert first.endswith("the cat sat")
    assert second.endswith("sat cat the")


def test_a_feature_s_receipt_is_that_of_what_it_shows(elsewhere, folder):
    found = {one.name: one for one in features([elsewhere])}["order"]
    ask, note = found.load("page:asker"), found.load("page:note")
    handler = streamed(ask(Lab.open(read_settings(offline=True))), ["shown", "kept"])
    *_, shown, kept = list(handler(str(folder()), "the <b>cat"))[-1]
    assert shown.count("lm-fig") == 2
    assert "<b>cat" not in shown
    assert "the <b>cat" in note(kept).write()
    assert note(None) is None


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("about", "", "Two features"),
        ("empty", "", "no FEATURE named ‘empty’"),
        ("wrong", "FEATURE = 3", "no FEATURE named ‘wrong’"),
    ],
)
def test_what_is_no_feature_is_told(tmp_path, monkeypatch, name, text, said):
    monkeypatch.setattr(lmlab.features, "__path__", [*lmlab.features.__path__])
    (tmp_path / name).mkdir()
    (tmp_path / name / "feature.py").write_text(text)
    with pytest.raises(InputError, match=said):
        features([tmp_path])
    with pytest.raises(InputError, match="no folder"):
        features([tmp_path / "none"])


def test_a_tab_that_is_not_there_is_told():
    with pytest.raises(InputError, match="no tab ‘x’"):
        chosen(SimpleNamespace(features=(), tabs=()), ["x"])
