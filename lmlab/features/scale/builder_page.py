"""The parameter builder: a shape in numbers, and all that follows from it, counted at once."""

from collections.abc import Callable, Mapping, Sequence
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
from lmlab.parts.stream import QUIET, Options, Shown, on
from lmlab.parts.widgets import Handover, static

QUICK: Options = MappingProxyType({**QUIET, "concurrency_limit": 4})
LAST: Options = MappingProxyType({"trigger_mode": "always_last", **QUICK})
START = "GPT-3"
N_SHAPE, N_CACHE, N_TRAIN = len(KEYS), 3, 4
SHOWN = ("figures", "parts", "memory", "cache", "training", "lora")


@dataclass(frozen=True)
class Builder:
    """The components: ``shape`` in the order of ``KEYS``; ``plans`` in that of ``PLANS``."""

    shape: Mapping[str, Any]
    ratio: gr.Number
    plans: Mapping[str, Any]
    device: gr.Dropdown
    chips: tuple[gr.Button, ...]
    picker: gr.Dropdown
    shown: Mapping[str, gr.HTML]
    download: gr.Button
    handover: Handover
    keep: Keep

    @property
    def fields(self) -> list[Any]:
        """What every count is made of."""
        return [*self.shape.values(), *self.plans.values()]

    @property
    def filled(self) -> dict[str, Any]:
        """What a row fills in, and what follows from it."""
        form = {**self.shape, "ratio": self.ratio, **self.plans, "picker": self.picker}
        return {**form, **self.shown}


def build(lab: Lab, opened: Any) -> None:
    """Draw the builder inside the current Blocks and wire it to the lab; after the event ``opened``
    its first count is noted."""
    rows = presets()
    start = next(row for row in rows if row.name == START)
    assert start.shape is not None
    first = counted(*values_of(start.shape), *PLANS.values())
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
            figures = static(first["figures"], elem_id="scale-figures")
            with gr.Column(elem_classes="lm-panel"):
                with gr.Row(elem_classes="lm-tablehead"):
                    static('<h3 class="lm-h">Parameters by part</h3>')
                    download = gr.Button("CSV", size="sm", min_width=60, elem_id="scale-parts-csv")
                parts = static(first["parts"], elem_id="scale-parts")
                handover = Handover(elem_id="scale-parts-handover")
            keep = Keep("scale-builder", ("scale-figures", "scale-parts"))
    plans, device, below = plan_fields(first)
    shown = {"figures": figures, "parts": parts, **below}
    builder = Builder(shape, ratio, plans, device, chips, picker, shown, download, handover, keep)
    counting = _wire(lab, builder, rows)
    follow(
        keep,
        [opened, *counting],
        receipt_notes.of_shape,
        [*shape.values()],
        trigger_mode="always_last",
    )


def counted(*values: Any) -> dict[str, str]:
    """All that follows from the form: figures, parts, memory, cache, training, LoRA."""
    try:
        shape = shape_of(values[:N_SHAPE])
    except LabError as error:
        return dict.fromkeys(SHOWN, views.waits()) | {"figures": views.problem(str(error))}
    rest = values[N_SHAPE:]
    cache, train, lora = rest[:N_CACHE], rest[N_CACHE : N_CACHE + N_TRAIN], rest[-2:]
    return {
        "figures": views.figures(shape),
        "parts": views.by_part(shape),
        "memory": views.memory(shape),
        "cache": _or_problem(lambda: views.cache(shape, cache_plan(*cache))),
        "training": _or_problem(lambda: views.training(shape, train_plan(*train))),
        "lora": _or_problem(lambda: views.lora(shape, whole(lora[0], "rank ℓ"), _targets(lora[1]))),
    }


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
    fields, shape, count = builder.fields, builder.shape, (counted, builder.fields, builder.shown)
    width, inner = shape["width"], shape["feed_forward"]
    plain = [field.input for field in fields if field not in (width, inner)]
    found = [on(plain, *count, **LAST)]
    # The ratio stays when d changes; f and the ratio follow each other.
    for source in (width, builder.ratio):
        scaled = source.input(_inner, [width, builder.ratio], inner, **LAST)
        found.append(on(scaled.then, *count, **QUICK))
    divided = inner.input(_ratio, [inner, width], builder.ratio, **LAST)
    found.append(on(divided.then, *count, **QUICK))
    rates = dict(DEVICES)
    rated = builder.device.input(
        lambda name: rates.get(name, gr.skip()), builder.device, builder.plans["rate"], **QUICK
    )
    on(rated.then, *count, **QUICK)
    plans = [*builder.plans.values()]
    for chip, row in zip(builder.chips, rows, strict=True):
        found.append(on(chip.click, _filler(row), plans, builder.filled, **QUICK))
    asked = [builder.picker, *plans]
    found.append(on(builder.picker.input, _shaper(lab), asked, builder.filled, **QUICK))
    builder.download.click(_csv, [*shape.values()], builder.handover, **QUICK)
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


def _filler(row: Row) -> Callable[..., Shown]:
    def fill(*plans: Any) -> Shown:
        return filled(row, None, plans)

    return fill


def _shaper(lab: Lab) -> Callable[..., Shown]:
    def take(model: str | None, *plans: Any) -> Shown:
        if not model:
            return {}
        lab.service(Scaling).shape(model)
        return filled(lab.service(Scaling).row(model), model, plans)

    return take


def filled(row: Row, model: str | None, plans: Sequence[Any]) -> dict[str, Any]:
    """The form as a row has it, and what follows: its own context and, where it is known, its D."""
    assert row.shape is not None
    kept = dict(zip(PLANS, plans, strict=True)) | {"length": row.shape.context}
    if row.tokens:
        kept["tokens"] = row.tokens / 1e9
    if not row.shape.gated:
        kept["targets"] = [name for name in kept["targets"] or [] if name != "gate"]
    values = dict(zip(KEYS, values_of(row.shape), strict=True))
    ratio = ratio_of(row.shape.feed_forward, row.shape.width)
    follows = counted(*values.values(), *kept.values())
    return {**values, "ratio": ratio, **kept, "picker": model, **follows}


def _csv(*values: Any) -> str:
    return handed("parameters.csv", tables.parts_csv(counts.parts(shape_of(values))))
