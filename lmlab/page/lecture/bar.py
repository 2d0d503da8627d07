"""The lecture bar: goes from scene to scene, copies links, saves and opens scenes. Draws and wires;
what is shown is drawn by ``lecture.js``, what it asks is answered in ``events.py``.
"""

import json
from collections.abc import Sequence
from typing import Unpack

import gradio as gr

from lmlab.features import Feature, wordings
from lmlab.lab import Lab
from lmlab.page.lecture import events, links
from lmlab.page.lecture.filling import Filling
from lmlab.page.lecture.stage import stages, tabs_of
from lmlab.page.scenes.scene import Scene
from lmlab.parts.gradio_compat.building import Hidden, Html, Placed
from lmlab.parts.stream import QUIET, waits_in

QUICK = waits_in("lecture", 4)
AHEAD = waits_in("ahead", 1)
REFUSED = "() => JSON.stringify({action: 'refused', tab: '%s', at: Date.now()})"


class Bar(Html):
    """The bar; its value is JSON of all scenes, and of the tabs' names by the ids that select them.

    Its events ask, for the tab ``T``: ``fill_T`` for it to be filled in as a scene or a link says,
    ``tell_T`` for what it shows, as a link or a scene's file. For no tab: ``bring`` opens scene
    files of the visitor's, ``ahead`` prepares the scene after one, ``lost`` is a link that leads
    nowhere.
    """

    TEMPLATE = """
<div class="lm-wants" role="alert" hidden></div>
<section class="lm-lecture" aria-label="Lecture" hidden>
  <div class="lm-lecturehead">
    <button type="button" class="lm-back" aria-label="Previous scene" title="← or Page Up">‹
    </button>
    <button type="button" class="lm-list" aria-expanded="false" title="All scenes">☰</button>
    <h2 tabindex="-1"></h2><span class="lm-count"></span><span class="space"></span>
    <button type="button" class="lm-larger" aria-pressed="false" title="Larger type: L">Aa</button>
    <button type="button" class="lm-full" title="Full screen: F">Full</button>
    <button type="button" class="lm-help" aria-label="Keys" title="The keys: ?">?</button>
    <button type="button" class="lm-leave" aria-label="Leave the lecture" title="Leave">×</button>
    <button type="button" class="lm-forward" aria-label="Next scene" title="→ or Page Down">›
    </button>
  </div>
  <p class="lm-point"></p>
  <div class="lm-ask" hidden></div>
  <ol class="lm-look"></ol>
  <div class="lm-stored" hidden></div>
  <div class="lm-scenes" hidden></div>
  <button type="button" class="lm-inputs" hidden></button>
</section>
"""
    MODULE = "page/lecture/lecture"

    def __init__(self, names: Sequence[str], **given: Unpack[Placed]) -> None:
        tells = [f"{kind}_{name}" for name in names for kind in ("fill", "tell")]
        self.TELLS = (*tells, "bring", "ahead", "lost")
        super().__init__("", **given)


class Mail(Hidden):
    """Its value, JSON, is told to the bar."""

    MODULE = "page/lecture/mail"


class Lecture:
    """The bar, what the server answers it, and scenes that the visitor opened; drawn inside the
    current Blocks, above the tabs, and hidden until it is wanted."""

    def __init__(self, names: Sequence[str]) -> None:
        self.bar = Bar(names, elem_id="lecture")
        self.mail, self.own = Mail(), gr.State(())

    def wire(
        self, lab: Lab, page: gr.Blocks, course: tuple[Scene, ...], features: Sequence[Feature]
    ) -> None:
        """Have the bar reach every tab of the built page. One event a tab, as an event that names
        the controls of all tabs takes a browser seconds.
        """
        bar, mail, own = self.bar, self.mail, self.own
        filling = Filling(lab, stages(page), wordings(features))
        shown = tuple(scene for scene in course if scene.tab in filling.stages)
        names = {stage.tab: name for name, stage in filling.stages.items()}
        first = tabs_of(page)[0].id
        bar.value = json.dumps({"tabs": names, "first": first, "scenes": events.listed(shown)})
        for name, stage in filling.stages.items():
            fill, tell = getattr(bar, f"fill_{name}"), getattr(bar, f"tell_{name}")
            given, filled = [own, *filling.inputs(name)], [*filling.outputs(name), mail]
            asked = fill(events.filler(filling, stage, shown), given, filled, **QUICK)
            # A tab that has not been filled in begins by itself.
            asked.failure(None, None, mail, js=REFUSED % stage.tab, queue=False, **QUIET)
            tell(events.teller(stage), list(links.linkable(stage).values()), mail, **QUICK)
        bar.bring(events.adder(filling, shown), own, [mail, own], **QUICK)
        bar.lost(events.finder(filling, shown), None, mail, **QUICK)
        bar.ahead(events.preparer(lab, shown, features), own, None, **AHEAD)
