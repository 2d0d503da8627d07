"""What both kinds of runs have in their settings: limits, sentences, JSON. Knows no torch."""

from collections.abc import Mapping
from typing import Any, Literal, Self, get_args, get_origin

from pydantic import ConfigDict
from pydantic.fields import FieldInfo

from lmlab.errors import InputError
from lmlab.options import CHECKED, Checked, kind, limit

STRICT = ConfigDict(**CHECKED, strict=True, use_attribute_docstrings=True)


class RunConfig(Checked):
    """Settings of a run: what cannot be is named with its limits; to JSON and back."""

    @classmethod
    def refused(cls, name: str, field: FieldInfo, problem: str, value: Any) -> InputError:
        """The sentence for a setting that cannot be."""
        of, low, high = kind(field), limit(field, "ge"), limit(field, "le")
        shown = str(value)[:40] if isinstance(value, int | float) else f"‘{str(value)[:40]}’"
        said, hint = f"The {name.replace('_', ' ')} cannot be {shown}.", ""
        if get_origin(of) is Literal:
            hint = f"It is one of {', '.join(get_args(of))}."
        elif of is int:
            hint = f"It is a whole number from {low:,} to {high:,}."
        elif of is float:
            hint = f"It is a number from {low:g} to {high:g}."
        return InputError(said, hint)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        values = {name: getattr(self, name) for name in self.__pydantic_fields__}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """The config of a dict; unknown settings are refused. Raises InputError: an unknown
        setting, or one that cannot be.
        """
        known = cls.__pydantic_fields__
        if unknown := sorted(set(raw) - set(known)):
            raise InputError(
                f"There is no setting ‘{str(unknown[0])[:40]}’.",
                f"There are: {', '.join(sorted(known))}.",
            )
        return cls(**raw)

    def difference(self, other: Self) -> dict[str, tuple[Any, Any]]:
        """Settings that are not the same: {name: (mine, other's)}."""
        mine, theirs = self.to_dict(), other.to_dict()
        return {key: (mine[key], theirs[key]) for key in mine if mine[key] != theirs[key]}

    def changed(self, other: Self) -> list[str]:
        """What another has otherwise, in words."""
        found = self.difference(other).items()
        return [f"{name.replace('_', ' ')} is {mine}, not {its}" for name, (mine, its) in found]
