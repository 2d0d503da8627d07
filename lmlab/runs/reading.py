"""Reads what lies in a run's folder as if anybody had written it: a crash, another version, a hand.
Knows no torch.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, get_args

from lmlab.errors import InputError
from lmlab.runs.specs import FINAL, FORMAT, RunSpec, State

FIGURES = (*FINAL, "trainable", "total", "reason", "message")
_WHOLE = ("step", "trainable", "total")
_WORDS = ("reason", "message")
_ELSE = "Open it with the version that wrote it; it is left as it is."


class UnreadRunError(InputError):
    """A folder whose run.json cannot be read.

    Attributes:
        damaged: whether it can be of no use to any version.
    """

    def __init__(self, message: str, hint: str = "", *, damaged: bool = False) -> None:
        super().__init__(message, hint)
        self.damaged = damaged


def spec_of(content: bytes, name: str) -> RunSpec | tuple[str, str, bool]:
    """What a run.json asks for; else what is wrong, what to do, and whether it is damaged."""
    try:
        raw = json.loads(content)
        if not isinstance(raw, dict):
            raise TypeError("no object")
    except (ValueError, TypeError, RecursionError):
        return _damaged(name)
    newer = isinstance(raw.get("format"), int) and raw["format"] > FORMAT
    try:
        return RunSpec.from_dict(raw)
    except InputError as error:
        return (f"‘{name}’ was written by another version of lmlab. {error.message}", _ELSE, False)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        if newer:
            return (f"‘{name}’ was written by a newer version of lmlab.", _ELSE, False)
        return _damaged(name)


def _damaged(name: str) -> tuple[str, str, bool]:
    return (
        f"The file run.json of ‘{name}’ is damaged, so that nobody knows what was asked.",
        "What was learned, if anything, still lies beside it.",
        True,
    )


def known_state(raw: Any) -> dict[str, Any]:
    """A state.json with nothing in it that has another kind than it must have."""
    if not isinstance(raw, Mapping):
        return {"state": "interrupted"}
    found = {str(key): value for key, value in raw.items()}
    for key in FIGURES:
        if key in found and not _fits(key, found[key]):
            del found[key]
    if found.get("state") not in get_args(State):
        found["state"] = "interrupted"
    return found


def _fits(key: str, value: Any) -> bool:
    if key in _WORDS:
        return isinstance(value, str)
    if isinstance(value, bool):
        return False
    if key in _WHOLE:
        return isinstance(value, int) and value >= 0
    return isinstance(value, int | float) and math.isfinite(value)
