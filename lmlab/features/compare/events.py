"""What happens on the Compare tab: handlers that ask the lab and hand results to the views."""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from html import escape
from typing import Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.features.compare.views import said, sums
from lmlab.generation.completions import Given, Step
from lmlab.generation.config import GenerateConfig
from lmlab.lab import Lab
from lmlab.parts import shift_strip
from lmlab.parts.asking import advice
from lmlab.parts.errors import alerts
from lmlab.parts.model_pair import COLUMNS
from lmlab.parts.strip import Shown
from lmlab.parts.waiting import busy, idle
from lmlab.progress import Loading, Progress
from lmlab.scoring.compared import Compared

PATIENCE = 0.08  # seconds between two drawings of completions on their way
N_SHIFT = 3


def runner(lab: Lab) -> Callable[..., Iterator[list[Any]]]:
    """The handler of Run: yields [status, stop button, advice, strips …, columns …]."""

    @alerts
    def run(
        prompt: str,
        temperature: float,
        length: int,
        seed: int,
        chat: bool,
        alpha: float,
        *models: str,
    ) -> Iterator[list[Any]]:
        names = chosen(models)
        asked = _config(temperature, length, seed)
        columns = [gr.update(visible=i < len(names)) for i in range(COLUMNS)]
        steps: list[list[Step]] = [[] for _ in names]
        name = uuid.uuid4().hex[:12]
        yield [*busy("reading …", 0), "", *_strips(name, names, prompt or "", steps), *columns]
        last, still, told = 0.0, [gr.skip()] * COLUMNS, ""
        running = lab.side_by_side(names, prompt or "", asked, _number(alpha), chat=chat)
        with closing(running) as events:
            for event in events:
                if isinstance(event, Loading):
                    # A strip that is not on the page yet forgets what it is where it is skipped.
                    drawn = _strips(name, names, prompt or "", steps)
                    yield [*busy(event.message, 0), told, *drawn, *still]
                    continue
                if isinstance(event, Given):
                    told = advice(event, "compare")
                    continue
                which, step = event
                steps[which].append(step)
                if time.monotonic() - last > PATIENCE:
                    last, done = time.monotonic(), step.index + 1
                    status = busy(f"token {done:,}", done / asked.max_new_tokens)
                    yield [*status, told, *_strips(name, names, prompt or "", steps), *still]
        yield [*idle(""), told, *_strips(name, names, prompt or "", steps), *still]

    return run


def shifter(lab: Lab) -> Callable[..., Iterator[list[Any]]]:
    """The handler of a comparison on texts: yields [status, stop button, strip, sums, state]."""

    @alerts
    def shift(
        prompt: str, text: str, general: str, chat: bool, alpha: float, first: str, second: str
    ) -> Iterator[list[Any]]:
        if not text:
            raise InputError(
                "There is no task text to compare on.", "Type one, or choose an example."
            )
        yield [*busy("comparing …", 0), *[gr.skip()] * N_SHIFT]
        found: list[Compared] = []
        for part, prefix in (given(text, prompt), (general or "", "")):
            if not part:
                continue
            form = chat and bool(prefix)
            steps = lab.compare(first, second, part, prefix, alpha=_number(alpha), chat=form)
            with closing(steps):
                for step in steps:
                    if isinstance(step, Compared):
                        found.append(step)
                    elif isinstance(step, Progress) and step.total > 1000:
                        share = step.done / max(1, step.total)
                        yield [*busy("comparing …", share), *[gr.skip()] * N_SHIFT]
        task, other = found[0], found[1] if len(found) > 1 else None
        shown = Shown.of([task.first, task.second])
        status = f'<p class="lm-said">{escape(said(task, _number(alpha)))}</p>'
        strip = shift_strip.compared(task, name=shown.name)
        yield [*idle(status), strip, sums(task, other), shown]

    return shift


def given(text: str, prompt: str | None) -> tuple[str, str]:
    """What is scored, and what it is conditioned on: a text that begins with the prompt is scored
    given the prompt, as tuning saw it.

    >>> given("2 + 2 = 4", "2 + 2 =")
    (' 4', '2 + 2 =')
    """
    if prompt and text.startswith(prompt) and len(text) > len(prompt):
        return text[len(prompt) :], prompt
    return text, ""


def once(
    handler: Callable[..., Iterator[list[Any]]], of: int = 3 + 2 * COLUMNS
) -> Callable[..., Iterator[list[Any]]]:
    """The same handler, for when the tab opens: does nothing where a comparison is there already.

    Args:
        handler: takes what comes after the session's state.
        of: how many outputs it has.
    """

    def opened(shown: Shown | None, *values: Any) -> Iterator[list[Any]]:
        if shown is None:
            yield from handler(*values)
        else:
            yield [gr.skip()] * of

    return opened


def chosen(models: Sequence[str | None]) -> list[str]:
    """The columns that have a model.

    Raises:
        InputError: fewer than two.
    """
    names = [name for name in models if name]
    if len(names) < 2:
        raise InputError("Choose two models at least.", "Column 1 and column 2 need one each.")
    return names


def _config(temperature: float, length: int, seed: int) -> GenerateConfig:
    if temperature is None or length is None or seed is None:
        raise InputError("One of the controls is empty.", "Type a number.")
    return GenerateConfig(
        temperature=float(temperature), max_new_tokens=int(length), seed=int(seed)
    )


def _number(alpha: float | None) -> float:
    if alpha is None:
        raise InputError("α is empty.", "Type a number from −1 to 2.")
    return round(float(alpha), 4)


def _strips(
    name: str, names: Sequence[str], prompt: str, steps: Sequence[Sequence[Step]]
) -> list[Any]:
    drawn: list[Any] = [
        shift_strip.flowing(f"{name}-{i}", model, prompt, steps[i], headed=True)
        for i, model in enumerate(names)
    ]
    return drawn + [""] * (COLUMNS - len(drawn))
