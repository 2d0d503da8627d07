"""From a transformers config to the shape that ``scale`` counts, where it is known.
Reads numbers alone, no model.
"""

from collections.abc import Callable, Mapping
from typing import Any

from lmlab.features.scale.counts import Shape


def from_config(config: Mapping[str, Any]) -> Shape | None:
    """The shape that a transformers config describes; None for an architecture that is not known.

    Args:
        config: ``model.config.to_dict()`` or a config.json.
    """
    reader = READERS.get(str(config.get("model_type")))
    return reader(config) if reader else None


def _gpt2(config: Mapping[str, Any]) -> Shape:
    return Shape(
        layers=config["n_layer"],
        width=config["n_embd"],
        heads=config["n_head"],
        vocabulary=config["vocab_size"],
        context=config["n_positions"],
        feed_forward=config.get("n_inner") or 4 * config["n_embd"],
        tied=config.get("tie_word_embeddings", True),
        # GPT-1 ends without a norm.
        final_norm=config["model_type"] == "gpt2",
    )


def _sizes(config: Mapping[str, Any]) -> dict[str, Any]:
    """What most configs name alike."""
    return {
        "layers": config["num_hidden_layers"],
        "width": config["hidden_size"],
        "heads": config["num_attention_heads"],
        "vocabulary": config["vocab_size"],
        "context": config["max_position_embeddings"],
    }


def _llama(config: Mapping[str, Any]) -> Shape:
    model_type = config["model_type"]
    biased = bool(config.get("attention_bias", False))
    return Shape(
        **_sizes(config),
        feed_forward=config["intermediate_size"],
        kv_heads=config.get("num_key_value_heads") or 0,
        head_width=config.get("head_dim") or 0,
        tied=config.get("tie_word_embeddings", False),
        positions="none",
        gated=True,
        norm="rms",
        attention_biases=biased or model_type == "qwen2",
        output_bias=biased,
        feed_forward_biases=bool(config.get("mlp_bias", False)),
    )


def _neox(config: Mapping[str, Any]) -> Shape:
    biased = bool(config.get("attention_bias", True))
    return Shape(
        **_sizes(config),
        feed_forward=config["intermediate_size"],
        tied=config.get("tie_word_embeddings", False),
        positions="none",
        attention_biases=biased,
        output_bias=biased,
    )


def _opt(config: Mapping[str, Any]) -> Shape | None:
    if config.get("word_embed_proj_dim", config["hidden_size"]) != config["hidden_size"]:
        return None
    return Shape(
        **_sizes(config),
        feed_forward=config["ffn_dim"],
        tied=config.get("tie_word_embeddings", True),
        extra_positions=2,
        attention_biases=config.get("enable_bias", True),
        output_bias=config.get("enable_bias", True),
        feed_forward_biases=config.get("enable_bias", True),
        final_norm=not config.get("_remove_final_layer_norm", False),
    )


READERS: Mapping[str, Callable[[Mapping[str, Any]], Shape | None]] = {
    "gpt2": _gpt2,
    "openai-gpt": _gpt2,
    "llama": _llama,
    "mistral": _llama,
    "qwen2": _llama,
    "gpt_neox": _neox,
    "opt": _opt,
}
