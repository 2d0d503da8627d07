"""The transformers library's models, as they are or by steps that were shown to equal them."""

from pathlib import Path

from lmlab.models.backends import Found
from lmlab.models.gives import GIVES


def gives(name: str) -> frozenset[str]:
    """All there is."""
    return frozenset(GIVES)


def find(place: Path, name: str) -> Found:
    """The model in a folder.

    Raises:
        ModelError: it cannot be read, or must not be.
    """
    from lmlab.models.backends.transformers.loading import inspect

    return inspect(place, name)
