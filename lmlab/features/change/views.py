"""What the Change tab says of one matrix and of all, as escaped HTML."""

import json
import uuid
from html import escape

from lmlab.features.change.changes import MatrixChange
from lmlab.features.change.matrices import Changes, MatrixView
from lmlab.numbers import signed

NOTHING = '<p class="lm-why">Choose a matrix on the map.</p>'
UNCHANGED = '<p class="lm-why">No matrix has changed.</p>'


def figures(view: MatrixView) -> str:
    """The numbers of one matrix."""
    one = view.change
    cells = [
        (_number(one.norm), "‖W‖, Frobenius"),
        (_number(one.change), "‖ΔW‖"),
        (f"{100 * one.relative:.3g} %", "‖ΔW‖ / ‖W‖"),
    ]
    if one.singular_values:
        cells += _ranks(one)
    drawn = "".join(
        f'<div class="lm-num2"><b>{value}</b><span>{name}</span></div>' for value, name in cells
    )
    shape = " × ".join(f"{size:,}" for size in one.shape)
    return (
        f'<p class="lm-matrixname">{escape(one.name)} <span class="lm-sub">{shape}</span></p>'
        f'<div class="lm-nums">{drawn}</div>'
    )


def _ranks(one: MatrixChange) -> list[tuple[str, str]]:
    most = f"<small> of {min(one.shape):,}</small>"
    given = [(f"{one.rank}{most}", "rank ℓ of V·U")] if one.rank else []
    squares = [value * value for value in one.singular_values]
    first = squares[0] / total if (total := sum(squares)) > 0 else 0.0
    return [
        *given,
        (f"{one.effective_rank:.2f}", "effective rank"),
        (f"{one.stable_rank:.2f}", "stable rank"),
        (f"{100 * first:.0f} %", "of ‖ΔW‖² in σ₁"),
    ]


def said(changes: Changes) -> str:
    """One line about all of them."""
    inside = [one for one in changes.matrices if len(one.shape) == 2]
    ranks = sorted({one.rank for one in inside if one.rank})
    size = sum(one.change**2 for one in changes.matrices) ** 0.5
    whole = sum(one.norm**2 for one in changes.matrices) ** 0.5
    lora = f" by LoRA of rank ℓ = {', '.join(map(str, ranks))}" if ranks else ""
    vectors = len(changes.matrices) - len(inside)
    also = f" and {vectors} vectors" if vectors else ""
    return (
        f'<p class="lm-said">{escape(changes.base)} → {escape(changes.tuned)}: {len(inside)} '
        f"matrices{also} changed{lora}; over all of them ‖ΔW‖ = {_number(size)}, "
        f"{100 * size / whole if whole else 0:.2g} % of ‖W‖.</p>"
    )


def _number(value: float) -> str:
    """With three digits."""
    return f"{value:#.3g}".rstrip(".") if 0 < abs(value) < 1000 else signed(value, 0)


def handed(action: str, file: str, text: str) -> str:
    """What ``Handover`` takes; a new name each time, so that a second request is noticed."""
    value = {"action": action, "name": uuid.uuid4().hex, "file": file, "text": text}
    return json.dumps(value).replace("<", "\\u003c")
