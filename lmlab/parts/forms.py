"""A form on the page, from its model of options: widgets, and the model that their values mean."""

from dataclasses import dataclass
from typing import Any, Generic, Literal, get_args, get_origin

import gradio as gr

from lmlab.errors import InputError
from lmlab.options import M, kind, limit, option

LINES = "one per line; \\n is a line break"


@dataclass(frozen=True)
class Controls(Generic[M]):
    """The controls of a form.

    Attributes:
        tab: what its elements' ids begin with.
        start: what it opens with.
        rows: the fields, row by row; their values come in this order.
        hint: what to do about an empty field.
        sliders: whether a number with a step is a slider.
        info: whether help stands beside them.
        width: the least of a number, in pixels.
    """

    tab: str
    start: M
    rows: tuple[tuple[str, ...], ...]
    hint: str = "Type a number."
    sliders: bool = True
    info: bool = True
    width: int = 90

    @property
    def names(self) -> list[str]:
        """The fields in their order."""
        return [name for row in self.rows for name in row]

    @property
    def first(self) -> list[Any]:
        """What a reset puts back."""
        return [_shown(getattr(self.start, name)) for name in self.names]

    def draw(self) -> dict[str, Any]:
        """The widgets by name, each row drawn here."""
        drawn: dict[str, Any] = {}
        for row in self.rows:
            with gr.Row(elem_classes="lm-controls"):
                drawn |= {name: self.widget(name) for name in row}
        return drawn

    def widget(self, name: str) -> Any:
        """One field's widget."""
        field, value = self.start.__pydantic_fields__[name], _shown(getattr(self.start, name))
        asked, whole = option(field), kind(field) is int
        looks: dict[str, Any] = {"label": asked.label, "info": asked.help if self.info else None}
        looks["elem_id"] = f"{self.tab}-{asked.id or name.replace('_', '-')}"
        if get_origin(kind(field)) is tuple:
            looks["info"] = LINES
            return gr.Textbox(value, lines=1, max_lines=4, min_width=150, max_length=400, **looks)
        if get_origin(kind(field)) is Literal:
            return gr.Dropdown([*get_args(kind(field))], value=value, min_width=140, **looks)
        low = limit(field, "ge") if asked.low is None else asked.low
        if self.sliders and asked.step:
            high = limit(field, "le") if asked.high is None else asked.high
            return gr.Slider(low, high, value, step=asked.step, min_width=150, **looks)
        looks |= {"precision": 0 if whole else None, "step": asked.step or 1}
        return gr.Number(value, minimum=low, maximum=asked.high, min_width=self.width, **looks)

    def read(self, *values: Any) -> M:
        """The model that a visitor's values mean.

        Raises:
            InputError: a field is empty or cannot have its value.
        """
        given = dict(zip(self.names, values, strict=True))
        for name, value in given.items():
            if get_origin(kind(self.start.__pydantic_fields__[name])) is tuple:
                given[name] = _lines(value)
            elif value is None:
                raise InputError("One of the controls is empty.", self.hint)
        return type(self.start)(**given)


def _shown(value: Any) -> Any:
    return "\n".join(value) if isinstance(value, tuple) else value


def _lines(text: str | None) -> tuple[str, ...]:
    lines = (line.replace("\\n", "\n").replace("\\t", "\t") for line in (text or "").split("\n"))
    return tuple(line for line in lines if line)
