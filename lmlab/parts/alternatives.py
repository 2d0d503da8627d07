"""The alternatives of a strip's tokens, sent when they are looked at."""

from typing import Any

import gradio as gr

from lmlab.parts import strip
from lmlab.parts.strip import Shown

PAGE = 40  # tokens whose alternatives are sent at once; the same in strip.js


def alternatives(shown: Shown | None, event: gr.EventData) -> Any:
    """The alternatives of the tokens around one that is looked at."""
    run, low = index_of(event, "run"), index_of(event, "low")
    if shown is None or not 0 <= run < len(shown.runs):
        return gr.skip()
    found = strip.tops(shown.runs[run], low, low + PAGE)
    return strip.tops_json(shown.name, run, low, found)


def index_of(event: gr.EventData, name: str) -> int:
    """A number that came with an event; −1 for anything else."""
    try:
        return int(getattr(event, name))
    except (AttributeError, TypeError, ValueError, OverflowError):
        return -1
