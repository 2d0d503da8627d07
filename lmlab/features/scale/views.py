"""What the parameter builder shows of a shape, as escaped HTML. Pure arithmetic, no model."""

from collections.abc import Sequence
from html import escape

from lmlab.features.scale import counts, plots
from lmlab.features.scale.counts import LoraMatrix, PartCount, Shape
from lmlab.features.scale.form import CachePlan, TrainPlan
from lmlab.features.scale.plots import flops, short, size
from lmlab.features.scale.published import PUBLISHED
from lmlab.parts.run_drawings import low_rank

YEAR = 365.25 * 24 * 3600
GROUPS = {
    "token embeddings": "embeddings",
    "positions": "embeddings",
    "attention: queries": "attention",
    "attention: keys and values": "attention",
    "attention: output": "attention",
    "feed-forward": "feed-forward",
    "biases": "norms and biases",
    "norms": "norms and biases",
    "last norm": "norms and biases",
    "head": "head",
}
ORDER = ("embeddings", "attention", "feed-forward", "norms and biases", "head")
KAPLAN = "Kaplan et al. 2020, section 2.1: 2 operations a weight and token forward, 4 backward"
MATRICES = {
    "q": "queries", "k": "keys", "v": "values", "qkv": "q, k, v in one", "o": "attention’s output",
    "up": "feed-forward, up", "down": "feed-forward, down", "gate": "feed-forward, gate",
}  # fmt: skip


def problem(text: str) -> str:
    """What is wrong, where a result would stand."""
    return f'<p class="lm-problem" role="status">{escape(text)}</p>'


def waits() -> str:
    """In place of what follows from a shape that cannot be."""
    return '<p class="lm-why">The numbers come back as soon as the shape can be.</p>'


def figures(shape: Shape) -> str:
    """The count and what it costs to hold, in cards."""
    total = counts.parameters(shape)
    known = [row.name for row in PUBLISHED if row.shape == shape]
    named = f"the shape of {known[0]}" if known else f"L = {shape.layers:,}, d = {shape.width:,}"
    cache = counts.cache_bytes(shape, 1, "float16")
    cards = (
        (f"{total:,}", f"parameters N: {named}", " big"),
        (short(total), "the same, in short", ""),
        (f"{counts.non_embedding(shape):,}", "without tables and head", ""),
        (size(counts.weights_bytes(total, "float16")), "weights in float16", ""),
        (size(cache), "keys and values, a token in float16", ""),
    )
    made = "".join(
        f'<div class="lm-fig{kind}"><div class="v">{value}</div><div class="l">{name}</div></div>'
        for value, name, kind in cards
    )
    return f'<div class="lm-scalefigs" role="group" aria-label="Count">{made}</div>'


def by_part(shape: Shape) -> str:
    """The bar and the exact table."""
    found = counts.parts(shape)
    sums = dict.fromkeys(ORDER, 0)
    for part in found:
        sums[GROUPS[part.name]] += part.total
    bar = plots.stacked([(name, sums[name]) for name in ORDER if sums[name]])
    tied = (
        '<p class="lm-why">The head is the table of embeddings (tied): counted once.</p>'
        if shape.tied
        else ""
    )
    return f"{bar}{_parts_table(found, counts.parameters(shape))}{tied}"


def memory(shape: Shape) -> str:
    """Weights by number format, and what training with AdamW keeps."""
    total = counts.parameters(shape)
    rows = ""
    for dtype, each in counts.BYTES.items():
        state = counts.training_bytes(total, dtype)
        split = " + ".join(map(str, counts.TRAINING.get(dtype, ())))
        trained = f"{size(state)} <small>({split} bytes each)</small>" if state else "–"
        rows += (
            f'<tr><th scope="row">{dtype}</th><td>{each:g}</td>'
            f"<td>{size(counts.weights_bytes(total, dtype))}</td><td>{trained}</td></tr>"
        )
    return (
        '<div class="lm-scroll" tabindex="0" role="region" aria-label="Memory">'
        '<table class="lm-table lm-plain"><thead><tr><th>format</th>'
        "<th>bytes each</th><th>weights</th><th>training with AdamW</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
        '<p class="lm-why">Training: weights + gradients + what AdamW keeps. Beside half-width '
        "weights it keeps a float32 copy and two moments (Rajbhandari et al. 2020, 3.1). A step’s "
        "activations come on top.</p>"
    )


def cache(shape: Shape, plan: CachePlan) -> str:
    """Keys and values against length."""
    one = counts.cache_bytes(shape, 1, plan.dtype)
    lines = [("1 sequence" if plan.batch > 1 else "this shape", one)]
    if plan.batch > 1:
        lines.append((f"{short(plan.batch)} sequences", one * plan.batch))
    if shape.kv_heads and shape.kv_heads < shape.heads:
        whole = one * shape.heads / shape.kv_heads * plan.batch
        lines.append(("all heads kept", whole))
    weights = counts.weights_bytes(counts.parameters(shape), plan.dtype)
    full = one * plan.batch * plan.length
    beyond = (
        f" A learned table of positions ends at n = {shape.context:,}."
        if shape.positions == "learned" and plan.length > shape.context
        else ""
    )
    k = shape.key_width
    return (
        '<div class="lm-curvebox" tabindex="0" role="region" aria-label="Keys and values">'
        f"{plots.cache_curve(lines, plan.length, weights)}</div>"
        f'<p class="lm-formula2">2 · L · {k:,} · {counts.BYTES[plan.dtype]:g} bytes = '
        f"<b>{size(one)}</b> a token; {plan.batch:,} × {plan.length:,} tokens: <b>{size(full)}</b>,"
        f" beside weights of {size(weights)}, in {plan.dtype}.</p>"
        f'<p class="lm-why">Two rows a layer and position, as wide as all key-value heads; they '
        f"outgrow the weights after {_after(weights, one * plan.batch)} tokens.{beyond}</p>"
    )


def training(shape: Shape, plan: TrainPlan) -> str:
    """6·N·D and the time it takes."""
    total = counts.parameters(shape)
    needed = counts.training_flops(total, round(plan.tokens))
    inner = counts.training_flops(counts.non_embedding(shape), round(plan.tokens))
    time = duration(counts.training_seconds(needed, plan.rate, plan.reached))
    return (
        '<div class="lm-scalefigs three" role="group" aria-label="Training">'
        f'<div class="lm-fig big"><div class="v">{time}</div><div class="l">at '
        f"{flops(plan.rate)} FLOP/s, {plan.reached:.0%} of it reached</div></div>"
        f'<div class="lm-fig"><div class="v">{flops(needed)}</div><div class="l">FLOPs: '
        "6 · N · D</div></div>"
        f'<div class="lm-fig"><div class="v">{plan.tokens / total:,.3g}</div>'
        '<div class="l">tokens a parameter, D / N</div></div></div>'
        f'<p class="lm-formula2">6 · {total:,} · {flops(plan.tokens)} = <b>{flops(needed)}</b>; '
        f"without tables and head, as the source counts N: {flops(inner)}.</p>"
        f'<p class="lm-why">{KAPLAN}. About 20 tokens a parameter make the best use of a budget '
        f"(Hoffmann et al. 2022): here D = {short(20.0 * total)}.</p>"
    )


def lora(shape: Shape, rank: int, targets: Sequence[str]) -> str:
    """LoRA of rank ℓ by matrix: d·k against ℓ(d + k)."""
    matrices = counts.lora(shape, rank, tuple(targets))
    total, added = counts.parameters(shape), sum(one.added for one in matrices)
    first = matrices[0]
    rows = "".join(_lora_row(one) for one in matrices)
    return (
        f'<div class="lm-lorabox">{low_rank(first.d, first.k, rank)}'
        '<div class="lm-scalefigs two" role="group" aria-label="LoRA">'
        f'<div class="lm-fig big"><div class="v">{added:,}</div><div class="l">learn, '
        f"{100 * added / total:.3g} % of N</div></div>"
        f'<div class="lm-fig"><div class="v">{size(added * 16)}</div><div class="l">to train them '
        f"with AdamW in float32; all of N: {size(total * 16)}</div></div></div></div>"
        '<div class="lm-scroll" tabindex="0" role="region" aria-label="LoRA by matrix">'
        '<table class="lm-table lm-plain"><thead><tr><th>matrix W</th>'
        "<th>d × k</th><th>d·k</th><th>ℓ(d + k)</th><th>fewer</th><th>all layers</th></tr>"
        f"</thead><tbody>{rows}</tbody></table></div>{_paper(shape, rank, targets)}"
    )


def duration(seconds: float) -> str:
    """Seconds as people say them, however many.

    >>> duration(0.2), duration(41.2), duration(7300), duration(2.2e6), duration(1e9)
    ('less than a second', '41 s', '2.0 h', '25 days', '32 years')
    """
    if seconds < 1:
        return "less than a second"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 2 * 86_400:
        return f"{seconds / 3600:.1f} h"
    if seconds < 2 * YEAR:
        return f"{seconds / 86_400:,.0f} days"
    years = seconds / YEAR
    return f"{years:,.0f} years" if years < 1e6 else f"{flops(years)} years"


def _parts_table(found: Sequence[PartCount], total: int) -> str:
    rows = "".join(
        f'<tr><th scope="row">{part.name}</th><td>{escape(part.formula)}</td>'
        f"<td>{part.each:,}</td><td>{'' if part.times == 1 else f'× {part.times:,}'}</td>"
        f"<td>{part.total:,}</td></tr>"
        for part in found
    )
    return (
        '<div class="lm-scroll" tabindex="0" role="region" aria-label="Parameters by part">'
        '<table class="lm-table lm-plain"><thead><tr><th>part</th>'
        "<th>formula</th><th>each</th><th>layers</th><th>parameters</th></tr></thead>"
        f'<tbody>{rows}</tbody><tfoot><tr><th scope="row">N, all</th><td></td><td></td><td></td>'
        f"<td>{total:,}</td></tr></tfoot></table></div>"
    )


def _lora_row(one: LoraMatrix) -> str:
    each = one.rank * (one.d + one.k)
    return (
        f'<tr><th scope="row">{one.name}: {MATRICES[one.name]}</th><td>{one.d:,} × {one.k:,}</td>'
        f"<td>{one.d * one.k:,}</td><td>{each:,}</td><td>{one.d * one.k / each:,.4g}×</td>"
        f"<td>× {one.times:,} = {one.added:,}</td></tr>"
    )


def _paper(shape: Shape, rank: int, targets: Sequence[str]) -> str:
    """Which line of the LoRA paper this is."""
    gpt3 = next(row.shape for row in PUBLISHED if row.name == "GPT-3")
    if shape != gpt3 or set(targets) != {"q", "v"} or rank not in (1, 8):
        return ""
    label = {1: "4.7 M", 8: "37.7 M"}[rank]
    return (
        f'<p class="lm-why">This is the {label} of the LoRA paper (Hu et al. 2021, table 4): '
        "GPT-3, queries and values of all 96 layers.</p>"
    )


def _after(weights: float, per_token: float) -> str:
    return f"{weights / per_token:,.0f}"
