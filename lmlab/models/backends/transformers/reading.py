"""A transformers model that reads: ids to rows, whatever adapter is meant."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from lmlab.models.backends.transformers.adapters import Adapters, Attached
from lmlab.models.backends.transformers.body import Body, Past
from lmlab.models.backends.transformers.ways import Ways
from lmlab.models.fair_lock import Turns
from lmlab.models.forms import Form
from lmlab.models.head import Head
from lmlab.models.model import BATCH_TOKENS, LM
from lmlab.models.tokens import Vocabulary

BATCH_TOKENS_ELSEWHERE = 16_384


@dataclass(frozen=True)
class ReadingLM(LM):
    """A model of transformers, perhaps with an adapter."""

    name: str  # as shown to people
    model: Any  # the transformers model, in evaluation mode
    vocabulary: Vocabulary  # its tokenizer, seen as strings of bytes
    ways: Ways  # how it is run, and which short cuts give what its plain forward pass gives
    context: int  # positions that the model can read at once
    adapters: Adapters  # all that are attached to these weights
    attached: Attached = field(default_factory=Attached)  # the adapter that is meant, if any
    folder: Path | None = None  # of the adapter that is meant
    turns: Turns = field(default_factory=Turns)  # the lock of its weights
    form: Form | None = None  # what it was tuned in, where that is known

    @property
    def soft_prompt(self) -> Tensor | None:
        """[length, H] put before the embedded text (prompt tuning), or None."""
        return self.attached.soft_prompt

    def switch_on(self) -> None:
        """Make the weights this model's: needed where several share one copy of them."""
        self.adapters.activate(self.folder, self.attached.alpha)

    @property
    def notes(self) -> list[str]:
        """What a person should know of how the model was loaded and is run, in sentences."""
        return [*self.vocabulary.notes, *self.ways.notes()]

    @property
    def reading(self) -> list[str]:
        """The part of the notes that a score depends on."""
        return self.ways.reading()

    @property
    def ends(self) -> frozenset[int]:
        """All that generation config, model config and tokenizer name."""
        config = self.model.config.get_text_config(decoder=True)
        named = [
            getattr(getattr(self.model, "generation_config", None), "eos_token_id", None),
            getattr(config, "eos_token_id", None),
            self.tokenizer.eos_token_id,
        ]
        lists = [one if isinstance(one, list | tuple) else [one] for one in named]
        return frozenset(int(token) for part in lists for token in part if token is not None)

    @property
    def batch_tokens(self) -> int:
        """A graphics processor wants to be filled."""
        return BATCH_TOKENS if self.device.type == "cpu" else BATCH_TOKENS_ELSEWHERE

    @property
    def width(self) -> int:
        """How many tokens a next-token distribution is over."""
        return int(self.model.get_output_embeddings().weight.shape[0])

    @property
    def shares(self) -> bool:
        """Whether two rows that go on from a cache are what the model gives without one."""
        self.switch_on()
        return self.ways.shared

    @torch.inference_mode()
    def over(self, ids: Tensor, past: Past | None) -> tuple[Tensor, Past | None]:
        """Rows of ids [B, T] that come after a past, and the past that they leave."""
        self.switch_on()
        return self.body.over(ids, past, positions=self.ways.positions)

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return torch.device(self.model.device)

    @property
    def body(self) -> Body:
        """ids [B, T] to one row for each position [B, T, H]."""
        return self.ways.body

    @property
    def head(self) -> Head:
        """Rows to statistics of the next-token distributions."""
        return self.ways.head

    @property
    def border(self) -> int | None:
        """How many ids are read with the factors of a short text; None where that is no matter."""
        border = self.ways.border
        return border if border is None else border - self.soft_length

    @property
    def soft_length(self) -> int:
        """Positions that a soft prompt takes before the text."""
        return 0 if self.soft_prompt is None else len(self.soft_prompt)

    @torch.inference_mode()
    def own_parameters(self) -> dict[str, Tensor]:
        """The model's own parameters, without those of adapters, tied ones once."""
        self.adapters.activate(None)
        return {name: found.detach() for name, found in self.model.named_parameters()}

    def rows(self, sequences: Sequence[Sequence[int]]) -> Tensor:
        """The body's row at each position, of what stands up to there alone: [B, T, H].

        Sequences may differ in length, T being that of the longest; what is past the end of one
        means nothing. Needs no mask: what comes later leaves earlier rows alone.
        """
        self.switch_on()
        border, width = self.border, max(map(len, sequences))
        if border is None or width <= border:
            return self._passed(sequences)
        # A text beyond the border is read with other factors than its own beginning.
        rows = self._passed(sequences)
        rows[:, :border] = self._passed([ids[:border] for ids in sequences])
        return rows

    def _passed(self, sequences: Sequence[Sequence[int]]) -> Tensor:
        if len(sequences) > 1 and not self.ways.batch:
            return pad_sequence([self.body(self._padded([ids]))[0] for ids in sequences], True)
        return self.body(self._padded(sequences))

    def _padded(self, sequences: Sequence[Sequence[int]]) -> Tensor:
        rows = [torch.tensor(ids, dtype=torch.long) for ids in sequences]
        return pad_sequence(rows, batch_first=True).to(self.device)
