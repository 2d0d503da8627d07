"""The Scale tab: the GPTs' sizes beside models at hand, a parameter builder, and what size buys."""

from lmlab.features.scale import builder_page, measured_page, table_page
from lmlab.lab import Lab
from lmlab.parts.gradio_compat import building


def build(lab: Lab) -> None:
    """Draw the tab inside the current Blocks and wire it to the lab."""
    tab = building.tab()
    builder_page.build(lab, table_page.build(lab, tab))
    measured_page.build(lab, tab)
