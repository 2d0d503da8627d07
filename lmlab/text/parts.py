"""A prompt put together from its parts, knowing which characters came from which. Text only."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

PartKind = Literal["instruction", "example", "separator", "query", "chat"]


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a prompt."""

    kind: PartKind  # what it is
    start: int  # first character
    end: int  # one past the last
    index: int = -1  # which example, from 0; −1 for all else


@dataclass(frozen=True)
class Pieces:
    """What a template makes of one row."""

    query: str  # up to where the answer begins
    example: str  # the row as a solved example; empty where the answer is not known
    target: str  # how the true answer goes on after the query
    truth: str | None  # the true answer or label; None where it is not known
    targets: Mapping[str, str] = field(default_factory=dict)  # the same for each label
    # (role, content) of a chat up to the answer, which stand for the query in the chat form; empty
    # where the row holds no chat
    turns: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Prompt:
    """What the lecture's F builds."""

    text: str  # all of it
    parts: tuple[Part, ...]  # tile it from start to end
    target: str = ""  # how the true answer goes on; empty where it is not known
    targets: Mapping[str, str] = field(default_factory=dict)  # the same for each label
    # whether it ends where a chat's turn begins, so that white space at its end is given
    turn: bool = False

    @property
    def ends_in_space(self) -> bool:
        """Whether white space stands at the end, which many tokenizers would give to the answer."""
        return not self.turn and self.text != self.text.rstrip()


def pieces_of(query: str, rest: list[str], truth: str | None, names: tuple[str, ...]) -> Pieces:
    """A row's query, and what was rendered after it: example, target and a target a choice, or
    the targets alone where the answer is not known."""
    if truth is None:
        return Pieces(query, "", "", None, dict(zip(names, rest, strict=True)))
    example, target, *targets = rest
    return Pieces(query, example, target, truth, dict(zip(names, targets, strict=True)))


def joined(instruction: str, examples: Sequence[Pieces], separator: str, query: Pieces) -> Prompt:
    """Instruction, each example with a separator after it, and the query."""
    parts, text = [], ""
    for kind, piece, index in _stretches(instruction, examples, separator, query):
        if piece:
            parts.append(Part(kind, len(text), len(text) + len(piece), index))
            text += piece
    return Prompt(text, tuple(parts), query.target, query.targets)


def _stretches(
    instruction: str, examples: Sequence[Pieces], separator: str, query: Pieces
) -> Iterator[tuple[PartKind, str, int]]:
    yield "instruction", instruction, -1
    for index, example in enumerate(examples):
        yield "example", example.example, index
        yield "separator", separator, index
    yield "query", query.query, -1
