"""What runs models: one module, or folder, a backend. Imports no torch.

A model whose name begins with the name of a module here and a colon (``mock:bigram``) is that
backend's, one that ends in ``.gguf`` is llama.cpp's; every other one is a folder for transformers.
Such a module has two functions,

- ``gives(name)``: which of ``models.gives.GIVES`` may be asked of a model, before it is loaded;
- ``find(place, name)``: a ``Found``, or a ``ModelError`` that says why there is none.
"""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Protocol, cast

from lmlab.models.gives import GIVES
from lmlab.settings import Settings

if TYPE_CHECKING:
    from lmlab.models.fair_lock import Turns
    from lmlab.models.model import LM

DEFAULT, GGUF = "transformers", "gguf"


class Found(Protocol):
    """A model that was looked at and may be loaded."""

    def memory(self, settings: Settings) -> int:
        """Bytes that it will take."""

    def load(self, settings: Settings) -> "Copy":
        """Read it.

        Raises:
            LabError: it cannot be read, or there is not enough memory.
        """


class Copy(Protocol):
    """One loaded copy of a model, which several may share."""

    lock: "Turns"  # held while the model is borrowed
    adapters: Any  # those that are attached: ``in`` and ``detach``

    @property
    def n_bytes(self) -> int:
        """What it takes in memory."""

    def lm(self, name: str, adapter: Path | None = None, alpha: float = 1.0) -> "LM":
        """The model with one adapter, or none, switched on."""


class Backend(Protocol):
    """A module of this package."""

    def gives(self, name: str) -> frozenset[str]:
        """What may be asked of a model."""

    def find(self, place: Path, name: str) -> Found:
        """The model of a name."""


def scheme(name: str) -> str:
    """The backend that a name begins with, as in ``mock:bigram``, or that reads files of its kind;
    empty for all other names."""
    first, colon, _ = name.partition(":")
    if name.lower().endswith(f".{GGUF}"):
        return GGUF
    return first if colon and any(one.name == first for one in iter_modules(__path__)) else ""


def bare(name: str) -> str:
    """A GGUF file's name without the backend before it.

    >>> bare("gguf:model.gguf"), bare("model.gguf")
    ('model.gguf', 'model.gguf')
    """
    return name.removeprefix(f"{GGUF}:")


def backend_of(name: str) -> Backend:
    """What runs a model."""
    return cast(Backend, import_module(f"{__name__}.{scheme(name) or DEFAULT}"))


def lacking(name: str, needs: frozenset[str]) -> str:
    """Why a model cannot serve what needs all this, in a sentence; empty where it can."""
    missing = needs - backend_of(name).gives(name)
    said = " and no ".join(words for key, words in GIVES.items() if key in missing)
    return f"‘{name}’ gives no {said}." if said else ""
