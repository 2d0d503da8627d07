"""Models of a rule instead of weights, for tests and for showing the page where nothing is at hand.

- ``mock:uniform``: every token is equally likely; its tokens are single bytes.
- ``mock:bigram``: a token's odds are how often it follows the one before it in ``STORY``, and how
  often it stands there at all.
- ``mock:scripted``: whatever it has read, it goes on with the story from the place that it is at.
- ``mock:served``: the bigram's, as a serving engine tells it: log-probabilities alone, of a text
  and of the likeliest tokens; no ranks, entropies, distributions or completions.

Two mocks of the story have the same tokens. ``?pause=0.2`` has a mock take that long to read, in
seconds; ``?chat`` gives it a chat form.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from tokenizers.trainers import BpeTrainer
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedTokenizerFast

from lmlab.errors import ModelError
from lmlab.maths.metrics import RowStats
from lmlab.models.backends import Copy
from lmlab.models.chat import has_chat
from lmlab.models.fair_lock import Turns
from lmlab.models.forms import Form
from lmlab.models.gives import GIVES
from lmlab.models.head import SlicedHead
from lmlab.models.model import LM, Read
from lmlab.models.tokens import Vocabulary
from lmlab.settings import Settings

STORY = (
    "Once upon a time, there was a little dog. The dog ran over the hill and saw a big red ball. "
    "A cat was in the garden. The cat said hello to the dog, and the dog said hello to the cat. "
    "They ran to the king, who said שלום and had a happy day.\n"
)
CHAT = "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }} {% endfor %}[model]"
CONTEXT = 1024
START, END = 0, 1
UNSEEN = 1e-4  # the odds of a token that the story has not
SURE = 1.0  # nats by which the script's token is ahead
LONGEST = 2.0  # seconds of a pause
TOLD = frozenset(GIVES) - {"adapters", "weights", "training"}
SERVED = frozenset({"scores"})


def gives(name: str) -> frozenset[str]:
    """What may be asked of a mock; nothing of one that there is not."""
    kind = KINDS.get(_kind(name))
    return frozenset() if kind is None else SERVED if kind is Served else TOLD


def find(place: Path, name: str) -> "Found":
    """The mock of a name.

    Raises:
        ModelError: there is none.
    """
    if _kind(name) not in KINDS:
        known = ", ".join(f"mock:{kind}" for kind in KINDS)
        raise ModelError(f"There is no model named ‘{name[:100]}’.", f"There are: {known}.")
    asked = parse_qs(name.partition("?")[2], keep_blank_values=True)
    try:
        pause = float(asked.get("pause", ["0"])[0])
    except ValueError:
        raise ModelError(f"The pause of ‘{name[:100]}’ is no number.") from None
    if not 0 <= pause <= LONGEST:
        raise ModelError(f"A pause is from 0 to {LONGEST:g} seconds.")
    return Found(_kind(name), pause, "chat" in asked)


def _kind(name: str) -> str:
    return name.partition(":")[2].partition("?")[0]


@dataclass(frozen=True)
class Found:
    """A mock that may be made."""

    kind: str
    pause: float
    chat: bool

    def memory(self, settings: Settings) -> int:
        """Its table, at most."""
        return 1_000_000

    def load(self, settings: Settings) -> Copy:
        vocabulary = vocabulary_of("" if self.kind == "uniform" else STORY, self.chat)
        return Loaded(KINDS[self.kind](self.kind, vocabulary, pause=self.pause))


@dataclass
class Loaded:
    """A mock in memory."""

    mock: "Mock"
    lock: Turns = field(default_factory=Turns)
    adapters: frozenset[Path] = frozenset()
    n_bytes: int = 1_000_000

    def lm(self, name: str, adapter: Path | None = None, alpha: float = 1.0) -> LM:
        form: Form | None = "chat" if has_chat(self.mock.vocabulary) else None
        return replace(self.mock, name=name, turns=self.lock, form=form)


@dataclass(frozen=True)
class Mock(LM):
    """Every token equally likely; the kinds of mocks differ in ``_logits``."""

    name: str
    vocabulary: Vocabulary
    context: int = CONTEXT
    turns: Turns = field(default_factory=Turns)
    form: Form | None = None
    pause: float = 0.0

    @property
    def gives(self) -> frozenset[str]:
        return gives(self.name)

    @property
    def width(self) -> int:
        return len(self.tokenizer)

    @property
    def head(self) -> SlicedHead:
        """Its rows are logits already."""
        return SlicedHead(lambda rows: rows, self.width)

    def rows(self, sequences: Sequence[Sequence[int]]) -> Tensor:
        """Logits [B, T, V], after a pause."""
        time.sleep(self.pause)
        return pad_sequence([self._logits(torch.tensor(ids)) for ids in sequences], True)

    def _logits(self, ids: Tensor) -> Tensor:
        """Logits [T, V] after each of some ids [T]."""
        return torch.zeros(len(ids), self.width)


class Bigram(Mock):
    """Counts of the story."""

    def _logits(self, ids: Tensor) -> Tensor:
        return self._table[ids]

    @cached_property
    def _table(self) -> Tensor:
        story = self._story
        alone = torch.bincount(story[1:], minlength=self.width) / len(story)
        table = (alone + UNSEEN).repeat(self.width, 1)
        table.index_put_((story[:-1], story[1:]), torch.tensor(1.0), accumulate=True)
        return table.log()

    @cached_property
    def _story(self) -> Tensor:
        return torch.tensor([START, *self.vocabulary.ids(STORY), END])


class Scripted(Bigram):
    """The story's next token, by how many were read; the others as the bigram has them."""

    def _logits(self, ids: Tensor) -> Tensor:
        place = torch.arange(len(ids))
        read = place + int(ids[0] != START)
        script = self._story[1 + read % (len(self._story) - 1)]
        logits = self._table[ids].clone()
        logits[place, script] = logits.amax(-1) + SURE
        return logits


class Served(Bigram):
    """A bigram behind a door that lets log-probabilities through, and no tensor."""

    def score(self, reads: Sequence[Read], top_k: int) -> RowStats:
        behind = Bigram(self.name, self.vocabulary, pause=self.pause)
        return replace(behind.score(reads, top_k), rank=None, entropy=None)

    @property
    def head(self) -> SlicedHead:
        raise self.lacks("distributions")

    def rows(self, sequences: Sequence[Sequence[int]]) -> Tensor:
        raise self.lacks("distributions")


KINDS = {"uniform": Mock, "bigram": Bigram, "scripted": Scripted, "served": Served}


def vocabulary_of(text: str, chat: bool) -> Vocabulary:
    """Bytes, and of a text each word as one token."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer: Any = BpeTrainer(
        vocab_size=2000, min_frequency=1, special_tokens=["<s>", "</s>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    core.train_from_iterator([text], trainer)
    build: Any = PreTrainedTokenizerFast
    tokenizer = build(tokenizer_object=core, bos_token="<s>", eos_token="</s>")
    if chat:
        tokenizer.chat_template = CHAT
    return Vocabulary(tokenizer, rows=len(tokenizer))
