"""What happens on the Prompt tab while a design is put together and one query is run."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any

import gradio as gr

from lmlab import promptview, shiftstrip
from lmlab.completions import Step
from lmlab.errors import InputError, LabError
from lmlab.lab import Lab
from lmlab.prompting import Asked, Weighed
from lmlab.reading import Answer
from lmlab.results import Loading
from lmlab.templates import PromptTemplate
from lmlab.ui import prompt_sheet as sheets
from lmlab.ui.errors import alerts
from lmlab.ui.prompt_sheet import FIELDS, OWN, Form, Sheet
from lmlab.ui.prompt_views import reading
from lmlab.ui.waiting import busy, idle

FIRST = (
    "german-lecture", "qa-question", "sentiment-review", "similarity-meaning", "topic-story",
    "opposite-instruction", "plural-instruction",
)  # fmt: skip
BEFORE = 60  # characters of the prompt that stand before the completion
FIRST_ROW = 2  # the query that the tab opens with
PATIENCE = 0.08  # seconds between two drawings of a completion on its way


def wordings(lab: Lab, name: str) -> list[tuple[str, str]]:
    """The templates for a set, by title; for a table of the visitor's all of them."""
    # The plainest wording comes first; an arrow says least of what is meant.
    templates = lab.prompts.templates().values()
    found = sorted(templates, key=lambda t: (t.name not in FIRST, t.task, t.name))
    return [
        (template.title if name != OWN else f"{template.task}: {template.title}", template.name)
        for template in found
        if name in (template.data, OWN)
    ]


def chooser(lab: Lab) -> Callable[..., list[Any]]:
    """Another set: its wordings, the first of them in the editor."""

    @alerts
    def chosen(name: str) -> list[Any]:
        found = wordings(lab, name)
        first = found[0][1]
        return [gr.update(choices=found, value=first), lab.prompts.source(first)]

    return chosen


def opener_of(lab: Lab) -> Callable[..., str]:
    """Another wording: its YAML."""
    return alerts(lambda name: lab.prompts.source(name))


def reader(lab: Lab) -> Callable[..., list[Any]]:
    """A table of the visitor's: [data, table, said, *mapping]."""

    @alerts
    def read(file: Any, pasted: str, wording: str) -> list[Any]:
        if file is None and not (pasted or "").strip():
            raise InputError("There is no table.", "Choose a file, or paste some rows.")
        content: bytes | str = pasted
        name = "the pasted table"
        if file is not None:
            name = str(getattr(file, "orig_name", None) or file).rsplit("/", 1)[-1]
            with open(str(file), "rb") as opened:
                content = opened.read(6_000_000)
        table = lab.prompts.table(content, name)
        said = f"{len(table.rows):,} rows, {len(table.columns)} columns"
        fields: tuple[str, ...] = ()
        with suppress(LabError):
            fields = lab.prompts.parse(wording).columns
        return [gr.update(value=OWN), table, said, *_columns(fields, table)]

    return read


def _columns(fields: tuple[str, ...], table: Any) -> list[Any]:
    """The pickers of columns, one for each field."""
    try:
        guess = sheets.mapping(table, fields)
    except InputError:
        guess = {}
    return [
        gr.update(
            visible=i < len(fields),
            label=f"‘{fields[i]}’ is the column" if i < len(fields) else "",
            choices=list(table.columns),
            value=guess.get(fields[i]) if i < len(fields) else None,
        )
        for i in range(FIELDS)
    ]


def filler(
    lab: Lab, move: Callable[[Sheet], int] | None = None, *, anew: bool = True
) -> Callable[..., list[Any]]:
    """Draw examples and take a query: [examples, query, sheet].

    Args:
        lab: the backend.
        move: which row of the set is asked next; None keeps the place.
        anew: whether to draw examples as well.
    """

    @alerts
    def fill(sheet: Sheet | None, *values: Any) -> list[Any]:
        form = Form.read(*values)
        kept = sheet or Sheet()
        # Leaving a box is no change: what was typed into the examples meanwhile must stay.
        if move is None and kept.drawn == form.key:
            return [gr.skip()] * 3
        try:
            template = form.template(lab.prompts)
        except LabError:
            return [gr.skip()] * 3
        return _filled(lab, kept, form, template, move, anew)

    return fill


def _filled(
    lab: Lab,
    kept: Sheet,
    form: Form,
    template: PromptTemplate,
    move: Callable[[Sheet], int] | None = None,
    anew: bool = True,
) -> list[Any]:
    examples = kept.examples
    if anew or kept.query is None:
        examples = tuple(form.draw(lab.prompts, template))
    queries = form.dataset(lab.prompts, template).queries
    moved = sheets.at_row(kept, queries, move(kept) if move else kept.row)
    return _shown(replace(moved, examples=examples, drawn=form.key), template)


def opener(lab: Lab) -> Callable[..., list[Any]]:
    """What the tab opens with, once: [examples, query, sheet, whether this was the first time]."""
    fill = filler(lab)

    @alerts
    def opened(sheet: Sheet | None, *values: Any) -> list[Any]:
        if sheet is not None:
            return [gr.skip(), gr.skip(), gr.skip(), False]
        return [*fill(Sheet(row=FIRST_ROW), *values), True]

    return opened


def first_runner(lab: Lab) -> Callable[..., Iterator[list[Any]]]:
    """Run the query where the tab has just been opened for the first time."""
    go = runner(lab)

    @alerts
    def run(first: bool, *values: Any) -> Iterator[list[Any]]:
        if first:
            yield from go(*values)
        else:
            yield [gr.skip()] * 5

    return run


def refitter(lab: Lab) -> Callable[..., list[Any]]:
    """Another wording: the rows stay where they fit it, else new ones are drawn."""

    @alerts
    def refit(sheet: Sheet | None, *values: Any) -> list[Any]:
        form, kept = Form.read(*values), sheet or Sheet()
        try:
            template = form.template(lab.prompts)
            if kept.query is None or not sheets.fits(kept, template):
                return _filled(lab, kept, form, template)
        except LabError:
            # The preview says what is wrong; an alert at every key would be too much.
            return [gr.skip()] * 3
        if kept.shape == sheets.shape(template):
            return [gr.skip()] * 3
        return _shown(kept, template)

    return refit


def editor(lab: Lab, part: str) -> Callable[..., Sheet]:
    """Keep what was typed into the examples or the query."""

    @alerts
    def edit(sheet: Sheet | None, wording: str, event: gr.EventData) -> Sheet:
        template = lab.prompts.parse(wording)
        most = 1 if part == "query" else 64
        rows = sheets.edited(getattr(event, "rows", ""), template.columns, most)
        kept = sheet or Sheet()
        if part == "query":
            return replace(kept, query=rows[0] if rows else None)
        return replace(kept, examples=tuple(rows))

    return edit


def previewer(lab: Lab) -> Callable[..., str]:
    """The prompt as it stands, with its length; what is wrong stands in its place."""

    @alerts
    def preview(sheet: Sheet | None, wording: str, model: str) -> str:
        try:
            template = lab.prompts.parse(wording)
            kept = sheet or Sheet()
            examples = sheets.solved(kept.examples, template)
            prompt = template.encode(examples, sheets.asked(kept.query, template))
        except LabError as error:
            return promptview.problem(str(error))
        try:
            length = lab.prompts.measure(model, prompt.text)
        except LabError as error:
            return promptview.preview(prompt, notes=[str(error)])
        return promptview.preview(prompt, length=length)

    return preview


def runner(lab: Lab) -> Callable[..., Iterator[list[Any]]]:
    """Run the query: yields [status, stop, preview, strip, reading]."""

    @alerts
    def run(sheet: Sheet | None, wording: str, model: str) -> Iterator[list[Any]]:
        template = lab.prompts.parse(wording)
        kept = sheet or Sheet()
        examples = sheets.solved(kept.examples, template)
        query = sheets.asked(kept.query, template)
        yield [*busy(f"{model}: reading …", 0), *[gr.skip()] * 3]
        name, last = uuid.uuid4().hex[:12], 0.0
        steps: list[Step] = []
        asked: Asked | None = None
        answer: Answer | None = None
        weighed: Weighed | None = None
        with closing(lab.prompts.run(model, template, examples, query)) as events:
            for event in events:
                if isinstance(event, Loading):
                    yield [*busy(event.message, 0), *[gr.skip()] * 3]
                elif isinstance(event, Asked):
                    asked = event
                elif isinstance(event, Step):
                    steps.append(event)
                    if asked and time.monotonic() - last > PATIENCE:
                        last = time.monotonic()
                        yield [gr.skip(), gr.skip(), *_run(asked, steps, None, name, model), ""]
                elif isinstance(event, Answer):
                    answer = event
                elif isinstance(event, Weighed):
                    weighed = event
        if asked is None:
            return
        told = reading(template, answer, weighed, query.get(template.answer))
        yield [*idle(""), *_run(asked, steps, answer, name, model), told]

    return run


def _run(
    asked: Asked, steps: list[Step], answer: Answer | None, name: str, model: str
) -> list[Any]:
    """Preview and strip of a run on its way."""
    added = "".join(step.shown for step in steps)
    shown = promptview.preview(
        asked.prompt,
        length=(asked.n_tokens, asked.context),
        chat=asked.chat,
        added=added,
        answer=answer,
    )
    end = asked.prompt.text[-BEFORE:]
    return [shown, shiftstrip.flowing(name, model, end, steps)]


def _shown(sheet: Sheet, template: PromptTemplate) -> list[Any]:
    sheet = replace(sheet, shape=sheets.shape(template))
    return [sheets.example_json(sheet, template), sheets.query_json(sheet, template), sheet]
