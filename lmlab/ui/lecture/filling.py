"""Fills a tab's controls in and brings it to the front, for scenes and links alike."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.lab import Lab
from lmlab.ui.lecture.stage import Stage
from lmlab.ui.prompt.events import wordings as prompt_wordings
from lmlab.ui.tuning.data import source_of
from lmlab.ui.tuning.data import wordings as tuning_wordings

Values = Mapping[str, Any]
# Tabs on which one control's choices, and another's text, follow from the choice of data.
WORDED: Mapping[str, Callable[[Lab, str], list[tuple[str, str]]]] = MappingProxyType(
    {"prompt": prompt_wordings, "tuning": tuning_wordings}
)


@dataclass(frozen=True)
class Filling:
    """What is filled in: all controls of all tabs, in one order.

    Attributes:
        lab: for what follows from a choice.
        tabs: the page's.
        stages: by name.
    """

    lab: Lab
    tabs: gr.Tabs
    stages: Mapping[str, Stage]

    def outputs(self, name: str) -> list[Any]:
        """The tabs, then a tab's controls."""
        return [self.tabs, *self.stages[name].controls.values()]

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

    def updates(self, name: str, values: Values) -> list[Any]:
        """What a tab's ``outputs`` are given so that it shows some values.

        Raises:
            InputError: there is no such tab or control, or it cannot have that value.
        """
        stage = self.stage(name)
        changed = self._worded(stage, values) | {
            key: _update(stage.controls.get(key), stage.value(key, given))
            for key, given in values.items()
            if key not in ("wording", "source") or name not in WORDED
        }
        found = [changed.get(key, gr.skip()) for key in stage.controls]
        return [gr.update(selected=stage.tab), *found]

    def _worded(self, stage: Stage, values: Values) -> dict[str, Any]:
        """Wording and its text, whose choices follow from the data."""
        if stage.name not in WORDED or not {"data", "wording", "source"} & set(values):
            return {}
        data = values.get("data", stage.controls["data"].value)
        choices = WORDED[stage.name](self.lab, str(stage.value("data", data)))
        names = [name for _, name in choices]
        chosen = str(values.get("wording", names[0]))
        if chosen not in names:
            raise InputError(
                f"‘{stage.name}-wording’ has no choice ‘{chosen[:60]}’ for ‘{data}’.",
                f"There are: {', '.join(names[:12])}.",
            )
        source = values.get("source") or source_of(self.lab, chosen)
        return {
            "wording": gr.update(choices=choices, value=chosen),
            "source": stage.value("source", source),
        }


def _update(control: Any, value: Any) -> Any:
    return gr.update(selected=value) if isinstance(control, gr.Tabs) else value
