"""What the Fine-tune tab shows besides its own components: what stands in ``views.jinja``."""

from collections.abc import Sequence
from typing import Any

from lmlab.numbers import signed
from lmlab.parts import run_drawings
from lmlab.parts.html import html
from lmlab.parts.run_drawings import Contender
from lmlab.parts.run_views import method_name
from lmlab.runs.store import RunInfo
from lmlab.training.config import OWN, FinetuneConfig
from lmlab.training.counting import Counts, MatrixCount

VIEWS = "features/tuning/views"
MOST_GROUPS = 24
# Settings that say nothing about a run beside those that are compared anyway.
QUIET_SETTINGS = frozenset(("sample_every", "evaluate_every", "save_every", "measure"))


def counter(counts: Counts, config: FinetuneConfig) -> str:
    """How much learns, what it costs, the lecture's count, and a drawing at true proportions."""
    found: dict[tuple[Any, ...], list[MatrixCount]] = {}
    for matrix in counts.matrices:  # those of one name within a layer, shape and rank together
        found.setdefault((_leaf(matrix.name), matrix.shape, matrix.rank), []).append(matrix)
    flat = [some for some in found.values() if len(some[0].shape) == 2]
    typical = max(flat, key=len)[0] if flat else None
    groups = [(name, some) for (name, _, _), some in found.items()]
    made = _leaf(typical.name) if typical else "", _drawn(counts, config, typical)
    return html(VIEWS, "counter", counts, config, groups, typical, *made, MOST_GROUPS)


def _drawn(counts: Counts, config: FinetuneConfig, matrix: MatrixCount | None) -> dict[str, str]:
    """What learns at true proportions, and its share of all."""
    shape = ""
    if config.soft:
        shape = run_drawings.soft_prompt(config.soft, counts.trainable // config.soft)
    elif matrix:
        d, k = matrix.shape
        shape = run_drawings.whole(d, k)
        if matrix.rank:
            shape = run_drawings.low_rank(d, k, matrix.rank, scale=config.scale)
    return {"shape": shape, "share": run_drawings.share_bar(counts.trainable, counts.total)}


def settings_table(runs: Sequence[RunInfo]) -> str:
    """What the chosen runs do differently, side by side; what all share in one line below."""
    if not runs:
        return ""
    rows = [_settings(info) for info in runs]
    names = list(dict.fromkeys(name for row in rows for name in row))
    differ = [name for name in names if len({row.get(name, "–") for row in rows}) > 1]
    same = [name for name in names if name not in differ and any(n.get(name) for n in rows)]
    shared = ", ".join(f"{name} {rows[0].get(name)}" for name in same)
    return html(VIEWS, "settings_table", [*map(method_name, runs)], rows, differ, shared)


def race(runs: Sequence[RunInfo]) -> str:
    """Held-out loss and accuracy against how much learned; forgetting is the colour."""
    over = [info for info in runs if info.trainable and info.step]
    if len(over) < 2:
        return ""

    def chart(key: str, said: str, **how: Any) -> str:
        points = [
            Contender(method_name(info), info.trainable, getattr(info, key), info.forgetting)
            for info in over
        ]
        return run_drawings.contest(points, said, **how)

    charts = [
        chart("valid_loss", "held-out loss, nats a token"),
        chart("accuracy", "answered right", percent=True),
    ]
    most = max((abs(info.forgetting) for info in over if info.forgetting is not None), default=0.0)
    data, rows = ({(i.data, i.template) for i in over}, {(i.measured, i.held_out) for i in over})
    return html(VIEWS, "race", charts, signed(most, 3), len(data) > 1, len(rows) > 1)


def _settings(info: RunInfo) -> dict[str, str]:
    hidden = {key for keys in OWN.values() for key in keys} | QUIET_SETTINGS
    hidden -= set(OWN[info.config.method])
    found = {"model": info.model, "data": info.data, "wording": info.template or "plain text"}
    if info.held_out:
        found["measured rows"] = f"{info.measured:,} of {info.held_out:,}"
    shown = ((key, value) for key, value in info.config.to_dict().items() if key not in hidden)
    return found | {key.replace("_", " "): _value(value) for key, value in shown}


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "all"
    return str(value)


def _leaf(name: str) -> str:
    """A parameter's own name, without layers above it and the word ‘weight’.

    >>> _leaf("model.layers.0.mlp.up_proj.weight"), _leaf("h.0.attn.c_attn.bias")
    ('up_proj', 'c_attn.bias')
    """
    path = name.removesuffix(".weight").split(".")
    return ".".join(path[-2:]) if path[-1] == "bias" else path[-1]
