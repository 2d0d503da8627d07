"""The Change tab: a base, what was made from it, and what that changed. Picks the two once; each
part below is a tab of its own with ``NAME`` and ``build(lab, base, tuned)``.
"""

from collections.abc import Callable
from typing import Any

import gradio as gr

from lmlab.errors import LabError
from lmlab.features.change import (
    drift_page,
    knife_page,
    taskmap_page,
    timemachine_page,
    weights_page,
)
from lmlab.features.change.family import KINDS
from lmlab.features.change.feature import FEATURE
from lmlab.features.change.service import Changing
from lmlab.lab import Lab
from lmlab.models.backends import lacking
from lmlab.models.gives import WEIGHTS
from lmlab.parts import run_views
from lmlab.parts.gradio_compat import building
from lmlab.parts.pickers import model_picker
from lmlab.parts.run_following import saved
from lmlab.parts.run_widgets import ASKING, hand_over
from lmlab.parts.stream import QUIET, Shown
from lmlab.parts.widgets import static
from lmlab.runs.owned_runs import TuningRuns

PARTS = (weights_page, knife_page, drift_page, timemachine_page, taskmap_page)
# The adapter whose distributions are far on its own task and close elsewhere.
CLEAREST = "+sentiment"
# Another pair: the part that is in view, if it is quick, measures at once. Waits a moment, as a new
# base may bring another tuned model with it.
PRESS = """() => {
  clearTimeout(window.lmlab.pairTimer);
  window.lmlab.pairTimer = setTimeout(() => {
    const buttons = [...document.querySelectorAll("#change-parts .lm-auto")];
    buttons.find((button) => button.offsetParent && !button.disabled)?.click();
  }, 300);
}"""


def build(lab: Lab) -> None:
    """Draw the tab inside the current Blocks and wire it to the lab."""
    tab = building.tab()
    named = [lab.settings.model, *lab.model_names()]
    first = next((name for name in named if not lacking(name, WEIGHTS)), named[0])
    names = tuned_choices(lab, "", first)
    with gr.Row(elem_classes="lm-pickers lm-changepickers"):
        base = model_picker(lab, "change-base", "Base  W", needs=FEATURE.needs, info=None)
        tuned = model_picker(
            lab, "change-tuned", "Tuned  W + ΔW", choices=names or [first],
            value=shown_first(names) or first, info=None, follows=True,
        )  # fmt: skip
        owner = static("", elem_id="change-owner", elem_classes="lm-none")
    with gr.Tabs(elem_id="change-parts"):
        for part in PARTS:
            with gr.Tab(part.NAME, id=f"change-{part.NAME.lower().replace(' ', '-')}"):
                part.build(lab, base, tuned)
    asked = [owner, base, tuned]
    gr.on([tab.select, base.change], chooser(lab), asked, tuned, **ASKING, **QUIET)
    gr.on([base.input, tuned.change], None, None, None, js=PRESS, **QUIET)
    # A finished run of the Fine-tune tab opens here, beside what it started from.
    if found := building.elsewhere("tuning", ("change", "owner", "current")):
        button, *mine = found.values()
        button.visible = True
        hand_over(button.click, opener(lab), mine, {"base": base, "tuned": tuned}, "change")


def opener(lab: Lab) -> Callable[..., Shown]:
    """The pair of the run that is shown on the Fine-tune tab."""

    def opened(owner: str, run: str) -> Shown:
        info = saved(lab.service(TuningRuns), owner, run)
        names = gr.update(choices=tuned_choices(lab, owner, info.model), value=info.model_name)
        return {"base": info.model, "tuned": names}

    return opened


def chooser(lab: Lab) -> Callable[..., Any]:
    """The picker of tuned models for a base: what is chosen stays if it may."""

    def choose(owner: str, base: str, chosen: str) -> Any:
        names = tuned_choices(lab, owner, base)
        if not names or chosen in [name for _, name in names]:
            return gr.update(choices=names)
        return gr.update(choices=names, value=shown_first(names))

    return choose


def shown_first(choices: list[tuple[str, str]]) -> str:
    """Which of the tuned models is chosen where nobody has; empty where there are none."""
    names = [name for _, name in choices]
    return next((name for name in names if name.endswith(CLEAREST)), names[0] if names else "")


def tuned_choices(lab: Lab, owner: str, base: str) -> list[tuple[str, str]]:
    """(label, name) of what was made from a base: embedded ones, then the visitor's own runs."""
    found = [
        (f"{one.name}{KINDS[one.kind]}", one.name)
        for one in lab.service(Changing).tuned(base or "")
    ]
    try:
        runs = lab.service(TuningRuns).runs(owner) if owner else []
    except LabError:
        runs = []
    own = [info for info in runs if info.model_name and info.model == base]
    label = run_views.method_name
    return found + [(f"your run: {label(i)} on {i.data}", i.model_name) for i in own]
