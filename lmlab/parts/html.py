"""HTML of the page from templates of the package: whatever they are given is escaped."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lmlab import numbers
from lmlab.palette import visible


def html(template: str, **values: Any) -> str:
    """A template filled: ``features/scale/memory`` stands in ``memory.html.jinja`` of that folder.

    Filters besides jinja's: ``number`` takes a format (``{{ n|number(",") }}``), ``signed`` and
    ``large`` are those of ``lmlab.numbers``, ``visible`` that of ``lmlab.palette``.
    """
    return _templates().get_template(f"{template}.html.jinja").render(**values)


@cache
def _templates() -> Environment:
    found = Environment(
        loader=FileSystemLoader(Path(__file__).parents[1]),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "number": format,
        "signed": numbers.signed,
        "large": numbers.large,
        "visible": visible,
    }
    return found
