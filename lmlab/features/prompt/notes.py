"""What a reader has to know about prompts as a model is given them: sentences. Knows no torch."""

from collections.abc import Iterator, Sequence

from lmlab.models import controls
from lmlab.models.forms import Form
from lmlab.models.tokens import Vocabulary
from lmlab.text.rows import Row
from lmlab.text.templates import PromptTemplate


def notes_of(
    vocabulary: Vocabulary,
    template: PromptTemplate,
    examples: Sequence[Row],
    queries: Sequence[Row],
    form: Form,
    learned: Form | None,
) -> Iterator[str]:
    """Another form than the model was tuned in, and control tokens that were typed in rows."""
    if learned is not None and learned != form:
        yield f"The model was tuned in the {learned} form, and is asked in the {form} form here."
    find = controls.finder(vocabulary)
    for what, rows in (("Query", queries), ("Example", examples)):
        typed = [find(row.get(column, "") for column in template.columns) for row in rows]
        yield from controls.said([(n, one) for n, one in enumerate(typed, 1) if one], what)
