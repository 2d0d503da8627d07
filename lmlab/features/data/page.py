"""The Data tab: what models were trained on, and a small corpus as a data engineer looks at one."""

from lmlab.features.data import inspect_page, mixture_page
from lmlab.lab import Lab

NAME = "Data"


def build(lab: Lab) -> None:
    """Draw the tab inside the current Blocks and wire it to the lab."""
    mixture_page.build(lab)
    inspect_page.build(lab)
