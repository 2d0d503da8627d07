"""lmlab: see what a language model expects.

>>> import lmlab
>>> scored = lmlab.score("base", "Once upon a time")  # doctest: +SKIP
>>> scored.perplexity  # doctest: +SKIP

Importing this package imports neither torch nor gradio; what needs them loads on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lmlab.version import __version__

if TYPE_CHECKING:
    from lmlab.api import (
        compare,
        complete,
        evaluate,
        finetune,
        generate,
        load,
        pretrain,
        score,
        score_many,
        side_by_side,
    )
    from lmlab.errors import LabError
    from lmlab.features.prompt.evaluations import Evaluation
    from lmlab.models.store import ModelRef, ModelStore
    from lmlab.results.compared import Compared
    from lmlab.results.completions import Completion, Step
    from lmlab.results.controls import GenerateConfig
    from lmlab.results.scored import Alternative, Scored, TokenScore
    from lmlab.results.words import Word, words
    from lmlab.scoring.score import ScoreRequest
    from lmlab.text.sets import Dataset
    from lmlab.text.templates import PromptTemplate
    from lmlab.training.config import FinetuneConfig
    from lmlab.training.pretrain_config import PretrainConfig
    from lmlab.training.sets import TuningData

_HOMES = {
    "compare": "lmlab.api",
    "complete": "lmlab.api",
    "evaluate": "lmlab.api",
    "finetune": "lmlab.api",
    "generate": "lmlab.api",
    "load": "lmlab.api",
    "pretrain": "lmlab.api",
    "score": "lmlab.api",
    "score_many": "lmlab.api",
    "side_by_side": "lmlab.api",
    "Compared": "lmlab.results.compared",
    "Completion": "lmlab.results.completions",
    "Step": "lmlab.results.completions",
    "GenerateConfig": "lmlab.results.controls",
    "Dataset": "lmlab.text.sets",
    "LabError": "lmlab.errors",
    "Evaluation": "lmlab.features.prompt.evaluations",
    "FinetuneConfig": "lmlab.training.config",
    "PretrainConfig": "lmlab.training.pretrain_config",
    "TuningData": "lmlab.training.sets",
    "ModelRef": "lmlab.models.store",
    "ModelStore": "lmlab.models.store",
    "Alternative": "lmlab.results.scored",
    "Scored": "lmlab.results.scored",
    "TokenScore": "lmlab.results.scored",
    "Word": "lmlab.results.words",
    "words": "lmlab.results.words",
    "ScoreRequest": "lmlab.scoring.score",
    "PromptTemplate": "lmlab.text.templates",
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
    "PretrainConfig",
    "PromptTemplate",
    "ScoreRequest",
    "Scored",
    "Step",
    "TokenScore",
    "TuningData",
    "Word",
    "__version__",
    "compare",
    "complete",
    "evaluate",
    "finetune",
    "generate",
    "load",
    "pretrain",
    "score",
    "score_many",
    "side_by_side",
    "words",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lmlab' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
