"""Where the shipped files lie: beside the package in a checkout, inside it once installed."""

import re
from pathlib import Path

SHIPPED = "assets/models/"
_NAME = re.compile(r"[\w.-]+(/[\w.-]+)*")


def assets_dir() -> Path:
    """The folder that holds models/, datasets/, templates/, style.css and the scripts."""
    inside = Path(__file__).parent / "assets"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "assets"


def models_dir() -> Path:
    """The folder of the embedded suite."""
    return assets_dir() / "models"


def in_checkout(name: str, below: str = "", marker: str = "config.json") -> str:
    """Where a shipped model lies in a checkout of lmlab, which anybody can follow; any other name
    as it is.

    >>> in_checkout("base"), in_checkout("me/x")
    ('assets/models/base', 'me/x')
    >>> in_checkout("qa", "adapters/", "adapter_config.json")
    'assets/models/adapters/qa'
    """
    short = name.removeprefix(below)
    shipped = models_dir() / f"{below}{short}" / marker
    if _NAME.fullmatch(name) and ".." not in name and shipped.is_file():
        return f"{SHIPPED}{below}{short}"
    return name
