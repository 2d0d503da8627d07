"""Fills a tab's controls in, for scenes and links alike."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.lab import Lab
from lmlab.page.lecture.stage import Stage
from lmlab.text.wordings import shipped_source

Values = Mapping[str, Any]
Wordings = Mapping[str, Callable[[Lab, str], list[tuple[str, str]]]]


@dataclass(frozen=True)
class Filling:
    """What is filled in: all controls of all tabs, in one order."""

    lab: Lab  # for what follows from a choice
    stages: Mapping[str, Stage]  # by name
    # on tabs where one control's choices, and another's text, follow from the choice of data: what
    # gives a set's wordings
    worded: Wordings

    def outputs(self, name: str) -> list[Any]:
        """What says that the tab is led, its controls, what follows from them."""
        stage = self.stages[name]
        more = [part for one in stage.following for part in one.outputs.values()]
        return [*stage.leds, *stage.controls.values(), *more]

    def inputs(self, name: str) -> list[Any]:
        """What has to be known besides a scene or a link."""
        return [part for one in self.stages[name].following for part in one.inputs]

    def stage(self, name: str) -> Stage:
        """A tab by name.

        Raises:
            InputError: there is none.
        """
        if name not in self.stages:
            raise InputError(
                f"There is no tab ‘{name[:40]}’.", f"There are: {', '.join(self.stages)}."
            )
        return self.stages[name]

    def updates(self, name: str, values: Values, known: Sequence[Any] = ()) -> list[Any]:
        """What a tab's ``outputs`` are given so that it shows some values, by the names of its
        controls; ``known`` is what its ``inputs`` hold.

        Raises:
            InputError: there is no such tab or control, or it cannot have that value.
        """
        stage = self.stage(name)
        if "chat" in stage.controls and values.keys() & set(stage.models):
            # The form was the last model's; this one may have none.
            values = {"chat": "false"} | dict(values)
        changed = self._worded(stage, values) | {
            key: _update(stage.controls.get(key), stage.value(key, given))
            for key, given in values.items()
            if key not in ("wording", "source") or name not in self.worded
        }
        found = [changed.get(key, gr.skip()) for key in stage.controls]
        return [*[True for _ in stage.leds], *found, *_followed(stage, found, known)]

    def _worded(self, stage: Stage, values: Values) -> dict[str, Any]:
        """Wording and its text, whose choices follow from the data."""
        if stage.name not in self.worded or not {"data", "wording", "source"} & set(values):
            return {}
        data = values.get("data", stage.controls["data"].value)
        choices = self.worded[stage.name](self.lab, str(stage.value("data", data)))
        names = [name for _, name in choices]
        chosen = str(values.get("wording", names[0]))
        if chosen not in names:
            raise InputError(
                f"‘{stage.name}-wording’ has no choice ‘{chosen[:60]}’ for ‘{data}’.",
                f"There are: {', '.join(names[:12])}.",
            )
        source = values.get("source") or shipped_source(chosen)
        return {
            "wording": gr.update(choices=choices, value=chosen),
            "source": stage.value("source", source),
        }


def _followed(stage: Stage, found: Sequence[Any], known: Sequence[Any]) -> list[Any]:
    """What follows from the controls, once they are as they are to be."""
    new = dict(zip(map(id, stage.controls.values()), found, strict=True))
    rest, made = iter(known), list[Any]()
    for one in stage.following if known else ():
        held = [(new.get(id(part)), next(rest)) for part in one.inputs]
        shown = one.make(*(old if new is None or _skips(new) else new for new, old in held))
        made += [shown.get(name, gr.skip()) for name in one.outputs]
    return made


def _skips(value: Any) -> bool:
    return isinstance(value, dict) and value.get("__type__") == "update"


def _update(control: Any, value: Any) -> Any:
    return gr.update(selected=value) if isinstance(control, gr.Tabs) else value
