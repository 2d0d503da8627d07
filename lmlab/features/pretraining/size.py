"""Step 2 of the Pre-training tab: the model's size and its training, and what they cost."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from lmlab.errors import InputError, LabError
from lmlab.features.pretraining import views
from lmlab.features.pretraining.service import Pretraining
from lmlab.features.pretraining.text import vocabulary_of
from lmlab.lab import Lab
from lmlab.parts.run_views import duration, memory, problem
from lmlab.parts.stream import QUICK, Shown, on
from lmlab.parts.widgets import static
from lmlab.training.pretrain_config import SIZES, PretrainConfig

FREE = "free"
DEMO = "tiny"
MOST_STEPS = 6000  # of the slider; a number above it can be typed where the settings allow it
# What the form asks for, in the order of its components.
KEYS = (
    "layers", "width", "heads", "context", "steps", "batch_size", "learning_rate", "seed",
    "temperature", "weight_decay", "warmup",
)  # fmt: skip
WHOLE = frozenset(("layers", "width", "heads", "context", "steps", "batch_size", "seed"))
LATEST = {"trigger_mode": "always_last", **QUICK}


@dataclass(frozen=True)
class SizeStep:
    """The components of step 2: ``fields`` in the order of ``KEYS``."""

    preset: gr.Radio
    fields: Mapping[str, Any]
    counter: gr.HTML

    @property
    def counted(self) -> dict[str, Any]:
        """What a count is shown in."""
        return {"counter": self.counter, "preset": self.preset}


def build(lab: Lab) -> SizeStep:
    """Draw step 2 inside the current column."""
    start = PretrainConfig.sized(DEMO)
    made: dict[str, Any] = {}
    with gr.Column(elem_classes="lm-panel lm-step"):
        static('<h2 class="lm-h"><i>2</i> Size: a decoder with random weights</h2>')
        preset = gr.Radio(
            [*SIZES, FREE], value=DEMO, show_label=False, label="Size", container=False,
            elem_id="pretraining-size", elem_classes="lm-methods",
        )  # fmt: skip
        with gr.Row(elem_classes="lm-controls"):
            made["layers"] = _slider("layers", "layers n", 1, 12, start.layers)
            made["width"] = _slider("width", "width d", 8, 384, start.width, 8)
        with gr.Row(elem_classes="lm-controls"):
            made["heads"] = _slider("heads", "heads", 1, 12, start.heads)
            made["context"] = _slider("context", "context, tokens", 16, 256, start.context, 8)
        with gr.Row(elem_classes="lm-controls"):
            most = min(MOST_STEPS, lab.settings.max_pretrain_steps)
            made["steps"] = _slider("steps", "steps", 20, most, min(most, start.steps), 20)
            made["batch_size"] = _slider("batch", "windows a step", 1, 64, start.batch_size)
        counter = static("", elem_id="pretraining-counter")
        with (
            gr.Accordion("More settings", open=False, elem_id="pretraining-more"),
            gr.Row(elem_classes="lm-controls"),
        ):
            made["learning_rate"] = _text("rate", "learning rate", start.learning_rate)
            made["seed"] = _text("seed", "seed", start.seed)
            made["temperature"] = _text("temperature", "temperature of samples", start.temperature)
            made["weight_decay"] = _text("decay", "weight decay", start.weight_decay)
            made["warmup"] = _text("warmup", "warm-up, share of steps", start.warmup)
    return SizeStep(preset, {key: made[key] for key in KEYS}, counter)


def _slider(name: str, label: str, low: int, high: int, value: int, step: int = 1) -> gr.Slider:
    return gr.Slider(
        low, high, value, step=step, label=label, elem_id=f"pretraining-{name}", min_width=180
    )


def _text(name: str, label: str, value: float) -> gr.Textbox:
    return gr.Textbox(
        f"{value:g}", label=label, max_lines=1, max_length=24, elem_id=f"pretraining-{name}",
        min_width=100,
    )  # fmt: skip


def wire(lab: Lab, step: SizeStep, vocabulary: gr.Slider) -> None:
    """A preset fills the shape; every change is counted.

    Args:
        lab: the backend.
        step: the components.
        vocabulary: of step 1.
    """
    shape = {key: step.fields[key] for key in ("layers", "width", "heads")}
    on(step.preset.input, filler, [step.preset], shape, **QUICK)
    asked = [vocabulary, *step.fields.values()]
    on([one.change for one in asked], counting(lab), asked, step.counted, **LATEST)


def filler(name: str) -> Shown:
    """The shape of a preset; a free one stays as it is."""
    size = SIZES.get(name)
    return {} if size is None else vars(size)


def counting(lab: Lab) -> Callable[..., Shown]:
    """What the size costs; what is wrong stands in its place."""

    def count(*values: Any) -> Shown:
        try:
            config = config_of(*values)
            cost = lab.service(Pretraining).cost(config)
        except LabError as error:
            return {"counter": problem(str(error))}
        shown = views.size(config, memory(cost.memory_bytes), duration(cost.seconds))
        return {"counter": shown, "preset": config.size or FREE}

    return count


def config_of(vocabulary: Any, *values: Any) -> PretrainConfig:
    """The config that the form's values mean; looks and samples follow the number of steps.

    Raises:
        InputError: a box is empty or holds what cannot be.
    """
    raw = dict(zip(KEYS, values, strict=True))
    numbers = {key: _number(value, key) for key, value in raw.items()}
    steps = numbers.pop("steps")
    config = PretrainConfig(vocabulary=vocabulary_of(vocabulary), **numbers)
    if not isinstance(steps, int) or not 1 <= steps <= 10_000_000:
        raise InputError("The steps cannot be that.", "They are a whole number from 1 on.")
    return config.with_steps(steps)


def _number(value: Any, name: str) -> Any:
    said = name.replace("_", " ")
    if isinstance(value, str):
        value = value.strip().replace("−", "-")[:40]
    try:
        number = float(value)
    except (TypeError, ValueError):
        shown = "is empty" if value in (None, "") else f"cannot be ‘{str(value)[:40]}’"
        raise InputError(f"‘{said}’ {shown}.", "Type a number.") from None
    if number != number or abs(number) > 1e15:
        raise InputError(f"‘{said}’ must be a finite number.")
    if name in WHOLE:
        if number != int(number):
            raise InputError(f"‘{said}’ must be a whole number.")
        return int(number)
    return number
