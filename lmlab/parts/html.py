"""HTML from templates beside the code, or macros of them: whatever they are given is escaped."""

import math
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lmlab import numbers
from lmlab.palette import visible


@cache
def _templates() -> Environment:
    found = Environment(
        loader=FileSystemLoader(Path(__file__).parents[1]),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    given = (
        math.exp,
        numbers.from_log,
        numbers.large,
        numbers.probability,
        numbers.signed,
        visible,
    )
    found.filters |= {one.__name__: one for one in given} | {"number": format}
    return found


def filled(template: str, **values: Any) -> str:
    """A template filled, by its path below the package without its end ``.html.jinja``; there
    ``{{ n|number(",") }}`` formats a number."""
    return _templates().get_template(f"{template}.html.jinja").render(**values)
