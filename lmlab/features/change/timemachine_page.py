"""Time machine: one text under checkpoint after checkpoint, with a slider over the steps."""

import math
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

import gradio as gr
import pandas as pd

from lmlab.errors import InputError
from lmlab.features.change.changes import Moment, Stop
from lmlab.features.change.panel import Panel
from lmlab.features.change.timemachine_service import TimeMachine, opening
from lmlab.features.change.widgets import TimeStrip
from lmlab.lab import Lab
from lmlab.parts.examples import STORY
from lmlab.parts.gradio_compat import building
from lmlab.parts.stream import QUIET, STATUS, Busy, Work, said, waits_in
from lmlab.parts.strip import dump, offered, run_of
from lmlab.parts.tables import neutral
from lmlab.parts.widgets import static
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
SHARED = ("context", "prefix", "cut", "texts")  # of a run: the same at every step


def build(lab: Lab, base: gr.Dropdown, tuned: gr.Dropdown) -> None:
    """Draw the part inside the current tab and wire it to the lab."""
    tab, shipped = building.tab(), lab.service(TimeMachine).shipped()
    ways = _ways(lab, shipped)
    static(WHY)
    with gr.Row(elem_classes="lm-inputs"):
        text = gr.Textbox(
            STORY, label="Text  x", lines=2, max_lines=8, scale=5, elem_id="timemachine-text"
        )
        with gr.Column(scale=3, min_width=320, elem_classes="lm-side"):
            way = gr.Dropdown(ways, value=ways[0][1], label="Steps of", elem_id="timemachine-way")
            model = gr.Textbox(
                PYTHIA, label="Model", max_lines=1, max_length=200, visible=not shipped,
                elem_id="timemachine-model",
            )  # fmt: skip
            revisions = gr.Textbox(
                STEPS, label="Revisions", info="each is fetched whole, once", max_lines=3,
                max_length=1000, visible=not shipped, elem_id="timemachine-revisions",
            )  # fmt: skip
    panel = Panel("timemachine", "Travel")
    with gr.Row(elem_classes="lm-chips"):
        static('<span class="lm-try">Try</span>', min_width=10)
        chips = [gr.Button(name, size="sm", min_width=60) for name, _ in TEXTS]
    view, travelled = TimeStrip(elem_id="timemachine-view"), traveller(lab)
    asked = ([text, way, tuned, model, revisions], {"view": view, "kept": panel.kept})
    way.change(
        lambda chosen: [gr.update(visible=chosen == REVISIONS)] * 2, way, [model, revisions],
        queue=False, **QUIET,
    )  # fmt: skip
    panel.on(panel.go.click, travelled, *asked, trigger_mode="always_last", **TRAVELLING)
    if shipped:
        seen = [panel.kept]
        panel.on(tab.select, travelled, *asked, unless=seen, trigger_mode="once", **TRAVELLING)
    for chip, (_, value) in zip(chips, TEXTS, strict=True):
        filled = chip.click(lambda value=value: value, None, text, queue=False, **QUIET)
        panel.on(filled.then, travelled, *asked, trigger_mode="always_last", **TRAVELLING)
    panel.stoppable()
    panel.saves("time-machine.csv", to_csv, "There is nothing to save yet.")


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
        stops = _stops(lab.service(TimeMachine), way, tuned, model, revisions)
        found, name = list[Moment](), uuid.uuid4().hex[:12]
        for event in lab.service(TimeMachine).travel(stops, text or ""):
            if isinstance(event, Moment):
                found.append(event)
                drawn = payload(name, [stop.step for stop in stops], found)
                yield {"view": drawn, "kept": tuple(map(_lean, found))}
            elif isinstance(event, Loading):
                yield Busy(event.message, len(found) / len(stops))
            else:
                where = f"{event.what}: checkpoint {event.done + 1} of {event.total}"
                yield Busy(where, event.share)
        first, last = found[0], found[-1]
        return {
            STATUS: said(
                f"Perplexity {first.scored.perplexity:,.0f} at step {first.step:,}, "
                f"{last.scored.perplexity:,.1f} at step {last.step:,}."
            )
        }

    return travelled


def _stops(
    machine: TimeMachine, way: str, tuned: str, model: str, revisions: str
) -> Sequence[Stop]:
    """The checkpoints that a visitor asks for."""
    if way == RUN:
        return machine.of_run(tuned or "base")
    if way == REVISIONS:
        return machine.of_revisions(model or "", revisions or "")
    if found := machine.shipped():
        return found
    raise InputError("No checkpoints ship with this lab.", "Choose a model’s revisions.")


def _lean(moment: Moment) -> Moment:
    """Without alternatives, which the table does not show."""
    return replace(moment, scored=replace(moment.scored, tokens=moment.scored.tokens.bare))


def payload(name: str, steps: Sequence[int], found: Sequence[Moment]) -> str:
    """What ``TimeStrip`` takes, in lines of JSON, so that only what is new travels to the page
    while more are scored: what stays the same (a name that tells this journey from what was shown
    before, all steps that will be scored), then one line for each checkpoint."""
    scored = found[0].scored
    first = run_of(scored, wire=-1)
    head = {
        "name": name,
        "steps": list(steps),
        "opening": opening(scored.text),
        "vocabulary": found[0].vocabulary,
        "measures": offered(scored.tokens.columns),
        "notes": [],
        **{key: first[key] for key in SHARED},
    }
    return "\n".join([dump(head), *(dump(_line(moment)) for moment in found)])


def _line(moment: Moment) -> dict[str, object]:
    run = run_of(moment.scored, wire=len(moment.scored.tokens))
    nats = moment.scored.log_perplexity
    value = {key: item for key, item in run.items() if key not in SHARED}
    value |= {"step": moment.step, "written": moment.written}
    return value | {"lp": round(nats, 5) if math.isfinite(nats) else None}


def to_csv(found: Sequence[Moment]) -> str:
    """One row for each token, one column for each checkpoint: surprisal in bits."""
    texts = found[0].scored.tokens.texts
    table = pd.DataFrame({"i": range(1, len(texts) + 1), "token": list(map(neutral, texts))})
    for moment in found:
        table[f"step_{moment.step}_bits"] = moment.scored.measured("surprisal")
    return str(table.to_csv(index=False, lineterminator="\r\n"))
