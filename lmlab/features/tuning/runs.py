"""The runs of this browser: a table, curves over one another, settings side by side, the race."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from lmlab.features.tuning import receipt_notes
from lmlab.features.tuning.form import RACE, Choice, config_of
from lmlab.features.tuning.run import INTO_VIEW, RunStep
from lmlab.features.tuning.service import Tuning
from lmlab.features.tuning.views import race, settings_table
from lmlab.lab import Lab
from lmlab.parts import run_views
from lmlab.parts.receipt_button import follow
from lmlab.parts.run_following import WRITING, buttons, followed, known
from lmlab.parts.run_widgets import ASKING, Runs
from lmlab.parts.stream import QUICK, QUIET
from lmlab.parts.upload_table import FIELDS
from lmlab.parts.widgets import static
from lmlab.runs.store import RunInfo

MOST_CHOSEN = 8
RACING = """<p class="lm-why">The same data and steps through full fine-tuning, the last layer
alone, LoRA at two ranks and prompt tuning, one after another: what each learns, and what it
forgets.</p>"""


@dataclass(frozen=True)
class RunsStep:
    """The components below the run."""

    table: Runs
    chosen: gr.State
    settings: gr.HTML
    contest: gr.HTML
    race: gr.Button

    @property
    def shown(self) -> list[Any]:
        """In the order of ``drawn``."""
        return [self.table, self.settings, self.contest]


def build() -> RunsStep:
    """Draw the table inside the current Blocks."""
    with gr.Column(elem_classes="lm-panel"):
        with gr.Row(elem_classes="lm-tablehead"):
            static('<h2 class="lm-h">Your runs</h2>')
        table = Runs(elem_id="tuning-runs")
        contest = static("", elem_id="tuning-contest")
        settings = static("", elem_id="tuning-settings")
    with gr.Column(elem_classes="lm-panel"):
        static(f'<h2 class="lm-h">A race of methods</h2>{RACING}')
        with gr.Row(elem_classes="lm-buttons"):
            start = gr.Button("Start the race", elem_id="tuning-race", min_width=150)
    return RunsStep(table, gr.State([]), settings, contest, start)


def wire(lab: Lab, step: RunsStep, run: RunStep, asked: list[Any]) -> None:
    """The table follows every turn of a run; what is chosen in it is drawn.

    Args:
        lab: the backend.
        step: the components.
        run: those of the run that is shown.
        asked: the form: the data step's values, then the settings.
    """
    turn = run.monitor.turn(
        turned(lab), [run.owner, step.chosen], [*run.turning, *step.shown, step.chosen],
        trigger_mode="always_last", **ASKING, **QUICK,
    )  # fmt: skip
    mine = [run.owner, run.current]
    follow(run.keep, [turn], receipt_notes.of_run(lab), mine, lazy=True, **ASKING)
    step.table.pick(
        picker(lab), mine, [step.chosen, *step.shown], trigger_mode="always_last", **ASKING, **QUICK
    )
    step.table.reopen(reopener(lab), run.owner, run.monitor, **ASKING, **QUICK).success(
        None, None, None, js=INTO_VIEW, **QUIET
    )
    step.table.drop(
        dropper(lab),
        [*mine, step.chosen],
        [run.monitor, step.chosen, *step.shown],
        **ASKING,
        **WRITING,
    )
    raced = step.race.click(
        racer(lab),
        [run.owner, *asked],
        [run.monitor, step.chosen],
        trigger_mode="once",
        **ASKING,
        **WRITING,
    )
    raced.success(None, None, None, js=INTO_VIEW, **QUIET)


def turned(lab: Lab) -> Callable[..., list[Any]]:
    """A run's state has changed: its buttons, the table, what is chosen."""

    def turn(owner: str, chosen: list[str], event: gr.EventData) -> list[Any]:
        runs = lab.service(Tuning).runs(known(owner))
        name = str(getattr(event, "run", "") or "")
        info = next((one for one in runs if one.id == name), None)
        ids = _valid(chosen, runs) or ([info.id] if info else [])
        return [*buttons(info), *drawn(lab, owner, runs, ids, name), ids]

    return turn


def picker(lab: Lab) -> Callable[..., list[Any]]:
    """Other runs are compared."""

    def pick(owner: str, current: str, event: gr.EventData) -> list[Any]:
        runs = lab.service(Tuning).runs(known(owner))
        ids = _valid(str(getattr(event, "ids", "")).split(), runs)
        return [ids, *drawn(lab, owner, runs, ids, current)]

    return pick


def reopener(lab: Lab) -> Callable[..., str]:
    """Show an earlier run above."""

    def reopen(owner: str, event: gr.EventData) -> str:
        return followed(lab.service(Tuning).run(known(owner), str(getattr(event, "id", ""))).id)

    return reopen


def dropper(lab: Lab) -> Callable[..., list[Any]]:
    """Delete a run: [monitor, chosen, *shown]."""

    def drop(owner: str, current: str, chosen: list[str], event: gr.EventData) -> list[Any]:
        name = str(getattr(event, "id", ""))
        lab.service(Tuning).delete(known(owner), name)
        runs = lab.service(Tuning).runs(owner)
        ids = _valid(chosen, runs)
        shown = followed("") if name == current else gr.skip()
        return [shown, ids, *drawn(lab, owner, runs, ids, current)]

    return drop


def racer(lab: Lab) -> Callable[..., list[Any]]:
    """Queue one run a method: [monitor, chosen]."""

    def start(owner: str, *values: Any) -> list[Any]:
        choice = Choice.read(*values[: 5 + FIELDS])
        config = config_of(values[5 + FIELDS :])
        template = choice.template(lab)
        data = choice.rows(lab, template)
        configs = [replace(config, dora=False, **dict(changed)) for changed in RACE.values()]
        for one in configs:  # what one of them cannot do is said before any of them starts
            lab.service(Tuning).count(choice.model, one, data)
        started: list[str] = []
        try:
            for one in configs:
                started.append(
                    lab.service(Tuning).start(known(owner), choice.model, data, template, one)
                )
        except Exception:
            for run in started:
                lab.service(Tuning).delete(owner, run)
            raise
        return [followed(started[0]), started]

    return start


def drawn(lab: Lab, owner: str, runs: list[RunInfo], chosen: list[str], current: str) -> list[Any]:
    """[table, settings, contest] of a visitor's runs."""
    picked = [info for info in runs if info.id in chosen]
    lines = {info.id: run_views.curves(lab.service(Tuning).read(owner, info.id)) for info in picked}
    return [
        run_views.table(runs, chosen, lines, current),
        settings_table(picked),
        race(picked),
    ]


def _valid(ids: Any, runs: list[RunInfo]) -> list[str]:
    wanted = set(ids if isinstance(ids, list) else [])
    return [info.id for info in runs if info.id in wanted][:MOST_CHOSEN]
