"""The lecture bar: goes from scene to scene, copies links, saves and opens scenes. Draws and wires;
what is shown is drawn by ``assets/lecture.js``, what it asks is answered in ``events.py``.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Unpack

import gradio as gr

from lmlab.features import Feature, wordings
from lmlab.lab import Lab
from lmlab.page.lecture import events, links
from lmlab.page.lecture.filling import Filling
from lmlab.page.lecture.stage import stages, tabs_of
from lmlab.page.scenes.scene import Scene
from lmlab.parts.gradio_compat.building import Html, Placed
from lmlab.parts.scripts import mounts
from lmlab.parts.stream import QUIET, waits_in

QUICK = waits_in("lecture", 4)
AHEAD = waits_in("ahead", 1)
BAR = """
<div class="lm-wants" role="alert" hidden></div>
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


class Bar(Html):
    """The bar; its value is JSON of all scenes, and of the tabs' names by the ids that select them.

    Its events ask, for the tab ``T``: ``fill_T`` for it to be filled in as a scene or a link says,
    ``tell_T`` for what it shows, as a link or a scene's file. For no tab: ``bring`` opens scene
    files of the visitor's, ``ahead`` prepares the scene after one, ``lost`` is a link that leads
    nowhere.
    """

    def __init__(
        self, value: str = "", names: Sequence[str] = (), **kwargs: Unpack[Placed]
    ) -> None:
        events = [f"{kind}_{name}" for name in names for kind in ("fill", "tell")]
        super().__init__(
            value,
            html_template=BAR,
            js_on_load=mounts("page/lecture/lecture", *events, "bring", "ahead", "lost"),
            apply_default_css=False,
            **kwargs,
        )


class Mail(Html):
    """Shows nothing: its value, JSON, is told to the bar."""

    def __init__(self) -> None:
        super().__init__(
            "",
            html_template="<span hidden></span>",
            js_on_load=mounts("page/lecture/mail"),
            apply_default_css=False,
            container=False,
            elem_classes="lm-none",
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


def build(names: Sequence[str]) -> Lecture:
    """Draw the bar inside the current Blocks, above the tabs; hidden until it is wanted.

    Args:
        names: of the tabs that will follow.
    """
    return Lecture(Bar(names=names, elem_id="lecture"), Mail(), gr.State(()))


def refused(tab: str) -> str:
    """The script that tells the bar that a tab has not been filled in: it begins by itself."""
    return f"() => JSON.stringify({{action: 'refused', tab: {json.dumps(tab)}, at: Date.now()}})"


def wire(
    lab: Lab,
    page: gr.Blocks,
    lecture: Lecture,
    course: tuple[Scene, ...],
    features: Sequence[Feature],
) -> None:
    """Have the bar reach every tab of the built page. One event a tab, as an event that names the
    controls of all tabs takes a browser seconds.
    """
    filling = Filling(lab, stages(page), wordings(features))
    shown = tuple(scene for scene in course if scene.tab in filling.stages)
    names = {stage.tab: name for name, stage in filling.stages.items()}
    first = tabs_of(page)[0].id
    lecture.bar.value = json.dumps({"tabs": names, "first": first, "scenes": events.listed(shown)})
    for name, stage in filling.stages.items():
        filled = [*filling.outputs(name), lecture.mail]
        fill, tell = getattr(lecture.bar, f"fill_{name}"), getattr(lecture.bar, f"tell_{name}")
        given = [lecture.own, *filling.inputs(name)]
        asked = fill(events.filler(filling, stage, shown), given, filled, **QUICK)
        asked.failure(None, None, lecture.mail, js=refused(stage.tab), queue=False, **QUIET)
        values = list(links.linkable(stage).values())
        tell(events.teller(stage), values, lecture.mail, **QUICK)
    mails = [lecture.mail, lecture.own]
    lecture.bar.bring(events.adder(filling, shown), lecture.own, mails, **QUICK)
    lecture.bar.lost(events.finder(filling, shown), None, lecture.mail, **QUICK)
    lecture.bar.ahead(events.preparer(lab, shown, features), lecture.own, None, **AHEAD)
