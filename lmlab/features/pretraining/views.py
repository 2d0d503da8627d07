"""What the Pre-training tab shows: a tokenizer as JSON for the page, a model's size as HTML.

Knows plain results; no model, no torch.
"""

import math

from lmlab.parts.strip import dump
from lmlab.training.pretrain_config import PretrainConfig
from lmlab.training.tokenizer import TokenizerView


def tokenizer(view: TokenizerView) -> str:
    """A tokenizer for the page's script: pieces, merges and frequent tokens as short lists."""
    return dump(
        {
            "error": "",
            "pieces": [[piece.text, piece.count, piece.id] for piece in view.pieces],
            "merges": [[m.left, m.right, m.text, m.count] for m in view.merges],
            "frequent": [[piece.text, piece.count] for piece in view.frequent],
        }
    )


def no_tokenizer(error: str) -> str:
    """A sentence where there is none."""
    return dump({"error": error, "pieces": [], "merges": [], "frequent": []})


def facts(view: TokenizerView) -> str:
    """A text and its tokenizer in figures."""
    made = (
        _figure(f"{view.n_chars:,}", "characters to learn from"),
        _figure(f"{view.n_tokens:,}", "tokens"),
        _figure(f"{view.bytes_per_token:.2f}", "bytes a token"),
        _figure(f"{view.size:,}", f"tokens in the vocabulary V, {view.n_merges:,} merges"),
        _figure(f"{view.uniform:.3f}", "ln V, nats: the loss before learning"),
        _figure(f"{view.unigram:.3f}", "entropy of the tokens’ frequencies, nats"),
    )
    return f'<div class="lm-facts">{"".join(made)}</div>'


def size(config: PretrainConfig, memory: str, duration: str) -> str:
    """A model's parameters by part, its memory, and how long the run takes."""
    d, f, n = config.width, config.feed_forward, config.layers
    parts = (
        ("embeddings and head V·d", config.vocabulary * d, "--lm-c0"),
        ("attention n·4d²", n * 4 * d * d, "--lm-c1"),
        ("feed-forward n·3·d·f", n * 3 * d * f, "--lm-c2"),
        ("norms", (2 * n + 1) * d, "--lm-c4"),
    )
    total = sum(count for _, count, _ in parts)
    bars = "".join(
        f'<i style="width:{100 * count / total:.3f}%;background:var({ink})"></i>'
        for _, count, ink in parts
    )
    key = "".join(
        f'<span><i style="background:var({ink})"></i>{name}: {count:,}</span>'
        for name, count, ink in parts
    )
    said = ", ".join(f"{name} {count:,}" for name, count, _ in parts)
    made = (
        _figure(f"{total:,}", f"parameters; d = {d}, n = {n}, f = {f}"),
        _figure(memory, "memory, about"),
        _figure(f"{config.tokens:,}", "tokens read in all steps"),
        _figure(duration, "about, for all steps"),
    )
    return (
        f'<div class="lm-facts">{"".join(made)}</div>'
        f'<div class="lm-shares" role="img" aria-label="Parameters by part: {said}">{bars}</div>'
        f'<div class="lm-sharekey">{key}</div>'
    )


def _figure(value: str, name: str) -> str:
    shown = "–" if value == "nan" or value == f"{math.inf}" else value
    return f'<div class="lm-fig"><div class="v">{shown}</div><div class="l">{name}</div></div>'
