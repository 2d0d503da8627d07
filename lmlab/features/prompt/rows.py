"""What happens on the Prompt tab to its rows: examples drawn, chosen and typed, queries taken."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gradio as gr

from lmlab.errors import LabError
from lmlab.features.prompt import drawn_rows, prompt_view
from lmlab.features.prompt import sheet as sheets
from lmlab.features.prompt.service import Prompting
from lmlab.features.prompt.sheet import Form, Sheet
from lmlab.lab import Lab
from lmlab.parts.stream import Shown
from lmlab.text.records import Row, retyped
from lmlab.text.templates import PromptTemplate
from lmlab.text.wordings import read_wording

FIRST_ROW = 2  # the query that the tab opens with


def filler(
    lab: Lab, move: Callable[[Sheet], int] | None = None, *, anew: bool = True
) -> Callable[..., Shown]:
    """Draw examples and take a query."""

    def fill(sheet: Sheet | None, *values: Any) -> Shown:
        form = Form.read(*values)
        kept = sheet or Sheet()
        # The form follows the rows, too: that is no reason to draw.
        if move is None and kept.drawn == form.key:
            return {}
        try:
            template = form.template(lab.service(Prompting))
        except LabError:
            return {}
        if move is not None and anew:
            # Another set, or another table under the same name: no row of the old one stays.
            kept = replace(kept, drawn=None)
        return _filled(lab, kept, form, template, move, anew)

    return fill


def _filled(
    lab: Lab,
    kept: Sheet,
    form: Form,
    template: PromptTemplate,
    move: Callable[[Sheet], int] | None = None,
    anew: bool = True,
) -> Shown:
    # A query that was typed stays as long as no other one is asked for.
    stays = move is None and kept.drawn is not None and kept.drawn[:2] == form.key[:2]
    if (
        stays
        and form.own
        and kept.query
        and drawn_rows.among(kept.query, _pool(lab, form, template))
    ):
        stays = False  # it was asked while no examples were drawn
    if anew or kept.query is None:
        kept = _drawn(lab, kept, form, template)
    if not stays:
        queries = form.dataset(lab.service(Prompting), template).queries
        kept = sheets.at_row(kept, queries, move(kept) if move else kept.row)
    return _shown(kept, template)


def _pool(lab: Lab, form: Form, template: PromptTemplate) -> tuple[Row, ...]:
    """The rows that are shown as examples; none where none are."""
    return form.dataset(lab.service(Prompting), template).pool if form.shots else ()


def _drawn(lab: Lab, kept: Sheet, form: Form, template: PromptTemplate) -> Sheet:
    found = form.dataset(lab.service(Prompting), template)
    found.check(template.needed)
    shots, seed = Form.number(form.shots, "shots"), Form.number(form.seed, "seed")
    return drawn_rows.drawn(kept, form.key, found.pool, shots, seed)


def opener(lab: Lab) -> Callable[..., Shown]:
    """What the tab opens with, once, unless a scene or a link has filled it in."""
    fill = filler(lab)

    def opened(led: bool, sheet: Sheet | None, *values: Any) -> Shown:
        if led or sheet is not None:
            return {"fresh": False}
        return {**fill(Sheet(row=FIRST_ROW), *values), "fresh": True}

    return opened


def beginner(lab: Lab) -> Callable[..., Shown]:
    """Rows for a form that was filled in from outside."""

    def begin(*values: Any) -> Shown:
        form = Form.read(*values)
        try:
            return _filled(lab, Sheet(row=FIRST_ROW), form, form.template(lab.service(Prompting)))
        except LabError:
            return {}

    return begin


def refitter(lab: Lab) -> Callable[..., Shown]:
    """Another wording: the rows stay where they fit it, else new ones are drawn."""

    def refit(sheet: Sheet | None, *values: Any) -> Shown:
        form, kept = Form.read(*values), sheet or Sheet()
        try:
            template = form.template(lab.service(Prompting))
            if kept.query is None or not sheets.fits(kept, template):
                return _filled(lab, replace(kept, drawn=None), form, template)
        except LabError:
            # The preview says what is wrong; an alert at every key would be too much.
            return {}
        if kept.shape == sheets.shape(template):
            return {}
        return _shown(kept, template)

    return refit


def editor(lab: Lab, part: str) -> Callable[..., Shown]:
    """Keep what was typed into the examples or the query."""

    def edit(sheet: Sheet | None, wording: str, event: gr.EventData) -> Shown:
        template = read_wording(wording)
        most = 1 if part == "query" else drawn_rows.MOST_ROWS
        kept = sheet or Sheet()
        before = [*kept.examples, *([kept.query] if kept.query else [])]
        typed = sheets.edited(getattr(event, "rows", ""), template.columns, most)
        rows = [retyped(row, before) for row in typed]
        if part == "query":
            return {"sheet": replace(kept, query=rows[0] if rows else None)}
        changed = drawn_rows.edited(kept, rows)
        return {"sheet": changed, **_slider(kept, changed)}

    return edit


def restarter(lab: Lab) -> Callable[..., Shown]:
    """Draw every example anew, the visitor's own too."""

    def restart(sheet: Sheet | None, *values: Any) -> Shown:
        form, kept = Form.read(*values), sheet or Sheet()
        template = form.template(lab.service(Prompting))
        return _shown(_drawn(lab, replace(kept, drawn=None), form, template), template)

    return restart


def pooler(lab: Lab) -> Callable[..., str]:
    """The rows to choose from, as far as they match what is sought; nothing without a set."""

    def pool(sheet: Sheet | None, *values: Any) -> str:
        form, kept = Form.read(*values), sheet or Sheet()
        try:
            template = form.template(lab.service(Prompting))
            rows = form.dataset(lab.service(Prompting), template).pool
        except LabError:
            return ""
        shown, found = drawn_rows.sought(kept, rows)
        return prompt_view.pool(shown, template.columns, found, len(rows))

    return pool


def seek(sheet: Sheet | None, event: gr.EventData) -> Sheet:
    """Look for other rows."""
    return replace(sheet or Sheet(), sought=str(getattr(event, "text", ""))[:200])


def taker(lab: Lab) -> Callable[..., Shown]:
    """A row of the set is chosen, or given back."""

    def take(event: gr.EventData, sheet: Sheet | None, *values: Any) -> Shown:
        form, kept = Form.read(*values), sheet or Sheet()
        template = form.template(lab.service(Prompting))
        try:
            number = int(event.row)
        except (AttributeError, TypeError, ValueError, OverflowError):
            number = 0
        rows = form.dataset(lab.service(Prompting), template).pool
        changed = drawn_rows.taken(kept, rows, number)
        examples = sheets.example_json(changed, template)
        return {"examples": examples, "sheet": changed, **_slider(kept, changed)}

    return take


def _slider(before: Sheet, after: Sheet) -> Shown:
    """The number of shots follows the rows."""
    n = len(after.examples)
    return {} if n == len(before.examples) else {"shots": min(n, sheets.MOST_SHOTS)}


def _shown(sheet: Sheet, template: PromptTemplate) -> Shown:
    sheet = replace(sheet, shape=sheets.shape(template))
    return {
        "examples": sheets.example_json(sheet, template),
        "query": sheets.query_json(sheet, template),
        "sheet": sheet,
    }
