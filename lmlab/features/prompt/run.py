"""One query on the Prompt tab: what the model goes on to write, and what G reads in it."""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import gradio as gr

from lmlab.features.prompt import prompt_view
from lmlab.features.prompt import sheet as sheets
from lmlab.features.prompt.queried import Asked, Weighed
from lmlab.features.prompt.service import Prompting
from lmlab.features.prompt.sheet import Sheet
from lmlab.features.prompt.views import reading
from lmlab.generation.completions import Step
from lmlab.lab import Lab
from lmlab.models.forms import form_named
from lmlab.parts import shift_strip
from lmlab.parts.errors import alerts
from lmlab.parts.waiting import busy, idle
from lmlab.progress import Loading
from lmlab.text.reading import Answer
from lmlab.text.wordings import read_wording

BEFORE = 60  # characters of the prompt that stand before the completion
PATIENCE = 0.08  # seconds between two drawings of a completion on its way
N_DRAWN = 4


@dataclass(frozen=True)
class Ran:
    """What a visitor's session keeps of a query that was run.

    Attributes:
        model: its name.
        asked: the prompt.
        steps: the completion.
        weighed: the choices, where there are some.
        answer: what was read in it.
    """

    model: str
    asked: Asked
    steps: tuple[Step, ...]
    weighed: Weighed | None
    answer: Answer | None = None

    @property
    def shown(self) -> str:
        """The prompt with what was added to it."""
        return _shown(self.asked, self.steps, self.answer)


def runner(lab: Lab) -> Callable[..., Iterator[list[Any]]]:
    """Run the query: yields [status, stop, preview, strip, reading, what is kept]."""

    @alerts
    def run(sheet: Sheet | None, wording: str, model: str, form: str = "") -> Iterator[list[Any]]:
        template = read_wording(wording)
        kept = sheet or Sheet()
        examples = sheets.solved(kept.examples, template)
        query = sheets.asked(kept.query, template)
        yield [*busy(f"{model}: reading …", 0), *[gr.skip()] * N_DRAWN]
        name, last = uuid.uuid4().hex[:12], 0.0
        steps: list[Step] = []
        asked: Asked | None = None
        answer: Answer | None = None
        weighed: Weighed | None = None
        taken = form_named(form)
        with closing(
            lab.service(Prompting).run(model, template, examples, query, form=taken)
        ) as events:
            for event in events:
                if isinstance(event, Loading):
                    yield [*busy(event.message, 0), *[gr.skip()] * N_DRAWN]
                elif isinstance(event, Asked):
                    asked = event
                elif isinstance(event, Step):
                    steps.append(event)
                    if asked and time.monotonic() - last > PATIENCE:
                        last = time.monotonic()
                        going = _run(asked, steps, None, name, model)
                        yield [gr.skip(), gr.skip(), *going, "", gr.skip()]
                elif isinstance(event, Answer):
                    answer = event
                elif isinstance(event, Weighed):
                    weighed = event
        if asked is None:
            return
        told = reading(template, answer, weighed, query.get(template.answer))
        ran = Ran(model, asked, tuple(steps), weighed, answer)
        yield [*idle(""), *_run(asked, steps, answer, name, model), told, ran]

    return run


def _run(
    asked: Asked, steps: list[Step], answer: Answer | None, name: str, model: str
) -> list[Any]:
    """Preview and strip of a run on its way."""
    end = asked.prompt.text[-BEFORE:]
    return [_shown(asked, steps, answer), shift_strip.flowing(name, model, end, steps)]


def _shown(asked: Asked, steps: Sequence[Step], answer: Answer | None) -> str:
    return prompt_view.preview(
        asked.prompt,
        length=(asked.n_tokens, asked.context),
        plain=asked.plain,
        added="".join(step.shown for step in steps),
        answer=answer,
        notes=asked.notes,
    )


def first_runner(lab: Lab) -> Callable[..., Iterator[list[Any]]]:
    """Run the query where the tab has just been opened for the first time."""
    go = runner(lab)

    @alerts
    def run(first: bool, *values: Any) -> Iterator[list[Any]]:
        if first:
            yield from go(*values)
        else:
            yield [gr.skip()] * (2 + N_DRAWN)

    return run
