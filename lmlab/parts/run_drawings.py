"""Drawings of the Fine-tune tab as SVG of our own: what learns, and how methods compare.

Plain numbers in, text out; foreign words are escaped. Colours are the style sheet's variables.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from lmlab.parts.svg_rows import data_rows, word

SIDE = 128.0  # the longer side of W
SLOT = 78.0  # least room for a label
LEVELS = 9  # colours of the ramp
WIDTH, HEIGHT = 520.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 24.0, 26.0, 46.0
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True, slots=True)
class Contender:
    """A run as a point."""

    name: str  # as shown
    trainable: int  # parameters that learned
    value: float | None  # what is drawn upwards; None where it was not measured
    forgetting: float | None  # loss on general text, after minus before, nats; None likewise


def low_rank(d: int, k: int, rank: int, *, scale: float = 1.0) -> str:
    """W + scale · V·U, with all three at one scale of drawing: W is d × k, V d × ℓ, U ℓ × k."""
    unit = SIDE / max(d, k, rank)
    w, h, thin = k * unit, d * unit, max(1.0, rank * unit)
    second = max(w, SLOT) + 74
    third = second + max(thin, SLOT) + 22
    factor = "+" if scale == 1 else f"+ {scale:.3g} ·"
    drawn = (
        _matrix(0, w, h, "frozen", "W", f"{d:,} × {k:,}")
        + _matrix(second, thin, h, "learns", "V", f"{d:,} × {rank:,}")
        + _matrix(third, w, thin, "learns", "U", f"{rank:,} × {k:,}")
        + word(second - 37, h / 2 + 4, factor, "op")
        + word(third - 11, h / 2 + 4, "·", "op")
    )
    said = f"W, {d} by {k}, is frozen; V, {d} by {rank}, and U, {rank} by {k}, learn."
    return _svg(third + max(w, SLOT) + 4, h + 42, drawn, said, "lm-lowrank")


def whole(d: int, k: int) -> str:
    """W alone, all of which learns."""
    unit = SIDE / max(d, k)
    drawn = _matrix(0, k * unit, d * unit, "learns", "W", f"{d:,} × {k:,}")
    said = f"All of W, {d} by {k}, learns."
    return _svg(max(k * unit, SLOT) + 4, d * unit + 42, drawn, said, "lm-lowrank")


def soft_prompt(length: int, width: int) -> str:
    """ℓ vectors that learn before the embeddings of the text, which do not."""
    shown = min(length, 24)
    step, tall = 13.0, 70.0
    at = shown * step + 16
    drawn = "".join(_box(i * step, 0, step - 3, tall, "learns") for i in range(shown))
    drawn += "".join(_box(at + i * step, 0, step - 3, tall, "frozen") for i in range(9))
    more = " …" if shown < length else ""
    drawn += word(shown * step / 2, tall + 20, f"{length:,} × {width:,}{more}", "")
    drawn += word(at + 58, tall + 20, "the text", "")
    said = f"{length} vectors of {width} numbers learn; they stand before the text."
    return _svg(max(at + 120, 180), tall + 34, drawn, said, "lm-lowrank")


def share_bar(learns: int, total: int) -> str:
    """How much of the model learns, at true proportions, as HTML."""
    share = 100 * learns / total if total else 0.0
    said = f"{learns:,} of {total:,} parameters learn"
    return (
        f'<div class="lm-sharebar" role="img" aria-label="{said}">'
        f'<i style="width:{share:.4f}%"></i></div>'
    )


def contest(found: Sequence[Contender], name: str, *, percent: bool = False) -> str:
    """Runs by how many parameters learned (log scale) and a value; forgetting is the colour."""
    drawn = [one for one in found if one.value is not None and one.trainable > 0]
    if not drawn:
        return ""
    values = [one.value or 0.0 for one in drawn]
    low, high = _range(values, percent)
    first = math.floor(math.log10(min(one.trainable for one in drawn)))
    last = max(first + 1, math.ceil(math.log10(max(one.trainable for one in drawn))))
    most = max((abs(one.forgetting or 0.0) for one in drawn), default=0.0)

    def x(n: float) -> float:
        return LEFT + (math.log10(n) - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [word(LEFT - 44, 14, name, "title", "start")]
    for power in range(first, last + 1):
        at = x(10.0**power)
        parts.append(_line(at, TOP, at, HEIGHT - BOTTOM))
        parts.append(word(at, HEIGHT - BOTTOM + 18, _big(power)))
    for value in _ticks(low, high):
        at = y(value)
        shown = f"{100 * value:.0f} %" if percent else f"{value:.2f}".replace("-", "−")
        parts.append(_line(LEFT, at, WIDTH - RIGHT, at))
        parts.append(word(LEFT - 6, at + 4, shown, anchor="end"))
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(word(middle, HEIGHT - 6, "parameters that learn"))
    points = [(one, x(one.trainable), y(one.value or 0.0)) for one in drawn]
    taken = [(px - 9, py - 9, px + 9, py + 9) for _, px, py in points]
    for one, px, py in sorted(points, key=lambda point: point[1]):
        parts.append(_point(one, px, py, most, taken))
    said = "; ".join(f"{c.name}: {c.trainable:,} parameters, {c.value:.3f}" for c in drawn)
    rows = [(one.name, one.trainable, one.value, one.forgetting) for one in drawn]
    held = data_rows(("run", "parameters that learn", name, "forgetting, nats a token"), rows)
    return _svg(WIDTH, HEIGHT, "".join(parts), f"{name}. {said}", "lm-contest", held)


def ramp_level(forgetting: float | None, most: float) -> int:
    """The colour of a run that forgot so much: 1 to 8; 0 where it was not measured.

    >>> ramp_level(0.0, 2.0), ramp_level(2.0, 2.0), ramp_level(None, 2.0)
    (1, 8, 0)
    """
    if forgetting is None:
        return 0
    share = max(0.0, forgetting) / most if most > 0 else 0.0
    return 1 + round(share * (LEVELS - 2))


def _point(one: Contender, x: float, y: float, most: float, taken: list[Box]) -> str:
    """A dot with its name beside it, where nothing else stands."""
    level = ramp_level(one.forgetting, most)
    forgot = "not measured" if one.forgetting is None else f"{one.forgetting:+.3f} nats"
    wide = 6.9 * len(one.name)
    places = [
        (x + dx, y + dy, anchor)
        for dy in (4, -14, 23, -30, 39, -46, 55)
        for dx, anchor in ((12, "start"), (-12, "end"), (0, "middle"))[: 2 if dy == 4 else 3]
    ]
    boxes = [_around(px, py, wide, anchor) for px, py, anchor in places]
    free = next((i for i, box in enumerate(boxes) if _fits(box, taken)), 0)
    taken.append(boxes[free])
    px, py, anchor = places[free]
    title = f"{one.name}: {one.trainable:,} parameters, forgetting {forgot}".replace("-", "−")
    return (
        f'<g><circle cx="{x:.1f}" cy="{y:.1f}" r="7.5" style="fill:var(--b{level})"/>'
        f"<title>{escape(title)}</title>{word(px, py, one.name, 'name', anchor)}</g>"
    )


def _around(x: float, y: float, wide: float, anchor: str) -> Box:
    """The box of a text that stands at a place."""
    left = x - {"start": 0.0, "middle": wide / 2, "end": wide}[anchor]
    return left, y - 12, left + wide, y + 4


def _fits(box: Box, taken: Sequence[Box]) -> bool:
    left, top, right, bottom = box
    inside = left > LEFT and right < WIDTH and top > TOP - 12 and bottom < HEIGHT - BOTTOM
    return inside and not any(
        left < r and right > low and top < b and bottom > t for low, t, r, b in taken
    )


def _range(values: Sequence[float], percent: bool) -> tuple[float, float]:
    if percent:
        return 0.0, 1.0
    low, high = min(values), max(values)
    room = max(0.05, (high - low) * 0.15)
    return max(0.0, low - room) if low >= 0 else low - room, high + room


def _ticks(low: float, high: float) -> list[float]:
    raw = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
    start = math.ceil(low / step - 1e-9)
    found = [k * step for k in range(start, start + 12)]
    return [value for value in found if value <= high + step * 1e-9]


def _big(power: int) -> str:
    """A power of ten in words that fit under an axis.

    >>> _big(3), _big(5), _big(7)
    ('1,000', '100,000', '10 M')
    """
    return f"{10**power:,}" if power < 6 else f"{10 ** (power - 6):,} M"


def _svg(width: float, height: float, inner: str, said: str, kind: str, held: str = "") -> str:
    return (
        f'<svg class="{kind}" viewBox="-2 -2 {width:.0f} {height:.0f}" role="img" {held} '
        f'aria-label="{escape(said)}" style="--natural:{width:.0f}px">{inner}</svg>'
    )


def _box(x: float, y: float, width: float, height: float, kind: str) -> str:
    return (
        f'<rect class="{kind}" x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}"/>'
    )


def _matrix(x: float, width: float, height: float, kind: str, letter: str, size: str) -> str:
    """A matrix in the middle of its room, which begins at x, with its letter and size below."""
    room = max(width, SLOT)
    return _box(x + (room - width) / 2, 0, width, height, kind) + (
        f'<text x="{x + room / 2:.1f}" y="{height + 20:.1f}" text-anchor="middle">'
        f'<tspan class="letter">{letter}</tspan> {size}</text>'
    )


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
