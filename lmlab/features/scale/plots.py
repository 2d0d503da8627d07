"""Drawings of the Scale tab as SVG and HTML of our own: a bar by part, memory of keys and values,
bits per byte against size. Plain numbers in, text out; foreign words are escaped.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from lmlab.features.scale.measured import Measured, slope
from lmlab.parts.svg_rows import data_rows, word

WIDTH, HEIGHT = 600.0, 320.0
LEFT, RIGHT, TOP, BOTTOM = 62.0, 128.0, 40.0, 44.0
LABELLED = 0.11  # share of a bar from which on its name fits inside
GAP = 16.0  # between two labels
UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
SCALES = (("", 1), (" k", 1e3), (" M", 1e6), (" B", 1e9), (" T", 1e12))
MARKS = ("circle", "square", "up", "diamond", "down")


@dataclass(frozen=True)
class Axis:
    """Where a value stands.

    Attributes:
        low: and ``high``, the values at the ends.
        start: and ``end``, their places.
        log: whether equal ratios take equal room.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """The place of a value."""
        share = (self._of(value) - self._of(self.low)) / (self._of(self.high) - self._of(self.low))
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values inside, some five of them."""
        if not self.log:
            step = _step(self.high - self.low)
            first = math.ceil(self.low / step)
            return [k * step for k in range(first, first + 12) if k * step <= self.high]
        wide = self.high / self.low
        digits: tuple[float, ...] = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)
        if wide >= 8:
            digits = (1.0,) if wide > 3e3 else (1.0, 3.0) if wide > 50 else (1.0, 2.0, 5.0)
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        found = [digit * 10.0**power for power in powers for digit in digits]
        return [value for value in found if self.low <= value <= self.high]

    def _of(self, value: float) -> float:
        return math.log(value) if self.log else value


def stacked(groups: Sequence[tuple[str, int]]) -> str:
    """One bar of all parts at true proportions, with a legend that repeats them in words."""
    total = sum(size for _, size in groups) or 1
    pieces, keys = "", ""
    for i, (name, size) in enumerate(groups):
        share, told = size / total, escape(name)
        inside = f"<span>{told}</span>" if share >= LABELLED else ""
        pieces += f'<i class="p{i}" style="flex-grow:{max(size, 0)}" title="{told}">{inside}</i>'
        keys += (
            f'<li><i class="p{i}"></i> {told} <b>{_percent(share)}</b> '
            f"<span>{size:,}</span></li>"
        )  # fmt: skip
    said = "; ".join(f"{name} {size / total:.1%}" for name, size in groups)
    return (
        f'<div class="lm-stack" role="img" aria-label="Parameters by part: {escape(said)}">{pieces}'
        f'</div><ul class="lm-stackkey">{keys}</ul>'
    )


def cache_curve(lines: Sequence[tuple[str, float]], length: int, weights: float) -> str:
    """Memory of keys and values against length.

    Args:
        lines: name and bytes a position of each.
        length: the longest, in positions.
        weights: bytes of the weights, drawn level.
    """
    most = max([per * length for _, per in lines] + [0.0])
    # Weights far above the curves would press them flat; they are named in words then.
    shown = weights <= 4 * most
    high = 1.08 * max(most, weights if shown else 0.0, 1.0)
    x = Axis(0, length, LEFT, WIDTH - RIGHT)
    y = Axis(0, high, HEIGHT - BOTTOM, TOP)
    parts = [_grid(x, y, lambda v: f"{v:,.0f}", size)]
    parts.append(word((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "length, tokens"))
    parts.append(word(LEFT - 54, TOP - 20, "memory of keys and values", "title", "start"))
    ends = [(name, y.at(per * length), i) for i, (name, per) in enumerate(lines)]
    for i, (_, per) in enumerate(lines):
        path = f"M{x.at(0):.1f} {y.at(0):.1f}L{x.at(length):.1f} {y.at(per * length):.1f}"
        parts.append(f'<path class="line l{i}" d="{path}"/>')
    if shown:
        level = y.at(weights)
        parts.append(f'<path class="level" d="M{LEFT} {level:.1f}H{WIDTH - RIGHT}"/>')
        ends.append(("the weights", level, -1))
    parts += _beside(ends)
    said = "; ".join(f"{name}: {size(per * length)} at {length:,} tokens" for name, per in lines)
    places = sorted({*x.ticks(), length})
    rows = [(name, at, per * at) for name, per in lines for at in places]
    rows += [("the weights", at, weights) for at in places]
    held = data_rows(("line", "tokens", "bytes"), rows)
    return _svg("".join(parts), f"Memory of keys and values against length. {said}", held)


def by_size(
    found: Sequence[Measured], joined: Sequence[str] = (), *, perplexity: bool = False,
    compute: bool = False,
) -> str:  # fmt: skip
    """What models reach against how large they are, both axes logarithmic.

    Args:
        found: the points; those without a known D are left out where ``compute`` is drawn.
        joined: models that a line joins: siblings.
        perplexity: instead of bits per byte.
        compute: 6·N·D instead of N.
    """
    points = [(one, _size_of(one, compute), _value(one, perplexity)) for one in found]
    drawn = [(one, n, v) for one, n, v in points if n and 0 < v < math.inf]
    if not drawn:
        return ""
    x = _around([n for _, n, _ in drawn], 1.5, LEFT, WIDTH - RIGHT)
    y = _around([v for _, _, v in drawn], 1.1, HEIGHT - BOTTOM, TOP)
    parts = [_grid(x, y, flops if compute else short, lambda v: f"{v:,g}"), _names(drawn, x)]
    name = "training compute 6·N·D, FLOPs" if compute else "parameters N"
    parts.append(word((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, name))
    title = "perplexity, per token" if perplexity else "bits per byte"
    parts.append(word(LEFT - 54, 14, f"{title}, lower is better", "title", "start"))
    ends = []
    for i, kind in enumerate(dict.fromkeys(one.kind for one, _, _ in drawn)):
        mine = [(one, n, v) for one, n, v in drawn if one.kind == kind]
        line = sorted((n, v) for one, n, v in mine if one.model in joined)
        path = "L".join(f"{x.at(n):.1f} {y.at(v):.1f}" for n, v in line)
        parts.append(f'<path class="line l{i % 8}" d="M{path}"/>' if len(line) > 1 else "")
        for one, n, v in mine:
            told = f"{one.model}, {kind}: {v:.3f} {title}, {one.parameters:,} parameters"
            parts.append(_mark(x.at(n), y.at(v), i, told))
        last = max(mine, key=lambda point: point[1])
        ends.append((kind, y.at(last[2]), i))
    parts += _beside(ends)
    said = "; ".join(f"{one.model}, {one.kind}: {v:.3f}" for one, _, v in drawn)
    held = data_rows(("model", "text", name, title), [(o.model, o.kind, n, v) for o, n, v in drawn])
    return _svg("".join(parts), f"{title} against {name}. {said}", held)


def exponents(found: Sequence[Measured], joined: Sequence[str]) -> dict[str, float]:
    """{kind: slope of ln(bits per byte) over ln N among siblings}."""
    kinds = dict.fromkeys(one.kind for one in found)
    lines = {
        kind: slope(
            [(o.parameters, o.bits_per_byte) for o in found if o.kind == kind and o.model in joined]
        )
        for kind in kinds
    }
    return {kind: value for kind, value in lines.items() if value is not None}


def size(n_bytes: float) -> str:
    """Bytes as people say them.

    >>> size(0), size(950_000), size(349_208_518_656)
    ('0', '950 kB', '349 GB')
    """
    return _scaled(n_bytes, [(f" {unit}", 1e3**i) for i, unit in enumerate(UNITS)])


def short(count: float) -> str:
    """A count as people say it.

    >>> short(298_416), short(4_718_592), short(174_604_259_328), short(2e5)
    ('298 k', '4.72 M', '175 B', '200 k')
    """
    return _scaled(count, SCALES)


def flops(value: float) -> str:
    """A very large number with its power of ten.

    >>> flops(3.1428e23)
    '3.14·10²³'
    """
    power = math.floor(math.log10(value)) if value > 0 else 0
    raised = str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{value / 10.0**power:.3g}·10{raised}"


def _scaled(value: float, units: Sequence[tuple[str, float]]) -> str:
    if value <= 0:
        return "0"
    unit, factor = max((u for u in units if u[1] <= max(value, 1)), key=lambda u: u[1])
    found = value / factor
    return f"{found:,.0f}{unit}" if found >= 100 else f"{found:.3g}{unit}"


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.0995 else f"{share:.2%}" if share >= 5e-5 else "<0.01%"


def _size_of(one: Measured, compute: bool) -> float:
    return (one.flops or 0.0) if compute else float(one.parameters)


def _value(one: Measured, perplexity: bool) -> float:
    return one.perplexity if perplexity else one.bits_per_byte


def _around(values: Sequence[float], room: float, start: float, end: float) -> Axis:
    low, high = min(values), max(values)
    room = room if high / low > 1.2 else room * 1.5
    return Axis(low / room, high * room, start, end, log=True)


def _step(span: float) -> float:
    raw = span / 4
    power = 10.0 ** math.floor(math.log10(raw))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)


def _grid(x: Axis, y: Axis, below: Callable[[float], str], aside: Callable[[float], str]) -> str:
    made = []
    for value in y.ticks():
        made.append(f'<path class="grid" d="M{x.start} {y.at(value):.1f}H{x.end}"/>')
        made.append(word(x.start - 7, y.at(value) + 4, aside(value), "tick", "end"))
    for value in x.ticks():
        made.append(f'<path class="grid" d="M{x.at(value):.1f} {y.end}V{y.start}"/>')
        made.append(word(x.at(value), y.start + 18, below(value)))
    return "".join(made)


def _names(drawn: Sequence[tuple[Measured, float, float]], x: Axis) -> str:
    """Models above their points; those of one size share a line."""
    at: dict[float, list[str]] = {}
    for one, n, _ in drawn:
        names = at.setdefault(n, [])
        if one.model not in names:
            names.append(one.model)
    made, free = [], -math.inf
    for n, names in sorted(at.items()):
        told = ", ".join(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} more"
        place, wide = x.at(n), 3.4 * len(told)
        low = place - wide < free
        free = place + wide if not low else free
        made.append(word(place, TOP + (13 if low else -4), told[:40], "name"))
    return "".join(made)


def _beside(ends: Sequence[tuple[str, float, int]]) -> list[str]:
    """Names of lines at their right ends, pushed apart where they would touch."""
    made, free = [], -math.inf
    for name, y, i in sorted(ends, key=lambda end: end[1]):
        place = max(y + 4, free)
        free = place + GAP
        mark = _mark(WIDTH - RIGHT + 16, place - 4, i, "") if i >= 0 else ""
        made.append(mark + word(WIDTH - RIGHT + 28, place, name, "name", "start"))
    return made


def _mark(x: float, y: float, i: int, told: str) -> str:
    paths = {
        "circle": f"M{x - 5:.1f} {y:.1f}a5 5 0 1 0 10 0a5 5 0 1 0 -10 0Z",
        "square": f"M{x - 4.6:.1f} {y - 4.6:.1f}h9.2v9.2h-9.2Z",
        "up": f"M{x:.1f} {y - 6:.1f}l5.8 10.4h-11.6Z",
        "diamond": f"M{x:.1f} {y - 6.4:.1f}l6.4 6.4l-6.4 6.4l-6.4 -6.4Z",
        "down": f"M{x:.1f} {y + 6:.1f}l5.8 -10.4h-11.6Z",
    }
    title = f"<title>{escape(told)}</title>" if told else ""
    return f'<path class="mark l{i % 8}" d="{paths[MARKS[i % len(MARKS)]]}">{title}</path>'


def _svg(inner: str, said: str, held: str) -> str:
    return (
        f'<svg class="lm-curve" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" {held} '
        f'aria-label="{escape(said)}">{inner}</svg>'
    )
