"""The same design as a chat: a turn for every example, in the form of the model's tokenizer."""

from collections.abc import Sequence
from dataclasses import dataclass

from lmlab.errors import InputError
from lmlab.models.chat import Message, has_chat, rendered, turn_end
from lmlab.models.forms import Form
from lmlab.models.tokens import Vocabulary
from lmlab.text.parts import Part, PartKind, Pieces, Prompt, joined
from lmlab.text.records import Row
from lmlab.text.templates import PromptTemplate


def form_for(
    vocabulary: Vocabulary,
    template: PromptTemplate,
    asked: Form | None = None,
    learned: Form | None = None,
) -> Form:
    """The form that a model is asked in: as somebody wants, else as the model was tuned, else as
    the wording says, else chat where there is a chat template.

    Raises:
        InputError: the chat form of a model without a chat template.
    """
    form = asked or learned or template.form
    if not form:
        return "chat" if has_chat(vocabulary) else "plain"
    check_form(vocabulary, form)
    return form


def check_form(vocabulary: Vocabulary, form: Form) -> None:
    """Refuse a form that the model does not have.

    Raises:
        InputError: the chat form of a model without a chat template.
    """
    if form == "chat" and not has_chat(vocabulary):
        raise InputError(
            "This model has no chat template, so that there is no chat form.",
            "Take the plain form, or a model that was tuned for chats.",
        )


def messages(instruction: str, examples: Sequence[Pieces], query: Pieces) -> list[Message]:
    """The turns: the instruction opens the first question, every target is an answer."""
    turns = []
    for example in examples:
        turns += _asked(example)
        turns.append({"role": "assistant", "content": example.target.strip()})
    turns += _asked(query)
    if instruction.strip():
        first = next((turn for turn in turns if turn["role"] == "user"), turns[0])
        first["content"] = f"{instruction.strip()}\n\n{first['content']}"
    return turns


def _asked(piece: Pieces) -> list[Message]:
    """The question of a row, or the chat that it holds, up to the answer."""
    if piece.turns:
        return [{"role": role, "content": content} for role, content in piece.turns]
    return [{"role": "user", "content": piece.query.strip()}]


@dataclass(frozen=True)
class Rendered:
    """A wording's blocks for queries and for sets of examples, rendered at once."""

    instruction: str
    separator: str
    queries: Sequence[Pieces]
    sets: Sequence[Sequence[Pieces]]

    @classmethod
    def of(
        cls, template: PromptTemplate, queries: Sequence[Row], sets: Sequence[Sequence[Row]]
    ) -> "Rendered":
        """Of rows; raises as ``PromptTemplate.pieces``."""
        instruction, pieces = template.pieces([*queries, *(row for rows in sets for row in rows)])
        rest = iter(pieces[len(queries) :])
        shown = [[next(rest) for _ in rows] for rows in sets]
        return cls(instruction, template.separator, pieces[: len(queries)], shown)

    def prompts(
        self,
        vocabulary: Vocabulary,
        form: Form,
        shown: int = 0,
        queries: Sequence[Pieces] | None = None,
    ) -> list[Prompt]:
        """One for each query after one of the sets; raises as ``as_chats``."""
        if form == "plain":
            return self.plain(shown, queries)
        asked = self.queries if queries is None else queries
        return as_chats(vocabulary, self.instruction, self.sets[shown], asked)

    def plain(self, shown: int = 0, queries: Sequence[Pieces] | None = None) -> list[Prompt]:
        """The same as plain text."""
        asked, rows = self.queries if queries is None else queries, self.sets[shown]
        return [joined(self.instruction, rows, self.separator, query) for query in asked]


def as_chats(
    vocabulary: Vocabulary, instruction: str, examples: Sequence[Pieces], queries: Sequence[Pieces]
) -> list[Prompt]:
    """For each query the tokenizer's own chat form, up to where the model's turn begins.

    Raises:
        ModelError: the tokenizer's template fails on one, or takes too long.
    """
    texts = rendered(vocabulary, [messages(instruction, examples, query) for query in queries])
    return [
        Prompt(
            text,
            tuple(_parts(text, instruction, examples, query)),
            query.target.strip(),
            {label: target.strip() for label, target in query.targets.items()},
            turn=True,
        )
        for text, query in zip(texts, queries, strict=True)
    ]


def stops_in(vocabulary: Vocabulary, form: Form, stop: Sequence[str]) -> tuple[str, ...]:
    """A template's stop strings and, in the chat form, what ends the model's turn."""
    end = turn_end(vocabulary) if form == "chat" else ""
    return tuple(dict.fromkeys([*stop, *([end] if end else [])]))


def _parts(text: str, instruction: str, examples: Sequence[Pieces], query: Pieces) -> list[Part]:
    """Where each piece went, searched for in order; all else is the chat's own."""
    wanted: list[tuple[PartKind, str, int]] = [("instruction", instruction, -1)]
    for index, example in enumerate(examples):
        wanted += [("example", example.query, index), ("example", example.target, index)]
    wanted.append(("query", query.query, -1))
    parts, at = [], 0
    for kind, piece, index in wanted:
        start = text.find(piece.strip(), at) if piece.strip() else -1
        if start < 0:
            continue
        if start > at:
            parts.append(Part("chat", at, start))
        at = start + len(piece.strip())
        parts.append(Part(kind, start, at, index))
    if at < len(text):
        parts.append(Part("chat", at, len(text)))
    return parts
