"""The lecture bar: goes from scene to scene, copies links, saves and opens scenes. Wires; what is
shown is drawn by ``assets/lecture.js``.
"""

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.lab import Lab
from lmlab.models.store import ModelRef
from lmlab.scenes.course import LARGEST, MOST, unique
from lmlab.scenes.scene import Scene, parse, written
from lmlab.ui.lecture import links
from lmlab.ui.lecture.filling import Filling
from lmlab.ui.lecture.stage import outer, stages
from lmlab.ui.parts.errors import alerts
from lmlab.ui.parts.scripts import script

QUIET = MappingProxyType({"show_progress": "hidden", "api_visibility": "private"})
QUICK = MappingProxyType({**QUIET, "concurrency_id": "lecture", "concurrency_limit": 4})
AHEAD = MappingProxyType({**QUIET, "concurrency_id": "ahead", "concurrency_limit": 1})
MODELS = ("model", "second", "model-1", "model-2", "base", "tuned")
BAR = """
<section class="lm-lecture" aria-label="Lecture" hidden>
  <div class="lm-lecturehead">
    <button type="button" class="lm-back" aria-label="Previous scene" title="← or Page Up">‹
    </button>
    <button type="button" class="lm-list" aria-expanded="false" title="All scenes">☰</button>
    <h2 tabindex="-1"></h2><span class="lm-count"></span><span class="space"></span>
    <button type="button" class="lm-larger" aria-pressed="false" title="Larger type: L">Aa</button>
    <button type="button" class="lm-full" title="Full screen: F">Full</button>
    <button type="button" class="lm-leave" aria-label="Leave the lecture" title="Leave">×</button>
    <button type="button" class="lm-forward" aria-label="Next scene" title="→ or Page Down">›
    </button>
  </div>
  <p class="lm-point"></p>
  <div class="lm-ask" hidden></div>
  <ol class="lm-look"></ol>
  <div class="lm-stored" hidden></div>
  <div class="lm-scenes" hidden></div>
</section>
"""


class Bar(gr.HTML):
    """The bar; its value is JSON of all scenes.

    Its events ask: ``visit`` for what the page's address names, ``enter`` for a scene, ``link`` for
    a tab's link, ``keep`` for a tab as a scene file, ``bring`` for scene files of the visitor's.
    """

    def __init__(self, value: str, **kwargs: Any) -> None:
        super().__init__(
            value,
            html_template=BAR,
            js_on_load=script("lecture-guess", "lecture-list", "lecture"),
            apply_default_css=False,
            **kwargs,
        )


class Mail(gr.HTML):
    """Shows nothing: its value, JSON, is told to the bar."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            "",
            html_template="<span hidden></span>",
            js_on_load=script("lecture-mail"),
            apply_default_css=False,
            container=False,
            elem_classes="lm-none",
            **kwargs,
        )


@dataclass(frozen=True)
class Lecture:
    """The components.

    Attributes:
        bar: what is seen.
        mail: what the server answers it.
        own: scenes that the visitor opened.
    """

    bar: Bar
    mail: Mail
    own: gr.State


def build(course: tuple[Scene, ...]) -> Lecture:
    """Draw the bar inside the current Blocks, above the tabs; hidden until it is wanted."""
    return Lecture(Bar(_listed(course), elem_id="lecture"), Mail(), gr.State(()))


def wire(lab: Lab, page: gr.Blocks, lecture: Lecture, course: tuple[Scene, ...]) -> None:
    """Have the bar reach every tab of the built page."""
    filling = Filling(lab, outer(page), stages(page))
    filled = [lecture.mail, *filling.outputs]
    values = [c for stage in filling.stages.values() for c in links.linkable(stage).values()]
    entered = lecture.bar.enter(enterer(filling, course), lecture.own, filled, **QUICK)
    entered.then(preparer(lab, course), [lecture.own, lecture.mail], None, **AHEAD)
    lecture.bar.link(linker(filling), values, lecture.mail, **QUICK)
    lecture.bar.keep(keeper(filling), values, lecture.mail, **QUICK)
    lecture.bar.bring(adder(filling, course), lecture.own, [lecture.mail, lecture.own], **QUICK)
    lecture.bar.visit(opener(filling, course), None, filled, **QUICK)


def enterer(filling: Filling, course: tuple[Scene, ...]) -> Callable[..., list[Any]]:
    """A scene by name: [mail, *filling.outputs]."""

    @alerts
    def enter(own: tuple[Scene, ...], asked: gr.EventData) -> list[Any]:
        scene = _found(_of(asked, "name"), (*course, *own))
        updates = filling.updates(scene.tab, scene.inputs)
        return [_mail("filled", name=scene.name, tab=scene.tab, run=scene.run), *updates]

    return enter


def preparer(lab: Lab, course: tuple[Scene, ...]) -> Callable[..., None]:
    """Load what the scene after the one that was entered will ask."""

    def prepare(own: tuple[Scene, ...], mail: str) -> None:
        every = (*course, *own)
        names = [scene.name for scene in every]
        name = json.loads(mail or "{}").get("name")
        if name not in names or names.index(name) + 1 == len(every):
            return
        following = every[names.index(name) + 1]
        wanted = [following.inputs[key] for key in MODELS if key in following.inputs]
        for model in wanted:
            if isinstance(model, str) and model in lab.model_names():
                for _ in lab.ready(ModelRef.parse(model)):
                    pass

    return prepare


def linker(filling: Filling) -> Callable[..., str]:
    """The link of the tab that is shown: mail."""

    @alerts
    def link(asked: gr.EventData, *values: Any) -> str:
        name, own = _own_values(filling, _of(asked, "tab"), values)
        return _mail("copy", query=links.query(filling.stages[name], own))

    return link


def keeper(filling: Filling) -> Callable[..., str]:
    """The tab that is shown as a scene's file: mail."""

    @alerts
    def keep(asked: gr.EventData, *values: Any) -> str:
        name, own = _own_values(filling, _of(asked, "tab"), values)
        stage = filling.stages[name]
        _, inputs, _ = links.read(links.query(stage, own))
        title = _of(asked, "title").strip()[:120] or stage.title
        scene = Scene(
            name="own",
            title=title,
            part="My scenes",
            point=_of(asked, "point").strip()[:600] or title,
            tab=name,
            inputs=inputs,
            run="go" if "go" in stage.buttons else None,
        )
        return _mail("file", text=written(scene))

    return keep


def adder(filling: Filling, course: tuple[Scene, ...]) -> Callable[..., list[Any]]:
    """Scene files of the visitor's: [mail, all of them]."""

    @alerts
    def add(own: tuple[Scene, ...], asked: gr.EventData) -> list[Any]:
        files = getattr(asked, "files", None)
        files = files if isinstance(files, list) else []
        if not 1 <= len(files) <= MOST:
            raise InputError(f"From 1 to {MOST} scene files are opened at once.")
        found = [_of_file(one) for one in files]
        for scene in found:
            check(filling, scene)
        kept = unique([*(one for one in own if one.name not in {s.name for s in found}), *found])
        unique([*course, *kept])
        return [_mail("scenes", scenes=_listed(kept), name=found[0].name), kept]

    return add


def opener(filling: Filling, course: tuple[Scene, ...]) -> Callable[..., list[Any]]:
    """What the page's address asks for: [mail, *filling.outputs]."""

    @alerts
    def opened(event: gr.EventData) -> list[Any]:
        tab, values, run = links.read(str(getattr(event, "query", "")))
        scene = values.get(links.SCENE)
        if scene is not None:
            name = str(scene) or course[0].name
            return [_mail("open", name=_found(name, course).name), *filling.nothing]
        go = "go" if run and "go" in filling.stage(tab).buttons else None
        return [_mail("filled", name="", tab=tab, run=go), *filling.updates(tab, values)]

    return opened


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
        for field, name in wanted:
            if name not in stage.parts:
                raise InputError(f"{field}: the tab ‘{scene.tab}’ has no part ‘{name}’.")
        if scene.run and scene.run not in stage.buttons:
            raise InputError(f"run: the tab ‘{scene.tab}’ has no button ‘{scene.run}’.")
    except InputError as error:
        raise InputError(f"Scene ‘{scene.name}’: {error.message}", error.hint) from None


def _own_values(filling: Filling, tab: str, values: tuple[Any, ...]) -> tuple[str, list[Any]]:
    """(name, values) of the tab that is shown, out of the values of all."""
    at = 0
    for stage in filling.stages.values():
        size = len(links.linkable(stage))
        if stage.tab == tab and size:
            return stage.name, list(values[at : at + size])
        at += size
    raise InputError("This tab has nothing that a link could carry.")


def _of_file(one: Any) -> Scene:
    known: Mapping[str, Any] = one if isinstance(one, dict) else {}
    name, text = str(known.get("name", ""))[:100], known.get("text")
    if not isinstance(text, str) or len(text) > LARGEST:
        raise InputError(f"‘{name}’ is no scene file of at most {LARGEST // 1000} kB.")
    return parse(text, name or "scene.yaml")


def _found(name: str, scenes: tuple[Scene, ...]) -> Scene:
    for scene in scenes:
        if scene.name == name:
            return scene
    raise InputError(f"There is no scene ‘{name[:60]}’.", "Choose one from the list.")


def _listed(scenes: tuple[Scene, ...]) -> str:
    return json.dumps([scene.model_dump(exclude={"inputs"}) for scene in scenes])


def _mail(action: str, **fields: Any) -> str:
    # A name of its own, so that the same answer twice is still a change.
    return json.dumps({"id": uuid.uuid4().hex, "action": action, **fields})


def _of(asked: gr.EventData, name: str) -> str:
    """A text that the event came with; empty where a stranger's event came without."""
    return str(getattr(asked, name, "") or "")[:1000]
