"""Options: one checked model a form, whose fields say how the page and the command line ask for
them. Imports neither Gradio nor torch.

A model is a pydantic dataclass on ``Checked``; ``Annotated[int, Field(ge=1), Option("label")]`` is
a field of it. From that come widgets (``lmlab.parts.forms``), and what scenes and links may set,
which is read off the widgets; flags (``add_flags``, ``read``); and the sentence for a wrong value.
"""

import argparse
from dataclasses import dataclass
from types import UnionType
from typing import Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin

from pydantic import ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic.fields import FieldInfo

from lmlab.errors import InputError

CHECKED = ConfigDict(allow_inf_nan=False, extra="forbid")
M = TypeVar("M", bound="Checked")


@dataclass(frozen=True, slots=True)
class Option:
    """How a field is asked for.

    Attributes:
        label: on the page; without one it stands on no form.
        help: beside the widget, and of the flag.
        id: the end of the element's id; by default the field's name.
        low: of the widget; by default the field's own limit.
        high: of the widget; by default a slider has the field's own limit, a number none.
        step: of a slider; without one it is a box for a number.
        flag: by default the field's name; None for no flag.
        wrong: the sentence for a value out of its limits, about ``value``.
    """

    label: str = ""
    help: str = ""
    id: str = ""
    low: float | None = None
    high: float | None = None
    step: float | None = None
    flag: str | None = ""
    wrong: str = ""


class Checked:
    """A model of options: what cannot be is an InputError in a sentence."""

    __slots__ = ()
    __pydantic_fields__: ClassVar[dict[str, FieldInfo]]
    LIMITS: ClassVar[str] = "{name} must be between {low:g} and {high:g}, not {value:g}."

    @model_validator(mode="wrap")
    @classmethod
    def _check(cls, values: Any, handler: ModelWrapValidatorHandler[Any]) -> Any:
        try:
            return handler(values)
        except ValidationError as error:
            raise _sentence(cls, error.errors()[0]) from None


def option(field: FieldInfo) -> Option:
    """How a field is asked for; one that is not has neither label nor flag."""
    return next((one for one in field.metadata if isinstance(one, Option)), Option(flag=None))


def flags(model: Checked | type[Checked]) -> dict[str, FieldInfo]:
    """The fields that a command line sets, by name."""
    fields = model.__pydantic_fields__.items()
    return {name: field for name, field in fields if option(field).flag is not None}


def limit(field: FieldInfo, which: Literal["ge", "le"]) -> Any:
    """The least or the largest value of a field; None for no such limit."""
    return next((getattr(one, which) for one in field.metadata if hasattr(one, which)), None)


def kind(field: FieldInfo) -> Any:
    """The type of a field's value where it has one: ``int`` of ``int | None``."""
    whole = field.annotation
    parts = get_args(whole) if get_origin(whole) in (Union, UnionType) else (whole,)
    return next(part for part in parts if part is not type(None))


def add_flags(parser: Any, start: Checked, *, without: tuple[str, ...] = ()) -> None:
    """Declare a model's flags, with the values of ``start`` as defaults."""
    for name, field in flags(start).items():
        if name in without:
            continue
        asked, default = option(field), getattr(start, name)
        about: dict[str, Any] = {"dest": name, "default": default, "help": asked.help}
        if get_origin(kind(field)) is tuple:
            about |= {"action": "append", "default": [*default], "metavar": "TEXT"}
            about["help"] += "; may be repeated"
        elif kind(field) is bool:
            about["action"] = "store_true"
        elif get_origin(kind(field)) is Literal:
            about["choices"] = get_args(kind(field))
        else:
            about["type"] = kind(field)
        parser.add_argument(asked.flag or f"--{name.replace('_', '-')}", **about)


def read(model: type[M], arguments: argparse.Namespace) -> M:
    """The options that a command was given.

    Raises:
        InputError: one of them cannot be.
    """
    asked = vars(arguments)
    return model(**{name: asked[name] for name in flags(model) if name in asked})


def _sentence(model: type[Checked], error: Any) -> Exception:
    """What is wrong, of pydantic's first error."""
    name, value = str(error["loc"][0]), error["input"]
    field = model.__pydantic_fields__.get(name)
    if field is None or error["type"].startswith(("unexpected", "missing")):
        return TypeError(f"{model.__name__}: {error['msg']}: {name}")
    asked, low, high = option(field), limit(field, "ge"), limit(field, "le")
    if error["type"] == "literal_error":
        known = ", ".join(map(str, get_args(kind(field))))
        return InputError(f"There is no {name} ‘{str(value)[:40]}’.", f"There are: {known}.")
    if error["type"] == "string_too_short":
        return InputError(f"A {name} string must not be empty.", "Leave it out instead.")
    limited = asked.wrong or None not in (low, high)
    if not isinstance(value, int | float) or error["type"] == "int_from_float" or not limited:
        number = "whole number" if kind(field) is int else "number"
        return InputError(f"{name} must be a {number}, not ‘{str(value)[:40]}’.")
    said = asked.wrong or model.LIMITS
    return InputError(said.format(name=name, low=low, high=high, value=value))
