"""One query on the Prompt tab: what the model goes on to write, and what G reads in it."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

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
from lmlab.parts.stream import Busy, Pace, Work
from lmlab.progress import Loading
from lmlab.text.reading import Answer
from lmlab.text.wordings import read_wording

BEFORE = 60  # characters of the prompt that stand before the completion
PATIENCE = 0.08  # seconds between two drawings of a completion on its way


@dataclass(frozen=True)
class Ran:
    """What a visitor's session keeps of a query that was run."""

    model: str  # its name
    asked: Asked  # the prompt
    steps: tuple[Step, ...]  # the completion
    weighed: Weighed | None  # the choices, where there are some
    answer: Answer | None = None  # what was read in it

    @property
    def shown(self) -> str:
        """The prompt with what was added to it."""
        return _shown(self.asked, self.steps, self.answer)


def runner(lab: Lab) -> Callable[..., Work]:
    """Run the query."""

    def run(sheet: Sheet | None, wording: str, model: str, form: str = "") -> Work:
        template = read_wording(wording)
        kept = sheet or Sheet()
        examples = sheets.solved(kept.examples, template)
        query = sheets.asked(kept.query, template)
        yield Busy(f"{model}: reading …")
        name, pace = uuid.uuid4().hex[:12], Pace(PATIENCE)
        steps: list[Step] = []
        asked: Asked | None = None
        answer: Answer | None = None
        weighed: Weighed | None = None
        for event in lab.service(Prompting).run(
            model, template, examples, query, form=form_named(form)
        ):
            if isinstance(event, Loading):
                yield event
            elif isinstance(event, Asked):
                asked = event
            elif isinstance(event, Step):
                steps.append(event)
                if asked and pace.is_due():
                    yield {**_run(asked, steps, None, name, model), "answer": ""}
            elif isinstance(event, Answer):
                answer = event
            elif isinstance(event, Weighed):
                weighed = event
        if asked is None:
            return None
        return {
            **_run(asked, steps, answer, name, model),
            "answer": reading(template, answer, weighed, query.get(template.answer)),
            "ran": Ran(model, asked, tuple(steps), weighed, answer),
        }

    return run


def _run(
    asked: Asked, steps: list[Step], answer: Answer | None, name: str, model: str
) -> dict[str, Any]:
    """Preview and strip of a run on its way."""
    end = asked.prompt.text[-BEFORE:]
    strip = shift_strip.flowing(name, model, end, steps)
    return {"view": _shown(asked, steps, answer), "strip": strip}


def _shown(asked: Asked, steps: Sequence[Step], answer: Answer | None) -> str:
    return prompt_view.preview(
        asked.prompt,
        length=(asked.n_tokens, asked.context),
        plain=asked.plain,
        added="".join(step.shown for step in steps),
        answer=answer,
        notes=asked.notes,
    )


def first_runner(lab: Lab) -> Callable[..., Work]:
    """Run the query where the tab has just been opened for the first time."""
    go = runner(lab)

    def run(first: bool, *values: Any) -> Work:
        return (yield from go(*values)) if first else None

    return run
