"""The parameter builder: a shape in numbers, and all that follows from it, counted at once."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import gradio as gr

from lmlab.errors import LabError
from lmlab.features.scale import counts, form, receipt_notes, table_page, views
from lmlab.features.scale.published import Row, presets
from lmlab.features.scale.service import Scaling
from lmlab.lab import Lab
from lmlab.parts import plots
from lmlab.parts.pickers import model_picker
from lmlab.parts.receipt_button import Keep
from lmlab.parts.saving import Saver
from lmlab.parts.stream import QUIET, Options, Shown, on
from lmlab.parts.widgets import chart, static

QUICK: Options = MappingProxyType({**QUIET, "concurrency_limit": 4})
LAST: Options = MappingProxyType({"trigger_mode": "always_last", **QUICK})
START = next(row for row in presets() if row.name == "GPT-3")
INFO = {
    "kv_heads": "0: all heads",
    "head_width": "0: d / heads",
    "extra_positions": "rows beyond n",
}
# Dense peaks of the makers' data sheets, in 10¹² operations a second.
DEVICES = {"V100, float16": 125.0, "A100, bfloat16": 312.0, "H100 SXM, bfloat16": 989.0}
SHOWN = ("figures", "parts", "memory", "cache", "training", "lora")


def build(lab: Lab, opened: Any) -> None:
    """Draw the builder inside the current Blocks and wire it to the lab; after the event ``opened``
    its first count is noted."""
    first = filled(START, None, [*form.PLANS.values()])
    made: dict[str, Any] = {}
    static(
        '<h2 class="lm-h2">Parameter builder</h2><p class="lm-why">Change a number and everything '
        "follows: parameters by part, memory, keys and values, training, LoRA.</p>"
    )
    with gr.Row(elem_classes="lm-chips", elem_id="scale-presets"):
        static('<span class="lm-try">Shape of</span>', min_width=10)
        chips = [(gr.Button(row.name, size="sm", min_width=60), row) for row in presets()]
    with gr.Row(elem_classes="lm-two"):
        with gr.Column(scale=2, min_width=320), gr.Column(elem_classes="lm-panel lm-step"):
            _shape(lab, first, made)
        with gr.Column(scale=3, min_width=320):
            made["figures"] = static(first["figures"], elem_id="scale-figures")
            with gr.Column(elem_classes="lm-panel"):
                with gr.Row(elem_classes="lm-tablehead"):
                    static('<h3 class="lm-h">Parameters by part</h3>')
                    saver = Saver("scale-parts-csv", size="sm")
                made["parts"] = static(first["parts"], elem_id="scale-parts")
            keep = Keep("scale-builder", ("scale-figures", "scale-parts"))
    _plans(first, made)
    shape = [made[key] for key in form.KEYS]
    saver.gives("parameters.csv", _csv, shape)
    counting = _wire(made, made.pop("device"))
    plans = [made[key] for key in form.PLANS]
    counting += [on(chip.click, _filler(row), plans, made, **QUICK) for chip, row in chips]
    counting.append(on(made["picker"].input, _shaper(lab), [made["picker"], *plans], made, **QUICK))
    keep.notes(receipt_notes.of_shape, shape, after=[opened, *counting])


def _shape(lab: Lab, first: Shown, made: dict[str, Any]) -> None:
    """The fields of the shape, and a picker of a model that has one."""
    for keys in (
        ("layers", "width", "heads"),
        ("vocabulary", "context"),
        ("feed_forward", "ratio"),
    ):
        _numbers(first, made, *keys)
    made["biases"] = gr.CheckboxGroup(
        list(form.BIASES), value=first["biases"], label="biases on", elem_id="scale-biases"
    )
    with gr.Row(elem_classes="lm-controls lm-checks"):
        for key, label in (("tied", "head tied to embeddings"), ("gated", "gated, 3 matrices")):
            made[key] = gr.Checkbox(first[key], label=label, min_width=140, elem_id=f"scale-{key}")
    with gr.Accordion("More of the shape", open=False, elem_id="scale-more"):
        _numbers(first, made, *INFO)
        with gr.Row(elem_classes="lm-controls"):
            for key, names in (
                ("positions", [form.LEARNED, form.ROTARY]),
                ("norm", [form.LAYER, form.RMS]),
            ):
                made[key] = gr.Radio(
                    names, value=first[key], label=key, min_width=150, elem_id=f"scale-{key}"
                )
        made["final_norm"] = gr.Checkbox(
            first["final_norm"], label="one more norm before the head", elem_id="scale-final"
        )
    made["picker"] = model_picker(
        lab, "scale-shape-of", "or the shape of a model at hand", value=None, info=None
    )


def _plans(first: Shown, made: dict[str, Any]) -> None:
    """Plans beside what follows from them."""

    @contextmanager
    def panel(name: str, title: str) -> Iterator[None]:
        with gr.Column(elem_classes="lm-panel"):
            static(f'<h3 class="lm-h">{title}</h3>')
            yield
            made[name] = static(first[name], elem_id=f"scale-{name}")

    with gr.Row(elem_classes="lm-two"):
        with gr.Column(scale=2, min_width=320):
            with panel("memory", "Memory"):
                pass
            with panel("training", "Training, on paper"):
                with gr.Row(elem_classes="lm-controls"):
                    made["tokens"] = _number(first, "tokens")
                    made["device"] = gr.Dropdown(
                        list(DEVICES), value="A100, bfloat16", label="device", min_width=130,
                        elem_id="scale-device",
                    )  # fmt: skip
                _numbers(first, made, "rate", "devices", "reached")
        with gr.Column(scale=3, min_width=320):
            with panel("cache", "Keys and values while it writes"):
                with gr.Row(elem_classes="lm-controls"):
                    made["dtype"] = gr.Dropdown(
                        list(counts.BYTES), value=form.PLANS["dtype"], label="number format",
                        min_width=110, elem_id="scale-cache-dtype",
                    )  # fmt: skip
                    made |= {key: _number(first, key) for key in ("batch", "length")}
                made["curve"] = chart(first["curve"], "scale-cache-plot")
            with panel("lora", "LoRA on top: W + V·U"), gr.Row(elem_classes="lm-controls"):
                made["rank"] = gr.Slider(
                    1, 256, form.PLANS["rank"], step=1, label="rank ℓ", elem_id="scale-rank",
                    min_width=160,
                )  # fmt: skip
                made["targets"] = gr.CheckboxGroup(
                    list(form.TARGETS), value=form.PLANS["targets"], elem_id="scale-targets",
                    label="matrices W of every layer", min_width=320,
                )  # fmt: skip


def _numbers(first: Shown, made: dict[str, Any], *keys: str) -> None:
    """A row of numbers."""
    with gr.Row(elem_classes="lm-controls"):
        made |= {key: _number(first, key) for key in keys}


def _number(first: Shown, key: str) -> gr.Number:
    return gr.Number(
        first[key], label=form.LABELS[key], info=INFO.get(key), min_width=90,
        elem_id=f"scale-{key.replace('_', '-')}",
    )  # fmt: skip


def _wire(made: dict[str, Any], device: gr.Dropdown) -> list[Any]:
    """Everything is counted anew whenever the visitor changes a field; the events that do it."""
    fields = [made[key] for key in (*form.KEYS, *form.PLANS)]
    count = (counted, fields, {name: made[name] for name in (*SHOWN, "curve")})
    width, inner, ratio = made["width"], made["feed_forward"], made["ratio"]
    found = [on([one.input for one in fields if one not in (width, inner)], *count, **LAST)]
    # The ratio stays when d changes; f and the ratio follow each other.
    follows: list[Any] = [(one, form.scaled_ff, [width, ratio], inner) for one in (width, ratio)]
    follows.append((inner, form.ratio_of, [inner, width], ratio))
    for source, make, inputs, target in follows:
        changed = source.input(_if_it_can(make), inputs, target, **LAST)
        found.append(on(changed.then, *count, **QUICK))
    rated = device.input(lambda name: DEVICES.get(name, gr.skip()), device, made["rate"], **QUICK)
    on(rated.then, *count, **QUICK)
    return found


def _if_it_can(make: Callable[..., Any]) -> Callable[..., Any]:
    def made(one: Any, other: Any) -> Any:
        try:
            return make(one, other)
        except LabError:
            return gr.skip()  # the count says what is wrong

    return made


def counted(*values: Any) -> dict[str, Any]:
    """All that follows from the form: figures, parts, memory, cache, training, LoRA; the curve."""
    try:
        shape = form.shape_of(values[: len(form.KEYS)])
    except LabError as error:
        wrong = {"figures": views.problem(str(error)), "curve": plots.empty()}
        return dict.fromkeys(SHOWN, views.WAITS) | wrong
    dtype, batch, length, *train, rank, targets = values[len(form.KEYS) :]
    try:
        curve, cache = views.cache(shape, *form.cache_plan(dtype, batch, length))
    except LabError as error:
        curve, cache = plots.empty(), views.problem(str(error))
    return {
        "figures": views.figures(shape),
        "parts": views.by_part(shape),
        "memory": views.memory(shape),
        "cache": cache,
        "training": _or_problem(lambda: views.training(shape, *form.train_plan(*train))),
        "lora": _or_problem(lambda: _lora(shape, rank, targets)),
        "curve": curve,
    }


def _lora(shape: counts.Shape, rank: Any, targets: Sequence[str] | None) -> str:
    if not targets:
        raise LabError("No matrix gets LoRA.", "Choose one at least.")
    return views.lora(shape, form.whole(rank, "rank ℓ"), targets)


def _or_problem(make: Callable[[], str]) -> str:
    try:
        return make()
    except LabError as error:
        return views.problem(str(error))


def _filler(row: Row) -> Callable[..., Shown]:
    return lambda *plans: filled(row, None, plans)


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
    kept = dict(zip(form.PLANS, plans, strict=True)) | {"length": row.shape.context}
    if row.tokens:
        kept["tokens"] = row.tokens / 1e9
    if not row.shape.gated:
        kept["targets"] = [name for name in kept["targets"] or [] if name != "gate"]
    values = dict(zip(form.KEYS, form.values_of(row.shape), strict=True))
    ratio = form.ratio_of(row.shape.feed_forward, row.shape.width)
    follows = counted(*values.values(), *kept.values())
    return {**values, "ratio": ratio, **kept, "picker": model, **follows}


def _csv(*values: Any) -> str:
    return table_page.parts_csv(counts.parts(form.shape_of(values)))
