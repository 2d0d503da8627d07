"""The same design as a chat: a turn for every example, in the form of the model's tokenizer."""

from collections.abc import Sequence

from lmlab.lm.chat import Message, rendered
from lmlab.lm.tokens import Vocabulary
from lmlab.prompts.parts import Part, PartKind, Pieces, Prompt


def messages(instruction: str, examples: Sequence[Pieces], query: Pieces) -> list[Message]:
    """The turns: the instruction opens the first question, every target is an answer."""
    turns = []
    for example in examples:
        turns.append({"role": "user", "content": example.query.strip()})
        turns.append({"role": "assistant", "content": example.target.strip()})
    turns.append({"role": "user", "content": query.query.strip()})
    if instruction.strip():
        turns[0]["content"] = f"{instruction.strip()}\n\n{turns[0]['content']}"
    return turns


def as_chat(
    vocabulary: Vocabulary, instruction: str, examples: Sequence[Pieces], query: Pieces
) -> Prompt:
    """The prompt in the tokenizer's own chat form, up to where the model's turn begins.

    Raises:
        ModelError: the tokenizer's template fails on it, or takes too long.
    """
    return as_chats(vocabulary, instruction, examples, [query])[0]


def as_chats(
    vocabulary: Vocabulary, instruction: str, examples: Sequence[Pieces], queries: Sequence[Pieces]
) -> list[Prompt]:
    """One prompt for each query.

    Raises:
        ModelError: as ``as_chat``.
    """
    texts = rendered(vocabulary, [messages(instruction, examples, query) for query in queries])
    return [
        Prompt(
            text,
            tuple(_parts(text, instruction, examples, query)),
            query.target.strip(),
            {label: target.strip() for label, target in query.targets.items()},
        )
        for text, query in zip(texts, queries, strict=True)
    ]


def _parts(text: str, instruction: str, examples: Sequence[Pieces], query: Pieces) -> list[Part]:
    """Where each piece went, searched for in order; all else is the chat's own."""
    wanted: list[tuple[PartKind, str, int]] = [("instruction", instruction.strip(), -1)]
    for index, example in enumerate(examples):
        wanted += [("example", example.query.strip(), index)]
        wanted += [("example", example.target.strip(), index)]
    wanted.append(("query", query.query.strip(), -1))
    parts, at = [], 0
    for kind, piece, index in wanted:
        start = text.find(piece, at) if piece else -1
        if start < 0:
            continue
        if start > at:
            parts.append(Part("chat", at, start))
        at = start + len(piece)
        parts.append(Part(kind, start, at, index))
    if at < len(text):
        parts.append(Part("chat", at, len(text)))
    return parts
