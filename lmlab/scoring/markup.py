"""A coloured strip as escaped HTML with its own style and no script."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from lmlab import palette


def strip(**given: Any) -> str:
    """The strip of ``scored``: ``spans`` of text, colour (None: none) and what is said of each by
    the ``measure``; ``notes`` below it.
    """
    shown: str = _template().render(palette=palette, **given)
    return shown


@lru_cache(maxsize=1)
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    made = Environment(autoescape=True, undefined=StrictUndefined)
    made.filters["visible"] = palette.visible
    return made.from_string(Path(__file__).with_name("strip.html.jinja").read_text("utf-8"))
