"""Time machine: one text under checkpoint after checkpoint, with a slider over the steps. Lays out,
wires, and asks the lab.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.features.change import travel
from lmlab.features.change.drift_page import download
from lmlab.features.change.journeys import Moment, Stop
from lmlab.features.change.timemachine_service import TimeMachine
from lmlab.features.change.timemachine_widget import TimeStrip
from lmlab.lab import Lab
from lmlab.parts.examples import STORY
from lmlab.parts.gradio_compat import building
from lmlab.parts.stream import QUIET, STATUS, Busy, Line, Work, said, waits_in
from lmlab.parts.widgets import Handover, static
from lmlab.progress import Loading

NAME = "Time machine"
TRAVELLING = waits_in("timemachine", 2)
SHIPPED, RUN, REVISIONS = "shipped", "run", "revisions"
PYTHIA = "EleutherAI/pythia-70m"
STEPS = "step0, step64, step512, step2000, step16000, step143000"
# Steps of the fine-tuned model are on the text that it was tuned for.
TEXTS = (
    ("A story", STORY),
    ("A question", "<|question|>What is the comparative of hard?<|answer|>harder"),
    ("A review", "Review: a warm, funny and engaging film\nSentiment: positive"),
    ("German", "Es war einmal ein kleiner Hund, der wohnte in einem kleinen Haus am Fluss."),
)
WHY = (
    '<p class="lm-why">A language model is not born knowing: here one text is read by the model '
    "as it was after step 0, 8, 15 … of its training. Move the slider: tokens lose their colour "
    "as they stop being surprising. A click on a token shows the whole next-token "
    "distribution p( · | x<sub>&lt;i</sub>) at that step.</p>"
)


def build(lab: Lab, base: gr.Dropdown, tuned: gr.Dropdown) -> None:
    """Draw the part inside the current tab and wire it to the lab."""
    tab, shipped = building.tab(), lab.service(TimeMachine).shipped()
    static(WHY)
    with gr.Row(elem_classes="lm-inputs"):
        text = gr.Textbox(
            STORY, label="Text  x", lines=2, max_lines=8, scale=5, elem_id="timemachine-text"
        )
        with gr.Column(scale=3, min_width=320, elem_classes="lm-side"):
            way, model, revisions, go, stop, csv = _fields(_ways(lab, shipped), not shipped)
    with gr.Row(elem_classes="lm-chips"):
        static('<span class="lm-try">Try</span>', min_width=10)
        chips = [gr.Button(name, size="sm", min_width=60) for name, _ in TEXTS]
        status = static("", elem_id="timemachine-status", elem_classes="lm-status")
    view = TimeStrip(elem_id="timemachine-view")
    handover = Handover(elem_id="timemachine-handover")
    kept = gr.State(None)
    line, travelled = Line(status, stop), traveller(lab)
    asked = ([text, way, tuned, model, revisions], {"view": view, "kept": kept})
    way.change(
        lambda chosen: [gr.update(visible=chosen == REVISIONS)] * 2, way, [model, revisions],
        queue=False, **QUIET,
    )  # fmt: skip
    line.on(go.click, travelled, *asked, trigger_mode="always_last", **TRAVELLING)
    if shipped:
        line.on(tab.select, travelled, *asked, unless=[kept], trigger_mode="once", **TRAVELLING)
    for chip, (_, value) in zip(chips, TEXTS, strict=True):
        filled = chip.click(lambda value=value: value, None, text, queue=False, **QUIET)
        line.on(filled.then, travelled, *asked, trigger_mode="always_last", **TRAVELLING)
    line.stoppable()
    csv.click(hand_over, kept, handover, **QUIET)


def _fields(ways: list[tuple[str, str]], asked: bool) -> tuple[Any, ...]:
    """The side: [way, model, revisions, Travel, Stop, CSV]; ``asked`` for a model's revisions."""
    way = gr.Dropdown(ways, value=ways[0][1], label="Steps of", elem_id="timemachine-way")
    model = gr.Textbox(
        PYTHIA, label="Model", max_lines=1, max_length=200, visible=asked,
        elem_id="timemachine-model",
    )  # fmt: skip
    revisions = gr.Textbox(
        STEPS, label="Revisions", info="each is fetched whole, once", max_lines=3,
        max_length=1000, visible=asked, elem_id="timemachine-revisions",
    )  # fmt: skip
    with gr.Row(elem_classes="lm-buttons"):
        go = gr.Button("Travel", variant="primary", elem_id="timemachine-go", elem_classes="lm-go")
        stop = gr.Button("Stop", interactive=False, elem_id="timemachine-stop", min_width=80)
        csv = gr.Button("CSV", elem_id="timemachine-csv", min_width=70)
    return way, model, revisions, go, stop, csv


def _ways(lab: Lab, shipped: Sequence[Stop]) -> list[tuple[str, str]]:
    found = []
    if shipped:
        last = shipped[-1].step
        found.append((f"pre-training, {len(shipped)} checkpoints to step {last:,}", SHIPPED))
    found.append(("your run, chosen above as the tuned model", RUN))
    if lab.settings.allow_hub or lab.settings.allow_local or not shipped:
        found.append(("a model’s revisions", REVISIONS))
    return found


def traveller(lab: Lab) -> Callable[..., Work]:
    """The handler of Travel."""

    def travelled(text: str, way: str, tuned: str, model: str, revisions: str) -> Work:
        yield Busy("Preparing …")
        stops = stops_of(lab, way, tuned, model, revisions)
        steps, found, name = [stop.step for stop in stops], list[Moment](), uuid.uuid4().hex[:12]
        for event in lab.service(TimeMachine).travel(stops, text or ""):
            if isinstance(event, Moment):
                found.append(event)
                drawn = travel.payload(name, steps, _opening(event), found)
                yield {"view": drawn, "kept": tuple(_lean(moment) for moment in found)}
            elif isinstance(event, Loading):
                yield Busy(event.message, len(found) / len(stops))
            else:
                where = f"step {event.step:,}: checkpoint {event.done + 1} of {event.total}"
                yield Busy(where, event.done / event.total)
        return {STATUS: _said(found)}

    return travelled


def stops_of(lab: Lab, way: str, tuned: str, model: str, revisions: str) -> Sequence[Stop]:
    """The checkpoints that a visitor asks for.

    Raises:
        InputError: there are none.
    """
    if way == RUN:
        return lab.service(TimeMachine).of_run(tuned or "base")
    if way == REVISIONS:
        return lab.service(TimeMachine).of_revisions(model or "", revisions or "")
    found = lab.service(TimeMachine).shipped()
    if not found:
        raise InputError("No checkpoints ship with this lab.", "Choose a model’s revisions.")
    return found


def _opening(moment: Moment) -> str:
    from lmlab.features.change.timemachine_service import opening

    return opening(moment.scored.text)


def _lean(moment: Moment) -> Moment:
    """Without alternatives, which the table does not show."""
    return replace(moment, scored=replace(moment.scored, tokens=moment.scored.tokens.bare))


def _said(found: Sequence[Moment]) -> str:
    first, last = found[0], found[-1]
    return said(
        f"Perplexity {first.scored.perplexity:,.0f} at step {first.step:,}, "
        f"{last.scored.perplexity:,.1f} at step {last.step:,}."
    )


def hand_over(kept: Sequence[Moment] | None) -> str:
    """Every token's surprisal at every step, as a file."""
    if not kept:
        raise InputError("There is nothing to save yet.", "Press Travel first.")
    return download(travel.to_csv(kept), "time-machine.csv")
