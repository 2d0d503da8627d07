"""The Data tab: what models were trained on, and a small corpus as a data engineer looks at one."""

from lmlab.lab import Lab
from lmlab.ui.data import inspect, mixture

NAME = "Data"


def build(lab: Lab) -> None:
    """Draw the tab inside the current Blocks and wire it to the lab."""
    mixture.build(lab)
    inspect.build(lab)
