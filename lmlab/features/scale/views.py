"""What the parameter builder shows of a shape, as HTML. Pure arithmetic, no model."""

from collections.abc import Sequence
from html import escape
from typing import Any

import plotly.graph_objects as go
from markupsafe import Markup

from lmlab.features.scale import amounts, counts, plots
from lmlab.features.scale.counts import Shape
from lmlab.features.scale.published import PUBLISHED
from lmlab.parts.html import filled
from lmlab.parts.run_drawings import low_rank

GROUPS = {
    "embeddings": ("token embeddings", "positions"),
    "attention": ("attention: queries", "attention: keys and values", "attention: output"),
    "feed-forward": ("feed-forward",),
    "norms and biases": ("biases", "norms", "last norm"),
    "head": ("head",),
}
# In place of what follows from a shape that cannot be.
WAITS = '<p class="lm-why">The numbers come back as soon as the shape can be.</p>'


def problem(text: str) -> str:
    """What is wrong, where a result would stand."""
    return f'<p class="lm-problem" role="status">{escape(text)}</p>'


def named(shape: Shape) -> str:
    """A shape in a few words."""
    known = [row.name for row in PUBLISHED if row.shape == shape]
    return f"the shape of {known[0]}" if known else f"L = {shape.layers:,}, d = {shape.width:,}"


def figures(shape: Shape) -> str:
    """The count and what it costs to hold, in cards."""
    return _filled("figures", shape=shape, named=named(shape))


def by_part(shape: Shape) -> str:
    """The bar and the exact table."""
    found, total = counts.parts(shape), counts.parameters(shape)
    sums = [
        (name, sum(part.total for part in found if part.name in some))
        for name, some in GROUPS.items()
    ]
    groups = [(name, size) for name, size in sums if size]
    return _filled("parts", groups=groups, parts=found, total=total, tied=shape.tied)


def memory(shape: Shape) -> str:
    """Weights by number format, and what training with AdamW keeps."""
    return _filled("memory", total=counts.parameters(shape))


def cache(shape: Shape, dtype: str, batch: int, length: int) -> tuple[go.Figure, str]:
    """Keys and values against length, as a figure and in words."""
    one = counts.cache_bytes(shape, 1, dtype)
    lines = [("1 sequence" if batch > 1 else "this shape", one)]
    if batch > 1:
        lines.append((f"{amounts.short(batch)} sequences", one * batch))
    if shape.kv_heads and shape.kv_heads < shape.heads:
        lines.append(("all heads kept", one * shape.heads / shape.kv_heads * batch))
    weights = counts.weights_bytes(counts.parameters(shape), dtype)
    said = _filled(
        "cache", shape=shape, one=one, weights=weights, dtype=dtype, batch=batch, length=length
    )
    return plots.cache_curve(lines, length, weights), said


def training(shape: Shape, tokens: float, rate: float, reached: float) -> str:
    """6·N·D and the time it takes at a rate in operations a second, of which a share is reached."""
    total, inner = counts.parameters(shape), counts.non_embedding(shape)
    needed, least = (counts.training_flops(n, round(tokens)) for n in (total, inner))
    time = amounts.duration(counts.training_seconds(needed, rate, reached))
    plan = {"tokens": tokens, "rate": rate, "reached": reached}
    return _filled("training", total=total, needed=needed, inner=least, time=time, **plan)


def lora(shape: Shape, rank: int, targets: Sequence[str]) -> str:
    """LoRA of rank ℓ by matrix: d·k against ℓ(d + k)."""
    matrices = counts.lora(shape, rank, tuple(targets))
    first = matrices[0]
    like = named(shape) == "the shape of GPT-3" and set(targets) == {"q", "v"}
    return _filled(
        "lora",
        matrices=matrices,
        total=counts.parameters(shape),
        added=sum(one.added for one in matrices),
        drawing=Markup(low_rank(first.d, first.k, rank)),
        paper={1: "4.7 M", 8: "37.7 M"}.get(rank) if like else None,
    )


def _filled(template: str, **values: Any) -> str:
    words = {name: getattr(amounts, name) for name in ("size", "short", "flops", "percent")}
    return filled(f"features/scale/{template}", counts=counts, **words, **values)
