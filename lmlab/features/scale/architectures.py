"""From a transformers config to the shape that ``counts`` counts, and back, where it is known.
Reads numbers alone, no model.
"""

from collections.abc import Callable, Mapping
from typing import Any

from lmlab.features.scale.counts import Shape

Config = Mapping[str, Any]
# What configs call a shape's fields: GPT-2's, Llama's, and of these what most have.
GPT2 = {
    "layers": "n_layer",
    "width": "n_embd",
    "heads": "n_head",
    "feed_forward": "n_inner",
    "vocabulary": "vocab_size",
    "context": "n_positions",
    "tied": "tie_word_embeddings",
}
LLAMA = {
    "layers": "num_hidden_layers",
    "width": "hidden_size",
    "heads": "num_attention_heads",
    "kv_heads": "num_key_value_heads",
    "head_width": "head_dim",
    "feed_forward": "intermediate_size",
    "vocabulary": "vocab_size",
    "context": "max_position_embeddings",
    "attention_biases": "attention_bias",
    "feed_forward_biases": "mlp_bias",
    "tied": "tie_word_embeddings",
}
SIZES = {key: LLAMA[key] for key in ("layers", "width", "heads", "vocabulary", "context")}


def from_config(config: Config) -> Shape | None:
    """The shape that a transformers config, ``model.config.to_dict()`` or a config.json, describes;
    None for an architecture that is not known."""
    reader = READERS.get(str(config.get("model_type")))
    told = reader(config) if reader else None
    return Shape(**told) if told else None


def to_config(shape: Shape) -> tuple[str, dict[str, int | bool]] | None:
    """The kind of model that has a shape, and its config; None where there is no such kind."""
    plain = shape.query_width == shape.key_width == shape.width
    biases = shape.attention_biases and shape.output_bias and shape.feed_forward_biases
    learned = (shape.positions, shape.norm) == ("learned", "layer") and not shape.extra_positions
    if learned and biases and plain and shape.final_norm and not shape.gated:
        return "gpt2", {theirs: getattr(shape, ours) for ours, theirs in GPT2.items()}
    rotary = (shape.positions, shape.norm) == ("none", "rms") and shape.gated and shape.final_norm
    if rotary and shape.attention_biases == shape.output_bias and not shape.width % shape.heads:
        known = {theirs: getattr(shape, ours) for ours, theirs in LLAMA.items()}
        known["num_key_value_heads"] = shape.kv_heads or shape.heads
        known["head_dim"] = shape.head_width or shape.width // shape.heads
        return "llama", known
    return None


def _gpt2(config: Config) -> dict[str, Any]:
    told = {ours: config[theirs] for ours, theirs in GPT2.items() if theirs in config}
    inner = told.get("feed_forward") or 4 * told["width"]
    # GPT-1 ends without a norm.
    return told | {"feed_forward": inner, "final_norm": config["model_type"] == "gpt2"}


def _sizes(config: Config, inner: str = "intermediate_size", tied: bool = False) -> dict[str, Any]:
    """What most configs name alike."""
    return {
        **{ours: config[theirs] for ours, theirs in SIZES.items()},
        "feed_forward": config[inner],
        "tied": config.get("tie_word_embeddings", tied),
    }


def _llama(config: Config) -> dict[str, Any]:
    biased = bool(config.get("attention_bias", False))
    return _sizes(config) | {
        "kv_heads": config.get("num_key_value_heads") or 0,
        "head_width": config.get("head_dim") or 0,
        "positions": "none",
        "gated": True,
        "norm": "rms",
        "attention_biases": biased or config["model_type"] == "qwen2",
        "output_bias": biased,
        "feed_forward_biases": bool(config.get("mlp_bias", False)),
    }


def _neox(config: Config) -> dict[str, Any]:
    biased = bool(config.get("attention_bias", True))
    return _sizes(config) | {
        "positions": "none",
        "attention_biases": biased,
        "output_bias": biased,
    }


def _opt(config: Config) -> dict[str, Any] | None:
    if config.get("word_embed_proj_dim", config["hidden_size"]) != config["hidden_size"]:
        return None
    biases = ("attention_biases", "output_bias", "feed_forward_biases")
    return _sizes(config, "ffn_dim", tied=True) | {
        "extra_positions": 2,
        "final_norm": not config.get("_remove_final_layer_norm", False),
        **dict.fromkeys(biases, config.get("enable_bias", True)),
    }


READERS: Mapping[str, Callable[[Config], dict[str, Any] | None]] = {
    "gpt2": _gpt2,
    "openai-gpt": _gpt2,
    "llama": _llama,
    "mistral": _llama,
    "qwen2": _llama,
    "gpt_neox": _neox,
    "opt": _opt,
}
