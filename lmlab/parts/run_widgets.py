"""The components that show runs, and what opens one tab from another."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Unpack

from lmlab.parts.gradio_compat.building import Hidden, Html, Placed
from lmlab.parts.gradio_compat.handlers import alerts
from lmlab.parts.stream import QUICK, QUIET, Options, Shown, on

ASKING: Options = MappingProxyType({"js": "(_, ...rest) => [window.lmlab.visitor(), ...rest]"})
OPENING = """async (_, ...rest) => {{
  window.lmlab.fresh = await window.lmlab.open("{tab}");
  return [window.lmlab.visitor(), ...rest];
}}"""


def hand_over(
    trigger: Callable[..., Any],
    handler: Callable[..., Shown],
    inputs: Sequence[Any],
    outputs: Mapping[str, Any],
    tab: str,
    then: str = "",
) -> None:
    """Have a click open another tab and fill it in, before it does what it does at first.

    Args:
        trigger: a button's click.
        handler: gives what is filled in, by name; the visitor is the first of its inputs.
        outputs: the other tab's controls, by name.
        tab: its id.
        then: a script that is run once it is filled in.
    """
    filled = on(trigger, handler, inputs, outputs, js=OPENING.format(tab=tab), **QUICK)
    filled.then(None, None, None, js=f"() => window.lmlab.release('{tab}')", **QUIET)
    if then:
        filled.success(None, None, None, js=then, **QUIET)


class Owner(Hidden):
    """The first input of every event that asks who the visitor is, which has ``**ASKING`` among its
    options, so that the browser puts its long random name there."""

    MODULE = "parts/web/owner"


class Monitor(Html):
    """A run as it goes. A value ``{"run": id}`` has it follow that run; it begins with the
    visitor's latest. Its event ``turn`` tells run and state whenever the state has changed;
    ``follow`` is ``run_following.follower``.
    """

    TEMPLATE = """
<div class="lm-monitor none">
<div class="lm-run-empty lm-empty"><b>Nothing trained yet</b>Press Start: the loss curve draws
itself, and the model's answers change beside it.</div>
<div class="lm-run-head" hidden></div><div class="lm-live" aria-live="polite"></div>
<div class="lm-run-numbers lm-nums six" hidden></div>
<div class="lm-run-charts lm-charts" hidden></div>
<div class="lm-run-samples" hidden></div></div>
"""
    MODULE = "parts/web/run-samples"
    TELLS = ("turn",)

    def __init__(self, follow: Callable[[Any], Any] | None = None, **given: Unpack[Placed]) -> None:
        super().__init__("", server_functions=[alerts(follow)] if follow else None, **given)


class Runs(Html):
    """The table of runs and their curves: ``run_views.table``. Its events ``pick`` (ids),
    ``reopen`` and ``drop`` (id) say what the visitor chose."""

    TEMPLATE = """
<div class="lm-runs-empty lm-empty"><b>No runs yet</b>What this browser trains is listed here, and
found again when the page is opened anew.</div>
<div class="lm-runs-table lm-scroll" tabindex="0" role="region" aria-label="Runs" hidden></div>
<div class="lm-runs-tools lm-measures" role="radiogroup" aria-label="Curves" hidden>
<label><input type="radio" name="lm-curve" value="valid" checked><span>held-out loss</span></label>
<label><input type="radio" name="lm-curve" value="loss"><span>train loss</span></label>
<label><input type="radio" name="lm-curve" value="probe"><span>general text</span></label></div>
<div class="lm-runs-curves lm-charts" hidden></div>
"""
    MODULE = "parts/web/runs"
    TELLS = ("pick", "reopen", "drop")
