"""A button that gives the visitor a file."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.parts.stream import QUIET
from lmlab.parts.widgets import Handover


class Saver:
    """The button, drawn with what hands its file over.

    Args:
        elem_id: of the button.
        label: on it.
        looks: of it besides.
    """

    def __init__(self, elem_id: str, label: str = "CSV", **looks: Any) -> None:
        self.button = gr.Button(label, elem_id=elem_id, **{"min_width": 60, **looks})
        self.handover = Handover(elem_id=f"{elem_id}-handover", elem_classes="lm-handing")

    def gives(
        self,
        file: str,
        write: Callable[..., str],
        inputs: Any,
        none: str = "There is no table yet.",
        hint: str = "Press Measure first.",
    ) -> None:
        """Wire it: ``write`` makes the file's text of the inputs; where that is empty, ``none``
        and ``hint`` are said."""

        def give(*values: Any) -> str:
            text = write(*values)
            if not text:
                raise InputError(none, hint)
            # A new name each time, so that a second request is noticed.
            value = {"action": "download", "name": uuid.uuid4().hex, "file": file, "text": text}
            return json.dumps(value).replace("<", "\\u003c")

        self.button.click(give, inputs, self.handover, concurrency_limit=4, **QUIET)
