"""Step 3 of the Pre-training tab: start, stop and go on; the run as it goes; the runs there are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from lmlab.features.pretraining import after as afterwards
from lmlab.features.pretraining import receipt_notes
from lmlab.features.pretraining.after import After
from lmlab.features.pretraining.service import Pretraining
from lmlab.features.pretraining.size import config_of
from lmlab.features.pretraining.text import data_of
from lmlab.features.pretraining.widgets import GrowthMonitor
from lmlab.lab import Lab
from lmlab.parts import run_views
from lmlab.parts.receipt_button import Keep, follow
from lmlab.parts.run_following import WRITING, buttons, followed, follower, known, resumer, stopper
from lmlab.parts.run_widgets import ASKING, Owner, Runs
from lmlab.parts.stream import QUICK, QUIET
from lmlab.parts.widgets import static
from lmlab.runs.store import RunInfo

INTO_VIEW = (
    "() => document.querySelector('#pretraining-live').scrollIntoView({block: 'start', "
    "behavior: 'smooth'})"
)
NOTES = """<p class="lm-levelnotes"><b>ln V</b>: every token equally likely, where learning begins.
<b>Token frequencies</b>: −Σ p ln p, what is left for a model that knows how often each token occurs
and nothing of what comes before. <b>The shipped base</b>: its bits per byte on the same held-out
text · ln 2 · bytes a token, so that it is in this model’s tokens. Samples are drawn with the same
seed each time.</p>"""
MOST_CHOSEN = 8


@dataclass(frozen=True)
class RunStep:
    """The components of step 3 and of the runs below it."""

    owner: Owner
    monitor: GrowthMonitor
    current: gr.State
    start: gr.Button
    stop: gr.Button
    resume: gr.Button
    after: After
    keep: Keep
    table: Runs
    chosen: gr.State

    @property
    def turning(self) -> list[Any]:
        """What depends on the run that is shown, in the order of ``buttons``."""
        return [self.current, self.start, self.stop, self.resume, self.after.box]


def build(lab: Lab) -> RunStep:
    """Draw step 3 inside the current Blocks."""
    owner = Owner(elem_id="pretraining-owner")
    with (
        gr.Column(elem_classes="lm-panel lm-step", elem_id="pretraining-run"),
        gr.Row(elem_classes="lm-buttons lm-runbuttons"),
    ):
        static('<h2 class="lm-h"><i>3</i> Run</h2>', min_width=60)
        start = gr.Button(
            "Start", variant="primary", elem_id="pretraining-go", elem_classes="lm-go",
            min_width=120, visible=lab.settings.training,
        )  # fmt: skip
        stop = gr.Button("Stop", interactive=False, elem_id="pretraining-stop", min_width=80)
        resume = gr.Button("Resume", interactive=False, elem_id="pretraining-resume", min_width=80)
    with gr.Column(elem_classes="lm-panel lm-step", elem_id="pretraining-live"):
        after = afterwards.build()
        monitor = GrowthMonitor(follower(lab.service(Pretraining)), elem_id="pretraining-monitor")
        keep = Keep("pretraining", ("pretraining-counter", "pretraining-monitor"))
        static(NOTES)
    with gr.Column(elem_classes="lm-panel"):
        static('<h2 class="lm-h">Your models from nothing</h2>')
        table = Runs(elem_id="pretraining-runs")
    current, chosen = gr.State(""), gr.State([])
    return RunStep(owner, monitor, current, start, stop, resume, after, keep, table, chosen)


def wire(lab: Lab, step: RunStep, text: list[Any], shape: list[Any]) -> None:
    """Start, stop, resume, and the table.

    Args:
        lab: the backend.
        step: the components.
        text: what says which text is meant.
        shape: vocabulary and the fields of step 2.
    """
    once = {"trigger_mode": "once", **ASKING, **WRITING}
    started = step.start.click(
        starter(lab, len(text)), [step.owner, *text, *shape], [step.monitor, step.start], **once
    )
    started.success(None, None, None, js=INTO_VIEW, **QUIET)
    mine = [step.owner, step.current]
    step.stop.click(stopper(lab.service(Pretraining)), mine, [step.stop], **once)
    step.resume.click(resumer(lab.service(Pretraining)), mine, [step.monitor], **once)
    afterwards.wire(lab, step.after, step.owner, step.current)
    _wire_table(lab, step, mine)


def _wire_table(lab: Lab, step: RunStep, mine: list[Any]) -> None:
    last = {"trigger_mode": "always_last", **ASKING, **QUICK}
    turn = step.monitor.turn(
        turned(lab), [step.owner, step.chosen], [*step.turning, step.table, step.chosen], **last
    )
    follow(step.keep, [turn], receipt_notes.of_run(lab), mine, lazy=True, **ASKING)
    step.table.pick(picker(lab), mine, [step.chosen, step.table], **last)
    step.table.reopen(reopener(lab), step.owner, step.monitor, **ASKING, **QUICK).success(
        None, None, None, js=INTO_VIEW, **QUIET
    )
    step.table.drop(
        dropper(lab), [*mine, step.chosen], [step.monitor, step.chosen, step.table],
        **ASKING, **WRITING,
    )  # fmt: skip


def starter(lab: Lab, texts: int) -> Callable[..., list[Any]]:
    """Queue a run: [monitor, start button]; ``texts`` values say which text is meant."""

    def start(owner: str, *values: Any) -> list[Any]:
        config = config_of(*values[texts:])
        data = data_of(lab, *values[:texts])
        run = lab.service(Pretraining).start(known(owner), data, config)
        return [followed(run), gr.update(interactive=False)]

    return start


def turned(lab: Lab) -> Callable[..., list[Any]]:
    """A run's state has changed: its buttons, the table, what is chosen in it."""

    def turn(owner: str, chosen: list[str], event: gr.EventData) -> list[Any]:
        runs = lab.service(Pretraining).runs(known(owner))
        name = str(getattr(event, "run", "") or "")
        info = next((one for one in runs if one.id == name), None)
        ids = _valid(chosen, runs) or ([info.id] if info else [])
        return [*buttons(info), drawn(lab, owner, runs, ids, name), ids]

    return turn


def picker(lab: Lab) -> Callable[..., list[Any]]:
    """Other runs are compared."""

    def pick(owner: str, current: str, event: gr.EventData) -> list[Any]:
        runs = lab.service(Pretraining).runs(known(owner))
        ids = _valid(str(getattr(event, "ids", "")).split(), runs)
        return [ids, drawn(lab, owner, runs, ids, current)]

    return pick


def reopener(lab: Lab) -> Callable[..., str]:
    """Show an earlier run above."""

    def reopen(owner: str, event: gr.EventData) -> str:
        return followed(
            lab.service(Pretraining).run(known(owner), str(getattr(event, "id", ""))).id
        )

    return reopen


def dropper(lab: Lab) -> Callable[..., list[Any]]:
    """Delete a run: [monitor, chosen, table]."""

    def drop(owner: str, current: str, chosen: list[str], event: gr.EventData) -> list[Any]:
        name = str(getattr(event, "id", ""))
        lab.service(Pretraining).delete(known(owner), name)
        runs = lab.service(Pretraining).runs(owner)
        ids = _valid(chosen, runs)
        shown = followed("") if name == current else gr.skip()
        return [shown, ids, drawn(lab, owner, runs, ids, current)]

    return drop


def drawn(lab: Lab, owner: str, runs: list[RunInfo], chosen: list[str], current: str) -> str:
    """The table of a visitor's runs, with the curves of those that are chosen."""
    lines = {
        info.id: run_views.curves(lab.service(Pretraining).read(owner, info.id))
        for info in runs
        if info.id in chosen
    }
    return run_views.table(runs, chosen, lines, current)


def _valid(ids: Any, runs: list[RunInfo]) -> list[str]:
    wanted = set(ids if isinstance(ids, list) else [])
    return [info.id for info in runs if info.id in wanted][:MOST_CHOSEN]
