"""Weights: ΔW of every matrix as a map, and one matrix in full."""

import gradio as gr

from lmlab.lab import Lab
from lmlab.ui.parts.widgets import static

NAME = "Weights"


def build(lab: Lab, base: gr.Dropdown, tuned: gr.Dropdown) -> None:
    """Draw the part inside the current tab and wire it to the lab."""
    static("", elem_id="change-map")
