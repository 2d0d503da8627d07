"""Step 3 of the Fine-tune tab: a run as it goes, this browser's runs side by side, the race."""

from dataclasses import replace
from functools import partial
from typing import Any

import gradio as gr

from lmlab.features.tuning import after as afterwards
from lmlab.features.tuning.form import RACE, asked
from lmlab.features.tuning.receipt import of_run
from lmlab.features.tuning.service import Tuning
from lmlab.features.tuning.views import race, settings_table
from lmlab.lab import Lab
from lmlab.parts.receipt_button import Keep
from lmlab.parts.run_following import followed, follower, known
from lmlab.parts.run_panel import ONCE, RunPanel, buttons
from lmlab.parts.run_widgets import ASKING, Monitor, Owner, Runs
from lmlab.parts.stream import Shown, on
from lmlab.parts.widgets import static
from lmlab.runs.store import RunInfo

RACING = """<p class="lm-why">The same data and steps through full fine-tuning, the last layer
alone, LoRA at two ranks and prompt tuning, one after another: what each learns, and what it
forgets.</p>"""


def build(lab: Lab, form: list[Any]) -> None:
    """Draw step 3 and the runs inside the current Blocks and wire them; ``form``: the data step's
    values, then the settings.
    """
    owner = Owner(elem_id="tuning-owner")
    pressed = buttons(lab, "tuning", "tuning-start-go")
    with gr.Column(elem_classes="lm-panel lm-step", elem_id="tuning-live"):
        monitor = Monitor(follower(lab.service(Tuning)), elem_id="tuning-monitor")
        keep = Keep("tuning", ("tuning-counter", "tuning-monitor"))
        # Hidden until there is something to use.
        after = gr.Column(visible=False, elem_id="tuning-after")
    with gr.Column(elem_classes="lm-panel"):
        with gr.Row(elem_classes="lm-tablehead"):
            static('<h2 class="lm-h">Your runs</h2>')
        table = Runs(elem_id="tuning-runs")
        contest = static("", elem_id="tuning-contest")
        settings = static("", elem_id="tuning-settings")
    with gr.Column(elem_classes="lm-panel"):
        static(f'<h2 class="lm-h">A race of methods</h2>{RACING}')
        with gr.Row(elem_classes="lm-buttons"):
            begin = gr.Button("Start the race", elem_id="tuning-race", min_width=150)
    panel = RunPanel(
        "tuning", lab.service(Tuning), owner, monitor, *pressed, after, table,
        {"settings": settings, "contest": contest}, drawn,
    )  # fmt: skip
    panel.current.elem_id = "tuning-current"  # for tabs that are drawn later
    turn = panel.wire(partial(started, lab), form)
    keep.notes(of_run(lab), panel.mine, after=[turn], lazy=True, **ASKING)
    begun = {"monitor": monitor, "chosen": panel.chosen}
    panel.into_view(on(begin.click, partial(raced, lab), [owner, *form], begun, **ONCE))
    with after:
        afterwards.build(lab, panel)


def drawn(picked: list[RunInfo]) -> Shown:
    """The chosen runs side by side."""
    return {"settings": settings_table(picked), "contest": race(picked)}


def started(lab: Lab, owner: str, *values: Any) -> str:
    """Queue a run; its id."""
    return lab.service(Tuning).start(owner, *asked(lab, values))


def raced(lab: Lab, owner: str, *values: Any) -> Shown:
    """Queue one run a method."""
    runs = lab.service(Tuning)
    model, data, template, config = asked(lab, values)
    configs = [replace(config, dora=False, **dict(changed)) for changed in RACE.values()]
    for one in configs:  # what one of them cannot do is said before any of them starts
        runs.count(model, one, data)
    begun: list[str] = []
    try:
        for one in configs:
            begun.append(runs.start(known(owner), model, data, template, one))
    except Exception:
        for run in begun:
            runs.delete(owner, run)
        raise
    return {"monitor": followed(begun[0]), "chosen": begun}
