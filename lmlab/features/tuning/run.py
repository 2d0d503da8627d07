"""Step 3 of the Fine-tune tab: start, stop and go on; what is new of a run."""

import json
import logging
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import gradio as gr

from lmlab.errors import InputError, LabError
from lmlab.features.tuning import after as tuning_after
from lmlab.features.tuning.after import WRITING, After, known
from lmlab.features.tuning.form import Choice, config_of
from lmlab.features.tuning.widgets import ASKING, Monitor, Owner
from lmlab.lab import Lab
from lmlab.parts import run_views
from lmlab.parts.receipt_button import Keep
from lmlab.parts.stream import QUIET
from lmlab.parts.upload_table import FIELDS
from lmlab.parts.widgets import static
from lmlab.runs.owned_runs import TuningRuns
from lmlab.runs.store import RunInfo

_ID = re.compile(r"[\w-]{0,64}")
INTO_VIEW = (
    "() => document.querySelector('#tuning-live').scrollIntoView({block: 'start', "
    "behavior: 'smooth'})"
)
log = logging.getLogger("lmlab")


@dataclass(frozen=True)
class RunStep:
    """The components of step 3."""

    owner: Owner
    monitor: Monitor
    current: gr.State
    start: gr.Button
    stop: gr.Button
    resume: gr.Button
    after: After
    keep: Keep

    @property
    def turning(self) -> list[Any]:
        """What depends on the state of the run that is shown, in the order of ``buttons``."""
        return [self.current, self.start, self.stop, self.resume, self.after.box]


def build(lab: Lab) -> RunStep:
    """Draw step 3 inside the current Blocks."""
    owner = Owner(elem_id="tuning-owner")
    with (
        gr.Column(elem_classes="lm-panel lm-step", elem_id="tuning-run"),
        gr.Row(elem_classes="lm-buttons lm-runbuttons"),
    ):
        static('<h2 class="lm-h"><i>3</i> Run</h2>', min_width=60)
        start = gr.Button(
            "Start", variant="primary", elem_id="tuning-start-go", elem_classes="lm-go",
            min_width=120, visible=lab.settings.training,
        )  # fmt: skip
        stop = gr.Button("Stop", interactive=False, elem_id="tuning-stop", min_width=80)
        resume = gr.Button("Resume", interactive=False, elem_id="tuning-resume", min_width=80)
    with gr.Column(elem_classes="lm-panel lm-step", elem_id="tuning-live"):
        monitor = Monitor(follower(lab.tuning), elem_id="tuning-monitor")
        keep = Keep("tuning", ("tuning-counter", "tuning-monitor"))
        after = tuning_after.build()
    current = gr.State("")
    current.elem_id = "tuning-current"  # for tabs that are drawn later
    return RunStep(owner, monitor, current, start, stop, resume, after, keep)


def wire(lab: Lab, step: RunStep, asked: list[Any]) -> None:
    """Start, stop, resume.

    Args:
        lab: the backend.
        step: the components.
        asked: the form: the data step's values, then the settings.
    """
    line = [step.monitor, step.start]
    started = step.start.click(
        starter(lab), [step.owner, *asked], line, trigger_mode="once", **ASKING, **WRITING
    )
    started.success(None, None, None, js=INTO_VIEW, **QUIET)
    mine = [step.owner, step.current]
    once = {"trigger_mode": "once", **ASKING, **WRITING}
    step.stop.click(stopper(lab.tuning), mine, [step.stop], **once)
    step.resume.click(resumer(lab.tuning), mine, [step.monitor], **once)
    tuning_after.wire(lab, step.after, step.owner, step.current)


def starter(lab: Lab) -> Callable[..., list[Any]]:
    """Queue a run: [monitor, start button]."""

    def start(owner: str, *values: Any) -> list[Any]:
        choice = Choice.read(*values[: 5 + FIELDS])
        config = config_of(values[5 + FIELDS :])
        template = choice.template(lab)
        data = choice.rows(lab, template)
        run = lab.tuning.start(known(owner), choice.model, data, template, config)
        return [followed(run), gr.update(interactive=False)]

    return start


def followed(run: str) -> str:
    """What has the monitor follow a run, from its beginning."""
    return json.dumps({"run": run, "at": time.time()})


def stopper(runs: TuningRuns) -> Callable[..., Any]:
    """Stop the run that is shown; what it learned stays."""

    def stop(owner: str, run: str) -> Any:
        if run:
            runs.stop(known(owner), run)
        return gr.update(interactive=False)

    return stop


def resumer(runs: TuningRuns) -> Callable[..., str]:
    """Have the run that is shown go on."""

    def resume(owner: str, run: str) -> str:
        runs.resume(known(owner), run)
        return followed(run)

    return resume


def buttons(info: RunInfo | None) -> list[Any]:
    """[current run, start, stop, resume, after] as the run's state has it."""
    going = info is not None and not info.is_over
    return [
        info.id if info else "",
        gr.update(interactive=not going),
        gr.update(interactive=going),
        gr.update(interactive=info is not None and info.can_resume),
        gr.update(visible=info is not None and info.is_over and bool(info.model_name)),
    ]


def follower(runs: TuningRuns) -> Callable[[Any], Any]:
    """What a monitor asks for every half second; never raises, as there is nobody to tell.

    Args:
        runs: those of one kind: fine-tuning's, or models from nothing.
    """

    def follow(asked: Any) -> dict[str, Any]:
        try:
            return _news(runs, asked)
        except LabError as error:
            return {"run": "", "error": error.message}
        except Exception:
            log.exception("A run could not be followed")
            return {"run": "", "error": "Something went wrong on the server."}

    follow.__name__ = "follow"
    return follow


def _news(runs: TuningRuns, asked: Any) -> dict[str, Any]:
    asked = asked if isinstance(asked, dict) else {}
    owner, name, have = known(asked.get("owner")), asked.get("run"), asked.get("have")
    if not isinstance(name, str) or not _ID.fullmatch(name):
        name = ""
    have = have if isinstance(have, int) and have >= 0 else 0
    info: RunInfo | None = None
    if name:
        with suppress(InputError):  # it may have been deleted
            info = runs.run(owner, name)
    if info is None:
        info, have = latest(runs.runs(owner)), 0
    if info is None:
        return {"run": ""}
    events = runs.read(owner, info.id, have)
    waiting: list[str] = []
    if info.is_over:
        waiting = [one.id for one in runs.runs(owner) if not one.is_over]
    return {
        "run": info.id,
        "have": have + len(events),
        "events": run_views.news(events),
        "state": shown_state(info),
        "title": info.title,
        "said": info.message,
        "place": -1 if info.place is None else info.place,
        "next": waiting[-1] if waiting else "",
    }


def latest(runs: Sequence[RunInfo]) -> RunInfo | None:
    """The run that a visitor who comes back wants to see: what goes on, else the newest.

    Args:
        runs: newest first.
    """
    going = [info for info in runs if not info.is_over]
    return going[-1] if going else next(iter(runs), None)


def shown_state(info: RunInfo) -> str:
    """A run's state for the page's script."""
    if info.state in ("done", "stopped") and info.reason in ("limit", "nan"):
        return info.reason
    return info.state
