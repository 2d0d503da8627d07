"""What stands between Gradio and the page's handlers, the same for all of them: what they raise
becomes an alert, values are of the kind that their component sends, what a session keeps is packed.
"""

import functools
import inspect
import logging
import numbers
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from math import isfinite
from typing import Any

import gradio as gr

from lmlab.errors import InputError, LabError, disk_error
from lmlab.hosting.asgi import request_id
from lmlab.parts.gradio_compat.building import request
from lmlab.parts.vault import Packed, Vault

SECONDS = 12
log = logging.getLogger("lmlab")
# Arguments that come from Gradio, not from the page.
OURS = (gr.EventData, gr.Request, gr.Progress, gr.OAuthToken)


def put_between(page: gr.Blocks, vault: Vault) -> None:
    """Wrap every handler of a page; once, before it is served."""
    for event in page.fns.values():
        if event.fn is not None:
            taken = functools.partial(_taken, inputs=event.inputs)
            event.fn = alerts(event.fn, taken, _packing(event.outputs, vault))


def set_events(page: gr.Blocks) -> None:
    """What holds for every event of the page.

    Gradio's own signs of progress go nowhere, the tabs show theirs: the browser would else hand
    each sign to every component that any event ever had as an output, and copy each one's value
    for it: seconds, once some tabs are open. And a preview of what was chosen is asked for anew
    where one is on its way: dropped, as a second click is, the page would show what held before.
    An event that tells something is never put off: Gradio asks it again without what it told.
    """
    for event in page.fns.values():
        event.show_progress_on = []
        clicked = any(name in ("click", "select") for _, name in event.targets)
        if event.concurrency_id == "preview" and event.trigger_mode == "once" and not clicked:
            event.trigger_mode = "always_last"
        if event.collects_event_data and event.trigger_mode == "always_last":
            event.trigger_mode = "multiple"


def _packing(outputs: Sequence[Any], vault: Vault) -> Callable[[Any], Any]:
    """What packs, of what a handler gives, that which goes into states."""
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
        each = zip(result, states, strict=False)
        return [_pack(vault, value) if state else value for value, state in each]

    return packed


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
        number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        return number and isfinite(value)
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


def alerts(
    function: Callable[..., Any],
    taken: Callable[[Sequence[Any]], Sequence[Any]] = tuple,
    packed: Callable[[Any], Any] = lambda result: result,
) -> Callable[..., Any]:
    """Turn what a handler raises, plain function or generator, into an alert that loses nothing; by
    the way its arguments are ``taken``, and what it gives is ``packed``.
    """
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def stream(*args: Any, **kwargs: Any) -> Iterator[Any]:
            with _alerting():
                _check_event((*args, *kwargs.values()))
                steps = function(*taken(args), **kwargs)
                try:
                    for step in steps:
                        yield packed(step)
                except GeneratorExit:
                    _close_apart(steps)
                    raise
                except BaseException:
                    steps.close()
                    raise

        return stream

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with _alerting():
            _check_event((*args, *kwargs.values()))
            return packed(function(*taken(args), **kwargs))

    return call


def _close_apart(steps: Generator[Any, None, None]) -> None:
    """Close a generator in a thread of its own: Gradio closes what a visitor stopped on its event
    loop, and long work may have to wait for its turn at a model before it can end.
    """
    threading.Thread(target=steps.close, daemon=True).start()


def _check_event(arguments: Iterable[Any]) -> None:
    """Refuse a call from outside the page that names an event and says nothing of it."""
    for one in arguments:
        if isinstance(one, gr.EventData) and not isinstance(one._data, dict):
            raise InputError("This request is not complete.", "Reload the page and try again.")


@contextmanager
def _alerting() -> Iterator[None]:
    try:
        yield
    except gr.Error:
        raise
    except LabError as error:
        raise _alert(error.message, error.hint) from error
    except Exception as error:
        if (full := disk_error(error)) is not None:
            log.error("A handler of the page found the disk closed: %s", full.message)
            raise _alert(full.message, full.hint) from error
        name = request_id(getattr(request(), "scope", None) or {})
        log.exception("A handler of the page failed", extra={"request": name or None})
        hint = "What you typed is still here; try again."
        number = f" It is request {name} in the server's log." if name else ""
        raise _alert("Something went wrong on the server.", hint + number) from error


def _alert(message: str, hint: str) -> gr.Error:
    # Alerts are shown as HTML, and a message may quote what a visitor typed.
    text = escape(message) + (f"<br>{escape(hint)}" if hint else "")
    return gr.Error(text, duration=SECONDS, title="That did not work", print_exception=False)
