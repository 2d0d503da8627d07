"""How a tab asks for what takes a while, written once: loading, progress, partial results, the
result, Stop, an error.

A handler is a generator. It yields ``Busy`` or ``Loading`` for what is going on, or, by name, what
can be shown already; it returns, by name, what is shown at the end. The names are those of the
outputs that it is wired to; what it does not name stays as it is. Errors become alerts, and a full
line says so, as for every handler (``gradio_compat``).
"""

import functools
import json
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from types import MappingProxyType
from typing import Any, TypeVar

import gradio as gr

from lmlab.progress import Loading, Notice

PATIENCE = 0.2  # seconds between two signs of progress
STATUS = "status"  # name of the line in what a handler returns: escaped HTML
STOPPED = '<p class="lm-said">Stopped. What was shown is still here.</p>'

T = TypeVar("T")
R = TypeVar("R")
Options = Mapping[str, Any]
Shown = Mapping[str, Any]


def waits_in(line: str, at_once: int) -> Options:
    """The options of events that wait in one line, so many of which are answered at once."""
    return MappingProxyType({**QUIET, "concurrency_id": line, "concurrency_limit": at_once})


QUIET: Options = MappingProxyType({"show_progress": "hidden", "api_visibility": "private"})
# Two at work for a hall that asks alone, and a place for whoever is elsewhere (``Lines``).
SCORING = waits_in("score", 3)
GENERATING = waits_in("generate", 3)
STUDYING = waits_in("study", 1)
QUICK = waits_in("preview", 4)
READING = waits_in("table", 2)


@dataclass(frozen=True, slots=True)
class Busy:
    """What is going on."""

    said: str  # in words
    share: float = 0.0  # how far it is, 0 to 1
    shown: Shown = field(default_factory=dict)  # what can be seen of the result already


Sign = Busy | Loading | Shown
# A handler that returns None leaves all as it is.
Work = Generator[Sign, None, Shown | None]


class Pace:
    """Lets a sign through once in so many seconds."""

    def __init__(self, seconds: float = PATIENCE) -> None:
        self.seconds = seconds
        self._last = 0.0

    def is_due(self) -> bool:
        """Whether it is time for another one, which is then counted as given."""
        due = time.monotonic() - self._last > self.seconds
        if due:
            self._last = time.monotonic()
        return due


def result(
    steps: Iterator[Any],
    kind: type[R] | tuple[type[R], ...],
    progress: Callable[[Any], Sign],
    patience: float = PATIENCE,
) -> Generator[Sign, None, R]:
    """Tell of loading and, now and then, of progress, until a result of a kind is there.

    The steps are at their end before: the models are free for what is asked next.
    """
    pace, found = Pace(patience), list[R]()
    for step in steps:
        if isinstance(step, kind):
            found.append(step)
        elif isinstance(step, Loading):
            yield step
        elif pace.is_due():
            yield progress(step)
    return found[-1]


class Line:
    """The line that says what is going on, the button that stops it, and what may be running; the
    component ``keep``, if any, is told whenever something else is shown (``turned``)."""

    def __init__(self, status: gr.HTML, stop: gr.Button, keep: Any = None) -> None:
        self.status = status
        self.stop = stop
        self.keep = keep
        self.running: list[Any] = []

    @property
    def _keeps(self) -> list[Any]:
        return [] if self.keep is None else [self.keep]

    def on(
        self,
        trigger: Callable[..., Any] | Sequence[Callable[..., Any]],
        work: Callable[..., Work],
        inputs: Sequence[Any],
        outputs: Mapping[str, Any],
        *,
        unless: Sequence[gr.State] = (),
        **options: Any,
    ) -> Any:
        """Run a handler on an event, or on one of several; the event that follows from it. Its
        outputs have the names that it gives them; where one of the states ``unless`` holds
        something, nothing is done.
        """
        shown = [self.status, self.stop, *outputs.values(), *self._keeps]
        handler = streamed(work, list(outputs), len(unless), turns=self.keep is not None)
        event = _wired(trigger)(handler, [*unless, *inputs], shown, **options)
        self.running.append(event)
        return event

    def stoppable(self) -> None:
        """Have the button stop what runs, and the line say how it ended; once all is wired."""
        # A sign of progress on its way may still write over the line, so Stop is remembered apart.
        asked = gr.State(False)
        line = [self.status, self.stop, asked, *self._keeps]

        def over(how: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
            return lambda *asked: [*how(*asked), *(turned(ends=True) for _ in self._keeps)]

        for event in self.running:
            event.failure(over(ended), asked, line, queue=False, **QUIET)
        self.stop.click(over(stopped), None, line, cancels=self.running, queue=False, **QUIET)


def on(
    trigger: Callable[..., Any] | Sequence[Callable[..., Any]],
    handler: Callable[..., Shown],
    inputs: Sequence[Any],
    outputs: Mapping[str, Any],
    **options: Any,
) -> Any:
    """Wire a quick handler, which gives what changes by name; the event that follows from it."""

    @functools.wraps(handler)
    def answer(*values: Any) -> Any:
        listed = _listed(handler, handler(*values), outputs)
        return listed if len(listed) > 1 else listed[0]  # as Gradio takes what has one output

    return _wired(trigger)(answer, [*inputs], [*outputs.values()], **options)


def _wired(trigger: Callable[..., Any] | Sequence[Callable[..., Any]]) -> Callable[..., Any]:
    return functools.partial(gr.on, trigger) if isinstance(trigger, Sequence) else trigger


def _listed(handler: Callable[..., Any], shown: Shown, names: Iterable[str]) -> list[Any]:
    """What is shown, in the order of the outputs.

    Raises:
        KeyError: something is not wired.
    """
    if unknown := shown.keys() - {STATUS, *names}:
        raise KeyError(f"{handler.__qualname__} shows {sorted(unknown)}, which is not wired.")
    return [shown.get(name, gr.skip()) for name in names]


def streamed(
    work: Callable[..., Work], names: Sequence[str], n_flags: int = 0, *, turns: bool = False
) -> Callable[..., Iterator[list[Any]]]:
    """The handler as Gradio takes it: yields [status, stop button, *outputs in order], and last, if
    it ``turns``, word of what it has shown. Where one of the flags that come before its own
    arguments holds something, nothing is done.
    """

    @functools.wraps(work)
    def stream(*values: Any) -> Iterator[list[Any]]:
        end: Shown | None = None
        notice, changed = "", False

        def listed(shown: Shown, *, ends: bool = False) -> list[Any]:
            nonlocal changed
            new = bool(shown.keys() & {*names})
            changed |= new
            told = turned(ends=ends) if new or (ends and changed) else gr.skip()
            return [*_listed(work, shown, names), *([told] if turns else [])]

        def run() -> Generator[Sign, None, None]:
            nonlocal end
            if not any(values[:n_flags]):
                end = yield from work(*values[n_flags:])

        for sign in run():
            if isinstance(sign, Notice):
                notice = said(sign.message)
            if isinstance(sign, Loading):
                sign = Busy(sign.message)
            if isinstance(sign, Busy):
                yield [*busy(sign.said, sign.share), *listed(sign.shown)]
            else:
                yield [gr.skip(), gr.skip(), *listed(sign)]
        idly = [gr.skip(), gr.skip()] if end is None else idle(notice + end.get(STATUS, ""))
        yield [*idly, *listed(end or {}, ends=True)]

    if n_flags:  # Gradio counts the arguments of what is wrapped
        del stream.__wrapped__
    return stream


def turned(*, ends: bool) -> str:
    """Word that something else is shown, and whether that is the whole of it: JSON with a name for
    it that was never given before."""
    return json.dumps({"turn": uuid.uuid4().hex, "ends": ends})


def said(text: str) -> str:
    """A sentence for the line."""
    return f'<p class="lm-said">{escape(text)}</p>' if text else ""


def busy(said: str, share: float) -> list[Any]:
    """Line and button while something runs: what, and how far it is (0 to 1)."""
    width = f"{100 * min(1.0, share):.0f}%"
    status = (
        f'<div class="lm-progress" role="status"><span>{escape(said)}</span>'
        f'<span class="lm-track"><i style="width:{width}"></i></span></div>'
    )
    return [status, gr.update(interactive=True)]


def idle(status: str) -> list[Any]:
    """Line and button when nothing runs; ``status`` is escaped HTML."""
    return [status, gr.update(interactive=False)]


def stopped() -> list[Any]:
    """After Stop: [status, stop button, that it was asked for]."""
    return [*idle(STOPPED), True]


def ended(asked_to_stop: bool) -> list[Any]:
    """After an error, about which the alert says the rest, or after Stop, which keeps its word."""
    return [*idle(STOPPED if asked_to_stop else ""), False]
