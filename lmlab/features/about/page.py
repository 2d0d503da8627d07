"""The About tab: what lmlab is, how its numbers are made, and the embedded models' own cards."""

import re
from pathlib import Path

import gradio as gr

from lmlab.assets import models_dir
from lmlab.lab import Lab
from lmlab.parts.html import html
from lmlab.parts.widgets import static
from lmlab.version import __version__

NONE = "No model is embedded in this copy."
FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


def build(lab: Lab) -> None:
    """Draw the tab inside the current Blocks."""
    static(html("features/about/about", "about", __version__), elem_id="about-text")
    found = cards(models_dir(), lab.settings.model)
    if not found:
        gr.Markdown(NONE)
    for name, text in found:
        with gr.Accordion(name, open=len(found) == 1, elem_classes="lm-cardbox"):
            gr.Markdown(text, elem_classes="lm-modelcard")


def cards(models: Path, first: str) -> list[tuple[str, str]]:
    """Name and card of every embedded model, without front matter; ``first`` comes first."""
    files = [path for path in models.rglob("README.md") if path.parent != models]
    found = [(path.parent.relative_to(models).as_posix(), path) for path in files]
    ordered = sorted(found, key=lambda pair: (pair[0] != first, "/" in pair[0], pair[0]))
    return [(name, FRONT_MATTER.sub("", path.read_text("utf-8"))) for name, path in ordered]
