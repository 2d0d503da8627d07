"""Step 2 of the Fine-tune tab: the method, its settings, and what they cost, counted at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
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
ALWAYS_LAST = {"trigger_mode": "always_last", **QUICK}


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
    counted = [*data, *step.fields.values()]
    handler = counting(lab)
    method = step.fields["method"]
    brought = on(method.change, grouped, [method], step.groups, **QUICK)
    brought.then(handler, counted, shown, **QUICK)
    gr.on(
        [method.input, model.input],
        rate_of(lab), [method, model], step.fields["learning_rate"], **QUICK,
    )  # fmt: skip
    changes = [step.fields[key].change for key in COUNTED]
    gr.on(changes, handler, counted, shown, **ALWAYS_LAST)
    for key in ("max_length", "form", "loss_on", "end_token"):
        show(step.fields[key].change(handler, counted, shown, **ALWAYS_LAST))
    model.change(
        names_of(lab), model, step.fields["targets"], **QUICK
    ).then(handler, counted, shown, **QUICK)  # fmt: skip


def grouped(method: str) -> Shown:
    """The controls of a method, whoever chose it: a visitor, an example or a scene."""
    return {name: gr.update(visible=method == name) for name in ("lora", "selective", "prompt")}


def rate_of(lab: Lab) -> Callable[..., Any]:
    """A learning rate that suits a method and a model's size, and where it comes from."""

    def rate(method: Any, model: str) -> Any:
        if method not in RATES:
            return gr.skip()
        try:
            parameters = lab.service(Tuning).outline(model).shape.total
        except LabError:
            parameters = 0  # the counter says what is wrong
        large = parameters > SMALL
        told = f"suits {parameters / 1e6:,.0f} M parameters" if large else None
        return gr.update(value=f"{suited_rate(method, parameters):g}", info=told)

    return rate


def names_of(lab: Lab) -> Callable[..., Any]:
    """The names of a model's matrices for the picker of targets."""

    def names(model: str) -> Any:
        try:
            linear = lab.service(Tuning).outline(model).shape.linear_names
        except LabError:
            return gr.skip()  # the counter says what is wrong
        return gr.update(choices=["auto", "all-linear", *linear])

    return names


def counting(lab: Lab) -> Callable[..., str]:
    """What learns and what that costs; what is wrong stands in its place."""

    def count(*values: Any) -> str:
        choice = Choice.read(values)
        try:
            config = config_of(values[CHOSEN:])
            try:
                data = choice.rows(lab, choice.template())
            except LabError:
                data = None  # the row's place says what is wrong with the data
            return counter(lab.service(Tuning).count(choice.model, config, data), config)
        except LabError as error:
            return problem(str(error))

    return count
