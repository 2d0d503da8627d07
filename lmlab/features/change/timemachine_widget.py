"""The time machine's component: constant template, data as lines of JSON, DOM by textContent."""

from typing import Unpack

from lmlab.parts.gradio_compat.building import Html, Placed
from lmlab.parts.scripts import mounts
from lmlab.parts.widgets import STRIP

GROUP = "timemachine"
EMPTY = """<b>Nothing scored yet</b>Press Travel: every checkpoint reads the text once, and the
slider then moves through the steps."""
TEMPLATE = f"""
<div class="lm-panel lm-time-empty lm-empty">{EMPTY}</div>
<div class="lm-time-body" hidden>
<div class="lm-panel lm-time-bar">
<button type="button" class="lm-time-play"><i aria-hidden="true">▶</i> <span>Play</span></button>
<input class="lm-time-slider" type="range" min="0" max="0" step="1" value="0"
 aria-label="Checkpoint">
<output class="lm-time-step" aria-live="polite"></output>
</div>
<div class="lm-time-grid">
<div class="lm-time-strip">{STRIP.replace("EMPTY", "")}</div>
<div class="lm-time-side">
<section class="lm-panel"><h2 class="lm-h">Perplexity as it learns</h2>
<div class="lm-time-figures"><span>perplexity <b class="lm-time-pp"></b></span>
<span>bits per byte <b class="lm-time-bpb"></b></span>
<span class="lm-time-model"></span></div>
<div class="lm-time-chart"></div></section>
<section class="lm-panel"><h2 class="lm-h">What it writes after the opening</h2>
<p class="lm-time-text" dir="auto"><span class="lm-time-opening lm-prefix"></span><span
 class="lm-time-written"></span></p>
<p class="lm-why">temperature 0.8, the same seed at every step</p></section>
</div></div></div>
"""


class TimeStrip(Html):
    """A text under checkpoint after checkpoint: ``travel.payload``. The slider needs no
    server."""

    def __init__(self, **kwargs: Unpack[Placed]) -> None:
        super().__init__(
            "",
            html_template=TEMPLATE,
            js_on_load=mounts("features/change/timemachine"),
            apply_default_css=False,
            group=GROUP,
            **kwargs,
        )
