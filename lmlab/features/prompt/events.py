"""What happens on the Prompt tab while a design is put together: set, wording, preview."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import gradio as gr

from lmlab.errors import InputError, LabError
from lmlab.features.prompt import prompt_view
from lmlab.features.prompt import sheet as sheets
from lmlab.features.prompt.run import Ran
from lmlab.features.prompt.service import Prompting
from lmlab.features.prompt.sheet import Sheet
from lmlab.lab import Lab
from lmlab.models.forms import form_named
from lmlab.parts import upload_table
from lmlab.parts.stream import Shown
from lmlab.parts.upload_table import COLUMNS, OWN
from lmlab.text.wordings import read_wording, shipped_source, titled


def wordings(lab: Lab, name: str) -> list[tuple[str, str]]:
    """(title, name) of the templates for a set; for a table of the visitor's of all of them."""
    return titled("" if name == OWN else name)


def chooser(lab: Lab) -> Callable[..., Shown]:
    """Another set: its wordings, the first of them in the editor, and the model tuned for it."""

    def chosen(name: str) -> Shown:
        found = wordings(lab, name)
        if not found:
            raise InputError("There is no wording for this set.", "Choose another one.")
        first = found[0][1]
        wording = gr.update(choices=found, value=first)
        other = tuned(lab, name) or gr.skip()
        return {"wording": wording, "source": shipped_source(first), "other": other}

    return chosen


def tuned(lab: Lab, name: str) -> str:
    """The model that was tuned for a set; empty where there is none."""
    found = lab.service(Prompting).tuned(name)
    return found.tuned if found is not None else ""


def others(lab: Lab, name: str) -> list[str]:
    """What a study of models compares by itself: the siblings, and the model tuned for the set."""
    names = lab.model_names()
    wanted = ("small", "tiny", tuned(lab, name))
    return [name for name in wanted if name in names and name != lab.settings.model]


def reader(lab: Lab) -> Callable[..., Shown]:
    """A table of the visitor's, and a wording that fits it."""

    def read(file: Any, pasted: str, second: Any, skip: bool, wording: str) -> Shown:
        own = upload_table.read(lab.service(Prompting).table, file, pasted, second, skip)
        template = None
        with suppress(LabError):
            template = read_wording(wording)
        other = upload_table.wording_for(own, template)
        named: dict[str, Any] = {"wording": gr.update(choices=wordings(lab, OWN))}
        if other is not None:
            template = other
            named["wording"] |= {"value": other.name}
            named["source"] = shipped_source(other.name)
        picked = upload_table.picked(template.reads if template else None, own.table)
        return {
            "data": OWN,
            "table": own,
            "said": upload_table.said(own),
            **named,
            **dict(zip(COLUMNS, picked, strict=True)),
        }

    return read


def previewer(lab: Lab) -> Callable[..., str]:
    """The prompt as the model gets it, with its length; what is wrong stands in its place.

    What the model wrote to this very prompt stays.
    """

    def preview(
        sheet: Sheet | None, wording: str, model: str, form: str = "", ran: Ran | None = None
    ) -> str:
        try:
            template = read_wording(wording)
            kept = sheet or Sheet()
            examples = sheets.solved(kept.examples, template)
            query = sheets.asked(kept.query, template)
            prompt = template.encode(examples, query)
        except LabError as error:
            return prompt_view.problem(str(error))
        try:
            taken = form_named(form)
            found = lab.service(Prompting).preview(model, template, examples, query, form=taken)
        except LabError as error:
            return prompt_view.preview(prompt, notes=[str(error)])
        if ran is not None and (ran.model, ran.asked.prompt) == (model, found.prompt):
            return ran.shown
        length = (found.n_tokens, found.context)
        return prompt_view.preview(
            found.prompt, length=length, plain=found.plain, notes=found.notes
        )

    return preview
