"""HTML from templates beside the code, or macros of them: whatever they are given is escaped."""

import math
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

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
    own = numbers.from_log, numbers.large, numbers.probability, numbers.signed
    given = (*own, numbers.memory, numbers.duration, math.exp, visible)
    found.filters |= {one.__name__: one for one in given} | {"number": format}
    return found


def _template(name: str) -> Template:
    """By its path below the package, without its end ``.html.jinja``."""
    return _templates().get_template(f"{name}.html.jinja")


def html(template: str, macro: str, *given: Any, **named: Any) -> str:
    """What a macro of a template makes of what it is given."""
    return str(getattr(_template(template).module, macro)(*given, **named)).strip()


def filled(template: str, **values: Any) -> str:
    """A template with values put in; there ``{{ n|number(",") }}`` formats a number."""
    return _template(template).render(**values)
