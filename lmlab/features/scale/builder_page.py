"""The parameter builder: a shape in numbers, and all that follows from it, counted at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import gradio as gr

from lmlab.errors import LabError
from lmlab.features.scale import counts, receipt_notes, tables, views
from lmlab.features.scale.fields import DEVICES, PLANS, plan_fields, shape_fields
from lmlab.features.scale.form import (
    KEYS,
    cache_plan,
    ratio_of,
    scaled_ff,
    shape_of,
    train_plan,
    values_of,
    whole,
)
from lmlab.features.scale.published import Row, presets
from lmlab.features.scale.service import Scaling
from lmlab.features.scale.table_page import handed
from lmlab.lab import Lab
from lmlab.parts.receipt_button import Keep, follow
from lmlab.parts.stream import QUIET, Options
from lmlab.parts.widgets import Handover, static

QUICK: Options = MappingProxyType({**QUIET, "concurrency_limit": 4})
LAST: Options = MappingProxyType({"trigger_mode": "always_last", **QUICK})
START = "GPT-3"
N_SHAPE, N_CACHE, N_TRAIN = len(KEYS), 3, 4


@dataclass(frozen=True)
class Builder:
    """The components: ``shape`` in the order of ``KEYS``; ``plans`` in that of ``PLANS``."""

    shape: tuple[Any, ...]
    ratio: gr.Number
    plans: tuple[Any, ...]
    device: gr.Dropdown
    chips: tuple[gr.Button, ...]
    picker: gr.Dropdown
    shown: tuple[gr.HTML, ...]
    download: gr.Button
    handover: Handover
    keep: Keep

    @property
    def fields(self) -> list[Any]:
        """What every count is made of."""
        return [*self.shape, *self.plans]

    def field(self, key: str) -> Any:
        """One field of the shape."""
        return self.shape[KEYS.index(key)]


def build(lab: Lab, opened: Any) -> None:
    """Draw the builder inside the current Blocks and wire it to the lab; after the event ``opened``
    its first count is noted."""
    rows = presets()
    start = next(row for row in rows if row.name == START)
    first = counted(*values_of(start.shape), *PLANS)  # type: ignore[arg-type]
    static(
        '<h2 class="lm-h2">Parameter builder</h2><p class="lm-why">Change a number and everything '
        "follows: parameters by part, memory, keys and values, training, LoRA.</p>"
    )
    with gr.Row(elem_classes="lm-chips", elem_id="scale-presets"):
        static('<span class="lm-try">Shape of</span>', min_width=10)
        chips = tuple(gr.Button(row.name, size="sm", min_width=60) for row in rows)
    with gr.Row(elem_classes="lm-two"):
        with gr.Column(scale=2, min_width=320):
            picker, shape, ratio = shape_fields(lab, start)
        with gr.Column(scale=3, min_width=320):
            figures = static(first[0], elem_id="scale-figures")
            with gr.Column(elem_classes="lm-panel"):
                with gr.Row(elem_classes="lm-tablehead"):
                    static('<h3 class="lm-h">Parameters by part</h3>')
                    download = gr.Button("CSV", size="sm", min_width=60, elem_id="scale-parts-csv")
                parts = static(first[1], elem_id="scale-parts")
                handover = Handover(elem_id="scale-parts-handover")
            keep = Keep("scale-builder", ("scale-figures", "scale-parts"))
    plans, device, below = plan_fields(first)
    shown = (figures, parts, *below)
    builder = Builder(shape, ratio, plans, device, chips, picker, shown, download, handover, keep)
    counting = _wire(lab, builder, rows)
    follow(keep, [opened, *counting], receipt_notes.of_shape, shape, trigger_mode="always_last")


def counted(*values: Any) -> list[str]:
    """All that follows from the form: figures, parts, memory, cache, training, LoRA."""
    try:
        shape = shape_of(values[:N_SHAPE])
    except LabError as error:
        return [views.problem(str(error)), *[views.waits()] * 5]
    rest = values[N_SHAPE:]
    cache, train, lora = rest[:N_CACHE], rest[N_CACHE : N_CACHE + N_TRAIN], rest[-2:]
    return [
        views.figures(shape),
        views.by_part(shape),
        views.memory(shape),
        _or_problem(lambda: views.cache(shape, cache_plan(*cache))),
        _or_problem(lambda: views.training(shape, train_plan(*train))),
        _or_problem(lambda: views.lora(shape, whole(lora[0], "rank ℓ"), _targets(lora[1]))),
    ]


def _or_problem(make: Callable[[], str]) -> str:
    try:
        return make()
    except LabError as error:
        return views.problem(str(error))


def _targets(chosen: Sequence[str] | None) -> list[str]:
    if not chosen:
        raise LabError("No matrix gets LoRA.", "Choose one at least.")
    return [str(name) for name in chosen]


def _wire(lab: Lab, builder: Builder, rows: Sequence[Row]) -> list[Any]:
    """Everything is counted anew whenever the visitor changes a field; the events that do it."""
    shown, fields = list(builder.shown), builder.fields
    linked = ("width", "feed_forward")
    plain = [f for f in fields if f not in [builder.field(key) for key in linked]]
    found = [gr.on([field.input for field in plain], counted, fields, shown, **LAST)]
    # The ratio stays when d changes; f and the ratio follow each other.
    width, inner = (builder.field(key) for key in linked)
    for source in (width, builder.ratio):
        scaled = source.input(_inner, [width, builder.ratio], inner, **LAST)
        found.append(scaled.then(counted, fields, shown, **QUICK))
    divided = inner.input(_ratio, [inner, width], builder.ratio, **LAST)
    found.append(divided.then(counted, fields, shown, **QUICK))
    rates = dict(DEVICES)
    builder.device.input(
        lambda name: rates.get(name, gr.skip()), builder.device, builder.plans[4], **QUICK
    ).then(counted, fields, shown, **QUICK)
    filled = [*builder.shape, builder.ratio, *builder.plans, builder.picker]
    for chip, row in zip(builder.chips, rows, strict=True):
        found.append(chip.click(_filler(row), list(builder.plans), [*filled, *shown], **QUICK))
    asked = [builder.picker, *builder.plans]
    found.append(builder.picker.input(_shaper(lab), asked, [*filled, *shown], **QUICK))
    builder.download.click(_csv, list(builder.shape), builder.handover, **QUICK)
    return found


def _inner(width: Any, ratio: Any) -> Any:
    try:
        return scaled_ff(width, ratio)
    except LabError:
        return gr.skip()  # the count says what is wrong


def _ratio(inner: Any, width: Any) -> Any:
    try:
        return ratio_of(inner, width)
    except LabError:
        return gr.skip()


def _filler(row: Row) -> Callable[..., list[Any]]:
    def fill(*plans: Any) -> list[Any]:
        return filled(row, None, plans)

    return fill


def _shaper(lab: Lab) -> Callable[..., list[Any]]:
    def take(model: str | None, *plans: Any) -> list[Any]:
        if not model:
            return [gr.skip()] * (N_SHAPE + 2 + len(PLANS) + 6)
        lab.service(Scaling).shape(model)
        return filled(lab.service(Scaling).row(model), model, plans)

    return take


def filled(row: Row, model: str | None, plans: Sequence[Any]) -> list[Any]:
    """The form as a row has it, and what follows: its own context and, where it is known, its D."""
    assert row.shape is not None
    kept = list(plans)
    kept[2] = row.shape.context
    if row.tokens:
        kept[3] = row.tokens / 1e9
    if not row.shape.gated and "gate" in (kept[8] or []):
        kept[8] = [name for name in kept[8] if name != "gate"]
    values = values_of(row.shape)
    ratio = ratio_of(row.shape.feed_forward, row.shape.width)
    return [*values, ratio, *kept, model, *counted(*values, *kept)]


def _csv(*values: Any) -> str:
    return handed("parameters.csv", tables.parts_csv(counts.parts(shape_of(values))))
