"""What happens on the Prompt tab to its rows: examples drawn, chosen and typed, queries taken."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import gradio as gr

from lmlab.errors import LabError
from lmlab.features.prompt import views
from lmlab.features.prompt.sheet import MOST_ROWS, Form, Sheet, among, typed
from lmlab.parts.alternatives import index_of
from lmlab.parts.stream import Shown
from lmlab.parts.upload_table import OWN
from lmlab.text.protocols import MOST_SHOTS
from lmlab.text.records import retyped
from lmlab.text.templates import PromptTemplate
from lmlab.text.wordings import read_wording

FIRST_ROW = 2  # the query that the tab opens with


def fill(sheet: Sheet | None, *values: Any) -> Shown:
    """Draw the examples that the form asks for; a query that was typed stays in its set."""
    form, kept = Form.read(*values), sheet or Sheet()
    # The form follows the rows, too: that is no reason to draw.
    template = None if kept.drawn == form.key else _wording(form)
    return _filled(kept, form, template) if template else {}


def first_query(sheet: Sheet | None, *values: Any) -> Shown:
    """Of another set, or of another table under the same name: no row of the old one stays."""
    form = Form.read(*values)
    template, kept = _wording(form), replace(sheet or Sheet(), drawn=None)
    return _filled(kept, form, template, 0) if template else {}


def next_query(sheet: Sheet | None, *values: Any) -> Shown:
    """The set's next row, after the same examples."""
    form, kept = Form.read(*values), sheet or Sheet()
    template = _wording(form)
    return _filled(kept, form, template, kept.row + 1, anew=False) if template else {}


def _wording(form: Form) -> PromptTemplate | None:
    """None where it is wrong: the preview says so; an alert at every key would be too much."""
    with suppress(LabError):
        return form.template()
    return None


def _filled(
    kept: Sheet, form: Form, template: PromptTemplate, row: int | None = None, anew: bool = True
) -> Shown:
    """Examples, where they are drawn anew, and the query, another one where its row is told."""
    # A query that was typed stays as long as no other one is asked for.
    stays = row is None and kept.drawn is not None and kept.drawn[:2] == form.key[:2]
    if stays and form.data == OWN and kept.query and form.shots:
        # Unless it was asked while no examples were drawn, and stands among them now.
        stays = not among(kept.query, form.dataset(template).pool)
    if anew or kept.query is None:
        kept = _drawn(kept, form, template)
    if not stays:
        queries = form.dataset(template).queries
        kept = kept.at_row(queries, kept.row if row is None else row)
    return _shown(kept, template)


def _drawn(kept: Sheet, form: Form, template: PromptTemplate) -> Sheet:
    found = form.dataset(template)
    found.check(template.needed)
    shots, seed = Form.number(form.shots, "shots"), Form.number(form.seed, "seed")
    return kept.draw(form.key, found.pool, shots, seed)


def opened(led: bool, sheet: Sheet | None, *values: Any) -> Shown:
    """What the tab opens with, once, unless a scene or a link has filled it in."""
    if led or sheet is not None:
        return {"fresh": False}
    return {**fill(Sheet(row=FIRST_ROW), *values), "fresh": True}


def begun(*values: Any) -> Shown:
    """Rows for a form that was filled in from outside."""
    form = Form.read(*values)
    with suppress(LabError):
        return _filled(Sheet(row=FIRST_ROW), form, form.template())
    return {}


def refit(sheet: Sheet | None, *values: Any) -> Shown:
    """Another wording: the rows stay where they fit it, else new ones are drawn."""
    form, kept = Form.read(*values), sheet or Sheet()
    with suppress(LabError):
        template = form.template()
        if kept.query is None or not kept.fits(template):
            return _filled(replace(kept, drawn=None), form, template)
        if kept.shape != _shape(template):
            return _shown(kept, template)
    return {}


def editor(part: str) -> Callable[..., Shown]:
    """Keep what was typed into the examples or the query."""

    def edit(sheet: Sheet | None, wording: str, event: gr.EventData) -> Shown:
        columns, kept = read_wording(wording).columns, sheet or Sheet()
        told = typed(getattr(event, "rows", ""), columns, 1 if part == "query" else MOST_ROWS)
        before = [*kept.examples, *([kept.query] if kept.query else [])]
        rows = [retyped(row, before) for row in told]
        if part == "query":
            return {"sheet": replace(kept, query=rows[0] if rows else None)}
        return _changed(kept, kept.edited(rows))

    return edit


def restart(sheet: Sheet | None, *values: Any) -> Shown:
    """Draw every example anew, the visitor's own too."""
    form, kept = Form.read(*values), replace(sheet or Sheet(), drawn=None)
    template = form.template()
    return _shown(_drawn(kept, form, template), template)


def pool(sheet: Sheet | None, *values: Any) -> str:
    """The rows to choose from, as far as they match what is sought; nothing without a set."""
    form, kept = Form.read(*values), sheet or Sheet()
    with suppress(LabError):
        template = form.template()
        rows = form.dataset(template).pool
        shown, found = kept.search(rows)
        return views.pool(shown, template.columns, found, len(rows))
    return ""


def seek(sheet: Sheet | None, event: gr.EventData) -> Sheet:
    """Look for other rows."""
    return replace(sheet or Sheet(), sought=str(getattr(event, "text", ""))[:200])


def take(event: gr.EventData, sheet: Sheet | None, *values: Any) -> Shown:
    """A row of the set is chosen, or given back."""
    form, kept = Form.read(*values), sheet or Sheet()
    template = form.template()
    changed = kept.taken(form.dataset(template).pool, index_of(event, "row"))
    return {"examples": views.examples(changed, template), **_changed(kept, changed)}


def _changed(before: Sheet, after: Sheet) -> Shown:
    """Rows of the visitor's; the number of shots follows them."""
    n = len(after.examples)
    shots = {} if n == len(before.examples) else {"shots": min(n, MOST_SHOTS)}
    return {"sheet": after, **shots}


def _shape(template: PromptTemplate) -> tuple[str, ...]:
    """What the look of the rows depends on."""
    return (*template.columns, "", *template.labels)


def _shown(sheet: Sheet, template: PromptTemplate) -> Shown:
    return {
        "examples": views.examples(sheet, template),
        "query": views.query(sheet, template),
        "sheet": replace(sheet, shape=_shape(template)),
    }
