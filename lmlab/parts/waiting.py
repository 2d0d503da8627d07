"""The line that says what is going on, and the button that stops it: a tab's first two outputs."""

from collections.abc import Sequence
from html import escape
from types import MappingProxyType
from typing import Any

import gradio as gr

QUIET = MappingProxyType({"show_progress": "hidden", "api_visibility": "private"})
STOPPED = '<p class="lm-said">Stopped. What was shown is still here.</p>'


def busy(said: str, share: float) -> list[Any]:
    """While something runs: what, and how far it is (0 to 1)."""
    width = f"{100 * min(1.0, share):.0f}%"
    status = (
        f'<div class="lm-progress" role="status"><span>{escape(said)}</span>'
        f'<span class="lm-track"><i style="width:{width}"></i></span></div>'
    )
    return [status, gr.update(interactive=True)]


def idle(status: str) -> list[Any]:
    """Nothing runs; ``status`` is escaped HTML."""
    return [status, gr.update(interactive=False)]


def stoppable(stop: gr.Button, line: list[Any], events: Sequence[Any]) -> None:
    """Have a button stop what runs, and the line say how it ended.

    Args:
        stop: the button.
        line: the status and the button, as ``busy`` and ``idle`` fill them.
        events: what may be running.
    """
    # A sign of progress on its way may still write over the line, so Stop is remembered apart.
    asked = gr.State(False)
    for event in events:
        event.failure(ended, asked, [*line, asked], queue=False, **QUIET)
    stop.click(stopped, None, [*line, asked], cancels=list(events), queue=False, **QUIET)


def stopped() -> list[Any]:
    """After Stop: [status, stop button, that it was asked for]."""
    return [*idle(STOPPED), True]


def ended(asked_to_stop: bool) -> list[Any]:
    """After an error, about which the alert says the rest, or after Stop, which keeps its word."""
    return [*idle(STOPPED if asked_to_stop else ""), False]
