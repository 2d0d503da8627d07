"""The form in which a wording meets a model: plain text, or the turns of its chat template."""

from typing import Literal, get_args

Form = Literal["plain", "chat"]

FORMS: tuple[Form, ...] = get_args(Form)
SAID: dict[str, str] = {"plain": "plain form", "chat": "chat form"}


def form_named(value: object) -> Form | None:
    """A form by its name; None for anything else.

    >>> form_named("chat"), form_named("")
    ('chat', None)
    """
    return next((form for form in FORMS if form == value), None)
