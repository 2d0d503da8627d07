"""The errors a user can cause or meet. Each says what is wrong and what to do about it.

Imports nothing, so that every other module may raise them.
"""


class LabError(Exception):
    """Something the user can act on.

    Args:
        message: one sentence saying what is wrong.
        hint: one sentence saying what to do; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class ModelError(LabError):
    """A model cannot be named, found, fetched, read or held in memory."""


class InputError(LabError):
    """A text, a number or a row that cannot be worked with."""


class MemoryLimitError(LabError):
    """The machine has too little memory for what was asked."""
