"""Which tokens of a row carry loss, as something to look at. Plain values; knows no model."""

from dataclasses import dataclass
from typing import Literal

MaskKind = Literal["start", "prompt", "answer", "end"]


@dataclass(frozen=True, slots=True)
class MaskToken:
    """One token of a structured row."""

    id: int  # of the token
    text: str  # what it shows as
    kind: MaskKind  # the start token, the prompt, the answer, or the end token
    loss: bool  # whether it carries loss


@dataclass(frozen=True)
class MaskView:
    """A row as the model will read it: the lecture's F(y, u)."""

    row: int  # which, from 0
    rows: int  # how many there are
    tokens: tuple[MaskToken, ...]  # in order, start and end token included
    prompt: str  # the text before the answer
    answer: str  # the text of the answer
    # sentences: the end token carries no loss, the answer was cut, …
    warnings: tuple[str, ...] = ()
    error: str = ""  # why this row cannot be learned from; empty where it can

    @property
    def n_loss(self) -> int:
        """Tokens that carry loss."""
        return sum(token.loss for token in self.tokens)
