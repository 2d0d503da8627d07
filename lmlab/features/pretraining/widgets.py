"""The Pre-training tab's own components: constant templates, data as JSON, DOM by textContent."""

from collections.abc import Callable
from typing import Any, Unpack

from lmlab.parts.gradio_compat.building import Html, Placed
from lmlab.parts.gradio_compat.handlers import alerts
from lmlab.parts.scripts import mounts

TOKENS = """
<p class="lm-bpe-error lm-problem" role="status" hidden></p>
<div class="lm-bpe-all">
<div class="lm-bpe-toks lm-toks" tabindex="0" role="region"
 aria-label="The first held-out document as tokens; arrow keys walk them" dir="auto"></div>
<p class="lm-bpe-now lm-said" role="status"></p>
<div class="lm-bpe-lists">
<div><h3 class="lm-h">Merges, in order</h3>
<ol class="lm-bpe-merges" tabindex="0" aria-label="Merges in order"></ol></div>
<div><h3 class="lm-h">Most frequent tokens</h3>
<ol class="lm-bpe-often" tabindex="0" aria-label="Most frequent tokens"></ol></div>
</div></div>
"""
GROWTH = """
<div class="lm-monitor none">
<div class="lm-run-empty lm-empty"><b>Nothing trained yet</b>Press Start: the loss begins at ln V,
and what the model writes turns from bytes into words.</div>
<div class="lm-run-head" hidden></div><div class="lm-live" aria-live="polite"></div>
<div class="lm-run-numbers lm-nums six" hidden></div>
<div class="lm-run-charts lm-charts" hidden></div>
<div class="lm-run-samples lm-growths" hidden></div></div>
"""


class Tokens(Html):
    """A tokenizer that was trained on a text: ``pretrainviews.tokenizer``."""

    def __init__(self, value: str = "", **kwargs: Unpack[Placed]) -> None:
        super().__init__(
            value,
            html_template=TOKENS,
            js_on_load=mounts("features/pretraining/tokens"),
            apply_default_css=False,
            **kwargs,
        )


class GrowthMonitor(Html):
    """A run from nothing as it goes; used as ``run_widgets.Monitor``, with the lines
    that its loss is measured against, and all its samples."""

    def __init__(
        self, follow: Callable[[Any], Any] | None = None, **kwargs: Unpack[Placed]
    ) -> None:
        super().__init__(
            "",
            html_template=GROWTH,
            js_on_load=mounts("features/pretraining/samples", "turn"),
            apply_default_css=False,
            server_functions=[alerts(follow)] if follow else None,
            **kwargs,
        )
