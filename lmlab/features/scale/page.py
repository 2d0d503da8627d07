"""The Scale tab: the GPTs' sizes beside models at hand, a parameter builder, and what size buys."""

from lmlab.features.scale import builder_page, measured_page, table_page
from lmlab.lab import Lab
from lmlab.parts.gradio_compat import building
from lmlab.parts.stream import QUIET

NAME = "Scale"


def build(lab: Lab) -> None:
    """Draw the tab inside the current Blocks and wire it to the lab."""
    tab = building.tab()
    picker, shown = table_page.build(lab)
    draw = table_page.drawer(lab)
    opened = tab.select(draw, picker, shown, trigger_mode="always_last", **QUIET)
    picker.change(draw, picker, shown, trigger_mode="always_last", **QUIET)
    builder_page.build(lab, opened)
    measured_page.build(lab, tab)
