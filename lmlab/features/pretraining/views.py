"""What the Pre-training tab shows: a tokenizer as JSON for the page, a model's size as HTML.

Knows plain results; no model, no torch.
"""

import math
from typing import TYPE_CHECKING

from lmlab.numbers import duration, memory
from lmlab.parts.html import html
from lmlab.parts.strip import dump
from lmlab.training.pretrain_config import PretrainConfig

if TYPE_CHECKING:
    from lmlab.training.tokenizer import TokenizerView

VIEWS = "features/pretraining/views"


def tokenizer(view: "TokenizerView") -> str:
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


def facts(view: "TokenizerView") -> str:
    """A text and its tokenizer in figures."""
    return html(
        VIEWS,
        "facts",
        (
            (f"{view.n_chars:,}", "characters to learn from"),
            (f"{view.n_tokens:,}", "tokens"),
            (_shown(view.bytes_per_token, 2), "bytes a token"),
            (f"{view.size:,}", f"tokens in the vocabulary V, {view.n_merges:,} merges"),
            (_shown(view.uniform, 3), "ln V, nats: the loss before learning"),
            (_shown(view.unigram, 3), "entropy of the tokens’ frequencies, nats"),
        ),
    )


def size(config: PretrainConfig, seconds: float) -> str:
    """A model's parameters by part, its memory, and how long the run takes."""
    d, f, n = config.width, config.feed_forward, config.layers
    parts = (
        ("embeddings and head V·d", config.vocabulary * d, "--lm-c0"),
        ("attention n·4d²", n * 4 * d * d, "--lm-c1"),
        ("feed-forward n·3·d·f", n * 3 * d * f, "--lm-c2"),
        ("norms", (2 * n + 1) * d, "--lm-c4"),
    )
    figures = (
        (f"{config.parameters:,}", f"parameters; d = {d}, n = {n}, f = {f}"),
        (memory(config.memory_bytes), "memory, about"),
        (f"{config.tokens:,}", "tokens read in all steps"),
        (duration(seconds), "about, for all steps"),
    )
    return html(VIEWS, "size", figures, parts, config.parameters)


def _shown(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"
