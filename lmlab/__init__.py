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
    from lmlab.generation.completions import Completion, Step
    from lmlab.generation.config import GenerateConfig
    from lmlab.runs.model_store import ModelRef, ModelStore
    from lmlab.scoring.compared import Compared
    from lmlab.scoring.score import ScoreRequest
    from lmlab.scoring.scored import Scored
    from lmlab.scoring.tokens import Alternative, TokenScore
    from lmlab.scoring.words import Word, words
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
    "Compared": "lmlab.scoring.compared",
    "Completion": "lmlab.generation.completions",
    "Step": "lmlab.generation.completions",
    "GenerateConfig": "lmlab.generation.config",
    "Dataset": "lmlab.text.sets",
    "LabError": "lmlab.errors",
    "Evaluation": "lmlab.features.prompt.evaluations",
    "FinetuneConfig": "lmlab.training.config",
    "PretrainConfig": "lmlab.training.pretrain_config",
    "TuningData": "lmlab.training.sets",
    "ModelRef": "lmlab.runs.model_store",
    "ModelStore": "lmlab.runs.model_store",
    "Alternative": "lmlab.scoring.tokens",
    "Scored": "lmlab.scoring.scored",
    "TokenScore": "lmlab.scoring.tokens",
    "Word": "lmlab.scoring.words",
    "words": "lmlab.scoring.words",
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
