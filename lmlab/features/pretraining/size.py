"""Step 2 of the Pre-training tab: the model's size and its training, and what they cost."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import gradio as gr

from lmlab.errors import LabError
from lmlab.features.pretraining import views
from lmlab.features.pretraining.service import Pretraining
from lmlab.features.pretraining.text import vocabulary_of
from lmlab.lab import Lab
from lmlab.parts.forms import Controls
from lmlab.parts.run_views import problem
from lmlab.parts.stream import QUICK, Shown, on
from lmlab.parts.widgets import static
from lmlab.training.pretrain_config import SIZES, PretrainConfig, Shape

FREE = "free"
DEMO = "tiny"
SHAPE = (("layers", "width"), ("heads", "context"), ("steps", "batch_size"))
MORE = ("learning_rate", "seed", "temperature", "weight_decay", "warmup")
FORM = Controls("pretraining", PretrainConfig.sized(DEMO), (*SHAPE, MORE), info=False)
LATEST = {"trigger_mode": "always_last", **QUICK}


@dataclass(frozen=True)
class SizeStep:
    """The components of step 2 that others ask."""

    values: list[Any]  # the vocabulary, and the form
    counted: dict[str, Any]  # what a count is shown in


def build(lab: Lab, vocabulary: gr.Slider) -> SizeStep:
    """Draw step 2 inside the current column: a preset fills the shape; every change is counted."""
    form = replace(FORM, most={"steps": lab.settings.max_pretrain_steps})
    with gr.Column(elem_classes="lm-panel lm-step"):
        static('<h2 class="lm-h"><i>2</i> Size: a decoder with random weights</h2>')
        preset = gr.Radio(
            [*SIZES, FREE], value=DEMO, show_label=False, label="Size", container=False,
            elem_id="pretraining-size", elem_classes="lm-methods",
        )  # fmt: skip
        made = form.draw(*SHAPE)
        counted = {"counter": static("", elem_id="pretraining-counter"), "preset": preset}
        with gr.Accordion("More settings", open=False, elem_id="pretraining-more"):
            made |= form.draw(MORE)
    on(preset.input, filler, [preset], {key: made[key] for key in Shape._fields}, **QUICK)
    asked = [vocabulary, *made.values()]
    on([one.change for one in asked], partial(count, lab), asked, counted, **LATEST)
    return SizeStep(asked, counted)


def filler(name: str) -> Shown:
    """The shape of a preset; a free one stays as it is."""
    size = SIZES.get(name)
    return {} if size is None else size._asdict()


def count(lab: Lab, *values: Any) -> Shown:
    """What the size costs; what is wrong stands in its place."""
    try:
        config = config_of(*values)
        seconds = lab.service(Pretraining).seconds(config)
    except LabError as error:
        return {"counter": problem(str(error))}
    return {"counter": views.size(config, seconds), "preset": config.size or FREE}


def config_of(vocabulary: Any, *values: Any) -> PretrainConfig:
    """The config that the form's values mean; looks and samples follow the number of steps. Raises
    InputError: a box is empty or holds what cannot be.
    """
    asked = FORM.read(*values, vocabulary=vocabulary_of(vocabulary))
    return replace(asked, steps=FORM.start.steps).with_steps(asked.steps)
