"""What the Fine-tune tab shows besides its own components: what stands in ``views.jinja``."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lmlab.numbers import signed
from lmlab.parts import run_drawings
from lmlab.parts.run_drawings import Contender
from lmlab.parts.run_views import duration, memory, method_name
from lmlab.runs.store import RunInfo
from lmlab.training.config import OWN, FinetuneConfig
from lmlab.training.counting import Counts, MatrixCount

MOST_GROUPS = 24
# Settings that say nothing about a run beside those that are compared anyway.
QUIET_SETTINGS = frozenset(("sample_every", "evaluate_every", "save_every"))


def counter(counts: Counts, config: FinetuneConfig) -> str:
    """How much learns, what it costs, the lecture's count, and a drawing at true proportions."""
    found: dict[tuple[Any, ...], list[MatrixCount]] = {}
    for matrix in counts.matrices:  # those of one name within a layer, shape and rank together
        found.setdefault((_leaf(matrix.name), matrix.shape, matrix.rank), []).append(matrix)
    flat = [some for some in found.values() if len(some[0].shape) == 2]
    typical = max(flat, key=len)[0] if flat else None
    groups = [(name, some) for (name, _, _), some in found.items()]
    return str(_macro("counter")(counts, config, groups, typical, MOST_GROUPS))


def settings_table(runs: Sequence[RunInfo]) -> str:
    """What the chosen runs do differently, side by side; what all share in one line below."""
    if not runs:
        return ""
    rows = [_settings(info) for info in runs]
    names = list(dict.fromkeys(name for row in rows for name in row))
    differ = [name for name in names if len({row.get(name, "–") for row in rows}) > 1]
    same = [name for name in names if name not in differ and any(n.get(name) for n in rows)]
    shared = ", ".join(f"{name} {rows[0].get(name)}" for name in same)
    return str(_macro("settings_table")([*map(method_name, runs)], rows, differ, shared))


def race(runs: Sequence[RunInfo]) -> str:
    """Held-out loss and accuracy against how much learned; forgetting is the colour."""
    over = [info for info in runs if info.trainable and info.step]
    if len(over) < 2:
        return ""

    def chart(key: str, said: str, **how: Any) -> Markup:
        points = [
            Contender(method_name(info), info.trainable, getattr(info, key), info.forgetting)
            for info in over
        ]
        return Markup(run_drawings.contest(points, said, **how))

    charts = [
        chart("valid_loss", "held-out loss, nats a token"),
        chart("accuracy", "answered right", percent=True),
    ]
    most = max((abs(info.forgetting) for info in over if info.forgetting is not None), default=0.0)
    differ = len({(info.data, info.template) for info in over}) > 1
    return str(_macro("race")(charts, signed(most, 3), differ))


def _settings(info: RunInfo) -> dict[str, str]:
    hidden = {key for keys in OWN.values() for key in keys} | QUIET_SETTINGS
    hidden -= set(OWN[info.config.method])
    found = {"model": info.model, "data": info.data, "wording": info.template or "plain text"}
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


@cache
def _macro(name: str) -> Callable[..., Any]:
    """A part of the template."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    environment.filters |= {
        "commas": "{:,}".format, "memory": memory, "duration": duration, "leaf": _leaf,
    }  # fmt: skip
    drawings = ("soft_prompt", "low_rank", "whole", "share_bar")
    environment.globals |= {one: _drawn(getattr(run_drawings, one)) for one in drawings}
    found: Callable[..., Any] = getattr(environment.get_template("views.jinja").module, name)
    return found


def _drawn(draw: Callable[..., str]) -> Callable[..., Markup]:
    """A drawing, whose words are escaped already."""
    return lambda *sizes, **how: Markup(draw(*sizes, **how))
