"""Step 3 of the Fine-tune tab: start, stop and go on; what is new of a run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from lmlab.features.tuning import after as tuning_after
from lmlab.features.tuning.after import After
from lmlab.features.tuning.form import Choice, config_of
from lmlab.features.tuning.service import Tuning
from lmlab.lab import Lab
from lmlab.parts.receipt_button import Keep
from lmlab.parts.run_following import WRITING, followed, follower, known, resumer, stopper
from lmlab.parts.run_widgets import ASKING, Monitor, Owner
from lmlab.parts.stream import QUIET
from lmlab.parts.upload_table import FIELDS
from lmlab.parts.widgets import static

INTO_VIEW = (
    "() => document.querySelector('#tuning-live').scrollIntoView({block: 'start', "
    "behavior: 'smooth'})"
)


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
        monitor = Monitor(follower(lab.service(Tuning)), elem_id="tuning-monitor")
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
    step.stop.click(stopper(lab.service(Tuning)), mine, [step.stop], **once)
    step.resume.click(resumer(lab.service(Tuning)), mine, [step.monitor], **once)
    tuning_after.wire(lab, step.after, step.owner, step.current)


def starter(lab: Lab) -> Callable[..., list[Any]]:
    """Queue a run: [monitor, start button]."""

    def start(owner: str, *values: Any) -> list[Any]:
        choice = Choice.read(*values[: 5 + FIELDS])
        config = config_of(values[5 + FIELDS :])
        template = choice.template(lab)
        data = choice.rows(lab, template)
        run = lab.service(Tuning).start(known(owner), choice.model, data, template, config)
        return [followed(run), gr.update(interactive=False)]

    return start
