"""Receipts of size: parameters counted, and what models reach on held-out texts."""

from collections.abc import Sequence

from lmlab.features.scale import counts
from lmlab.features.scale.counts import Shape
from lmlab.features.scale.measured import Measured
from lmlab.receipts.script import script

DEEPEST = 400  # layers that are built without weights in a few seconds


def parameters(model: str, count: int, added: int | None = None) -> str:
    """How many parameters a model has, from its config alone, and how many more its adapter; tied
    ones count once."""
    return script("features/scale/parameters", [model], count=count, added=added)


def shape(asked: Shape) -> str:
    """How many parameters a shape has: of a model that transformers builds where there is one of
    that shape, else by arithmetic, part by part."""
    kind, fields = (_config(asked) if asked.layers <= DEEPEST else None) or ("", {})
    found = {"count": counts.parameters(asked), "parts": counts.parts(asked)}
    return script("features/scale/shape", shape=asked, kind=kind, fields=fields, **found)


def measured(found: Sequence[Measured]) -> str:
    """Bits per byte and perplexity of one model on held-out texts that ship, one a kind."""
    return script("features/scale/measured", [found[0].model], found=found)


def _config(asked: Shape) -> tuple[str, dict[str, int | bool]] | None:
    """The kind of model that has this shape, and its config; None where there is no such kind."""
    biases = (asked.attention_biases, asked.output_bias, asked.feed_forward_biases)
    plain = asked.query_width == asked.key_width == asked.width
    if (
        (asked.positions, asked.norm) == ("learned", "layer")
        and all((*biases, plain, asked.final_norm))
        and not (asked.gated or asked.extra_positions)
    ):
        return "gpt2", {
            "n_layer": asked.layers,
            "n_embd": asked.width,
            "n_head": asked.heads,
            "n_inner": asked.feed_forward,
            "vocab_size": asked.vocabulary,
            "n_positions": asked.context,
            "tie_word_embeddings": asked.tied,
        }
    rotary = (asked.positions, asked.norm) == ("none", "rms") and asked.gated and asked.final_norm
    if rotary and biases[0] == biases[1] and asked.width % asked.heads == 0:
        return "llama", {
            "num_hidden_layers": asked.layers,
            "hidden_size": asked.width,
            "num_attention_heads": asked.heads,
            "num_key_value_heads": asked.kv_heads or asked.heads,
            "head_dim": asked.head_width or asked.width // asked.heads,
            "intermediate_size": asked.feed_forward,
            "vocab_size": asked.vocabulary,
            "max_position_embeddings": asked.context,
            "attention_bias": biases[0],
            "mlp_bias": biases[2],
            "tie_word_embeddings": asked.tied,
        }
    return None
