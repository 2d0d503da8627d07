"""From an error to the page's alert. What a visitor can act on is shown; all else is logged."""

import functools
import inspect
import logging
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

import gradio as gr
from gradio.context import LocalContext

from lmlab.errors import InputError, LabError, disk_error
from lmlab.hosting.asgi import request_id

SECONDS = 12
log = logging.getLogger("lmlab")


def alerts(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn what a handler raises, plain function or generator, into an alert that loses nothing."""
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def stream(*args: Any, **kwargs: Any) -> Iterator[Any]:
            with _alerting():
                _check_event((*args, *kwargs.values()))
                steps = function(*args, **kwargs)
                try:
                    for step in steps:  # noqa: UP028, closed in another way than `yield from` does
                        yield step
                except GeneratorExit:
                    _close_apart(steps)
                    raise

        return stream

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with _alerting():
            _check_event((*args, *kwargs.values()))
            return function(*args, **kwargs)

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
        name = _request_id()
        log.exception("A handler of the page failed", extra={"request": name or None})
        hint = "What you typed is still here; try again."
        number = f" It is request {name} in the server's log." if name else ""
        raise _alert("Something went wrong on the server.", hint + number) from error


def _request_id() -> str:
    """The name that the server's log knows the visitor's request by; empty outside of one."""
    request = getattr(LocalContext.request.get(None), "request", None)
    return request_id(getattr(request, "scope", None) or {})


def _alert(message: str, hint: str) -> gr.Error:
    # Alerts are shown as HTML, and a message may quote what a visitor typed.
    text = escape(message) + (f"<br>{escape(hint)}" if hint else "")
    return gr.Error(text, duration=SECONDS, title="That did not work", print_exception=False)
