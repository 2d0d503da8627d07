"""Notes of what the Scale tab shows, title and receipt; and receipts of size: parameters counted,
and what models reach on held-out texts."""

from collections.abc import Sequence
from typing import Any

from lmlab.errors import LabError
from lmlab.features.scale import counts, views
from lmlab.features.scale.architectures import to_config
from lmlab.features.scale.counts import Shape
from lmlab.features.scale.form import shape_of
from lmlab.features.scale.measured import Measured
from lmlab.parts.receipt_button import Note
from lmlab.receipts.script import script

DEEPEST = 400  # layers that are built without weights in a few seconds


def of_shape(*values: Any) -> Note | None:
    """The shape that the builder's form holds, fields in the order of ``KEYS``."""
    try:
        asked = shape_of(values)
    except LabError:  # the form says what is wrong
        return None
    title = f"{counts.parameters(asked):,} parameters: {views.named(asked)}"
    return Note("shape", title, lambda: shape(asked))


def of_measured(found: Sequence[Measured] | None) -> Note | None:
    """Models on held-out texts; the receipt is that of the first."""
    if not found:
        return None
    models = dict.fromkeys(one.model for one in found)
    first = found[0].model
    mine = [one for one in found if one.model == first]
    title = f"{', '.join(models)} on held-out texts "
    title += f"({', '.join(dict.fromkeys(one.kind for one in found))})"
    return Note(title, f"{title}; receipt of {first}", lambda: measured(mine))


def parameters(model: str, count: int, added: int | None = None) -> str:
    """How many parameters a model has, from its config alone, and how many more its adapter; tied
    ones count once."""
    return script("features/scale/parameters", [model], count=count, added=added)


def shape(asked: Shape) -> str:
    """How many parameters a shape has: of a model that transformers builds where there is one of
    that shape, else by arithmetic, part by part."""
    kind, fields = (to_config(asked) if asked.layers <= DEEPEST else None) or ("", {})
    found = {"count": counts.parameters(asked), "parts": counts.parts(asked)}
    return script("features/scale/shape", shape=asked, kind=kind, fields=fields, **found)


def measured(found: Sequence[Measured]) -> str:
    """Bits per byte and perplexity of one model on held-out texts that ship, one a kind."""
    return script("features/scale/measured", [found[0].model], found=found)
