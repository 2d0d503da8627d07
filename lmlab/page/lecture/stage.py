"""The controls of every tab by name, read off the built page: what a scene or a link may set.

A control's id is its tab's name and its own, ``likelihood-text``, or its own alone where a part of
a tab has a name for itself, ``drift-rows``; so a new tab takes part without being listed anywhere.
Data that a visitor gave, and secrets, never do.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.parts.first_open import Following, Led
from lmlab.parts.gradio_compat import building
from lmlab.parts.pickers import NAMES_MODELS

CONTROLS = (
    gr.Textbox, gr.Dropdown, gr.Slider, gr.Number, gr.Checkbox, gr.CheckboxGroup, gr.Radio, gr.Tabs
)  # fmt: skip
PRIVATE = ("token", "repo", "pasted", "upload", "set", "column")
LONGEST = 8000  # characters of one value


@dataclass(frozen=True)
class Stage:
    """One tab."""

    name: str  # what its controls' ids begin with; scenes and links call the tab so
    tab: str  # the id that selects it
    title: str  # on the page
    controls: Mapping[str, Any]  # what can be set, by name
    buttons: frozenset[str]  # what can be pressed
    parts: frozenset[str]  # names of all that has one
    leds: tuple[Led, ...] = ()  # to be set where the tab is filled in

    @property
    def models(self) -> list[str]:
        """Names of the controls whose value is a model's name, or several."""
        found = self.controls.items()
        return [key for key, one in found if NAMES_MODELS in (one.elem_classes or ())]

    @property
    def following(self) -> list[Following]:
        """What follows from the controls."""
        return [led.following for led in self.leds if led.following is not None]

    def value(self, name: str, given: Any) -> Any:
        """A value as the control takes it.

        Raises:
            InputError: there is no such control, or it cannot have that value.
        """
        control = self.controls.get(name)
        if control is None:
            raise InputError(
                f"The tab ‘{self.name}’ has no control ‘{name[:60]}’.",
                f"It has: {', '.join(sorted(self.controls))}.",
            )
        return _value(f"{self.name}-{name}", control, given)


def tabs_of(page: gr.Blocks) -> list[gr.Tab]:
    """The page's own tabs."""
    return [tab for tab in building.outer(page).children if isinstance(tab, gr.Tab)]


def stages(page: gr.Blocks) -> dict[str, Stage]:
    """Every tab of a built page that has something to set, by name."""
    found = [_stage(tab) for tab in tabs_of(page)]
    return {stage.name: stage for stage in found if stage is not None}


def _stage(tab: gr.Tab) -> Stage | None:
    blocks = tuple(building.below(tab))
    named = {str(block.elem_id): block for block in blocks if getattr(block, "elem_id", None)}
    if not named:
        return None
    name = Counter(key.split("-")[0] for key in named).most_common(1)[0][0]
    own = {key.removeprefix(f"{name}-"): block for key, block in named.items()}
    controls = {
        key: block
        for key, block in own.items()
        if isinstance(block, CONTROLS) and not any(part in key.split("-") for part in PRIVATE)
    }
    buttons = frozenset(key for key, block in own.items() if isinstance(block, gr.Button))
    leds = tuple(block for block in blocks if isinstance(block, Led))
    return Stage(name, str(tab.id), str(tab.label), controls, buttons, frozenset(own), leds)


def _value(what: str, control: Any, given: Any) -> Any:
    match control:
        case gr.Tabs():
            tabs = (str(tab.id) for tab in control.children if isinstance(tab, gr.Tab))
            return _one_of(what, {name: name for name in tabs}, given)
        case gr.Checkbox():
            truths = {"true": True, "false": False, "yes": True, "no": False}
            if (found := truths.get(str(given).lower())) is None:
                raise InputError(f"‘{what}’ is true or false, not ‘{str(given)[:40]}’.")
            return found
        case gr.Slider() | gr.Number():
            return _number(what, control, given)
        case gr.CheckboxGroup() | gr.Dropdown(multiselect=True):
            parts = [given] if isinstance(given, str) else list(given or ())
            return [_choice(what, control, part) for part in parts[:50]]
        case gr.Dropdown() | gr.Radio():
            return _choice(what, control, given)
        case _:
            return _text(what, given)


def _text(what: str, given: Any) -> str:
    if not isinstance(given, str):
        raise InputError(f"‘{what}’ takes one text.")
    if len(given) > LONGEST:
        raise InputError(f"‘{what}’ is longer than {LONGEST:,} characters.")
    return given


def _number(what: str, control: Any, given: Any) -> float | int:
    try:
        number = float(str(given)[:40])
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"‘{what}’ takes a number, not ‘{str(given)[:40]}’.")
    low, high = control.minimum, control.maximum
    if (low is not None and number < low) or (high is not None and number > high):
        raise InputError(f"‘{what}’ goes from {low} to {high}, not to {str(given)[:40]}.")
    return int(number) if number == int(number) else number


def _choice(what: str, control: Any, given: Any) -> Any:
    values = {str(value): value for _, value in control.choices}
    if getattr(control, "allow_custom_value", False) and given not in values:
        return _text(what, given)
    return _one_of(what, values, given)


def _one_of(what: str, known: Mapping[str, Any], given: Any) -> Any:
    text = _text(what, given)
    if text not in known:
        there = ", ".join([*known][:12])
        raise InputError(f"‘{what}’ has no choice ‘{text[:60]}’.", f"There are: {there}.")
    return known[text]
