"""Area is probability: a map of what could come after the tab's prompt, under its controls."""

import uuid
from collections.abc import Generator
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.features.completion.tree_service import Asked, Trees
from lmlab.features.completion.tree_views import Fact, facts, payload, receipt
from lmlab.generation.config import GenerateConfig, TreeConfig
from lmlab.lab import Lab
from lmlab.parts.alternatives import index_of
from lmlab.parts.forms import Controls
from lmlab.parts.gradio_compat.building import Html
from lmlab.parts.receipt_button import Keep, Note, quoted
from lmlab.parts.stream import GENERATING, Busy, Line, Sign, Work
from lmlab.parts.widgets import static
from lmlab.progress import Loading, Progress

if TYPE_CHECKING:
    from lmlab.generation.continuations import Continuations

EXTENT = Controls(
    "completion-tree", TreeConfig(), (("depth", "width", "beam", "samples"),), sliders=False
)
ABOUT = (
    '<p class="lm-why">What could come after the prompt: each column is one token further, each '
    "cell as high as its tokens are probable together. What was not looked at is hatched; it is "
    "never spread over the rest. A click goes in. The sampling controls above reshape the map.</p>"
)


class AreaMap(Html):
    """A map of continuations: ``tree_views.payload``. Its event ``enter`` tells a place to begin
    from, ``leave`` how many of the tokens between prompt and map to keep."""

    TEMPLATE = '<div class="lm-area"></div>'
    MODULE = "features/completion/area"
    TELLS = ("enter", "leave")


@dataclass(frozen=True)
class Shown:
    """What the session keeps of a map."""

    asked: Asked
    config: GenerateConfig  # the controls that shape it
    prompt: str  # as the model gets it
    told: tuple[Fact, ...]  # for the receipt


def build(
    lab: Lab, given: list[Any], controls: Controls[GenerateConfig], fields: list[Any]
) -> None:
    """Draw the part and wire it.

    Args:
        lab: what it is made over.
        given: the tab's prompt, model and switch of the chat form.
        controls: the sampling controls, whose widgets are ``fields``.
        fields: the same, by whose change the map is reshaped.
    """
    it = SimpleNamespace(kept=gr.State(None))
    with gr.Column(elem_classes="lm-panel"):
        static('<h2 class="lm-h">Area is probability</h2>')
        static(ABOUT)
        asked = EXTENT.draw()
        with gr.Row(elem_classes="lm-chips"):
            it.go = gr.Button("Draw the map", size="sm", elem_id="completion-tree-go")
            it.stop = gr.Button(
                "Stop", size="sm", interactive=False, elem_id="completion-tree-stop"
            )
            it.status = static("", elem_id="completion-tree-status", elem_classes="lm-status")
        it.map = AreaMap(elem_id="completion-tree-map")
        keep = Keep("completion-tree", ("completion-tree-map",))
    line, does = Line(it.status, it.stop, keep), Handlers(lab, controls)
    outputs = {"map": it.map, "kept": it.kept}
    line.on(it.go.click, does.draw, [*given, *asked.values(), *fields], outputs,
            **{**GENERATING, "trigger_mode": "once"})  # fmt: skip
    moved = [it.kept, *fields]
    line.on(it.map.enter, does.enter, moved, outputs, **GENERATING)
    line.on(it.map.leave, does.leave, moved, outputs, **GENERATING)
    line.on([one.change for one in fields], does.shape, moved, outputs,
            **{**GENERATING, "trigger_mode": "always_last"})  # fmt: skip
    keep.notes(note, [it.kept])
    line.stoppable()


@dataclass(frozen=True)
class Handlers:
    """What the part's button and clicks do; ``values`` are those of the sampling controls."""

    lab: Lab
    controls: Controls[GenerateConfig]

    def draw(self, prompt: str, model: str, chat: bool, *values: Any) -> Work:
        """A map of a prompt."""
        asked, values = values[: len(EXTENT.names)], values[len(EXTENT.names) :]
        config = self.controls.read(*values)
        fresh = Asked("", model, prompt or "", chat, EXTENT.read(*asked), config)
        return (yield from self._draw(fresh, config, anew=True))

    def shape(self, kept: Shown | None, *values: Any) -> Work:
        """The same places under other controls."""
        if kept is None:
            return None
        return (yield from self._draw(kept.asked, self.controls.read(*values)))

    def enter(self, kept: Shown | None, event: gr.EventData, *values: Any) -> Work:
        """A place was clicked: its map."""
        if kept is None:
            return None
        place = index_of(event, "place")
        tree = yield from self._tree(kept.asked)
        if not 0 < place < len(tree.places):
            raise InputError("That place is not there any more.", "Draw the map anew.")
        words = tuple((tree.places[one].id, tree.places[one].text) for one in tree.path(place))
        inside = replace(kept.asked, start=(*kept.asked.start, *words))
        return (yield from self._draw(inside, self.controls.read(*values), anew=True))

    def leave(self, kept: Shown | None, event: gr.EventData, *values: Any) -> Work:
        """A token before the map was clicked: back to it."""
        if kept is None:
            return None
        outside = replace(kept.asked, start=kept.asked.start[: max(0, index_of(event, "keep"))])
        return (yield from self._draw(outside, self.controls.read(*values), anew=True))

    def _draw(self, asked: Asked, config: GenerateConfig, *, anew: bool = False) -> Work:
        if anew:
            asked = replace(asked, name=uuid.uuid4().hex, config=config)
        tree = yield from self._tree(asked)
        found = self.lab.service(Trees).shaped(tree, config)
        words = [text for _, text in asked.start]
        kept = Shown(asked, config, tree.prompt, facts(tree, found))
        return {"map": payload(tree, found, words, tree.rows.shape[1]), "kept": kept}

    def _tree(self, asked: Asked) -> "Generator[Sign, None, Continuations]":
        for event in self.lab.service(Trees).tree(asked):
            if isinstance(event, Loading):
                yield event
            elif isinstance(event, Progress):
                said = f"{asked.model}: token {event.done + 1} of {event.total}"
                yield Busy(said, event.done / event.total)
            else:
                found = event
        return found


def note(kept: Shown | None) -> Note | None:
    """Title and receipt of a map."""
    if kept is None:
        return None
    asked, start = kept.asked, [token for token, _ in kept.asked.start]
    title = f"What could come after {quoted(asked.prompt)} under {asked.model}"
    return Note(
        f"map {asked.name}",
        title,
        lambda: receipt(asked.model, kept.prompt, start, kept.told, kept.config),
    )
