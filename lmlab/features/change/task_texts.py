"""What a tuned model was made for, and held-out texts of it. Imports no torch."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lmlab.errors import InputError, LabError
from lmlab.features.change.passages import PLAIN, Passage, answers
from lmlab.models.tokens import Vocabulary
from lmlab.runs.model_store import RUN, ModelRef, ModelStore
from lmlab.text import sets as data
from lmlab.text.rows import Row
from lmlab.text.templates import PromptTemplate
from lmlab.text.wordings import shipped_templates, tuned_wording
from lmlab.training.sets import shipped_data

_CARD = re.compile(r"`assets/datasets/([a-z][a-z-]*)`")
_CARD_READ = 4000  # characters of a card in which its data is looked for


@dataclass(frozen=True)
class TaskRows:
    """Held-out rows and how they are worded.

    Attributes:
        name: of the set.
        template: the wording; None takes the column ``text`` as it is.
        rows: none of which was learned from.
    """

    name: str
    template: PromptTemplate | None
    rows: Sequence[Row]


def made_for(store: ModelStore, tuned: str) -> str:
    """Name of the set that a model was tuned on, as its card or its run says; empty if neither."""
    ref = ModelRef.parse(tuned)
    name = ref.adapter or ref.name
    if name.startswith(RUN):
        run = store.runs.find(name.removeprefix(RUN))
        return run.spec.data if run else ""
    if name not in (store.embedded_adapters() if ref.adapter else store.embedded()):
        return ""
    resolve = store.resolve_adapter if ref.adapter else store.resolve
    try:
        card = (resolve(ref, _silent) / "README.md").read_text(encoding="utf-8")[:_CARD_READ]
    except (OSError, LabError):
        return ""
    found = _CARD.search(card)
    return found[1] if found and found[1] in data.shipped_sets() else ""


def held_out(store: ModelStore, tuned: str, name: str = "") -> TaskRows:
    """Held-out rows of a set; by default of the one that a model was tuned on.

    Raises:
        InputError: nobody knows what it was tuned on, or no row was held out.
    """
    ref = ModelRef.parse(tuned)
    run_name = ref.adapter or ref.name
    if not name and run_name.startswith(RUN):
        return _of_run(store, run_name)
    wanted = name or made_for(store, tuned)
    if not wanted:
        raise InputError(
            f"Nothing says what ‘{tuned[:80]}’ was tuned on.",
            "Choose a set, or give a text of its task.",
        )
    return TaskRows(wanted, wording(wanted, tuned), shipped_data(wanted).valid)


def wording(name: str, tuned: str = "") -> PromptTemplate | None:
    """How a shipped set's rows become text: as that model saw them, as another tuned one did, else
    by the set's first template; None for plain text."""
    known = [template for template in shipped_templates().values() if template.data == name]
    own = next((template for template in known if tuned and template.tuned == tuned), None)
    return own or tuned_wording(name) or (known[0] if known else None)


def texts(
    rows: TaskRows, most_rows: int, most_characters: int, chat: Vocabulary | None = None
) -> Iterator[Passage]:
    """The first rows, up to a number of characters; the first is always there.

    Prompts take the chat form of a tokenizer, where one is given.

    Raises:
        InputError: a row lacks a column or cannot be rendered.
    """
    room = most_characters
    chosen = rows.rows[:most_rows]
    plain = (Passage(row[PLAIN]) for row in chosen if row.get(PLAIN))
    found = answers(rows.template, chosen, chat) if rows.template else plain
    for number, one in enumerate(found):
        room -= len(one.prefix) + len(one.text)
        if room < 0 and number:
            return
        yield one


def _of_run(store: ModelStore, name: str) -> TaskRows:
    folder = store.runs.find(name.removeprefix(RUN))
    if folder is None:
        raise InputError("There is no such fine-tuning run.", "It may have been deleted.")
    spec = folder.spec
    rows = folder.data(spec).valid
    if not rows:
        raise InputError("This run held no row out.", "Choose a set, or give a text of its task.")
    return TaskRows(spec.data, spec.template, rows)


def _silent(message: str) -> None:
    """Nothing is fetched, so there is nothing to say."""
