"""Notes of what the Scale tab shows: title and receipt."""

from collections.abc import Sequence
from typing import Any

from lmlab.errors import LabError
from lmlab.features.scale import counts, receipt
from lmlab.features.scale.form import shape_of
from lmlab.features.scale.measured import Measured
from lmlab.features.scale.published import PUBLISHED
from lmlab.parts.receipt_button import Note


def of_shape(*values: Any) -> Note | None:
    """The shape that the builder's form holds, fields in the order of ``KEYS``."""
    try:
        shape = shape_of(values)
    except LabError:  # the form says what is wrong
        return None
    known = next((row.name for row in PUBLISHED if row.shape == shape), "")
    named = f"the shape of {known}" if known else f"L = {shape.layers:,}, d = {shape.width:,}"
    title = f"{counts.parameters(shape):,} parameters: {named}"
    return Note("shape", title, lambda: receipt.shape(shape))


def of_measured(found: Sequence[Measured] | None) -> Note | None:
    """Models on held-out texts; the receipt is that of the first."""
    if not found:
        return None
    models, kinds = ([*dict.fromkeys(names)] for names in zip(*_named(found), strict=True))
    mine = [one for one in found if one.model == models[0]]
    title = f"{', '.join(models)} on held-out texts ({', '.join(kinds)})"
    return Note(title, f"{title}; receipt of {models[0]}", lambda: receipt.measured(mine))


def _named(found: Sequence[Measured]) -> list[tuple[str, str]]:
    return [(one.model, one.kind) for one in found]
