"""Multidimensional scaling: points in a plane whose distances are as near as can be to given ones.
Pure mathematics over plain numbers. Knows nothing about models.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
STARTS = 16  # random starts beside the classical one
STEPS = 500
SETTLED = 1e-9  # relative fall of the raw stress at which an iteration ends


@dataclass(frozen=True, slots=True)
class Scaling:
    """A picture of distances."""

    points: tuple[tuple[float, float], ...]  # in the unit of the distances; the first is the origin
    stress: float  # Kruskal's stress-1, from 0 (the picture shows the distances exactly)


def scaled(distances: Sequence[Sequence[float]], seed: int = 0) -> Scaling:
    """The best of several runs of SMACOF, turned so that it does not depend on chance.

    Args:
        distances: symmetric, 0 on the diagonal, finite and not below 0.
        seed: of the random starts.

    Raises:
        ValueError: they are no distances.
    """
    table = np.array(distances, float).reshape(len(distances), -1)
    fine = table.shape[0] == table.shape[1] and bool(np.isfinite(table).all())
    if not fine or (table < 0).any() or not np.allclose(table, table.T) or table.diagonal().any():
        raise ValueError("distances are symmetric, 0 on the diagonal and not below 0")
    draw = np.random.default_rng(seed)
    size = float(table.max(initial=0.0)) or 1.0
    starts = [classical(table)]
    starts += [draw.normal(size=(len(table), 2)) * size / 2 for _ in range(STARTS)]
    found = min((smacof(table, start) for start in starts), key=lambda x: stress_1(table, x))
    points = _turned(found)
    return Scaling(tuple((float(x), float(y)) for x, y in points), stress_1(table, points))


def classical(distances: Array) -> Array:
    """Coordinates [n, 2] by Torgerson (1952): the two leading eigenvectors of −½·J·D²·J."""
    n = len(distances)
    centre = np.eye(n) - 1 / max(1, n)
    values, vectors = np.linalg.eigh(-0.5 * centre @ distances**2 @ centre)
    leading = np.argsort(values)[::-1][:2]
    points = np.zeros((n, 2))
    points[:, : len(leading)] = vectors[:, leading] * np.sqrt(np.maximum(values[leading], 0.0))
    return points


def smacof(distances: Array, start: Array) -> Array:
    """Coordinates [n, 2] that no further step of majorization makes better (de Leeuw 1977).

    Each step is the Guttman transform X ← B(X)·X / n, which never raises Σ (d̂ − d)².
    """
    points, n, last = start, len(start), math.inf
    for _ in range(STEPS):
        between = _between(points)
        raw = float(((between - distances) ** 2).sum())
        if last - raw <= SETTLED * max(raw, 1e-300):
            break
        last = raw
        ratio = np.divide(distances, between, out=np.zeros_like(between), where=between > 0)
        transform = -ratio
        transform[np.diag_indices(n)] = ratio.sum(1)
        points = transform @ points / n
    return points


def stress_1(distances: Array, points: Array) -> float:
    """√(Σ (d̂ − d)² / Σ d̂²) over pairs, d̂ between points (Kruskal 1964); 0 where there are none."""
    between = _between(points)
    size = float((between**2).sum())
    if size == 0:
        return 0.0 if not distances.any() else 1.0
    return math.sqrt(float(((between - distances) ** 2).sum()) / size)


def quality(stress: float) -> str:
    """Kruskal's words (1964) for a stress-1.

    >>> quality(0.03), quality(0.15)
    ('good to excellent', 'poor to fair')
    """
    for most, word in ((0.025, "excellent"), (0.05, "good to excellent"), (0.1, "fair to good")):
        if stress <= most:
            return word
    return "poor to fair" if stress <= 0.2 else "poor"


def _between(points: Array) -> Array:
    found: Array = np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1))
    return found


def _turned(points: Array) -> Array:
    """The first point at the origin, the farthest from it to its right, most of the rest above."""
    moved = points - points[:1]
    far = moved[int(np.argmax((moved**2).sum(1)))] if len(moved) else np.zeros(2)
    angle = math.atan2(far[1], far[0])
    cos, sin = math.cos(angle), math.sin(angle)
    turned: Array = moved @ np.array([[cos, -sin], [sin, cos]])
    turned[:, 1] *= -1.0 if turned[:, 1].sum() < 0 else 1.0
    return turned
