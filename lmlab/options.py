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
        short: the flag's other spelling.
        wrong: the sentence for a value out of its limits, about ``value``.
        labels: on the page, of the values of a choice.
        hint: what stands in an empty box.
        typed: a number is typed as text.
        commas: a tuple is one text with commas, which the model cuts; else one line or flag a part.
    """

    label: str = ""
    help: str = ""
    id: str = ""
    low: float | None = None
    high: float | None = None
    step: float | None = None
    flag: str | None = ""
    short: str = ""
    wrong: str = ""
    labels: tuple[str, ...] = ()
    hint: str = ""
    typed: bool = False
    commas: bool = False


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
            first = error.errors()[0]
            name = str(first["loc"][0])
            field = cls.__pydantic_fields__.get(name)
            if field is None or first["type"].startswith(("unexpected", "missing")):
                raise TypeError(f"{cls.__name__}: {first['msg']}: {name}") from None
            raise cls.refused(name, field, first["type"], first["input"]) from None

    @classmethod
    def refused(cls, name: str, field: FieldInfo, problem: str, value: Any) -> InputError:
        """The sentence for a value that cannot be; ``problem`` is pydantic's type of error."""
        asked, low, high = option(field), limit(field, "ge"), limit(field, "le")
        if problem == "literal_error":
            known = ", ".join(map(str, get_args(kind(field))))
            return InputError(f"There is no {name} ‘{str(value)[:40]}’.", f"There are: {known}.")
        if problem == "string_too_short":
            return InputError(f"A {name} string must not be empty.", "Leave it out instead.")
        limited = asked.wrong or None not in (low, high)
        if not isinstance(value, int | float) or problem == "int_from_float" or not limited:
            number = "whole number" if kind(field) is int else "number"
            return InputError(f"{name} must be a {number}, not ‘{str(value)[:40]}’.")
        said = asked.wrong or cls.LIMITS
        return InputError(said.format(name=name, low=low, high=high, value=value))


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


def add_flags(
    parser: Any, start: Checked, *, without: tuple[str, ...] = (), unsaid: bool = False
) -> None:
    """Declare a model's flags, with the values of ``start`` as defaults, or where ``unsaid`` with
    none: what is not given is then not among the arguments.
    """
    for name, field in flags(start).items():
        if name in without:
            continue
        asked, default = option(field), argparse.SUPPRESS if unsaid else getattr(start, name)
        said = asked.help or field.description or ""
        about: dict[str, Any] = {"dest": name, "default": default, "help": said}
        if asked.commas:
            about["metavar"] = "A,B"
        elif get_origin(kind(field)) is tuple:
            about |= {"action": "append", "default": [*default], "metavar": "TEXT"}
            about["help"] += "; may be repeated"
        elif kind(field) is bool:
            about["action"] = argparse.BooleanOptionalAction
        elif get_origin(kind(field)) is Literal:
            about["choices"] = get_args(kind(field))
        else:
            about["type"] = kind(field)
        names = (asked.flag or f"--{name.replace('_', '-')}", asked.short)
        parser.add_argument(*filter(None, names), **about)


def given(model: type[Checked], arguments: argparse.Namespace) -> dict[str, Any]:
    """The values that a command was given, by the names of the model's fields."""
    asked = vars(arguments)
    return {name: asked[name] for name in flags(model) if name in asked}


def read(model: type[M], arguments: argparse.Namespace) -> M:
    """The options that a command was given.

    Raises:
        InputError: one of them cannot be.
    """
    return model(**given(model, arguments))
