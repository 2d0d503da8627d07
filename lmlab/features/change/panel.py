"""A part of the tab that measures: its buttons, the line beside them, its table as a file."""

from collections.abc import Callable
from typing import Any, get_args

import gradio as gr

from lmlab.budget import MEASURED, Measure
from lmlab.parts.saving import Saver
from lmlab.parts.stream import Line
from lmlab.parts.widgets import static


class Panel(Line):
    """A row of buttons that measure, stop and save, and the line that says what is going on.

    What the session keeps of the result is the state ``kept``, an output of that name.

    Args:
        name: what its elements' ids begin with.
        verb: on the first button.
        auto: whether another pair of models presses it.
    """

    def __init__(self, name: str, verb: str = "Measure", *, auto: bool = False) -> None:
        self.verb, self.kept = verb, gr.State(None)
        with gr.Row(elem_classes="lm-changebar"):
            self.go = gr.Button(
                verb, variant="primary", elem_id=f"{name}-go", min_width=120,
                elem_classes=["lm-go", "lm-auto"] if auto else "lm-go",
            )  # fmt: skip
            stop = gr.Button("Stop", interactive=False, elem_id=f"{name}-stop", min_width=80)
            self.saver = Saver(f"{name}-csv", min_width=70)
            status = static("", elem_id=f"{name}-status", elem_classes="lm-status")
        super().__init__(status, stop)

    def saves(self, file: str, write: Callable[[Any], str], none: str) -> None:
        """Wire the button that saves what is kept."""

        def text(kept: Any) -> str:
            return write(kept) if kept else ""

        self.saver.gives(file, text, self.kept, none, f"Press {self.verb} first.")


def all_or_time(name: str) -> gr.Radio:
    """Whether all rows are measured, or those that fit the time."""
    return gr.Radio(
        [*zip(MEASURED, get_args(Measure), strict=True)], value="time", label="Rows", elem_id=name,
        min_width=320,
    )  # fmt: skip
