"""The Pre-training tab's own components: constant templates, data as JSON, DOM by textContent."""

from lmlab.parts.gradio_compat.building import Html
from lmlab.parts.run_widgets import Monitor

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

    TEMPLATE = TOKENS
    MODULE = "features/pretraining/tokens"


class GrowthMonitor(Monitor):
    """A run from nothing as it goes, with the lines that its loss is measured against, and all its
    samples."""

    TEMPLATE = GROWTH
    MODULE = "features/pretraining/samples"
