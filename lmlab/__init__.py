"""lmlab: see what a language model expects.

>>> import lmlab
>>> scored = lmlab.score("base", "Once upon a time")  # doctest: +SKIP
>>> scored.perplexity  # doctest: +SKIP

Importing this package imports neither torch nor gradio; what needs them loads on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lmlab.version import __version__ as __version__

if TYPE_CHECKING:
    from lmlab.api import compare as compare
    from lmlab.api import complete as complete
    from lmlab.api import evaluate as evaluate
    from lmlab.api import finetune as finetune
    from lmlab.api import generate as generate
    from lmlab.api import load as load
    from lmlab.api import pretrain as pretrain
    from lmlab.api import score as score
    from lmlab.api import score_many as score_many
    from lmlab.api import side_by_side as side_by_side
    from lmlab.errors import LabError as LabError
    from lmlab.features.prompt.evaluations import Evaluation as Evaluation
    from lmlab.generation.completions import Completion as Completion
    from lmlab.generation.completions import Step as Step
    from lmlab.generation.config import GenerateConfig as GenerateConfig
    from lmlab.runs.model_store import ModelRef as ModelRef
    from lmlab.runs.model_store import ModelStore as ModelStore
    from lmlab.scoring.compared import Compared as Compared
    from lmlab.scoring.score import ScoreRequest as ScoreRequest
    from lmlab.scoring.scored import Scored as Scored
    from lmlab.scoring.tokens import Alternative as Alternative
    from lmlab.scoring.tokens import TokenScore as TokenScore
    from lmlab.scoring.words import Word as Word
    from lmlab.scoring.words import words as words
    from lmlab.text.sets import Dataset as Dataset
    from lmlab.text.templates import PromptTemplate as PromptTemplate
    from lmlab.training.config import FinetuneConfig as FinetuneConfig
    from lmlab.training.pretrain_config import PretrainConfig as PretrainConfig
    from lmlab.training.sets import TuningData as TuningData

_PUBLIC = {
    "lmlab.api": "compare complete evaluate finetune generate load pretrain score score_many "
    "side_by_side",
    "lmlab.scoring.compared": "Compared",
    "lmlab.generation.completions": "Completion Step",
    "lmlab.generation.config": "GenerateConfig",
    "lmlab.text.sets": "Dataset",
    "lmlab.errors": "LabError",
    "lmlab.features.prompt.evaluations": "Evaluation",
    "lmlab.training.config": "FinetuneConfig",
    "lmlab.training.pretrain_config": "PretrainConfig",
    "lmlab.training.sets": "TuningData",
    "lmlab.runs.model_store": "ModelRef ModelStore",
    "lmlab.scoring.tokens": "Alternative TokenScore",
    "lmlab.scoring.scored": "Scored",
    "lmlab.scoring.words": "Word words",
    "lmlab.scoring.score": "ScoreRequest",
    "lmlab.text.templates": "PromptTemplate",
}
_HOMES = {name: module for module, names in _PUBLIC.items() for name in names.split()}
__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lmlab' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
