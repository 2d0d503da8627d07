"""What stands between Gradio and the page's handlers, the same for all of them: values are of the
kind that their component sends, and what a session keeps is packed.
"""

import functools
import inspect
import numbers
from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.parts.errors import alerts
from lmlab.parts.vault import Packed, Vault

OURS = (gr.EventData, gr.Request, gr.Progress)  # arguments that come from Gradio, not from the page


def put_between(page: gr.Blocks, vault: Vault) -> None:
    """Wrap every handler of a page; once, before it is served."""
    for event in page.fns.values():
        if event.fn is not None:
            event.fn = alerts(_wrapped(event.fn, event.inputs, event.outputs, vault))


def _wrapped(
    handler: Callable[..., Any], inputs: Sequence[Any], outputs: Sequence[Any], vault: Vault
) -> Callable[..., Any]:
    states = [getattr(one, "stateful", False) for one in outputs]

    def packed(result: Any) -> Any:
        if not any(states):
            return result
        if len(states) == 1:
            return _pack(vault, result)
        if isinstance(result, dict):
            kept = {one for one, state in zip(outputs, states, strict=True) if state}
            return {k: _pack(vault, v) if k in kept else v for k, v in result.items()}
        if not isinstance(result, list | tuple):
            return result
        return [
            _pack(vault, value) if state else value
            for value, state in zip(result, states, strict=False)
        ]

    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def stream(*args: Any, **given: Any) -> Iterator[Any]:
            steps = handler(*_taken(args, inputs), **given)
            try:
                for step in steps:
                    yield packed(step)
            finally:
                steps.close()

        return stream

    @functools.wraps(handler)
    def call(*args: Any, **given: Any) -> Any:
        return packed(handler(*_taken(args, inputs), **given))

    return call


def _pack(vault: Vault, value: Any) -> Any:
    """A new value of a state; what says that nothing changes is left as it is."""
    return value if isinstance(value, dict) and "__type__" in value else vault.pack(value)


def _taken(args: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
    """The arguments, opened where they were packed.

    Raises:
        InputError: one is not of its component's kind; no page sends such a thing.
    """
    left, found = iter(inputs), []
    for one in args:
        component = None if isinstance(one, OURS) else next(left, None)
        if isinstance(one, Packed):
            one = one.open()
        elif one is None and isinstance(component, gr.Textbox):
            one = ""
        elif component is not None and not _fits(component, one):
            name = getattr(component, "label", None) or "one of its fields"
            raise InputError(
                f"This request has something for ‘{name}’ that the page does not send.",
                "Reload the page and try again.",
            )
        found.append(one)
    return found


def _fits(component: Any, value: Any) -> bool:
    """Whether a value is of the kind that a component gives."""
    if value is None:
        return True
    if isinstance(component, gr.Checkbox):
        return isinstance(value, bool)
    if isinstance(component, gr.Slider | gr.Number):
        return isinstance(value, numbers.Real) and type(value) is not bool and -inf < value < inf
    if isinstance(component, gr.Textbox):
        return isinstance(value, str)
    if not isinstance(component, gr.CheckboxGroup | gr.Dropdown | gr.Radio):
        return True
    # A list is no name, nor is a number where all names are texts.
    texts = all(isinstance(choice, str) for _, choice in component.choices)
    kinds = str if texts else str | int | float
    if isinstance(component, gr.CheckboxGroup) or getattr(component, "multiselect", False):
        return isinstance(value, list) and all(isinstance(one, kinds) for one in value)
    return isinstance(value, kinds)
