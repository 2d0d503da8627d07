"""Where the shipped files lie: beside the package in a checkout, inside it once installed."""

from pathlib import Path


def assets_dir() -> Path:
    """The folder that holds models/, datasets/, templates/, style.css and the scripts."""
    inside = Path(__file__).parent / "assets"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "assets"


def models_dir() -> Path:
    """The folder of the embedded suite."""
    return assets_dir() / "models"
