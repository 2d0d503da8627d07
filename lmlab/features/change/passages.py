"""Text of several kinds, to see a change on: a task's held-out rows, general text, other tasks.
Runs no model.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from lmlab.assets import assets_dir
from lmlab.models.chat import has_chat
from lmlab.models.learned import learned_form
from lmlab.models.refs import RUN, ModelRef
from lmlab.models.tokens import Vocabulary
from lmlab.runs.model_store import ModelStore
from lmlab.runs.store import RunFolder, Runs
from lmlab.text import sets as data
from lmlab.text.chat import as_chats
from lmlab.text.parts import joined
from lmlab.text.rows import Row
from lmlab.text.templates import PromptTemplate
from lmlab.text.wordings import shipped_templates

Group = Literal["task", "general", "other"]
TASK: Group = "task"
GENERAL: Group = "general"
OTHER: Group = "other"
PLAIN = "text"
# A set's name, its wording, and held-out rows.
Task = tuple[str, PromptTemplate | None, tuple[Row, ...]]


class Passage(NamedTuple):
    """What is scored, what stands before it, and whether that opens a chat's turn."""

    text: str
    prefix: str = ""
    turn: bool = False


@dataclass(frozen=True)
class Kind:
    """Passages of one kind.

    Attributes:
        name: as shown to people.
        group: the task that a model was tuned for, general text, or another task.
        passages: some of them.
    """

    name: str
    group: Group
    passages: tuple[Passage, ...]


def task_of(tuned: str, runs: Runs) -> Task | None:
    """What a model was tuned for, where it is known."""
    ref = ModelRef.parse(tuned)
    name = (ref.adapter or ref.name).removeprefix("adapters/")
    if name.startswith(RUN):
        run = runs.find(name.removeprefix(RUN).partition("@")[0])
        return _task_of_run(run) if run else None
    for known in (name, name.partition("-")[0]):
        if known in data.shipped_sets():
            return known, wording(known), data.shipped(known).queries
    return None


def _task_of_run(run: RunFolder) -> Task:
    spec = run.spec
    found = run.data(spec)
    return spec.data, spec.template, tuple(found.valid or found.train)


def tasks(adapters: Sequence[str]) -> list[str]:
    """The shipped sets that one of some embedded adapters was tuned on, in alphabetical order."""
    return [name for name in data.shipped_sets() if name in adapters]


def wording(name: str) -> PromptTemplate | None:
    """The wording that a shipped set was tuned with, else its first; None for plain text."""
    fitting = [t for t in shipped_templates().values() if t.data == name]
    return min(fitting, key=lambda t: not t.tuned, default=None)


def held_out(name: str) -> tuple[Row, ...]:
    """The test rows of a shipped set."""
    return data.shipped(name).queries


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
    template: PromptTemplate | None,
    rows: Sequence[Row],
    count: int,
    longest: int,
    chat: Vocabulary | None = None,
) -> tuple[Passage, ...]:
    """Some rows, evenly chosen, as an answer given its prompt; plain text as it is.

    Args:
        template: the wording; None takes the column ``text``.
        rows: with the template's columns.
        count: most passages.
        longest: characters of a plain text that are read.
        chat: the tokenizer whose chat form the prompts take; None for the plain form.
    """
    chosen = evenly(rows, count)
    found = answers(template, chosen, chat) if template else _plain(chosen, longest)
    return tuple(one for one in found if one.text)


def _plain(rows: Sequence[Row], longest: int) -> Iterator[Passage]:
    return (Passage(row.get(PLAIN, "")[:longest]) for row in rows)


def answers(
    template: PromptTemplate, rows: Sequence[Row], chat: Vocabulary | None = None
) -> Iterator[Passage]:
    """Each row's answer given its prompt, as ``passages``.

    Raises:
        InputError: a row lacks a column or cannot be rendered.
    """
    instruction, pieces = template.pieces(rows)
    plain = (joined(instruction, (), template.separator, piece) for piece in pieces)
    for prompt in as_chats(chat, instruction, (), pieces) if chat else plain:
        yield Passage(prompt.target, prompt.text, prompt.turn)


def general(count: int, longest: int) -> list[Kind]:
    """The shipped general texts by kind, in the order of the file."""
    rows = data.read_file(assets_dir() / "datasets" / "probes" / "general.jsonl").rows
    kinds = dict.fromkeys(row["kind"] for row in rows)
    return [
        Kind(kind, GENERAL, passages(None, [r for r in rows if r["kind"] == kind], count, longest))
        for kind in kinds
    ]


def own(text: str, most: int, longest: int) -> tuple[Passage, ...]:
    """A visitor's texts, apart where there is an empty line.

    >>> own("one\\n\\n\\ntwo two", 8, 5)
    (Passage(text='one', prefix=''), Passage(text='two t', prefix=''))
    """
    parts = [part.strip("\n") for part in text.replace("\r\n", "\n").split("\n\n")]
    return tuple(Passage(part[:longest]) for part in parts if part.strip())[:most]


def evenly(rows: Sequence[Row], count: int) -> list[Row]:
    """An even choice of at most ``count`` rows."""
    count = min(count, len(rows))
    return [rows[i * len(rows) // count] for i in range(count)]


def _silent(message: str) -> None:
    """Nothing is said: the model is fetched where it is loaded."""
