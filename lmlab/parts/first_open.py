"""What a tab does by itself when it is first opened; left out where a scene or a link has filled
the tab in, and asks for something of its own (``stream.Line.on``, ``unless``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from lmlab.parts.gradio_compat.building import AsBase


@dataclass(frozen=True)
class Following:
    """What follows from a tab's controls and has to be there before its button is pressed."""

    inputs: Sequence[Any]  # what it follows from; controls among them have their new values
    outputs: Mapping[str, Any]  # what is given, by name
    make: Callable[..., Mapping[str, Any]]  # gives it, by name


class Led(AsBase, gr.State):
    """Whether a scene or a link has filled its tab in."""

    following: Following | None = None  # what is filled in besides the tab's controls
