"""The page's own components, and HTML that only stands there."""

from typing import Any, Unpack

import gradio as gr

from lmlab.parts.first_open import FirstAnswer
from lmlab.parts.gradio_compat.building import Hidden, Html, Placed

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


def static(html: str, **kwargs: Any) -> gr.HTML:
    """HTML of our own, or with every piece of foreign text escaped."""
    return gr.HTML(html, js_on_load=None, apply_default_css=False, **kwargs)


def scrolled(label: str, inside: str = "") -> str:
    """A part of a template that scrolls by itself."""
    return f'<div class="lm-scroll" tabindex="0" role="region" aria-label="{label}">{inside}</div>'


class Strip(Html):
    """The token strip; its value is ``lmlab.parts.strip.payload`` or one of ``shift_strip``.

    Strips, plots and tables of one ``group`` light up together. Its event ``need`` asks for
    alternatives, which come through the ``Answers`` of the same group; its event ``fork`` asks to
    go on from another token. ``empty`` is HTML of our own for when nothing is shown, ``colour_by``
    the measure at first. (Gradio takes a parameter for an event whose name stands in quotes in the
    script.)
    """

    MODULE = "parts/web/strip"
    TELLS = ("need", "fork")
    first: FirstAnswer | None = None  # what the page brings along

    def __init__(
        self,
        value: str = "",
        *,
        group: str,
        empty: str = UNSCORED,
        colour_by: str = "surprisal",
        **given: Unpack[Placed],
    ) -> None:
        template = STRIP.replace("EMPTY", empty)
        super().__init__(value, html_template=template, group=group, colour_by=colour_by, **given)


class Answers(Hidden):
    """Its value, ``strip.tops_json``, goes to the strip of the same group."""

    MODULE = "parts/web/answers"


class Factors(Html):
    """The table of what the strip of the same group shows."""

    TEMPLATE = scrolled(
        "Table of factors",
        '<table class="lm-table"><thead><tr></tr></thead><tbody></tbody></table>',
    )
    MODULE = "parts/web/factors"


class Handover(Html):
    """Hands a text to the visitor: its value is JSON with ``action`` (copy or download), ``file``
    and ``text``."""

    TEMPLATE = '<span class="lm-handed" role="status"></span>'
    MODULE = "parts/web/handover"


class NextToken(Html):
    """The next token's distribution before and after the controls: ``shift_strip.next_token``. Its
    event ``choose`` asks for a token to be taken."""

    TEMPLATE = '<div class="lm-next"></div>'
    MODULE = "parts/web/next"
    TELLS = ("choose",)


class Branches(Html):
    """The tree of what was tried: its value is ``branches.payload``; ``goto`` asks for a branch."""

    TEMPLATE = '<div class="lm-branches"></div>'
    MODULE = "parts/web/branches"
    TELLS = ("goto",)


class Samples(Html):
    """A table of samples, JSON of a list."""

    TEMPLATE = scrolled("Table of samples")
    MODULE = "parts/web/samples"


class Moved(Html):
    """The positions that moved most in the strip of the same group."""

    TEMPLATE = scrolled("Positions that moved most")
    MODULE = "parts/web/moved"


def chart(figure: Any, elem_id: str) -> gr.Plot:
    """A plotly figure, without a frame of its own; one of nothing has no axes either, whose numbers
    plotly would make up.
    """
    if not any(trace.y is not None and len(trace.y) for trace in figure.data):
        figure.update_xaxes(visible=False)
        figure.update_yaxes(visible=False)
    looks: dict[str, Any] = {"show_label": False, "container": False, "elem_classes": "lm-plot"}
    return gr.Plot(figure, elem_id=elem_id, **looks)
