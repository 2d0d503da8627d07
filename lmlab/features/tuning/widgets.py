"""The Fine-tune tab's own components: constant templates, data as JSON, DOM by textContent."""

from typing import Any

import gradio as gr

from lmlab.parts.run_widgets import component

MASK = """
<div class="lm-mask-notes lm-notes"></div>
<div class="lm-mask-toks lm-toks" tabindex="0" role="region" aria-label="A row as tokens"
 dir="auto"></div>
<div class="lm-maskfoot"><span class="lm-mask-count" role="status"></span>
<span class="lm-mask-key"><i class="lm-tok loss">carries loss</i><i class="lm-tok">given</i>
<i class="lm-tok special">special</i></span></div>
"""


class Mask(gr.HTML):
    """A row with its loss mask: ``tuningviews.mask``."""

    def __init__(self, value: str = "", **kwargs: Any) -> None:
        super().__init__(value, **component(MASK, "features/tuning/mask", **kwargs))
