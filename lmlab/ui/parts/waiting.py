"""The line that says what is going on, and the button that stops it: a tab's first two outputs."""

from html import escape
from typing import Any

import gradio as gr

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


def stopped() -> list[Any]:
    """After Stop."""
    return idle(STOPPED)


def failed(status: str | None) -> list[Any]:
    """After an error, about which the alert says the rest; or after Stop, which keeps its word."""
    return idle(STOPPED if status and "Stopped." in status else "")
