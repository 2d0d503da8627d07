"""A run that is shown, its buttons, and the runs there are: the same for every kind of training."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from lmlab.lab import Lab
from lmlab.parts import run_views
from lmlab.parts.run_following import WRITING, followed, known
from lmlab.parts.run_widgets import ASKING, Owner, Runs
from lmlab.parts.stream import QUICK, QUIET, Shown, on
from lmlab.parts.widgets import static
from lmlab.runs.owned_runs import TuningRuns
from lmlab.runs.store import RunInfo

MOST_CHOSEN = 8
TURNING = ("current", "start", "stop", "resume", "after")
ONCE = {"trigger_mode": "once", **ASKING, **WRITING}


@dataclass(frozen=True)
class RunPanel:
    """The components, and what they do."""

    name: str  # of the tab, which its ids begin with
    runs: TuningRuns  # those of one kind: fine-tuning's, or models from nothing
    owner: Owner
    monitor: Any  # the run as it goes, with an event ``turn``
    start: gr.Button
    stop: gr.Button
    resume: gr.Button
    after: gr.Column  # shown once there is something to use
    table: Runs  # the runs there are
    more: Mapping[str, Any] = field(default_factory=dict)  # shown of those chosen in it
    draw: Callable[[list[RunInfo]], Shown] = lambda picked: {}  # gives that, by name
    current: gr.State = field(default_factory=lambda: gr.State(""))  # id of the run that is shown
    chosen: gr.State = field(default_factory=lambda: gr.State([]))  # ids

    @property
    def mine(self) -> list[Any]:
        """Whose run is shown, and which."""
        return [self.owner, self.current]

    def wire(self, start: Callable[..., str], asked: Sequence[Any]) -> Any:
        """Start, stop, go on, and the table; the event that follows a turn of the run. ``start``
        queues a run for a visitor, from what the form, ``asked``, holds: its id.
        """

        def started(owner: str, *values: Any) -> Shown:
            run = start(known(owner), *values)
            return {"monitor": followed(run), "start": gr.update(interactive=False)}

        monitor = {"monitor": self.monitor}
        listed = {"table": self.table, "chosen": self.chosen, **self.more}
        turning = {key: getattr(self, key) for key in TURNING}
        last = {"trigger_mode": "always_last", **ASKING, **QUICK}
        begun = {**monitor, "start": self.start}
        self.into_view(on(self.start.click, started, [self.owner, *asked], begun, **ONCE))
        self.stop.click(self.stopped, self.mine, self.stop, **ONCE)
        self.resume.click(self.resumed, self.mine, self.monitor, **ONCE)
        on(self.table.pick, self.picked, self.mine, listed, **last)
        again = self.table.reopen(self.reopened, self.owner, self.monitor, **ASKING, **QUICK)
        self.into_view(again)
        dropping = [*self.mine, self.chosen]
        on(self.table.drop, self.dropped, dropping, monitor | listed, **ASKING, **WRITING)
        return on(
            self.monitor.turn, self.turned, [self.owner, self.chosen], turning | listed, **last
        )

    def into_view(self, event: Any) -> None:
        """Scroll to the run after an event."""
        live = f"document.querySelector('#{self.name}-live')"
        scroll = f"() => {live}.scrollIntoView({{block: 'start', behavior: 'smooth'}})"
        event.success(None, None, None, js=scroll, **QUIET)

    def download(self, save: gr.Button, file: gr.DownloadButton) -> None:
        """Have a button give what the run has learned as a zip, by a hidden one."""
        last = gr.State("")
        packed = on(
            save.click, self.packed, [*self.mine, last], {"file": file, "last": last}, **ONCE
        )
        fetch = (
            f"() => setTimeout(() => {{ const a = document.querySelector('#{self.name}-file'); "
            "(a.querySelector('button, a') || a).click(); }, 150)"
        )
        packed.success(None, None, None, js=fetch, **QUIET)

    def turned(self, owner: str, chosen: list[str], event: gr.EventData) -> Shown:
        """A run's state has changed."""
        runs = self.runs.runs(known(owner))
        name = str(getattr(event, "run", "") or "")
        info = next((one for one in runs if one.id == name), None)
        going = info is not None and not info.is_over
        ids = _valid(chosen, runs) or ([info.id] if info else [])
        return {
            "current": info.id if info else "",
            "start": gr.update(interactive=not going),
            "stop": gr.update(interactive=going),
            "resume": gr.update(interactive=info is not None and info.can_resume),
            "after": gr.update(visible=bool(info and info.is_over and info.model_name)),
            **self._listed(owner, runs, ids, name),
        }

    def stopped(self, owner: str, run: str) -> Any:
        """Stop the run that is shown; what it learned stays."""
        if run:
            self.runs.stop(known(owner), run)
        return gr.update(interactive=False)

    def resumed(self, owner: str, run: str) -> str:
        """Have the run that is shown go on."""
        self.runs.resume(known(owner), run)
        return followed(run)

    def picked(self, owner: str, current: str, event: gr.EventData) -> Shown:
        """Other runs are compared."""
        runs = self.runs.runs(known(owner))
        ids = _valid(str(getattr(event, "ids", "")).split(), runs)
        return self._listed(owner, runs, ids, current)

    def reopened(self, owner: str, event: gr.EventData) -> str:
        """Show an earlier run."""
        return followed(self.runs.run(known(owner), str(getattr(event, "id", ""))).id)

    def dropped(self, owner: str, current: str, chosen: list[str], event: gr.EventData) -> Shown:
        """Delete a run."""
        name = str(getattr(event, "id", ""))
        self.runs.delete(known(owner), name)
        runs = self.runs.runs(owner)
        gone = {"monitor": followed("")} if name == current else {}
        return {**gone, **self._listed(owner, runs, _valid(chosen, runs), current)}

    def packed(self, owner: str, run: str, last: str) -> Shown:
        """What was learned as a zip, in place of the last one."""
        path = str(self.runs.archive(known(owner), run))
        if last and last != path:
            with suppress(OSError):
                Path(last).unlink()
        return {"file": path, "last": path}

    def _listed(self, owner: str, runs: list[RunInfo], ids: list[str], current: str) -> Shown:
        picked = [info for info in runs if info.id in ids]
        lines = {info.id: run_views.curves(self.runs.read(owner, info.id)) for info in picked}
        table = run_views.table(runs, lines, current)
        return {"table": table, "chosen": ids, **self.draw(picked)}


def buttons(lab: Lab, name: str, go: str) -> tuple[gr.Button, gr.Button, gr.Button]:
    """Draw step 3 of a tab: start (of the id ``go``), stop and resume."""
    with (
        gr.Column(elem_classes="lm-panel lm-step", elem_id=f"{name}-run"),
        gr.Row(elem_classes="lm-buttons lm-runbuttons"),
    ):
        static('<h2 class="lm-h"><i>3</i> Run</h2>', min_width=60)
        start = gr.Button(
            "Start", variant="primary", elem_id=go, elem_classes="lm-go", min_width=120,
            visible=lab.settings.training,
        )  # fmt: skip
        stop = gr.Button("Stop", interactive=False, elem_id=f"{name}-stop", min_width=80)
        resume = gr.Button("Resume", interactive=False, elem_id=f"{name}-resume", min_width=80)
    return start, stop, resume


def model_choice(lab: Lab, info: RunInfo) -> Any:
    """A picker with the run's model among its choices, for pages where no name may be typed."""
    names = [(name, name) for name in lab.model_names()]
    own = f"{run_views.method_name(info)} on {info.data}"
    return gr.update(choices=[*names, (own, info.model_name)], value=info.model_name)


def _valid(ids: Any, runs: list[RunInfo]) -> list[str]:
    wanted = set(ids if isinstance(ids, list) else [])
    return [info.id for info in runs if info.id in wanted][:MOST_CHOSEN]
