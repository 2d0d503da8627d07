"""The rank knife: the base with the k largest singular values of every ΔW."""

import gradio as gr

from lmlab.lab import Lab
from lmlab.ui.parts.widgets import static

NAME = "Rank knife"


def build(lab: Lab, base: gr.Dropdown, tuned: gr.Dropdown) -> None:
    """Draw the part inside the current tab and wire it to the lab."""
    static("", elem_id="change-knife")
