"""Which tokens of a row carry loss, as something to look at. Plain values; knows no model."""

from dataclasses import dataclass
from typing import Literal

MaskKind = Literal["start", "prompt", "answer", "end"]


@dataclass(frozen=True, slots=True)
class MaskToken:
    """One token of a structured row.

    Attributes:
        id: of the token.
        text: what it shows as.
        kind: the start token, the prompt, the answer, or the end token.
        loss: whether it carries loss.
    """

    id: int
    text: str
    kind: MaskKind
    loss: bool


@dataclass(frozen=True)
class MaskView:
    """A row as the model will read it: the lecture's F(y, u).

    Attributes:
        row: which, from 0.
        rows: how many there are.
        tokens: in order, start and end token included.
        prompt: the text before the answer.
        answer: the text of the answer.
        warnings: sentences: the end token carries no loss, the answer was cut, …
        error: why this row cannot be learned from; empty where it can.
    """

    row: int
    rows: int
    tokens: tuple[MaskToken, ...]
    prompt: str
    answer: str
    warnings: tuple[str, ...] = ()
    error: str = ""

    @property
    def n_loss(self) -> int:
        """Tokens that carry loss."""
        return sum(token.loss for token in self.tokens)
