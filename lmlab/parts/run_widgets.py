"""The components that show runs: constant templates, data as JSON, DOM by textContent."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import gradio as gr

from lmlab.parts.scripts import mounts

ASKING = MappingProxyType({"js": "(_, ...rest) => [window.lmlab.visitor(), ...rest]"})
MONITOR = """
<div class="lm-monitor none">
<div class="lm-run-empty lm-empty"><b>Nothing trained yet</b>Press Start: the loss curve draws
itself, and the model's answers change beside it.</div>
<div class="lm-run-head" hidden></div><div class="lm-live" aria-live="polite"></div>
<div class="lm-run-numbers lm-nums six" hidden></div>
<div class="lm-run-charts lm-charts" hidden></div>
<div class="lm-run-samples" hidden></div></div>
"""
RUNS = """
<div class="lm-runs-empty lm-empty"><b>No runs yet</b>What this browser trains is listed here, and
found again when the page is opened anew.</div>
<div class="lm-runs-table lm-scroll" tabindex="0" role="region" aria-label="Runs" hidden></div>
<div class="lm-runs-tools lm-measures" role="radiogroup" aria-label="Curves" hidden>
<label><input type="radio" name="lm-curve" value="valid" checked><span>held-out loss</span></label>
<label><input type="radio" name="lm-curve" value="loss"><span>train loss</span></label>
<label><input type="radio" name="lm-curve" value="probe"><span>general text</span></label></div>
<div class="lm-runs-curves lm-charts" hidden></div>
"""


def component(template: str, module: str, *events: str, **kwargs: Any) -> dict[str, Any]:
    """The arguments of a component of our own; see ``scripts.mounts``."""
    return {
        "html_template": template,
        "js_on_load": mounts(module, *events),
        "apply_default_css": False,
        **kwargs,
    }


class Owner(gr.HTML):
    """Shows nothing: the first input of every event that asks who the visitor is, which has
    ``**ASKING`` among its options, so that the browser puts its long random name there."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            "",
            **component(
                "<span hidden></span>",
                "parts/web/owner",
                elem_classes="lm-none",
                **kwargs,
            ),
        )


class Monitor(gr.HTML):
    """A run as it goes. A value ``{"run": id}`` has it follow that run; it begins with the
    visitor's latest. Its event ``turn`` tells run and state whenever the state has changed.

    Args:
        follow: gets {owner, run, have} and answers with what is new (``tuning_run.follower``).
    """

    def __init__(self, follow: Callable[[Any], Any] | None = None, **kwargs: Any) -> None:
        functions = [follow] if follow else None
        super().__init__(
            "",
            **component(
                MONITOR, "parts/web/run-samples", "turn", server_functions=functions, **kwargs
            ),
        )


class Runs(gr.HTML):
    """The table of runs and their curves: ``tuningviews.table``. Its events ``pick`` (ids),
    ``reopen`` and ``drop`` (id) say what the visitor chose."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            "", **component(RUNS, "parts/web/runs", "pick", "reopen", "drop", **kwargs)
        )
