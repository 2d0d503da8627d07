"""A language model that can be asked, whatever runs it.

A backend answers what it gives; all else is refused here, in a sentence that says why.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from lmlab.errors import InputError, ModelError
from lmlab.maths.metrics import RowStats
from lmlab.models.decoding import Decoder
from lmlab.models.fair_lock import Turns
from lmlab.models.forms import Form
from lmlab.models.gives import GIVES, OF_WEIGHTS
from lmlab.models.head import Head
from lmlab.models.tokens import Vocabulary

T = TypeVar("T", bound="LM")
INSIDE = {"model": "weights", "ways": "weights", "adapters": "adapters", "attached": "adapters"}
HELD = 4096  # rows that a batch of prompts makes
BATCH_TOKENS = 1024  # what a batch leaves in a processor's cache is read again


class Read(NamedTuple):
    """Tokens to read, and which of them are scored: those from place ``low`` ≥ 1 on."""

    ids: Sequence[int]
    low: int


class Drawn(NamedTuple):
    """A token and what is known of its place, in nats."""

    id: int
    logprob: float
    rank: int | None  # None where only the likeliest are known
    top: Sequence[tuple[int, float]]  # the likeliest tokens with theirs, best first


class LM:
    """A language model, borrowed from a ``ModelStore`` or made with ``lmlab.load``.

    A backend's own class has ``score``, or ``rows``, ``head`` and ``width`` and all else by them.
    """

    name: str  # as shown to people
    vocabulary: Vocabulary  # its tokens, seen as strings of bytes
    context: int  # positions that the model can read at once
    turns: Turns  # the lock of its weights
    form: Form | None  # what it was tuned in, where that is known
    model: Any  # from here on: of a transformers model alone
    ways: Any
    adapters: Any
    attached: Any
    folder: Path | None

    def __getattr__(self, name: str) -> Any:
        if name in INSIDE:
            raise self.lacks(INSIDE[name])
        raise AttributeError(name)

    @property
    def gives(self) -> frozenset[str]:
        """What may be asked of it: keys of ``lmlab.models.gives.GIVES``."""
        return frozenset(GIVES)

    def switch_on(self) -> None:
        """Make the weights this model's: needed where several share one copy of them."""

    @property
    def notes(self) -> list[str]:
        """What a person should know of how the model was loaded and is run, in sentences."""
        return [*self.vocabulary.notes, *self.reading]

    @property
    def reading(self) -> list[str]:
        """The part of the notes that a score depends on."""
        return []

    @property
    def tokenizer(self) -> Any:
        """The transformers tokenizer."""
        return self.vocabulary.tokenizer

    @property
    def device(self) -> torch.device:
        """Where ids and rows lie."""
        return torch.device("cpu")

    @property
    def border(self) -> int | None:
        """How many ids are read with the factors of a short text; None where all are."""
        return None

    @property
    def batch_tokens(self) -> int:
        """How many tokens are best read at once."""
        return BATCH_TOKENS

    @property
    def held(self) -> int:
        """How many positions' rows may be held at once."""
        return HELD

    @property
    def shares(self) -> bool:
        """Whether what several texts begin with is read once: ``over`` gives what ``rows`` does."""
        return False

    def reaches(self, length: int) -> bool:
        """Whether ``over`` gives what ``rows`` does up to so many ids."""
        return True

    @property
    def together(self) -> bool:
        """Whether rows of unequal length may go on in one decoder (``Decoder.join``)."""
        return True

    @property
    def stack(self) -> object:
        """What models that may go on in one batch have in common; None for one that goes alone."""
        return None

    @property
    def stacks(self) -> bool:
        """Whether rows of such a batch were seen to equal each model by itself."""
        return False

    def beside(self, lms: Sequence[Any]) -> Decoder:
        """A decoder with one row for each of several models of one ``stack``."""
        raise self.lacks("adapters")

    @property
    def ends(self) -> frozenset[int]:
        """The tokens that end a text."""
        end = self.tokenizer.eos_token_id
        return frozenset() if end is None else frozenset({int(end)})

    def score(self, reads: Sequence[Read], top_k: int) -> RowStats:
        """Statistics of the next-token distributions at the scored places of all texts, in order.

        Ranks and entropies are None where the backend does not give them.
        """
        return self.head.stats(*self.predictions(reads), top_k)

    @torch.inference_mode()
    def predictions(self, reads: Sequence[Read]) -> tuple[Tensor, Tensor]:
        """The rows [N, H] that predict the scored places of all texts, and the ids [N] there."""
        rows = self.rows([read.ids[:-1] for read in reads])
        found = [rows[i, low - 1 : len(ids) - 1] for i, (ids, low) in enumerate(reads)]
        targets = [token for ids, low in reads for token in ids[low:]]
        return torch.cat(found), torch.tensor(targets, device=rows.device)

    def rows(self, sequences: Sequence[Sequence[int]]) -> Tensor:
        """One row a position, of what stands up to there alone: [B, T, H].

        Sequences may differ in length, T being that of the longest; what is past the end of one
        means nothing.
        """
        raise self.lacks("distributions")

    @property
    def head(self) -> Head:
        """Rows to statistics of the next-token distributions."""
        raise self.lacks("distributions")

    @property
    def width(self) -> int:
        """How many tokens a next-token distribution is over."""
        raise self.lacks("distributions")

    def begin(self, ids: Sequence[int]) -> Any:
        """The past that ids leave, for texts that begin with them."""
        return self.over(torch.tensor([list(ids)], device=self.device), None)[1]

    def over(self, ids: Tensor, past: Any) -> tuple[Tensor, Any]:
        """Rows of ids [B, T] that come after a past, and the past that they leave."""
        raise self.lacks("distributions")

    def decoder(self, rows: int = 1) -> Decoder:
        """So many rows of one length that go on, token by token; others may join them where
        ``together`` says so."""
        return Decoder(self, rows)

    def draw(
        self, ids: Sequence[int], config: Any, seeds: Sequence[int], wanted: Callable[[int], bool]
    ) -> Generator[tuple[int, Drawn | str]]:
        """One completion a seed where the model draws by itself and gives no distributions.

        Args:
            config: the controls, a ``GenerateConfig``; stop strings are the caller's to see.
            wanted: whether one of them goes on.

        Yields:
            (which, token), and (which, ``stop`` or ``length``) where one ends.
        """
        raise self.lacks("text")

    def lacks(self, what: str) -> ModelError:
        """What to say where something is asked for that the backend does not give."""
        return ModelError(f"‘{self.name}’ gives no {GIVES[what]}.", OF_WEIGHTS)


def narrowed(lm: T, context: int | None) -> T:
    """The same model reading at most so many positions at once; None changes nothing.

    Raises:
        InputError: it cannot read as many.
    """
    if context is None:
        return lm
    if not 1 <= context <= lm.context:
        raise InputError(
            f"The context must be from 1 to {lm.context:,} tokens, which ‘{lm.name}’ reads at "
            f"once, not {context:,}."
        )
    changed: Any = lm
    narrow: T = replace(changed, context=context)
    return narrow
