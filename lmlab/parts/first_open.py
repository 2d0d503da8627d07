"""What a tab does by itself when it is first opened; left out where a scene or a link has filled
the tab in, and asks for something of its own.
"""

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr


@dataclass(frozen=True)
class Following:
    """What follows from a tab's controls and has to be there before its button is pressed.

    Attributes:
        inputs: what it follows from; controls among them have their new values.
        outputs: what is given.
        make: gives it.
    """

    inputs: Sequence[Any]
    outputs: Sequence[Any]
    make: Callable[..., Sequence[Any]]


class Led(gr.State):
    """Whether a scene or a link has filled its tab in.

    Attributes:
        following: what is filled in besides the tab's controls.
    """

    following: Following | None = None

    def get_block_name(self) -> str:
        """For the browser it is a state as any other."""
        return "state"


def unless_led(handler: Callable[..., Any], of: int) -> Callable[..., Any]:
    """The same handler, which takes a tab's ``Led`` first and does nothing where it is set.

    Args:
        handler: plain, or one that yields.
        of: how many outputs it has.
    """
    nothing = [gr.skip()] * of if of > 1 else gr.skip()
    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def stream(led: bool, *values: Any) -> Iterator[Any]:
            if led:
                yield nothing
            else:
                yield from handler(*values)

        return stream

    @functools.wraps(handler)
    def call(led: bool, *values: Any) -> Any:
        return nothing if led else handler(*values)

    return call
