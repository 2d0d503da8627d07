"""What happens on the Prompt tab to a design: set, wording, a table of one's own, preview, run."""

import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from lmlab.errors import InputError, LabError
from lmlab.features.prompt import views
from lmlab.features.prompt.service import Asked, Prompting, Weighed
from lmlab.features.prompt.sheet import Sheet
from lmlab.generation.completions import Step
from lmlab.lab import Lab
from lmlab.models.forms import form_named
from lmlab.parts import shift_strip, upload_table
from lmlab.parts.stream import Busy, Pace, Shown, Work
from lmlab.parts.upload_table import COLUMNS, OWN
from lmlab.progress import Loading
from lmlab.text.reading import Answer
from lmlab.text.uploads import read_upload
from lmlab.text.wordings import read_wording, shipped_source, titled

BEFORE = 60  # characters of the prompt that stand before the completion
PATIENCE = 0.08  # seconds between two drawings of a completion on its way


def wordings(lab: Lab, name: str) -> list[tuple[str, str]]:
    """(title, name) of the templates for a set; for a table of the visitor's of all of them."""
    return titled("" if name == OWN else name)


def tuned(lab: Lab, name: str) -> str:
    """The model that was tuned for a set; empty where there is none."""
    found = lab.service(Prompting).tuned(name)
    return found.tuned if found is not None else ""


def others(lab: Lab, name: str) -> list[str]:
    """What a study of models compares by itself: the siblings, and the model tuned for the set."""
    names = lab.model_names()
    wanted = ("small", "tiny", tuned(lab, name))
    return [name for name in wanted if name in names and name != lab.settings.model]


def read_table(file: Any, pasted: str, second: Any, skip: bool, wording: str) -> Shown:
    """A table of the visitor's, and a wording that fits it."""
    own, template = upload_table.read(read_upload, file, pasted, second, skip), None
    with suppress(LabError):
        template = read_wording(wording)
    named: dict[str, Any] = {"wording": gr.update(choices=titled())}
    if (other := upload_table.wording_for(own, template)) is not None:
        template = other
        named["wording"] |= {"value": other.name}
        named["source"] = shipped_source(other.name)
    picked = upload_table.picked(template.reads if template else None, own.table)
    shown = {"data": OWN, "table": own, "said": upload_table.said(own)}
    return {**shown, **named, **dict(zip(COLUMNS, picked, strict=True))}


@dataclass(frozen=True)
class Ran:
    """What a visitor's session keeps of a query that was run."""

    model: str
    asked: Asked
    steps: tuple[Step, ...] = ()  # the completion
    weighed: Weighed | None = None  # the choices, where there are some
    answer: Answer | None = None  # what was read in the completion

    @property
    def shown(self) -> str:
        """The prompt with what was added to it."""
        added = "".join(step.shown for step in self.steps)
        return views.preview(self.asked.prompt, self.asked, added=added, answer=self.answer)


@dataclass(frozen=True)
class Handlers:
    """What asks the lab."""

    lab: Lab

    def choose(self, name: str) -> Shown:
        """Another set: its wordings, the first of them in the editor, and the model tuned for
        it."""
        found = wordings(self.lab, name)
        if not found:
            raise InputError("There is no wording for this set.", "Choose another one.")
        first = found[0][1]
        wording = gr.update(choices=found, value=first)
        other = tuned(self.lab, name) or gr.skip()
        return {"wording": wording, "source": shipped_source(first), "other": other}

    def preview(
        self, sheet: Sheet | None, wording: str, model: str, form: str = "", ran: Ran | None = None
    ) -> str:
        """The prompt as the model gets it, with its length; what is wrong stands in its place.
        What the model wrote to this very prompt stays."""
        kept, prompts = sheet or Sheet(), self.lab.service(Prompting)
        try:
            template = read_wording(wording)
            examples, query = kept.solved(template), kept.asked(template)
            prompt = template.encode(examples, query)
        except LabError as error:
            return views.problem(str(error))
        taken = form_named(form)
        try:
            found = prompts.preview(model, template, examples, query, form=taken)
        except LabError as error:
            return views.preview(prompt, notes=[str(error)])
        if ran is not None and (ran.model, ran.asked.prompt) == (model, found.prompt):
            return ran.shown
        return views.preview(found.prompt, found)

    def run(self, sheet: Sheet | None, wording: str, model: str, form: str = "") -> Work:
        """What the model goes on to write, and what G reads in it."""
        template, kept = read_wording(wording), sheet or Sheet()
        examples, query = kept.solved(template), kept.asked(template)
        yield Busy(f"{model}: reading …")
        name, pace, ran = uuid.uuid4().hex[:12], Pace(PATIENCE), None
        steps: list[Step] = []
        found: dict[str, Any] = {}
        prompts, taken = self.lab.service(Prompting), form_named(form)
        for event in prompts.run(model, template, examples, query, form=taken):
            if isinstance(event, Loading):
                yield event
            elif isinstance(event, Asked):
                ran = Ran(model, event)
            elif isinstance(event, Step):
                steps.append(event)
                if ran and pace.is_due():
                    yield {**_drawn(replace(ran, steps=tuple(steps)), name), "answer": ""}
            else:
                found["answer" if isinstance(event, Answer) else "weighed"] = event
        if ran is None:
            return None
        ran = replace(ran, steps=tuple(steps), **found)
        read = views.reading(ran.answer, ran.weighed, query.get(template.answer))
        return {**_drawn(ran, name), "answer": read, "ran": ran}

    def first_run(self, first: bool, *values: Any) -> Work:
        """The same, where the tab has just been opened for the first time."""
        return (yield from self.run(*values)) if first else None


def _drawn(ran: Ran, name: str) -> dict[str, str]:
    """Preview and strip of a run on its way."""
    text = ran.asked.prompt.text
    strip = shift_strip.flowing(name, ran.model, text, ran.steps, most=BEFORE)
    return {"view": ran.shown, "strip": strip}
