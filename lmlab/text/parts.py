"""A prompt put together from its parts, knowing which characters came from which. Text only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

PartKind = Literal["instruction", "example", "separator", "query", "chat"]


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a prompt."""

    kind: PartKind
    start: int
    end: int
    index: int = -1  # which example, from 0; −1 for all else


@dataclass(frozen=True)
class Pieces:
    """What a template makes of one row."""

    query: str  # up to where the answer begins
    example: str  # the row as a solved example; empty where the answer is not known
    target: str  # how the true answer goes on after the query
    truth: str | None  # the true answer or label; None where it is not known
    targets: Mapping[str, str] = field(default_factory=dict)  # the same for each label
    # (role, content) of a row's chat up to the answer: the query in the chat form
    turns: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Prompt:
    """What the lecture's F builds."""

    text: str
    parts: tuple[Part, ...]  # tile it from start to end
    target: str = ""  # how the true answer goes on; empty where it is not known
    targets: Mapping[str, str] = field(default_factory=dict)  # the same for each label
    turn: bool = False  # whether it ends where a chat's turn begins: white space there is given

    @property
    def ends_in_space(self) -> bool:
        """Whether white space stands at the end, which many tokenizers would give to the answer."""
        return not self.turn and self.text != self.text.rstrip()


def joined(instruction: str, examples: Sequence[Pieces], separator: str, query: Pieces) -> Prompt:
    """Instruction, each example with a separator after it, and the query."""
    stretches: list[tuple[PartKind, str, int]] = [("instruction", instruction, -1)]
    for index, example in enumerate(examples):
        stretches += [("example", example.example, index), ("separator", separator, index)]
    parts, text = [], ""
    for kind, piece, index in [*stretches, ("query", query.query, -1)]:
        if piece:
            parts.append(Part(kind, len(text), len(text) + len(piece), index))
            text += piece
    return Prompt(text, tuple(parts), query.target, query.targets)
