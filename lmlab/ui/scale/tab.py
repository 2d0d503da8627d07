"""The Scale tab: the GPTs' sizes beside models at hand, a parameter builder, and what size buys."""

from gradio.context import Context

from lmlab.lab import Lab
from lmlab.ui.scale import builder, measured, table

NAME = "Scale"


def build(lab: Lab) -> None:
    """Draw the tab inside the current Blocks and wire it to the lab."""
    tab = Context.block
    picker, shown = table.build(lab)
    draw = table.drawer(lab)
    options = {
        "show_progress": "hidden",
        "api_visibility": "private",
        "trigger_mode": "always_last",
    }
    opened = tab.select(draw, picker, shown, **options)
    picker.change(draw, picker, shown, **options)
    builder.build(lab, opened)
    measured.build(lab, tab)
