"""A transformers model that can be asked, and the copy of weights that several may share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lmlab.models.backends.transformers.adapters import Adapters
from lmlab.models.backends.transformers.decoding import CachedDecoder
from lmlab.models.backends.transformers.grafts import bytes_of
from lmlab.models.backends.transformers.reading import ReadingLM
from lmlab.models.backends.transformers.stacking import StackedDecoder, proved, stackable
from lmlab.models.backends.transformers.ways import Ways, choose
from lmlab.models.fair_lock import Turns
from lmlab.models.forms import Form
from lmlab.models.learned import learned_form
from lmlab.models.tokens import Vocabulary

CONTEXT_NAMES = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")
CONTEXT_WITHOUT_LIMIT = 2048
CONTEXT_OF_STATE = 1_000_000


class TransformersLM(ReadingLM):
    """A model of transformers, perhaps with an adapter, that also goes on from what it read."""

    @property
    def stack(self) -> object:
        """See ``LM``."""
        return id(self.model) if stackable(self) else None

    @property
    def stacks(self) -> bool:
        """See ``LM``."""
        return proved(self)

    def beside(self, lms: Sequence["TransformersLM"]) -> CachedDecoder:
        """A decoder with one row for each of several models of the same weights."""
        return StackedDecoder(lms)

    def decoder(self, rows: int = 1) -> CachedDecoder:
        """So many rows of one length that go on, token by token."""
        return CachedDecoder(self, rows)


@dataclass
class Weights:
    """One copy of a model's weights, with its lock and the adapters attached to it.

    ``form`` is what the weights themselves were tuned in, where that is known.
    """

    name: str
    model: Any
    vocabulary: Vocabulary
    form: Form | None = None
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
            self._ways[adapter] = choose(self.model, attached.soft_prompt)
        soft = 0 if attached.soft_prompt is None else len(attached.soft_prompt)
        context = context_of(self.model) - soft
        vocabulary = self.vocabulary
        return TransformersLM(
            name, self.model, vocabulary, self._ways[adapter], context, self.adapters, attached,
            adapter, self.lock, learned_form(adapter) or self.form,
        )  # fmt: skip


def context_of(model: Any) -> int:
    """Positions that a model can read at once, from its config."""
    config = model.config.get_text_config()
    found = (getattr(config, name, None) for name in CONTEXT_NAMES)
    # What keeps a state of one size, and names no limit, reads on for as long as there is text.
    endless = bool(getattr(model, "_is_stateful", False))
    otherwise = CONTEXT_OF_STATE if endless else CONTEXT_WITHOUT_LIMIT
    return next((int(n) for n in found if isinstance(n, int) and n > 0), otherwise)
