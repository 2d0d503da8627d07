"""lmlab: see what a language model expects.

>>> import lmlab
>>> scored = lmlab.score("base", "Once upon a time")  # doctest: +SKIP
>>> scored.perplexity  # doctest: +SKIP

Importing this package imports neither torch nor gradio; what needs them loads on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lmlab.api import (
        compare,
        complete,
        evaluate,
        finetune,
        generate,
        load,
        score,
        score_many,
        side_by_side,
    )
    from lmlab.compared import Compared
    from lmlab.completions import Completion, Step
    from lmlab.controls import GenerateConfig
    from lmlab.data import Dataset
    from lmlab.errors import LabError
    from lmlab.evaluations import Evaluation
    from lmlab.finetuning.config import FinetuneConfig
    from lmlab.finetuning.sets import TuningData
    from lmlab.models import ModelRef, ModelStore
    from lmlab.results import Alternative, Scored, TokenScore
    from lmlab.templates import PromptTemplate

__version__ = "0.1.0"

_HOMES = {
    "compare": "lmlab.api",
    "complete": "lmlab.api",
    "evaluate": "lmlab.api",
    "finetune": "lmlab.api",
    "generate": "lmlab.api",
    "load": "lmlab.api",
    "score": "lmlab.api",
    "score_many": "lmlab.api",
    "side_by_side": "lmlab.api",
    "Compared": "lmlab.compared",
    "Completion": "lmlab.completions",
    "Step": "lmlab.completions",
    "GenerateConfig": "lmlab.controls",
    "Dataset": "lmlab.data",
    "LabError": "lmlab.errors",
    "Evaluation": "lmlab.evaluations",
    "FinetuneConfig": "lmlab.finetuning.config",
    "TuningData": "lmlab.finetuning.sets",
    "ModelRef": "lmlab.models",
    "ModelStore": "lmlab.models",
    "Alternative": "lmlab.results",
    "Scored": "lmlab.results",
    "TokenScore": "lmlab.results",
    "PromptTemplate": "lmlab.templates",
}

__all__ = [
    "Alternative",
    "Compared",
    "Completion",
    "Dataset",
    "Evaluation",
    "FinetuneConfig",
    "GenerateConfig",
    "LabError",
    "ModelRef",
    "ModelStore",
    "PromptTemplate",
    "Scored",
    "Step",
    "TokenScore",
    "TuningData",
    "__version__",
    "compare",
    "complete",
    "evaluate",
    "finetune",
    "generate",
    "load",
    "score",
    "score_many",
    "side_by_side",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lmlab' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
