"""The Scale tab: the GPTs' sizes beside models at hand, a parameter builder, and what size buys."""

from gradio.context import Context

from lmlab.features.scale import builder_page, measured_page, table_page
from lmlab.lab import Lab

NAME = "Scale"


def build(lab: Lab) -> None:
    """Draw the tab inside the current Blocks and wire it to the lab."""
    tab = Context.block
    picker, shown = table_page.build(lab)
    draw = table_page.drawer(lab)
    options = {
        "show_progress": "hidden",
        "api_visibility": "private",
        "trigger_mode": "always_last",
    }
    opened = tab.select(draw, picker, shown, **options)
    picker.change(draw, picker, shown, **options)
    builder_page.build(lab, opened)
    measured_page.build(lab, tab)
