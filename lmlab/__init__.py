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
        pretrain,
        score,
        score_many,
        side_by_side,
    )
    from lmlab.data.sets import Dataset
    from lmlab.errors import LabError
    from lmlab.finetuning.config import FinetuneConfig
    from lmlab.finetuning.sets import TuningData
    from lmlab.models.store import ModelRef, ModelStore
    from lmlab.pretraining.config import PretrainConfig
    from lmlab.prompts.templates import PromptTemplate
    from lmlab.results.compared import Compared
    from lmlab.results.completions import Completion, Step
    from lmlab.results.controls import GenerateConfig
    from lmlab.results.evaluations import Evaluation
    from lmlab.results.scored import Alternative, Scored, TokenScore
    from lmlab.results.words import Word, words
    from lmlab.scoring.score import ScoreRequest

__version__ = "0.1.0"

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
    "Dataset": "lmlab.data.sets",
    "LabError": "lmlab.errors",
    "Evaluation": "lmlab.results.evaluations",
    "FinetuneConfig": "lmlab.finetuning.config",
    "PretrainConfig": "lmlab.pretraining.config",
    "TuningData": "lmlab.finetuning.sets",
    "ModelRef": "lmlab.models.store",
    "ModelStore": "lmlab.models.store",
    "Alternative": "lmlab.results.scored",
    "Scored": "lmlab.results.scored",
    "TokenScore": "lmlab.results.scored",
    "Word": "lmlab.results.words",
    "words": "lmlab.results.words",
    "ScoreRequest": "lmlab.scoring.score",
    "PromptTemplate": "lmlab.prompts.templates",
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
