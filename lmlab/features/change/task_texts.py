"""Text to see a change on: held-out rows of a task, general text, other tasks. Runs no model."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from lmlab.errors import LabError
from lmlab.models.chat import has_chat
from lmlab.models.forms import learned_form
from lmlab.models.refs import RUN, ModelRef
from lmlab.models.tokens import Vocabulary
from lmlab.runs.model_store import ModelStore
from lmlab.runs.store import RunFolder
from lmlab.text import sets as data
from lmlab.text.chat import as_chats
from lmlab.text.parts import joined
from lmlab.text.rows import Row
from lmlab.text.templates import PromptTemplate
from lmlab.text.wordings import shipped_templates, tuned_wording
from lmlab.training.sets import shipped_data

if TYPE_CHECKING:
    from lmlab.scoring.score import ScoreRequest

Group = Literal["task", "general", "other"]
PLAIN = "text"
LONGEST = 400  # characters of a plain text that are read
# Which rows ‘held-out’ means, for the page.
WHICH = (
    "Held-out rows are the validation rows of a set, those of a run’s held-out loss, evenly chosen."
)
_CARD = re.compile(r"`assets/datasets/([a-z][a-z-]*)`")
_CARD_READ = 4000  # characters of a card in which its data is looked for


class Passage(NamedTuple):
    """What is scored, what stands before it, and whether that opens a chat's turn."""

    text: str
    prefix: str = ""
    turn: bool = False

    @property
    def request(self) -> "ScoreRequest":
        """What is asked of a model."""
        from lmlab.scoring.score import ScoreRequest

        return ScoreRequest(self.text, self.prefix, given=self.turn)


@dataclass(frozen=True)
class Kind:
    """Passages of one kind: the task that a model was tuned for, general text, or another task."""

    name: str
    group: Group
    passages: tuple[Passage, ...]


@dataclass(frozen=True)
class TaskRows:
    """Held-out rows of a set and how they are worded."""

    name: str
    template: PromptTemplate | None  # None takes the column ``text`` as it is
    rows: Sequence[Row]  # none of which was learned from; there may be none


def made_for(store: ModelStore, tuned: str) -> str:
    """Name of the set that a model was tuned on, as its card or its run says; empty if neither."""
    if run := _run_of(store, tuned):
        return run.spec.data
    ref = ModelRef.parse(tuned)
    if (ref.adapter or ref.name) not in (
        store.embedded_adapters() if ref.adapter else store.embedded()
    ):
        return ""
    resolve = store.resolve_adapter if ref.adapter else store.resolve
    try:
        card = (resolve(ref, _silent) / "README.md").read_text(encoding="utf-8")[:_CARD_READ]
    except (OSError, LabError):
        return ""
    found = _CARD.search(card)
    return found[1] if found and found[1] in data.shipped_sets() else ""


def held_out(store: ModelStore, tuned: str, name: str = "") -> TaskRows | None:
    """Held-out rows of a shipped set; by default of what a model was tuned on, None where nothing
    says what that was."""
    if not name and (run := _run_of(store, tuned)):
        return TaskRows(run.spec.data, run.spec.template, run.data(run.spec).valid)
    wanted = name or made_for(store, tuned)
    return shipped_rows(wanted, tuned) if wanted else None


def shipped_rows(name: str, tuned: str = "") -> TaskRows:
    """Held-out rows of a shipped set, worded as that model saw them, as another tuned one did, else
    by the set's first template."""
    known = [one for one in shipped_templates().values() if one.data == name]
    own = next((one for one in known if tuned and one.tuned == tuned), None)
    template = own or tuned_wording(name) or next(iter(known), None)
    return TaskRows(name, template, shipped_data(name).valid)


def _run_of(store: ModelStore, tuned: str) -> RunFolder | None:
    ref = ModelRef.parse(tuned)
    name = ref.adapter or ref.name
    return store.runs.find(name.removeprefix(RUN).partition("@")[0]) if RUN in name else None


def tasks(adapters: Sequence[str]) -> list[str]:
    """The shipped sets that one of some embedded adapters was tuned on, in alphabetical order."""
    return [name for name in data.shipped_sets() if name in adapters]


def chat_of(store: ModelStore, tuned: str) -> Vocabulary | None:
    """The tokenizer of a model that was tuned in the chat form; None of any other."""
    ref = ModelRef.parse(tuned)
    folder = store.adapter_of(ref, _silent)
    form = learned_form(folder) or learned_form(store.resolve(ref, _silent))
    if form != "chat":
        return None
    with store.borrow(ref) as lm:
        return lm.vocabulary if has_chat(lm.vocabulary) else None


def passages(
    task: TaskRows, count: int, chat: Vocabulary | None = None, longest: int = LONGEST
) -> tuple[Passage, ...]:
    """At most ``count`` rows, evenly chosen, as an answer given its prompt; plain text as it is, up
    to ``longest`` characters. Prompts take the chat form of a tokenizer, where one is given.

    Raises:
        InputError: a row lacks a column or cannot be rendered.
    """
    rows = data.evenly(task.rows, count)
    plain = (Passage(row.get(PLAIN, "")[:longest]) for row in rows)
    found = _answers(task.template, rows, chat) if task.template else plain
    return tuple(one for one in found if one.text)


def _answers(
    template: PromptTemplate, rows: Sequence[Row], chat: Vocabulary | None
) -> Iterator[Passage]:
    instruction, pieces = template.pieces(rows)
    plain = (joined(instruction, (), template.separator, piece) for piece in pieces)
    for prompt in as_chats(chat, instruction, (), pieces) if chat else plain:
        yield Passage(prompt.target, prompt.text, prompt.turn)


def general(count: int) -> list[Kind]:
    """The shipped general texts by kind, in the order of the file."""
    return [
        Kind(kind, "general", tuple(Passage(text[:LONGEST]) for text in data.evenly(texts, count)))
        for kind, texts in data.general_texts().items()
    ]


def own_texts(text: str, most: int) -> tuple[Passage, ...]:
    """A visitor's texts, apart where there is an empty line.

    >>> [one.text for one in own_texts("one\\n\\n\\ntwo two", 8)]
    ['one', 'two two']
    """
    parts = [part.strip("\n") for part in text.replace("\r\n", "\n").split("\n\n")]
    return tuple(Passage(part[:LONGEST]) for part in parts if part.strip())[:most]


def _silent(message: str) -> None:
    """Nothing is said: a model is fetched where it is loaded."""
