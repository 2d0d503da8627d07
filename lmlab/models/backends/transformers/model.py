"""A transformers model that can be asked, and the copy of weights that several may share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from lmlab.models.backends.transformers.adapters import Adapters, Attached
from lmlab.models.backends.transformers.body import Body
from lmlab.models.backends.transformers.decoding import CachedDecoder, goes_together
from lmlab.models.backends.transformers.grafts import bytes_of
from lmlab.models.backends.transformers.past import Past
from lmlab.models.backends.transformers.proofs import Proof
from lmlab.models.backends.transformers.stacking import StackedDecoder, proved, stackable
from lmlab.models.backends.transformers.ways import Ways, choose
from lmlab.models.fair_lock import Turns
from lmlab.models.forms import Form, learned_form
from lmlab.models.head import Head
from lmlab.models.model import BATCH_TOKENS, LM
from lmlab.models.tokens import Vocabulary

BATCH_TOKENS_ELSEWHERE = 16_384  # a graphics processor wants to be filled
CONTEXT_NAMES = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")
CONTEXT_WITHOUT_LIMIT = 2048
CONTEXT_OF_STATE = 1_000_000


@dataclass(frozen=True)
class TransformersLM(LM):
    """A model of transformers, perhaps with an adapter."""

    name: str
    model: Any  # the transformers model, in evaluation mode
    vocabulary: Vocabulary
    ways: Ways  # how it is run, and which short cuts give what its plain forward pass gives
    context: int
    adapters: Adapters  # all that are attached to these weights
    attached: Attached = field(default_factory=Attached)  # the adapter that is meant, if any
    folder: Path | None = None  # of the adapter that is meant
    turns: Turns = field(default_factory=Turns)
    form: Form | None = None

    def switch_on(self) -> None:
        self.adapters.activate(self.folder, self.attached.alpha)

    @property
    def soft_prompt(self) -> Tensor | None:
        """[length, H] put before the embedded text (prompt tuning), or None."""
        return self.attached.soft_prompt

    @torch.inference_mode()
    def own_parameters(self) -> dict[str, Tensor]:
        """The model's own parameters, without those of adapters, tied ones once."""
        self.adapters.activate(None)
        return {name: found.detach() for name, found in self.model.named_parameters()}

    @property
    def notes(self) -> list[str]:
        return [*self.vocabulary.notes, *self.ways.notes()]

    @property
    def reading(self) -> list[str]:
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
        return BATCH_TOKENS if self.device.type == "cpu" else BATCH_TOKENS_ELSEWHERE

    @property
    def width(self) -> int:
        return int(self.model.get_output_embeddings().weight.shape[0])

    @property
    def device(self) -> torch.device:
        return torch.device(self.model.device)

    @property
    def body(self) -> Body:
        """ids [B, T] to one row for each position [B, T, H]."""
        return self.ways.body

    @property
    def head(self) -> Head:
        return self.ways.head

    @property
    def border(self) -> int | None:
        border, soft = self.ways.border, self.soft_prompt
        return border if border is None or soft is None else border - len(soft)

    @property
    def shares(self) -> bool:
        self.switch_on()
        return self.ways.shared

    def reaches(self, length: int) -> bool:
        self.switch_on()
        soft = self.soft_prompt
        return self.ways.reaches(length if soft is None else length + len(soft))

    @property
    def together(self) -> bool:
        return goes_together(self)

    @property
    def stack(self) -> object:
        return id(self.model) if stackable(self) else None

    @property
    def stacks(self) -> bool:
        return proved(self)

    def beside(self, lms: Sequence["TransformersLM"]) -> CachedDecoder:
        return StackedDecoder(lms)

    def decoder(self, rows: int = 1) -> CachedDecoder:
        return CachedDecoder(self, rows)

    @torch.inference_mode()
    def over(self, ids: Tensor, past: Past | None) -> tuple[Tensor, Past | None]:
        self.switch_on()
        return self.body.over(ids, past, positions=self.ways.positions)

    def rows(self, sequences: Sequence[Sequence[int]]) -> Tensor:
        """See ``LM``; needs no mask: what comes later leaves earlier rows alone."""
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


@dataclass
class Weights:
    """One copy of a model's weights, with its lock and the adapters attached to it."""

    name: str
    model: Any
    vocabulary: Vocabulary
    form: Form | None = None  # what the weights themselves were tuned in, where that is known
    proof: Proof | None = None  # what is known of the weights without an adapter
    lock: Turns = field(default_factory=Turns)
    adapters: Adapters = field(init=False)
    _ways: dict[Path | None, Ways] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.adapters = Adapters(self.model)

    @property
    def n_bytes(self) -> int:
        """Bytes of all parameters and buffers, attached adapters included."""
        return bytes_of(self.model) + self.adapters.n_bytes

    def lm(self, name: str, adapter: Path | None = None, alpha: float = 1.0) -> TransformersLM:
        """The model with one adapter, or none, switched on. Hold the lock while using it."""
        attached = self.adapters.activate(adapter, alpha)
        if adapter not in self._ways:
            held = {folder: way for folder, way in self._ways.items() if folder in self.adapters}
            self._ways = held
            self._ways[adapter] = choose(
                self.model, attached.soft_prompt, None if adapter else self.proof
            )
        soft = 0 if attached.soft_prompt is None else len(attached.soft_prompt)
        context = context_of(self.model) - soft
        return TransformersLM(
            name, self.model, self.vocabulary, self._ways[adapter], context, self.adapters,
            attached, adapter, self.lock, learned_form(adapter) or self.form,
        )  # fmt: skip


def context_of(model: Any) -> int:
    """Positions that a model can read at once, from its config."""
    config = model.config.get_text_config()
    found = (getattr(config, name, None) for name in CONTEXT_NAMES)
    # What keeps a state of one size, and names no limit, reads on for as long as there is text.
    endless = bool(getattr(model, "_is_stateful", False))
    otherwise = CONTEXT_OF_STATE if endless else CONTEXT_WITHOUT_LIMIT
    return next((int(n) for n in found if isinstance(n, int) and n > 0), otherwise)
