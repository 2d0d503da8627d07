"""What long work says on its way: frozen events of plain values."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Loading:
    """What is being done to have a model at hand, in words."""

    message: str


@dataclass(frozen=True, slots=True)
class Notice(Loading):
    """The same, to be said still when all is done."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How much is done, in what the work counts: tokens, matrices, texts."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Reading:
    """How much of a long prompt is read so far, in tokens; it is not the last piece yet."""

    done: int
    total: int
