"""What the lecture bar asks: functions of Gradio's events, and their answers, told to the bar."""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import dropwhile, islice
from textwrap import shorten
from typing import Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.features import Feature
from lmlab.lab import Lab
from lmlab.models.refs import ModelRef
from lmlab.page.lecture import links
from lmlab.page.lecture.filling import Filling
from lmlab.page.lecture.stage import Stage
from lmlab.page.scenes.course import LARGEST, MOST, parsed, unique
from lmlab.page.scenes.ready import getting
from lmlab.page.scenes.scene import MODELS, Scene, written

SCENES_AHEAD = 2  # are prepared while one is shown: some take longer than one is shown
TEXTS = ("text", "prompt", "prefix")


def filler(filling: Filling, stage: Stage, course: tuple[Scene, ...]) -> Callable[..., list[Any]]:
    """A tab as a scene, by its name, or a link's query asks for it: [*filling.outputs, mail]."""

    def fill(own: tuple[Scene, ...], asked: gr.EventData, *known: Any) -> list[Any]:
        name, query = _of(asked, "name"), str(getattr(asked, "query", "") or "")
        strange = bool(query)
        if query:
            tab, values, pressed = links.read(query)
            run = "go" if pressed and "go" in stage.buttons else None
        else:
            scene = _found(name, (*course, *own))
            strange = scene not in course
            tab, values, run = scene.tab, dict(scene.inputs), scene.run
        if tab != stage.name:
            raise InputError(f"This belongs to the tab ‘{tab[:40]}’.", "Load the page anew.")
        lacked = {} if strange else _lacked(filling.lab, stage, values)
        asks = values if strange else {key: values[key] for key in lacked}
        wanted = _wanted(filling.lab, stage, asks)
        if not (wanted or lacked) or getattr(asked, "agreed", None) is True:
            updates = filling.updates(tab, values, known)
            return [*updates, _mail("filled", name=name, tab=tab, run=run)]
        # Controls that name a model ask for it as soon as they are filled in.
        rest = {key: value for key, value in values.items() if key not in {*wanted, *lacked}}
        told = {"wants": " and ".join(dict.fromkeys(wanted.values())), "query": query}
        told["lacks"] = " ".join(dict.fromkeys(lacked.values()))
        mail = _mail("filled", name=name, tab=tab, run=None, **told)
        return [*filling.updates(tab, rest, known), mail]

    return fill


def _wanted(lab: Lab, stage: Stage, values: Mapping[str, Any]) -> dict[str, str]:
    """Of the controls that name models which are not here: from where those would be had."""
    found = {}
    for key in {*stage.models} & {*values}:
        names = [values[key]] if isinstance(values[key], str) else list(values[key] or ())
        said = [lab.store.source(one) for one in names if isinstance(one, str) and one.strip()]
        if any(said):
            found[key] = " and ".join(one for one in said if one)
    return found


def _lacked(lab: Lab, stage: Stage, values: Mapping[str, Any]) -> dict[str, str]:
    """Of the controls of the course's scenes that name models of the Hub which are not here: that
    in a sentence, and what fetches them."""
    found, store = {}, lab.store
    for key in {*stage.models} & {*values}:
        names = [values[key]] if isinstance(values[key], str) else list(values[key] or ())
        away = [one for one in names if store.is_id(one) and not store.is_here(one)]
        if said := [
            f"‘{one}’ is not on this machine: ‘{getting(store, one)}’ fetches it." for one in away
        ]:
            found[key] = " ".join(said)
    return found


def teller(stage: Stage) -> Callable[..., str]:
    """What a tab shows, as a link or as a scene's file: mail."""

    def tell(asked: gr.EventData, *values: Any) -> str:
        if not values:
            raise InputError("This tab has nothing that a link could carry.")
        query = links.query(stage, values)
        if _of(asked, "kind") != "scene":
            return _mail("copy", query=query)
        _, inputs, _ = links.read(query)
        title = _of(asked, "title").strip()[:120] or stage.title
        scene = Scene(
            name="own",
            title=title,
            part="My scenes",
            point=_of(asked, "point").strip()[:600] or title,
            tab=stage.name,
            inputs=inputs,
            run="go" if "go" in stage.buttons else None,
        )
        return _mail("file", text=written(scene))

    return tell


def finder(filling: Filling, course: tuple[Scene, ...]) -> Callable[..., str]:
    """Why a link leads nowhere on this page: a sentence."""

    def find(event: gr.EventData) -> str:
        tab, values, _ = links.read(str(getattr(event, "query", "")))
        if links.SCENE in values:
            _found(str(values[links.SCENE]), course)
        else:
            filling.stage(tab)
        return ""

    return find


def adder(filling: Filling, course: tuple[Scene, ...]) -> Callable[..., list[Any]]:
    """Scene files of the visitor's: [mail, all of them]."""

    def add(own: tuple[Scene, ...], asked: gr.EventData) -> list[Any]:
        files = getattr(asked, "files", None)
        found = parsed([_of_file(one) for one in (files if isinstance(files, list) else [])])
        for scene in found:
            check(filling, scene)
        kept = unique([*(one for one in own if one.name not in {s.name for s in found}), *found])
        unique([*course, *kept])
        if len(kept) > MOST:
            raise InputError(f"At most {MOST} scenes of one’s own are kept.", "Load the page anew.")
        return [_mail("scenes", scenes=listed(kept), name=found[0].name), kept]

    return add


def preparer(
    lab: Lab, course: tuple[Scene, ...], features: Sequence[Feature]
) -> Callable[..., None]:
    """Load, and measure, what the scenes after the one that was entered will ask."""
    by_name = {one.name: one for one in features}

    def prepare(own: tuple[Scene, ...], asked: gr.EventData) -> None:
        name = _of(asked, "name")
        after = dropwhile(lambda scene: scene.name != name, (*course, *own))
        for scene in islice(after, 1, 1 + SCENES_AHEAD):
            for _ in _ahead(lab, scene, by_name.get(scene.tab)):
                pass

    return prepare


def _ahead(lab: Lab, scene: Scene, feature: Feature | None) -> Iterator[object]:
    """The steps of what takes long in a scene; what they give is kept where it is computed."""
    known = lab.model_names()
    given = {key: scene.inputs[key] for key in MODELS if key in scene.inputs}
    texts = {key: name for key, name in given.items() if isinstance(name, str)}
    # What would have to be fetched waits until somebody asks for it.
    here = lab.store.is_here
    models = {key: name for key, name in texts.items() if name in known and here(name)}
    for name in models.values():
        yield from lab.ready(ModelRef.parse(name))
    if feature is not None and feature.ahead and set(models) == set(given):
        yield from feature.load(feature.ahead)(lab, scene.run, scene.inputs)


def check(filling: Filling, scene: Scene) -> None:
    """Whether a scene names only what is there.

    Raises:
        InputError: it does not; says the scene and the field.
    """
    try:
        filling.updates(scene.tab, scene.inputs)
        stage = filling.stage(scene.tab)
        wanted = [("look", one.at) for one in scene.look]
        wanted += [("ask.hide", name) for name in (scene.ask.hide if scene.ask else ())]
        if scene.ask and isinstance(scene.ask.truth, str):
            wanted.append(("ask.truth", scene.ask.truth))
        for field, name in wanted:
            if name not in stage.parts:
                raise InputError(f"{field}: the tab ‘{scene.tab}’ has no part ‘{name}’.")
        if scene.run and scene.run not in stage.buttons:
            raise InputError(f"run: the tab ‘{scene.tab}’ has no button ‘{scene.run}’.")
    except InputError as error:
        raise InputError(f"Scene ‘{scene.name}’: {error.message}", error.hint) from None


def _of_file(one: Any) -> tuple[str, str]:
    """A file's name and text."""
    known: Mapping[str, Any] = one if isinstance(one, dict) else {}
    name, text = str(known.get("name", ""))[:100], known.get("text")
    if not isinstance(text, str) or len(text) > LARGEST:
        raise InputError(f"‘{name}’ is no scene file of at most {LARGEST // 1000} kB.")
    return name or "scene.yaml", text


def _found(name: str, scenes: tuple[Scene, ...]) -> Scene:
    if (scene := next((one for one in scenes if one.name == name), None)) is None:
        raise InputError(f"There is no scene ‘{name[:60]}’.", "Choose one from the list.")
    return scene


def listed(scenes: tuple[Scene, ...]) -> list[dict[str, Any]]:
    """Scenes as the bar takes them."""
    return [{**scene.model_dump(exclude={"inputs"}), "said": said(scene)} for scene in scenes]


def said(scene: Scene) -> list[str]:
    """What a scene fills in: texts in quotes, models by name, the rest by name and value."""
    return [_said(key, value) for key, value in scene.inputs.items() if value]


def _said(key: str, value: str | tuple[str, ...]) -> str:
    if key in TEXTS:
        return f"“{shorten(str(value), 90, placeholder=' …')}”"
    if key in MODELS:
        return str(value)
    told = value if isinstance(value, str) else ", ".join(value)
    return f"{key.replace('-', ' ')}: {told}"


def _mail(action: str, **fields: Any) -> str:
    # A name of its own, so that the same answer twice is still a change.
    return json.dumps({"id": uuid.uuid4().hex, "action": action, **fields})


def _of(asked: gr.EventData, name: str) -> str:
    """A text that the event came with; empty where a stranger's event came without."""
    return str(getattr(asked, name, "") or "")[:1000]
