"""The Prompt tab's own components: constant templates, data as JSON, DOM by textContent."""

from typing import Any, Unpack

from lmlab.parts.gradio_compat.building import Html, Placed
from lmlab.parts.scripts import mounts

PREVIEW = """
<div class="lm-partkey"></div><div class="lm-notes"></div>
<div class="lm-prompttext" tabindex="0" role="region" aria-label="The prompt" dir="auto"></div>
<div class="lm-length" hidden><div class="lm-track"><i></i></div><span></span></div>
<details class="lm-chat" hidden><summary>The same in plain form; this model gets the chat form above
</summary><div></div></details>
"""
POOL = """
<div class="lm-pool"><div class="lm-predhead"><label>Search <input type="search" maxlength="200"
placeholder="a word, or a number" aria-label="Search the rows"></label>
<span class="lm-count" role="status"></span></div>
<div class="lm-scroll" tabindex="0" role="region" aria-label="Rows to choose from">
<table class="lm-table"><tbody></tbody></table></div></div>
"""
PREDICTIONS = """
<div class="lm-predictions" hidden>
<div class="lm-predhead"><label><input type="checkbox"> only the wrong ones</label>
<span class="lm-count" role="status"></span>
<span class="lm-hint">A click loads the query above.</span></div>
<div class="lm-scroll" tabindex="0" role="region" aria-label="Predictions">
<table class="lm-table"><thead><tr><th>design</th><th>row</th><th>query</th><th>truth</th>
<th>answer</th><th></th><th>NLL</th></tr></thead><tbody></tbody></table></div></div>
"""


def _component(
    value: str, template: str, module: str, *events: str, **kwargs: Any
) -> dict[str, Any]:
    return {
        "value": value,
        "html_template": template,
        "js_on_load": mounts(f"features/prompt/{module}", *events),
        "apply_default_css": False,
        **kwargs,
    }


class Rows(Html):
    """Rows to type in: ``prompt_view.sheet``. Its event ``edit`` tells all rows, ``anew`` asks for
    others in their place."""

    def __init__(self, value: str = "", **kwargs: Unpack[Placed]) -> None:
        super().__init__(
            **_component(value, '<div class="lm-rows"></div>', "rows", "edit", "anew", **kwargs)
        )


class Pool(Html):
    """Rows to choose from: ``prompt_view.pool``. Its event ``seek`` tells what is sought, ``take``
    the number of a row that was clicked."""

    def __init__(self, value: str = "", **kwargs: Unpack[Placed]) -> None:
        super().__init__(**_component(value, POOL, "pool", "seek", "take", **kwargs))


class Preview(Html):
    """A prompt by its parts: ``prompt_view.preview``."""

    def __init__(self, value: str = "", **kwargs: Unpack[Placed]) -> None:
        super().__init__(**_component(value, PREVIEW, "preview", **kwargs))


class Predictions(Html):
    """A table: ``prompt_view.predictions``. Its event ``choose`` asks for a query by its row."""

    def __init__(self, value: str = "", **kwargs: Unpack[Placed]) -> None:
        super().__init__(**_component(value, PREDICTIONS, "predictions", "choose", **kwargs))


class PairBox(Html):
    """Two sentences side by side: ``prompt_view.pair``."""

    def __init__(self, value: str = "", **kwargs: Unpack[Placed]) -> None:
        super().__init__(**_component(value, '<div class="lm-pairbox"></div>', "pairs", **kwargs))
