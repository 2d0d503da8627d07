"""The options of a row that has its own: a cell with a JSON list, or with ‘|’ between them."""

import json

from lmlab.errors import InputError
from lmlab.text.json_rows import no_constant

MOST = 50


def options_of(cell: str) -> tuple[str, ...]:
    """The options in a cell, in order, without white space at their ends.

    >>> options_of('["a cat", "a dog"]') == options_of("a cat | a dog")
    True

    Raises:
        InputError: fewer than two, too many, an empty one, or the same one twice.
    """
    found = _listed(cell) if cell.lstrip().startswith("[") else cell.split("|")
    options = tuple(option.strip() for option in found)
    if len(options) < 2:
        raise InputError("there are no two options.", "Write a JSON list, or put | between them.")
    if len(options) > MOST:
        raise InputError(f"there are {len(options):,} options; at most {MOST} are compared.")
    if not all(options):
        raise InputError("an option is empty.")
    if len(set(options)) < len(options):
        twice = next(option for option in options if options.count(option) > 1)
        raise InputError(f"the option ‘{twice[:40]}’ stands there twice.")
    return options


def _listed(cell: str) -> list[str]:
    try:
        value = json.loads(cell, parse_constant=no_constant)
    except (ValueError, RecursionError):
        raise InputError(
            "the options are no valid JSON list.", 'For instance ["yes", "no"].'
        ) from None
    if not isinstance(value, list) or not all(isinstance(one, str | int | float) for one in value):
        raise InputError("the options are no list of texts.", 'For instance ["yes", "no"].')
    return [one if isinstance(one, str) else json.dumps(one) for one in value]
