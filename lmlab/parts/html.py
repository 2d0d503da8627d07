"""HTML from macros of templates beside the code: whatever a macro is given is escaped in it."""

import math
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lmlab import numbers


@cache
def _templates() -> Environment:
    found = Environment(
        loader=FileSystemLoader(Path(__file__).parents[1]),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    given = (math.exp, numbers.from_log, numbers.large, numbers.probability, numbers.signed)
    found.filters |= {one.__name__: one for one in given}
    return found


def html(template: str, macro: str, *given: Any, **named: Any) -> str:
    """What a macro makes of what it is given; a template by its path below the package, without
    its end ``.html.jinja``."""
    made = getattr(_templates().get_template(f"{template}.html.jinja").module, macro)
    return str(made(*given, **named)).strip()
