"""The Prompt tab's own components: constant templates, data as JSON, DOM by textContent."""

from typing import NamedTuple, Unpack

from lmlab.parts.gradio_compat.building import Html, Placed
from lmlab.parts.scripts import mounts

_PREVIEW = """
<div class="lm-partkey"></div><div class="lm-notes"></div>
<div class="lm-prompttext" tabindex="0" role="region" aria-label="The prompt" dir="auto"></div>
<div class="lm-length" hidden><div class="lm-track"><i></i></div><span></span></div>
<details class="lm-chat" hidden><summary>The same in plain form; this model gets the chat form above
</summary><div></div></details>
"""
_POOL = """
<div class="lm-pool"><div class="lm-predhead"><label>Search <input type="search" maxlength="200"
placeholder="a word, or a number" aria-label="Search the rows"></label>
<span class="lm-count" role="status"></span></div>
<div class="lm-scroll" tabindex="0" role="region" aria-label="Rows to choose from">
<table class="lm-table"><tbody></tbody></table></div></div>
"""
_PREDICTIONS = """
<div class="lm-predictions" hidden>
<div class="lm-predhead"><label><input type="checkbox"> only the wrong ones</label>
<span class="lm-count" role="status"></span>
<span class="lm-hint">A click loads the query above.</span></div>
<div class="lm-scroll" tabindex="0" role="region" aria-label="Predictions">
<table class="lm-table"><thead><tr><th>design</th><th>row</th><th>query</th><th>truth</th>
<th>answer</th><th></th><th>NLL</th></tr></thead><tbody></tbody></table></div></div>
"""


class Made(NamedTuple):
    """What makes a component of this tab, and what it can tell."""

    module: str
    template: str
    events: tuple[str, ...] = ()


# Rows to type in: ``views.examples``; ``edit`` tells all of them, ``anew`` asks for others.
ROWS = Made("rows", '<div class="lm-rows"></div>', ("edit", "anew"))
# Rows to choose from: ``views.pool``; ``seek`` tells what is sought, ``take`` a row's number.
POOL = Made("pool", _POOL, ("seek", "take"))
# A prompt by its parts: ``views.preview``.
PREVIEW = Made("preview", _PREVIEW)
# A table: ``views.predictions``; ``choose`` asks for a query by its row.
PREDICTIONS = Made("predictions", _PREDICTIONS, ("choose",))
# Two sentences side by side: ``views.pair``.
PAIR = Made("pairs", '<div class="lm-pairbox"></div>')


class Widget(Html):
    """A component of this tab; it is drawn from the JSON of its value."""

    def __init__(self, made: Made, **kwargs: Unpack[Placed]) -> None:
        super().__init__(
            "",
            html_template=made.template,
            js_on_load=mounts(f"features/prompt/{made.module}", *made.events),
            apply_default_css=False,
            **kwargs,
        )
