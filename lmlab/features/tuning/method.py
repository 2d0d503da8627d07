"""Step 2 of the Fine-tune tab: the method, its settings, and what they cost, counted at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from lmlab.errors import LabError
from lmlab.features.tuning.form import GROUPS, KEYS, METHODS, PRESETS, Choice, config_of, values_of
from lmlab.features.tuning.service import Tuning
from lmlab.features.tuning.views import counter
from lmlab.lab import Lab
from lmlab.parts.run_views import problem
from lmlab.parts.stream import QUICK, Shown, on
from lmlab.parts.upload_table import FIELDS
from lmlab.parts.widgets import static
from lmlab.training.config import RATES, SCHEDULES, SMALL, suited_rate

MOST_STEPS = 2000  # of the slider; a number above it can be typed where the settings allow it
MOST_RANK = 64
# What the count follows, besides what the row's preview does.
SLIDERS = ("rank", "alpha", "length", "steps", "batch_size")
BOXES = (
    "targets", "layers", "start", "rslora", "dora", "groups", "names", "learning_rate",
    "accumulation", "start_text",
)  # fmt: skip
ALWAYS_LAST = {"trigger_mode": "always_last", **QUICK}


@dataclass(frozen=True)
class MethodStep:
    """The components of step 2: ``fields`` in the order of ``KEYS``, ``groups`` by method."""

    fields: Mapping[str, Any]
    groups: Mapping[str, gr.Column]


def build(lab: Lab) -> MethodStep:
    """Draw step 2 inside the current column."""
    start = dict(zip(KEYS, values_of(PRESETS[0].config), strict=True))
    made: dict[str, Any] = {}
    with gr.Column(elem_classes="lm-panel lm-step"):
        static('<h2 class="lm-h"><i>2</i> Method: what learns</h2>')
        made["method"] = gr.Radio(
            list(METHODS), value=start["method"], show_label=False, label="Method",
            elem_id="tuning-method", elem_classes="lm-methods", container=False,
        )  # fmt: skip
        groups = {
            "lora": _lora(lab, made, start),
            "selective": _selective(made, start),
            "prompt": _prompt(made, start),
        }
        _training(lab, made, start)
        _more(made, start)
    return MethodStep({key: made[key] for key in KEYS}, groups)


def _lora(lab: Lab, made: dict[str, Any], start: dict[str, Any]) -> gr.Column:
    most = min(MOST_RANK, lab.settings.max_rank)
    group = gr.Column(visible=True, elem_id="tuning-lora")
    with group:
        with gr.Row(elem_classes="lm-controls"):
            made["rank"] = gr.Slider(
                1, most, start["rank"], step=1, label="rank ℓ", elem_id="tuning-rank",
                min_width=150,
            )  # fmt: skip
            made["alpha"] = gr.Slider(
                1, 128, start["alpha"], step=1, label="α", elem_id="tuning-alpha", min_width=150
            )
        with gr.Row(elem_classes="lm-controls"):
            made["targets"] = gr.Dropdown(
                ["auto", "all-linear"], value=start["targets"], multiselect=True,
                allow_custom_value=True, label="matrices W", elem_id="tuning-targets",
                min_width=170,
            )  # fmt: skip
            made["layers"] = _text(start, "layers", "layers", "all; or numbers: 0, 1, -1")
    return group


def _selective(made: dict[str, Any], start: dict[str, Any]) -> gr.Column:
    group = gr.Column(visible=False, elem_id="tuning-selective")
    with group, gr.Row(elem_classes="lm-controls"):
        made["groups"] = gr.CheckboxGroup(
            list(GROUPS), value=start["groups"], label="parts", elem_id="tuning-groups",
            min_width=260,
        )  # fmt: skip
        made["names"] = _text(start, "names", "layers or names", "0, -1, *mlp*, q_proj")
    return group


def _prompt(made: dict[str, Any], start: dict[str, Any]) -> gr.Column:
    group = gr.Column(visible=False, elem_id="tuning-prompt")
    with group, gr.Row(elem_classes="lm-controls"):
        made["length"] = gr.Slider(
            1, 100, start["length"], step=1, label="length ℓ of the soft prompt",
            elem_id="tuning-length", min_width=170,
        )  # fmt: skip
        made["start_text"] = _text(
            start, "start_text", "start from the text", "nothing: random tokens"
        )
    return group


def _training(lab: Lab, made: dict[str, Any], start: dict[str, Any]) -> None:
    with gr.Row(elem_classes="lm-controls"):
        most = min(MOST_STEPS, lab.settings.max_steps)
        made["steps"] = gr.Slider(
            1, most, start["steps"], step=1, label="steps", elem_id="tuning-steps", min_width=190
        )
        made["batch_size"] = gr.Slider(
            1, 64, start["batch_size"], step=1, label="rows a step", elem_id="tuning-batch",
            min_width=170,
        )  # fmt: skip
        made["learning_rate"] = gr.Textbox(
            start["learning_rate"], label="learning rate", elem_id="tuning-rate", max_lines=1,
            min_width=90,
        )  # fmt: skip


def _more(made: dict[str, Any], start: dict[str, Any]) -> None:
    with gr.Accordion("More settings", open=False, elem_id="tuning-more"):
        with gr.Row(elem_classes="lm-controls"):
            made["form"] = gr.Radio(
                [("plain text", "plain"), ("the model’s chat template", "chat")],
                value=start["form"], label="form of a row", elem_id="tuning-form", min_width=260,
            )  # fmt: skip
        with gr.Row(elem_classes="lm-controls"):
            made["loss_on"] = gr.Radio(
                [("the answer", "answer"), ("the whole row", "all")], value=start["loss_on"],
                label="loss on", elem_id="tuning-loss", min_width=190,
            )  # fmt: skip
            made["end_token"] = gr.Checkbox(
                start["end_token"], label="end token after the answer", elem_id="tuning-end",
                min_width=180,
            )  # fmt: skip
        with gr.Row(elem_classes="lm-controls"):
            made["schedule"] = gr.Dropdown(
                list(SCHEDULES), value=start["schedule"], label="schedule",
                elem_id="tuning-schedule", min_width=130,
            )  # fmt: skip
            made["warmup"] = _number(start, "warmup", "warm-up, share", 0, 1)
            made["weight_decay"] = _number(start, "weight_decay", "weight decay", 0, 10)
            made["clip"] = _number(start, "clip", "clip norm", 0, None)
        with gr.Row(elem_classes="lm-controls"):
            made["accumulation"] = _number(start, "accumulation", "accumulate", 1, 64, 0)
            made["max_length"] = _number(start, "max_length", "longest row, tokens", 0, None, 0)
            made["evaluate_every"] = _number(start, "evaluate_every", "check every", 0, None, 0)
            made["save_every"] = _number(start, "save_every", "save every", 0, None, 0)
        with gr.Row(elem_classes="lm-controls"):
            made["samples"] = _number(start, "samples", "sample prompts", 0, 16, 0)
            made["seed"] = _number(start, "seed", "seed", 0, None, 0)
            made["dropout"] = _number(start, "dropout", "LoRA dropout", 0, 0.95)
        with gr.Row(elem_classes="lm-controls"):
            made["start"] = gr.Radio(
                [("V = 0: begins as the base", "zero"), ("both at random", "random")],
                value=start["start"], label="LoRA’s start", elem_id="tuning-start", min_width=200,
            )  # fmt: skip
            made["rslora"] = gr.Checkbox(
                start["rslora"], label="rsLoRA: α / √ℓ", elem_id="tuning-rslora", min_width=110
            )
            made["dora"] = gr.Checkbox(
                start["dora"], label="DoRA", elem_id="tuning-dora", min_width=80
            )


def _number(
    start: dict[str, Any], key: str, label: str, low: float, high: float | None,
    precision: int | None = None,
) -> gr.Number:  # fmt: skip
    return gr.Number(
        start[key], label=label, minimum=low, maximum=high, precision=precision, min_width=90,
        elem_id=f"tuning-{key.replace('_', '-')}",
    )  # fmt: skip


def _text(start: dict[str, Any], key: str, label: str, hint: str) -> gr.Textbox:
    return gr.Textbox(
        start[key], label=label, placeholder=hint, max_lines=1, min_width=120, max_length=2000,
        elem_id=f"tuning-{key.replace('_', '-')}",
    )  # fmt: skip


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
        lab: the backend.
        step: the components.
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
    for keys in (SLIDERS, BOXES):
        gr.on([step.fields[key].change for key in keys], handler, counted, shown, **ALWAYS_LAST)
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
            parameters = lab.service(Tuning).parameters(model)
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
            linear, _, _ = lab.service(Tuning).linear_names(model)
        except LabError:
            return gr.skip()  # the counter says what is wrong
        return gr.update(choices=["auto", "all-linear", *linear])

    return names


def counting(lab: Lab) -> Callable[..., str]:
    """What learns and what that costs; what is wrong stands in its place."""

    def count(*values: Any) -> str:
        choice = Choice.read(*values[: 5 + FIELDS])
        try:
            config = config_of(values[5 + FIELDS :])
            try:
                data = choice.rows(lab, choice.template(lab))
            except LabError:
                data = None  # the row's place says what is wrong with the data
            return counter(lab.service(Tuning).count(choice.model, config, data), config)
        except LabError as error:
            return problem(str(error))

    return count
