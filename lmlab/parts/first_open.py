"""What a tab does by itself when it is first opened; left out where a scene or a link has filled
the tab in, and asks for something of its own (``stream.Line.on``, ``unless``).
"""

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from lmlab.parts.gradio_compat.building import AsBase
from lmlab.parts.stream import Shown, Work

FRESH = 600.0  # seconds after which the first answer is computed anew


@dataclass(frozen=True)
class Following:
    """What follows from a tab's controls and has to be there before its button is pressed."""

    inputs: Sequence[Any]  # what it follows from; controls among them have their new values
    outputs: Mapping[str, Any]  # what is given, by name
    make: Callable[..., Mapping[str, Any]]  # gives it, by name


class Led(AsBase, gr.State):
    """Whether a scene or a link has filled its tab in."""

    following: Following | None = None  # what is filled in besides the tab's controls


class FirstAnswer:
    """What a tab answers to the controls that it opens with: computed for whoever opens the page
    first, and kept for those who come later, whose page brings it along.

    Attributes:
        edition: how many answers there have been.
    """

    def __init__(self, given: Sequence[Any], brought: Mapping[str, Any]) -> None:
        """``given`` are the controls; ``brought``, by the handler's names, is what a page shows of
        an answer before it has asked for anything."""
        self.edition = 0
        self._given = [one.value for one in given]
        self._brought = dict(brought)
        self._answer: Shown = {}
        self._at = 0.0

    def kept_of(self, work: Callable[..., Work]) -> Callable[..., Work]:
        """The handler, which computes an answer that is kept already only now and then."""

        @functools.wraps(work)
        def ask(*values: Any) -> Work:
            own = [*values] == self._given
            if own and self._answer and time.monotonic() - self._at < FRESH:
                return self._answer
            answer = yield from work(*values)
            if own and answer is not None:
                self._keep(answer)
            return answer

        return ask

    def values(self) -> dict[Any, Any]:
        """What the page brings, by its components; nothing before an answer."""
        answer = self._answer
        return {one: answer[name] for name, one in self._brought.items() if name in answer}

    def _keep(self, answer: Shown) -> None:
        self._answer, self._at = answer, time.monotonic()
        self.edition += 1
