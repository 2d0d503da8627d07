"""Models that read more than text: their text part alone, where it is a causal language model."""

from collections.abc import Iterable
from copy import deepcopy
from types import MappingProxyType
from typing import Any

from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from lmlab.errors import ModelError

# How such models name the tensors of their text part, and how it names them by itself.
KEYS = MappingProxyType(
    {
        r"^language_model\.lm_head\.": "lm_head.",
        r"^(?:model\.)?language_model\.(?:model\.)?": "model.",
        r"^model\.text_model\.": "model.",
    }
)
ENDING = "ForConditionalGeneration"


def text_part(config: Any, names: Iterable[str], name: str) -> Any | None:
    """The config of the text part of a model that reads more than text, or None for another one.

    Raises:
        ModelError: it is such a model, and its text part cannot be loaded by itself.
    """
    part = getattr(config, "text_config", None)
    if part is None or config.is_encoder_decoder or not any(n.endswith(ENDING) for n in names):
        return None
    if type(part) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise ModelError(
            f"‘{name}’ ({', '.join(names)}) reads more than text, and its text part "
            f"({part.model_type}) cannot be loaded by itself.",
            "Choose a model of text alone.",
        )
    return deepcopy(part)


def tied(part: Any, whole: Any, tensors: Iterable[str]) -> Any:
    """The text part's config, its head the embedding where the files hold no head of its own."""
    if getattr(whole, "tie_word_embeddings", False) and not any("lm_head" in t for t in tensors):
        part.tie_word_embeddings = True
    return part
