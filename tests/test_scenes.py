"""Scenes: read to the letter, or refused with file and field; the shipped ones fit the page."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from lmlab.errors import InputError
from lmlab.features import features, wordings
from lmlab.lab import Lab
from lmlab.page.app import build_page
from lmlab.page.lecture import links
from lmlab.page.lecture.events import adder, check
from lmlab.page.lecture.filling import Filling
from lmlab.page.lecture.stage import stages
from lmlab.page.scenes.course import ALL, LARGEST, MOST, chosen, course, shipped
from lmlab.page.scenes.scene import parse, written
from lmlab.parts.pickers import Choices
from lmlab.text.strict_yaml import _Loader

PLAIN = """title: A scene
point: What it shows.
tab: likelihood
inputs:
  text: "No"
  model: base
run: go
ask:
  say: What will it be?
  options: [this, that]
  answer: That.
  hide: [strip]
look:
  - at: strip
    say: Here.
"""

SKIPPED = {"__type__": "update"}  # what leaves a component as it is


@pytest.fixture(scope="module")
def filling():
    lab = Lab.open()
    page = build_page(lab)
    return Filling(lab, stages(page), wordings(features()))


def test_a_scene_is_read_as_it_was_written():
    scene = parse(PLAIN, "03-a-scene.yaml")
    assert (scene.name, scene.tab, scene.inputs["text"]) == ("a-scene", "likelihood", "No")
    assert parse(written(scene), "a-scene.yaml") == scene


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("title: A scene\n", ""), "x.yaml: field ‘title’"),
        (("title: A scene", "title: " + "x" * 121), "field ‘title’"),
        (("run: go", "runs: go"), "field ‘runs’"),
        (("run: go", "run: ../go"), "field ‘run’"),
        (("options: [this, that]", "options: [this]"), "field ‘ask.options’"),
        (("answer: That.", "answer: That.\n  right: those"), "field ‘ask’"),
        (("run: go", "run: go\nminutes: 0"), "field ‘minutes’"),
        (("- at: strip", "- at: <b>"), "field ‘look.0.at’"),
        (("tab: likelihood", "tab: [a"), "no valid YAML in line"),
        (("tab: likelihood", "tab: &a likelihood\nrun: *a"), "aliases"),
        (("title: A scene", "title: A scene\ntitle: Another"), "twice"),
    ],
)
def test_a_mistake_names_the_file_and_the_field(change, said):
    with pytest.raises(InputError) as caught:
        parse(PLAIN.replace(*change), "x.yaml")
    assert said in caught.value.message
    assert "x.yaml" in caught.value.message


def test_a_folder_is_a_course_in_the_order_of_its_files(tmp_path):
    for name in ("20-second.yaml", "10-first.yaml"):
        (tmp_path / name).write_text(PLAIN, encoding="utf-8")
    assert [scene.name for scene in course(tmp_path)] == ["first", "second"]
    (tmp_path / "30-first.yaml").write_text(PLAIN, encoding="utf-8")
    with pytest.raises(InputError, match="Two scenes are called ‘first’"):
        course(tmp_path)


def test_folders_and_files_that_are_none(tmp_path):
    with pytest.raises(InputError, match="no folder"):
        course(tmp_path / "missing")
    with pytest.raises(InputError, match="no scene"):
        course(tmp_path)
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"a\.yaml is not UTF-8"):
        course(tmp_path)
    (tmp_path / "a.yaml").write_text("x" * (LARGEST + 1), encoding="utf-8")
    with pytest.raises(InputError, match="larger"):
        course(tmp_path)


def test_courses_that_ship_take_the_minutes_of_their_names():
    for minutes in (20, 50):
        scenes = chosen(Path(f"{minutes}-minutes"))
        assert sum(scene.minutes for scene in scenes) == minutes
    assert all(scene.notes and scene.minutes for scene in shipped())


def test_a_course_file_names_scenes_in_its_own_order(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("title: Mine\nscenes: [low-rank, by-hand]\n", encoding="utf-8")
    assert [scene.name for scene in chosen(file)] == ["low-rank", "by-hand"]
    for text, said in (
        ("title: Mine\nscenes: [low-rank, nothing]", "no scene ‘nothing’"),
        ("title: Mine\nscenes: [low-rank, low-rank]", "Two scenes"),
        ("title: Mine\nscenes: []", "no course"),
        ("title: Mine", "no course"),
    ):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=said):
            chosen(file)
    with pytest.raises(InputError, match="no folder"):
        chosen(Path("25-minutes"))


def test_every_shipped_scene_names_only_what_is_there(filling):
    scenes = shipped()
    assert len(scenes) >= 24
    for scene in scenes:
        check(filling, scene)


class Counted(str):
    """A key that counts how often it is compared."""

    compared = 0

    def __eq__(self, other):
        Counted.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_a_mappings_keys_are_looked_at_once_each():
    """Counted one by one, 200 files of 20,000 characters took minutes."""
    keys = [yaml.ScalarNode("tag:yaml.org,2002:str", Counted(i)) for i in range(2000)]
    node = yaml.MappingNode("tag:yaml.org,2002:map", [(key, keys[0]) for key in keys])
    Counted.compared = 0
    assert len(_Loader("").construct_mapping(node)) == 2000
    assert Counted.compared < 4 * 2000


def test_scene_files_are_bounded_together(tmp_path, filling):
    text = PLAIN + "# " + "x" * 19_000
    for i in range(20):
        (tmp_path / f"{i:02}-scene-{i}.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=f"together; at most {ALL // 1000} kB"):
        course(tmp_path)
    add = adder(filling, ())
    files = [{"name": f"scene-{i}.yaml", "text": text} for i in range(20)]
    with pytest.raises(Exception, match="together"):
        add((), SimpleNamespace(files=files))
    _, kept = add((), SimpleNamespace(files=[{"name": "one.yaml", "text": PLAIN}]))
    assert [scene.name for scene in kept] == ["one"]
    many = tuple(kept[0].model_copy(update={"name": f"old-{i}"}) for i in range(MOST))
    with pytest.raises(Exception, match="are kept"):
        add(many, SimpleNamespace(files=[{"name": "one.yaml", "text": PLAIN}]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("tab: likelihood", "tab: nowhere"), "no tab ‘nowhere’"),
        (("  model: base", "  modle: base"), "no control ‘modle’"),
        (("  - at: strip", "  - at: stripe"), "look: the tab ‘likelihood’ has no part ‘stripe’"),
        (("hide: [strip]", "hide: [stripe]"), "ask.hide"),
        (("run: go", "run: gone"), "no button ‘gone’"),
        (("  model: base", "  model: [base, base]"), "takes one text"),
    ],
)
def test_a_scene_that_does_not_fit_the_page_is_refused(filling, change, said):
    with pytest.raises(InputError) as caught:
        check(filling, parse(PLAIN.replace(*change), "a-scene.yaml"))
    assert said in str(caught.value)
    assert "‘a-scene’" in str(caught.value)


@pytest.mark.parametrize(
    ("tab", "values", "said"),
    [
        ("completion", {"temperature": "nan"}, "takes a number"),
        ("completion", {"temperature": "1e308"}, "goes from 0 to 3"),
        ("completion", {"top-k": "-1"}, "goes from 0"),
        ("tuning", {"method": "magic"}, "no choice ‘magic’"),
        ("tuning", {"end": "perhaps"}, "true or false"),
        ("tuning", {"token": "hf_secret"}, "no control ‘token’"),
        ("prompt", {"wording": "qa-tuned", "data": "german"}, "no choice ‘qa-tuned’ for ‘german’"),
        ("prompt", {"pasted": "a,b"}, "no control ‘pasted’"),
        ("likelihood", {"text": "x" * 9000}, "longer than"),
        ("likelihood", {"__class__": "x"}, "no control"),
    ],
)
def test_no_control_takes_what_it_could_not_have(filling, tab, values, said):
    with pytest.raises(InputError) as caught:
        filling.updates(tab, values)
    assert said in caught.value.message


def test_a_wording_brings_its_text(filling):
    found = filling.updates("prompt", {"data": "opposite", "wording": "opposite-arrow"})
    source = [one for one in found if isinstance(one, str) and "name: opposite-arrow" in one]
    assert len(source) == 1


def test_what_follows_from_a_filled_in_form_comes_with_it(filling):
    """Rows and query are those of the scene's data before its button can be pressed."""
    given = {"data": "opposite", "wording": "opposite-arrow", "shots": "2", "seed": "5"}
    known = [getattr(part, "value", None) for part in filling.inputs("prompt")]
    found = filling.updates("prompt", given, known)
    assert len(found) == len(filling.outputs("prompt"))
    assert found[0] is True
    sheet = found[-1]
    assert (sheet.drawn.data, sheet.drawn.shots, sheet.drawn.seed) == ("opposite", 2, 5)
    assert len(sheet.examples) == 2
    assert sheet.query


def test_every_tab_that_begins_by_itself_can_be_led(filling):
    led = {name for name, stage in filling.stages.items() if stage.leds}
    assert led == {"completion", "compare", "prompt", "data"}


def test_a_choice_that_follows_another_control_reaches_who_takes_it():
    picker = Choices(["one"], value="one")
    assert picker.get_block_name() == "dropdown"
    assert picker.preprocess("another") == "another"
    with pytest.raises(Exception, match="not in the list of choices"):
        picker.preprocess("x" * 1000)


def test_a_link_carries_what_differs_and_brings_it_back(filling):
    stage = filling.stages["completion"]
    values = [control.value for control in links.linkable(stage).values()]
    assert links.query(stage, values) == "tab=completion"
    keys = list(links.linkable(stage))
    values[keys.index("prompt")] = "<b>&=?#\n"
    values[keys.index("temperature")] = 1.5
    tab, read, run = links.read(links.query(stage, values))
    assert (tab, read, run) == ("completion", {"prompt": "<b>&=?#\n", "temperature": "1.5"}, True)
    filling.updates(tab, read)


def test_lists_and_switches_in_a_link(filling):
    stage = filling.stages["tuning"]
    keys = list(links.linkable(stage))
    values = [control.value for control in links.linkable(stage).values()]
    values[keys.index("groups")] = ["norms", "biases"]
    values[keys.index("dora")] = True
    _, read, _ = links.read(links.query(stage, values))
    assert read == {"groups": ("norms", "biases"), "dora": "true"}
    filling.updates("tuning", read)


@pytest.mark.parametrize("tab", ["prompt", "tuning"])
def test_the_form_is_in_a_link_and_brought_back(filling, tab):
    stage = filling.stages[tab]
    keys = list(links.linkable(stage))
    values = [control.value for control in links.linkable(stage).values()]
    assert "form" not in links.query(stage, values)
    values[keys.index("form")] = "chat"
    _, read, _ = links.read(links.query(stage, values))
    assert read == {"form": "chat"}
    filling.updates(tab, read)


def test_a_link_is_bounded(filling):
    stage = filling.stages["likelihood"]
    with pytest.raises(InputError, match="characters"):
        links.query(stage, ["é" * 4000, *[None] * (len(links.linkable(stage)) - 1)])
    with pytest.raises(InputError, match="too long"):
        links.read("tab=likelihood&text=" + "x" * 20_000)
    with pytest.raises(InputError, match="damaged"):
        links.read("&".join(f"a{i}=1" for i in range(100)))
    with pytest.raises(InputError, match="damaged"):
        links.read("tab=likelihood&text=%ff%fe")
