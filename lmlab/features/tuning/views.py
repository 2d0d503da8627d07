"""What the Fine-tune tab shows besides its own components, as escaped HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from lmlab.numbers import signed
from lmlab.parts import run_drawings
from lmlab.parts.run_drawings import Contender
from lmlab.parts.run_views import duration, memory, method_name
from lmlab.runs.store import RunInfo
from lmlab.training.config import OWN, FinetuneConfig
from lmlab.training.counting import Counts, MatrixCount

MOST_GROUPS = 24
SETTINGS = '<div class="lm-scroll" tabindex="0" role="region" aria-label="Settings side by side">'
# Settings that say nothing about a run beside those that are compared anyway.
QUIET_SETTINGS = frozenset(("sample_every", "evaluate_every", "save_every"))


@dataclass(frozen=True)
class Group:
    """Matrices of one name and shape, one in each of some layers."""

    name: str
    matrices: tuple[MatrixCount, ...]

    @property
    def first(self) -> MatrixCount:
        """One of them."""
        return self.matrices[0]

    @property
    def trained(self) -> int:
        """What is trained of all of them or beside them."""
        return sum(matrix.trained for matrix in self.matrices)


def counter(counts: Counts, config: FinetuneConfig) -> str:
    """How much learns, what it costs, the lecture's count, and a drawing at true proportions."""
    groups = grouped(counts.matrices)
    return (
        f'<div class="lm-counterbox"><div class="lm-counter">{_figures(counts)}</div>'
        f'<div class="lm-drawing">{_drawing(counts, config, groups)}'
        f'<div class="lm-formulas">{_formula(counts, config, groups)}</div></div></div>'
        f"{run_drawings.share_bar(counts.trainable, counts.total)}{_table(groups)}"
    )


def grouped(matrices: Sequence[MatrixCount]) -> list[Group]:
    """Matrices by name within a layer and shape, in the model's order."""
    found: dict[tuple[str, tuple[int, ...], int], list[MatrixCount]] = {}
    for matrix in matrices:
        found.setdefault((_leaf(matrix.name), matrix.shape, matrix.rank), []).append(matrix)
    return [Group(name, tuple(some)) for (name, _, _), some in found.items()]


def settings_table(runs: Sequence[RunInfo]) -> str:
    """What the chosen runs do differently, side by side; what all share in one line below."""
    if not runs:
        return ""
    rows = [_settings(info) for info in runs]
    names = list(dict.fromkeys(name for row in rows for name in row))
    differ = [name for name in names if len({row.get(name, "–") for row in rows}) > 1]
    same = [name for name in names if name not in differ and any(n.get(name) for n in rows)]
    head = "".join(
        f'<th scope="col"><i class="lm-ink" style="background:var(--lm-c{i % 8})"></i> '
        f"{escape(method_name(info))}</th>"
        for i, info in enumerate(runs)
    )
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{escape(str(row.get(name, '–')))[:80]}</td>" for row in rows)
        + "</tr>"
        for name in differ
    )
    shared = ", ".join(f"{name} {rows[0].get(name)}" for name in same)
    said = f'<p class="lm-why">The same in all: {escape(shared)}.</p>' if len(runs) > 1 else ""
    if len(runs) == 1:
        said = f'<p class="lm-why">{escape(shared)}.</p>'
    table = (
        f'{SETTINGS}<table class="lm-table lm-settings"><thead><tr><td></td>{head}'
        f"</tr></thead><tbody>{body}</tbody></table></div>"
        if differ
        else ""
    )
    return f'<h3 class="lm-h">Settings side by side</h3>{table}{said}'


def race(runs: Sequence[RunInfo]) -> str:
    """Held-out loss and accuracy against how much learned; forgetting is the colour."""
    over = [info for info in runs if info.trainable and info.step]
    if len(over) < 2:
        return ""
    charts = "".join(
        f'<div class="lm-contestbox">{drawn}</div>'
        for drawn in (
            run_drawings.contest(_contenders(over, "valid_loss"), "held-out loss, nats a token"),
            run_drawings.contest(_contenders(over, "accuracy"), "answered right", percent=True),
        )
        if drawn
    )
    forgot = [info.forgetting for info in over if info.forgetting is not None]
    most = max((abs(value) for value in forgot), default=0.0)
    cells = "".join(f'<i style="background:var(--b{i})"></i>' for i in range(1, 9))
    key = (
        f'<p class="lm-key2">forgetting, nats a token on general text: 0 '
        f'<span class="lm-cells">{cells}</span> {signed(most, 3)}</p>'
    )
    several = len({(info.data, info.template) for info in over}) > 1
    note = (
        '<p class="lm-why">These runs learned from different data: their losses are not '
        "comparable.</p>"
        if several
        else ""
    )
    return (
        '<h3 class="lm-h">What each method reaches, and what it costs</h3>'
        f'<div class="lm-contests">{charts}</div>{key}{note}'
    )


def _contenders(runs: Sequence[RunInfo], key: str) -> list[Contender]:
    return [
        Contender(method_name(info), info.trainable, getattr(info, key), info.forgetting)
        for info in runs
    ]


def _settings(info: RunInfo) -> dict[str, str]:
    config = info.config.to_dict()
    hidden = {key for keys in OWN.values() for key in keys} | QUIET_SETTINGS
    hidden -= set(OWN[info.config.method])
    found = {"model": info.model, "data": info.data, "wording": info.template or "plain text"}
    for key, value in config.items():
        if key not in hidden:
            found[key.replace("_", " ")] = _value(value)
    return found


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "all"
    return str(value)


def _figures(counts: Counts) -> str:
    share = 100 * counts.share
    digits = 2 if share < 10 else 1
    parts = (
        f"weights {memory(counts.weights_bytes)}, gradients {memory(counts.gradient_bytes)}, "
        f"optimiser {memory(counts.optimiser_bytes)}"
    )
    on_top = "a step’s activations on top"
    if counts.activation_bytes:
        on_top = f"the longest batch’s activations {memory(counts.activation_bytes)}"
    time = "–" if counts.seconds is None else duration(counts.seconds)
    return (
        f'<div class="lm-fig big"><div class="v">{counts.trainable:,}</div>'
        f'<div class="l">of {counts.total:,} parameters learn: {share:.{digits}f} %</div></div>'
        f'<div class="lm-fig"><div class="v">{memory(counts.memory_bytes)}</div>'
        f'<div class="l">{parts}; {on_top}</div></div>'
        f'<div class="lm-fig"><div class="v">{time}</div>'
        '<div class="l">about, for all steps</div></div>'
    )


def _drawing(counts: Counts, config: FinetuneConfig, groups: Sequence[Group]) -> str:
    if counts.method == "prompt":
        return run_drawings.soft_prompt(config.length, counts.trainable // config.length)
    matrix = _typical(groups)
    if matrix is None:
        return ""
    d, k = matrix.shape
    if matrix.rank:
        return run_drawings.low_rank(d, k, matrix.rank, scale=config.scale)
    return run_drawings.whole(d, k)


def _typical(groups: Sequence[Group]) -> MatrixCount | None:
    """A matrix of those that are most."""
    flat = [group for group in groups if len(group.first.shape) == 2]
    return max(flat, key=lambda group: len(group.matrices)).first if flat else None


def _formula(counts: Counts, config: FinetuneConfig, groups: Sequence[Group]) -> str:
    if counts.method == "prompt":
        width = counts.trainable // config.length
        return (
            "<p>ℓ vectors of the model’s width d stand before the text and learn; no weight "
            f"changes.</p><p>ℓ · d = {config.length:,} · {width:,} = "
            f"<b>{counts.trainable:,}</b></p>"
        )
    matrix = _typical(groups)
    if matrix is None:
        return f"<p>Only vectors learn: <b>{counts.trainable:,}</b> numbers.</p>"
    d, k = matrix.shape
    name = escape(_leaf(matrix.name))
    if not matrix.rank:
        return f"<p><code>{name}</code></p><p>d · k = {d:,} · {k:,} = <b>{matrix.own:,}</b></p>"
    factor = matrix.own / (matrix.rank * (d + k))
    scale = f"α / √ℓ = {config.scale:.3g}" if config.rslora else f"α / ℓ = {config.scale:.3g}"
    return (
        f"<p><code>{name}</code>: W + {scale} · V · U</p>"
        f"<p>d · k = {d:,} · {k:,} = <b>{matrix.own:,}</b></p>"
        f"<p>{escape(matrix.formula.rpartition('=')[0])}= "
        f"<b>{matrix.rank * (d + k):,}</b></p>"
        f"<p>{factor:.1f} times fewer</p>"
    )


def _table(groups: Sequence[Group]) -> str:
    if not groups:
        return ""
    rows = "".join(
        f'<tr><td class="words">{escape(group.name)}</td><td>{len(group.matrices)}</td>'
        f"<td>{' × '.join(f'{side:,}' for side in group.first.shape)}</td>"
        f"<td>{escape(group.first.formula)}</td><td>{group.trained:,}</td></tr>"
        for group in groups[:MOST_GROUPS]
    )
    left = len(groups) - MOST_GROUPS
    more = f'<p class="lm-why">… and {left:,} more.</p>' if left > 0 else ""
    return (
        '<details class="lm-bymatrix"><summary>By matrix</summary>'
        '<div class="lm-scroll" tabindex="0" role="region" aria-label="Parameters by matrix">'
        '<table class="lm-table"><thead><tr><th>matrix</th><th>how many</th><th>shape</th>'
        f"<th>each</th><th>all</th></tr></thead><tbody>{rows}</tbody></table></div>{more}</details>"
    )


def _leaf(name: str) -> str:
    """A parameter's own name, without layers above it and the word ‘weight’.

    >>> _leaf("model.layers.0.mlp.up_proj.weight"), _leaf("h.0.attn.c_attn.bias")
    ('up_proj', 'c_attn.bias')
    """
    path = name.removesuffix(".weight").split(".")
    return ".".join(path[-2:]) if path[-1] == "bias" else path[-1]
