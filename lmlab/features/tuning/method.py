"""Step 2 of the Fine-tune tab: the method, its settings, and what they cost, counted at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import gradio as gr

from lmlab.errors import LabError
from lmlab.features.tuning.form import CHOSEN, FORM, KEYS, MORE, START, TRAINING, Choice, config_of
from lmlab.features.tuning.service import Tuning
from lmlab.features.tuning.views import counter
from lmlab.lab import Lab
from lmlab.parts.run_views import problem
from lmlab.parts.stream import QUICK, Shown, on
from lmlab.parts.widgets import static
from lmlab.training.config import RATES, SMALL, suited_rate
from lmlab.training.shapes import GROUPS

# What the count follows, besides what the row's preview does.
COUNTED = (
    "rank", "alpha", "length", "steps", "batch_size", "targets", "layers", "start", "rslora",
    "dora", "groups", "names", "learning_rate", "accumulation", "start_text",
)  # fmt: skip


@dataclass(frozen=True)
class MethodStep:
    """The components of step 2: ``fields`` in the order of ``KEYS``, ``groups`` by method."""

    fields: Mapping[str, Any]
    groups: Mapping[str, gr.Column]


def build(lab: Lab) -> MethodStep:
    """Draw step 2 inside the current column."""
    most = {"rank": lab.settings.max_rank, "steps": lab.settings.max_steps}
    form, made = replace(FORM, most=most), dict[str, Any]()
    with gr.Column(elem_classes="lm-panel lm-step"):
        static('<h2 class="lm-h"><i>2</i> Method: what learns</h2>')
        made["method"] = form.widget(
            "method", show_label=False, elem_classes="lm-methods", container=False
        )
        groups = {
            name: gr.Column(visible=name == "lora", elem_id=f"tuning-{name}")
            for name in ("lora", "selective", "prompt")
        }
        with groups["lora"]:
            made |= form.draw(("rank", "alpha"))
            with gr.Row(elem_classes="lm-controls"):
                made["targets"] = gr.Dropdown(
                    ["auto", "all-linear"], value=START["targets"], multiselect=True,
                    allow_custom_value=True, label="matrices W", elem_id="tuning-targets",
                    min_width=170,
                )  # fmt: skip
                made["layers"] = form.widget("layers")
        with groups["selective"], gr.Row(elem_classes="lm-controls"):
            made["groups"] = gr.CheckboxGroup(
                [*GROUPS], value=START["groups"], label="parts", elem_id="tuning-groups",
                min_width=260,
            )  # fmt: skip
            made["names"] = gr.Textbox(
                START["names"], label="layers or names", placeholder="0, -1, *mlp*, q_proj",
                max_lines=1, min_width=120, max_length=2000, elem_id="tuning-names",
            )  # fmt: skip
        with groups["prompt"]:
            made |= form.draw(("length", "start_text"))
        made |= form.draw(TRAINING)
        with gr.Accordion("More settings", open=False, elem_id="tuning-more"):
            made |= form.draw(*MORE)
    return MethodStep({key: made[key] for key in KEYS}, groups)


def wire(
    lab: Lab,
    step: MethodStep,
    shown: gr.HTML,
    data: list[Any],
    show: Callable[[Any], Any],
    model: gr.Dropdown,
) -> None:
    """The counter moves with every setting; a method brings its own controls and rate.

    Args:
        shown: where the counter stands.
        data: of the data step, in the order of ``Choice``.
        show: appends the preview of a row to an event.
        model: the base's picker.
    """
    asked, method = [*data, *step.fields.values()], step.fields["method"]

    def recount(trigger: Any, **how: Any) -> Any:
        return on(trigger, partial(counted, lab), asked, {"counter": shown}, **QUICK, **how)

    recount(on(method.change, grouped, [method], step.groups, **QUICK).then)
    rate = {"learning_rate": step.fields["learning_rate"]}
    on([method.input, model.input], partial(rate_of, lab), [method, model], rate, **QUICK)
    recount([step.fields[key].change for key in COUNTED], trigger_mode="always_last")
    for key in ("max_length", "form", "loss_on", "end_token"):
        show(recount(step.fields[key].change, trigger_mode="always_last"))
    targets = {"targets": step.fields["targets"]}
    recount(on(model.change, partial(names_of, lab), [model], targets, **QUICK).then)


def grouped(method: str) -> Shown:
    """The controls of a method, whoever chose it: a visitor, an example or a scene."""
    return {name: gr.update(visible=method == name) for name in ("lora", "selective", "prompt")}


def rate_of(lab: Lab, method: Any, model: str) -> Shown:
    """A learning rate that suits a method and a model's size, and where it comes from."""
    if method not in RATES:
        return {}
    try:
        parameters = lab.service(Tuning).outline(model).shape.total
    except LabError:
        parameters = 0  # the counter says what is wrong
    told = f"suits {parameters / 1e6:,.0f} M parameters" if parameters > SMALL else None
    return {"learning_rate": gr.update(value=f"{suited_rate(method, parameters):g}", info=told)}


def names_of(lab: Lab, model: str) -> Shown:
    """The names of a model's matrices for the picker of targets."""
    try:
        linear = lab.service(Tuning).outline(model).shape.linear_names
    except LabError:
        return {}  # the counter says what is wrong
    return {"targets": gr.update(choices=["auto", "all-linear", *linear])}


def counted(lab: Lab, *values: Any) -> Shown:
    """What learns and what that costs; what is wrong stands in its place."""
    choice = Choice.read(values)
    try:
        config = config_of(values[CHOSEN:])
        try:
            data = choice.rows(lab, choice.template())
        except LabError:
            data = None  # the row's place says what is wrong with the data
        shown = counter(lab.service(Tuning).count(choice.model, config, data), config)
    except LabError as error:
        shown = problem(str(error))
    return {"counter": shown}
