"""lmlab: see what a language model expects.

>>> import lmlab
>>> scored = lmlab.score("base", "Once upon a time")  # doctest: +SKIP
>>> scored.perplexity  # doctest: +SKIP

Importing this package imports neither torch nor gradio; what needs them loads on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lmlab.api import load, score, score_many
    from lmlab.errors import LabError
    from lmlab.models import ModelRef, ModelStore
    from lmlab.results import Alternative, Scored, TokenScore

__version__ = "0.1.0"

_HOMES = {
    "load": "lmlab.api",
    "score": "lmlab.api",
    "score_many": "lmlab.api",
    "LabError": "lmlab.errors",
    "ModelRef": "lmlab.models",
    "ModelStore": "lmlab.models",
    "Alternative": "lmlab.results",
    "Scored": "lmlab.results",
    "TokenScore": "lmlab.results",
}

__all__ = [
    "Alternative",
    "LabError",
    "ModelRef",
    "ModelStore",
    "Scored",
    "TokenScore",
    "__version__",
    "load",
    "score",
    "score_many",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lmlab' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
