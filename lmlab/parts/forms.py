"""A form on the page, from its model of options: widgets, and the model that their values mean."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, get_args, get_origin

import gradio as gr
from pydantic.fields import FieldInfo

from lmlab.errors import InputError
from lmlab.options import M, kind, limit, option

LINES = "one per line; \\n is a line break"
LONGEST, SHORT = 2000, 24  # characters of a text, of a number


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
        most: what a slider ends at, by name, where that is less than its own end.
    """

    tab: str
    start: M
    rows: tuple[tuple[str, ...], ...]
    hint: str = "Type a number."
    sliders: bool = True
    info: bool = True
    width: int = 90
    most: Mapping[str, float] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The fields in their order."""
        return [name for row in self.rows for name in row]

    @property
    def first(self) -> list[Any]:
        """What a reset puts back."""
        return self.shown(self.start)

    def shown(self, options: M) -> list[Any]:
        """The values of the widgets that mean these options."""
        return [_shown(self._field(name), getattr(options, name)) for name in self.names]

    def draw(self, *rows: tuple[str, ...]) -> dict[str, Any]:
        """The widgets by name, each row drawn here; of all rows by default."""
        drawn: dict[str, Any] = {}
        for row in rows or self.rows:
            with gr.Row(elem_classes="lm-controls"):
                drawn |= {name: self.widget(name) for name in row}
        return drawn

    def widget(self, name: str, **own: Any) -> Any:
        """One field's widget; ``own`` are arguments of Gradio that differ from the usual ones."""
        model = self._field(name)
        asked, of, value = option(model), kind(model), _shown(model, getattr(self.start, name))
        looks: dict[str, Any] = {"label": asked.label, "info": asked.help if self.info else None}
        looks["elem_id"] = f"{self.tab}-{asked.id or name.replace('_', '-')}"
        if of is bool:
            return gr.Checkbox(value, **{"min_width": 80, **looks, **own})
        if get_origin(of) is Literal:
            known = get_args(of)
            choices = [*zip(asked.labels or known, known, strict=True)]
            if asked.labels:
                return gr.Radio(choices, value=value, **{"min_width": 200, **looks, **own})
            return gr.Dropdown(choices, value=value, **{"min_width": 140, **looks, **own})
        if get_origin(of) is tuple and not asked.commas:
            looks |= {"info": LINES, "min_width": 150, "max_length": 400, **own}
            return gr.Textbox(value, lines=1, max_lines=4, **looks)
        if isinstance(value, str):
            longest, least = (SHORT, self.width) if asked.typed else (LONGEST, 120)
            looks |= {"placeholder": asked.hint, "max_length": longest, "min_width": least, **own}
            return gr.Textbox(value, max_lines=1, **looks)
        low = limit(model, "ge") if asked.low is None else asked.low
        if self.sliders and asked.step:
            high = limit(model, "le") if asked.high is None else asked.high
            high = min(high, self.most.get(name, high))
            looks |= {"step": asked.step, "min_width": 150, **own}
            return gr.Slider(low, high, min(value, high), **looks)
        looks |= {"precision": 0 if of is int else None, "step": asked.step or 1, **own}
        return gr.Number(value, minimum=low, maximum=asked.high, min_width=self.width, **looks)

    def read(self, *values: Any, **more: Any) -> M:
        """The model that a visitor's values mean, with more fields that stand in no row.

        Raises:
            InputError: a field is empty or cannot have its value.
        """
        named = zip(self.names, values, strict=True)
        return type(self.start)(**{name: self._read(name, value) for name, value in named}, **more)

    def _field(self, name: str) -> FieldInfo:
        return self.start.__pydantic_fields__[name]

    def _read(self, name: str, value: Any) -> Any:
        model = self._field(name)
        asked, of = option(model), kind(model)
        if of is bool:
            return bool(value)
        if of is str or asked.commas:
            return value or ""
        if get_origin(of) is tuple:
            return _lines(value)
        if value is None or value == "":
            raise InputError(f"‘{asked.label}’ is empty.", self.hint)
        return self._number(asked.label, value, of) if of in (int, float) else value

    def _number(self, label: str, value: Any, of: type) -> Any:
        if isinstance(value, str):
            text = value.strip()[:40]
            try:
                value = float(text.replace("−", "-"))
            except ValueError:
                raise InputError(f"‘{label}’ cannot be ‘{text}’.", self.hint) from None
        return (
            int(value) if of is int and isinstance(value, float) and value.is_integer() else value
        )


def _shown(model: FieldInfo, value: Any) -> Any:
    asked = option(model)
    if isinstance(value, tuple):
        return (", " if asked.commas else "\n").join(map(str, value))
    if asked.typed:
        return f"{value:g}" if isinstance(value, float) else str(value)
    return value


def _lines(text: str | None) -> tuple[str, ...]:
    lines = (line.replace("\\n", "\n").replace("\\t", "\t") for line in (text or "").split("\n"))
    return tuple(line for line in lines if line)
