"""The page's own components. Each has a constant template; data reaches it as a JSON string and
becomes DOM by textContent, so nothing a visitor types is ever taken for HTML or script."""

from typing import Any, Unpack

import gradio as gr

from lmlab.parts.gradio_compat.building import Html, Placed
from lmlab.parts.scripts import mounts

STRIP = """
<div class="lm-panel lm-strip">
  <div class="lm-tools" hidden>
    <div class="lm-measures" role="radiogroup" aria-label="Colour by"></div>
    <div class="lm-legend" aria-label="Legend"></div>
  </div>
  <div class="lm-notes"></div>
  <div class="lm-runs"></div>
  <div class="lm-empty">EMPTY</div>
  <div class="lm-pinned" hidden></div>
</div>
<div class="lm-card" aria-hidden="true"></div>
<div class="lm-live" aria-live="polite"></div>
"""
UNSCORED = """<b>Nothing scored yet</b>Type a text or choose an example, then press Score
(Ctrl + Enter). Every token takes the colour of how likely the model found it."""
FACTORS = """
<div class="lm-scroll" tabindex="0" role="region" aria-label="Table of factors">
<table class="lm-table">
<thead><tr></tr></thead>
<tbody></tbody></table></div>
"""


class Strip(Html):
    """The token strip; its value is ``lmlab.parts.strip.payload`` or one of ``shiftstrip``.

    Strips, plots and tables of one ``group`` light up together. Its event ``need`` asks for
    alternatives, which come through the ``Answers`` of the same group; its event ``fork`` asks to
    go on from another token.

    Args:
        value: what is shown.
        group: its own name.
        empty: HTML of our own for when nothing is shown.
        colour_by: the measure at first. (Gradio takes a parameter for an event whose name stands in
            quotes in the script.)
    """

    def __init__(
        self,
        value: str = "",
        *,
        group: str,
        empty: str = UNSCORED,
        colour_by: str = "surprisal",
        **kwargs: Unpack[Placed],
    ) -> None:
        super().__init__(
            value,
            html_template=STRIP.replace("EMPTY", empty),
            js_on_load=mounts("parts/web/strip", "need", "fork"),
            apply_default_css=False,
            group=group,
            colour_by=colour_by,
            **kwargs,
        )


class Answers(Html):
    """Shows nothing: its value, ``strip.tops_json``, goes to the strip of the same group."""

    def __init__(self, *, group: str) -> None:
        super().__init__(
            "",
            html_template="<span hidden></span>",
            js_on_load=mounts("parts/web/answers"),
            apply_default_css=False,
            container=False,
            elem_classes="lm-none",
            group=group,
        )


class Factors(Html):
    """The table of what the strip of the same group shows."""

    def __init__(self, *, group: str, **kwargs: Unpack[Placed]) -> None:
        super().__init__(
            "",
            html_template=FACTORS,
            js_on_load=mounts("parts/web/factors"),
            apply_default_css=False,
            group=group,
            **kwargs,
        )


def static(html: str, **kwargs: Any) -> gr.HTML:
    """HTML of our own, or with every piece of foreign text escaped."""
    return gr.HTML(html, js_on_load=None, apply_default_css=False, **kwargs)


class Handover(Html):
    """Hands a text to the visitor: its value is JSON with ``action`` (copy or download), ``file``
    and ``text``."""

    def __init__(self, **kwargs: Unpack[Placed]) -> None:
        super().__init__(
            "",
            html_template='<span class="lm-handed" role="status"></span>',
            js_on_load=mounts("parts/web/handover"),
            apply_default_css=False,
            **kwargs,
        )


class NextToken(Html):
    """The next token's distribution before and after the controls: ``shiftstrip.next_token``. Its
    event ``choose`` asks for a token to be taken."""

    def __init__(self, **kwargs: Unpack[Placed]) -> None:
        super().__init__(
            "",
            html_template='<div class="lm-next"></div>',
            js_on_load=mounts("parts/web/next", "choose"),
            apply_default_css=False,
            **kwargs,
        )


class Branches(Html):
    """The tree of what was tried: its value is ``branches.payload``; ``goto`` asks for a branch."""

    def __init__(self, **kwargs: Unpack[Placed]) -> None:
        super().__init__(
            "",
            html_template='<div class="lm-branches"></div>',
            js_on_load=mounts("parts/web/branches", "goto"),
            apply_default_css=False,
            **kwargs,
        )


class Samples(Html):
    """A table of samples, JSON of a list."""

    def __init__(self, **kwargs: Unpack[Placed]) -> None:
        super().__init__(
            "",
            html_template='<div class="lm-scroll" tabindex="0" role="region" '
            'aria-label="Table of samples"></div>',
            js_on_load=mounts("parts/web/samples"),
            apply_default_css=False,
            **kwargs,
        )


class Moved(Html):
    """The positions that moved most in the strip of the same group."""

    def __init__(self, *, group: str, **kwargs: Unpack[Placed]) -> None:
        super().__init__(
            "",
            html_template='<div class="lm-scroll" tabindex="0" role="region" '
            'aria-label="Positions that moved most"></div>',
            js_on_load=mounts("parts/web/moved"),
            apply_default_css=False,
            group=group,
            **kwargs,
        )


def chart(figure: Any, elem_id: str) -> gr.Plot:
    """A plotly figure, without a frame of its own."""
    looks: dict[str, Any] = {"show_label": False, "container": False, "elem_classes": "lm-plot"}
    return gr.Plot(figure, elem_id=elem_id, **looks)
