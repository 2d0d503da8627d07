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
    """What follows from a tab's controls and has to be there before its button is pressed.

    Attributes:
        inputs: what it follows from; controls among them have their new values.
        outputs: what is given, by name.
        make: gives it, by name.
    """

    inputs: Sequence[Any]
    outputs: Mapping[str, Any]
    make: Callable[..., Mapping[str, Any]]


class Led(AsBase, gr.State):
    """Whether a scene or a link has filled its tab in.

    Attributes:
        following: what is filled in besides the tab's controls.
    """

    following: Following | None = None
