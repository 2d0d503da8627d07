"""What a tab shows as escaped HTML: macros of a template of jinja beside its ``views.py``."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lmlab.parts.run_views import duration, memory

FILTERS = {"commas": "{:,}".format, "memory": memory, "duration": duration, "markup": Markup}


@cache
def macro(file: Path, name: str) -> Callable[..., str]:
    """One macro of a template. Filters: ``commas`` between thousands, ``memory`` of bytes,
    ``duration`` of seconds, ``markup`` for what is HTML already.
    """
    environment = Environment(
        loader=FileSystemLoader(file.parent), autoescape=True, undefined=StrictUndefined
    )
    environment.filters |= FILTERS
    found: Callable[..., str] = getattr(environment.get_template(file.name).module, name)
    return found
