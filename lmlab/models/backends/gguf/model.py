"""A GGUF model that can be asked, and the copy of it that several may share."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from lmlab.errors import MemoryLimitError, ModelError
from lmlab.maths.metrics import RowStats, concat, row_stats
from lmlab.models.backends.gguf import GIVEN, Found
from lmlab.models.backends.gguf import engine as llama
from lmlab.models.backends.gguf.decoding import (
    GOES_ON,
    ROWS,
    LlamaDecoder,
    Past,
    causal,
    same_beside,
)
from lmlab.models.backends.gguf.engine import Engine, Session
from lmlab.models.backends.gguf.header import read_header
from lmlab.models.backends.gguf.tokenizer import GgufTokenizer, GgufVocabulary
from lmlab.models.chat import has_chat
from lmlab.models.fair_lock import Turns
from lmlab.models.forms import Form
from lmlab.models.head import SlicedHead
from lmlab.models.model import LM, Read
from lmlab.models.tokenizers import PROBE
from lmlab.models.tokens import Vocabulary
from lmlab.settings import Settings

HELD = 200_000_000  # bytes of rows that a batch of prompts makes
BUCKET = 256  # positions by which llama.cpp looks back further, at the same cost for all rows
HALF = 8  # ids of a probe
Part = tuple[Sequence[int], int]  # ids, and how many logits are wanted, of the last ones
KERNELS = (
    "llama.cpp computes with quantised numbers: a token’s log-probability differs from that of the "
    "dequantised weights by some hundredths of a nat, now and then by tenths."
)
APART = "Texts are read one after another: side by side, it gave other numbers."


@dataclass(frozen=True)
class LlamaLM(LM):
    """A model that llama.cpp runs, perhaps with an adapter."""

    name: str
    vocabulary: Vocabulary
    context: int
    engine: Engine
    quantised: bool = True
    adapter: Path | None = None
    alpha: float = 1.0
    turns: Turns = field(default_factory=Turns)
    form: Form | None = None

    @property
    def gives(self) -> frozenset[str]:
        return GIVEN

    @property
    def reading(self) -> list[str]:
        kernels = [KERNELS] if self.quantised else []
        return kernels if self.engine.beside else [*kernels, APART]

    @property
    def ends(self) -> frozenset[int]:
        found: frozenset[int] = self.tokenizer.ends
        return found

    @property
    def width(self) -> int:
        return self.engine.width

    @property
    def head(self) -> SlicedHead:
        """Its rows are logits already."""
        return SlicedHead(lambda rows: rows, self.width)

    @property
    def held(self) -> int:
        """See ``LM``; its rows are as wide as the vocabulary."""
        return max(1, HELD // (4 * self.width))

    @property
    def shares(self) -> bool:
        return self.engine.beside

    @property
    def together(self) -> bool:
        """Rows of one length alone go on side by side."""
        return False

    def session(self, cells: int, rows: int) -> Session:
        """A context that reads with this model's adapter."""
        found = self.engine.session(cells, rows)
        found.adapt(self.adapter, self.alpha)
        return found

    @torch.inference_mode()
    def score(self, reads: Sequence[Read], top_k: int) -> RowStats:
        """See ``LM``; a table of length × vocabulary is never held."""
        parts, targets = _asked(reads)
        found, done = [], 0
        for logits in self._passed(parts):
            found.append(row_stats(logits, targets[done : done + len(logits)], top_k))
            done += len(logits)
        return concat(found)

    @torch.inference_mode()
    def predictions(self, reads: Sequence[Read]) -> tuple[Tensor, Tensor]:
        parts, targets = _asked(reads)
        return self._whole(parts), targets

    @torch.inference_mode()
    def rows(self, sequences: Sequence[Sequence[int]]) -> Tensor:
        found = self._whole([(ids, len(ids)) for ids in sequences])
        return pad_sequence(list(torch.split(found, [len(ids) for ids in sequences])), True)

    def begin(self, ids: Sequence[int]) -> "Past":
        session = self.session(len(ids) + GOES_ON, ROWS + 1)
        for _ in session.read([(0, ids, 0)]):
            pass
        return Past(session)

    @torch.inference_mode()
    def over(self, ids: Tensor, past: "Past") -> tuple[Tensor, "Past"]:
        """Rows of ids [B, T] that come after what all of them begin with."""
        found = []
        for group in torch.split(ids, ROWS):
            parts = [(row, one, len(one)) for row, one in enumerate(group.tolist(), 1)]
            past.fill(len(group))
            found += [logits.clone() for logits in past.session.read(parts)]
        return torch.cat(found).view(*ids.shape, self.width), past

    def decoder(self, rows: int = 1) -> "LlamaDecoder":
        return LlamaDecoder(self, rows)

    def _whole(self, parts: Sequence[Part]) -> Tensor:
        """All those logits at once [N, V]."""
        need = 8 * self.width * sum(n for _, n in parts)
        if need > psutil.virtual_memory().available:
            raise MemoryLimitError(
                "There is not enough memory for this text’s distributions.", "Shorten it."
            )
        return torch.cat([logits.clone() for logits in self._passed(parts)])

    def _passed(self, parts: Sequence[Part]) -> Iterator[Tensor]:
        """Logits of the last so many ids of texts, in order, some at a time."""
        for group in self._groups(parts):
            session = self.session(max(len(ids) for ids, _ in group), len(group))
            yield from session.read([(row, *part) for row, part in enumerate(group)])
            session.clear()
            self.engine.idle = session

    def _groups(self, parts: Sequence[Part]) -> Iterator[list[Part]]:
        """Texts that are read in one pass: few enough, and of about one length."""
        group: list[Part] = []
        for part in parts:
            size = len(part[0])
            full = len(group) == ROWS or size + sum(len(ids) for ids, _ in group) > llama.UBATCH
            other = bool(group) and len(group[0][0]) // BUCKET != size // BUCKET
            if group and (full or other or not self.engine.beside):
                yield group
                group = []
            group.append(part)
        yield group


def _asked(reads: Sequence[Read]) -> tuple[list[Part], Tensor]:
    """What is to be read, and the ids [N] at the scored places."""
    parts = [(read.ids[:-1], len(read.ids) - read.low) for read in reads]
    return parts, torch.tensor([token for read in reads for token in read.ids[read.low :]])


@dataclass(frozen=True)
class Attached:
    """The adapters that were read for a model."""

    engine: Engine

    def __contains__(self, adapter: object) -> bool:
        return adapter in self.engine.adapters

    def detach(self, adapter: Path) -> None:
        """Forget an adapter that nobody uses."""
        self.engine.detach(adapter)


@dataclass
class Loaded:
    """A model in llama.cpp's memory."""

    alone: LlamaLM
    n_bytes_alone: int
    lock: Turns = field(default_factory=Turns)
    adapters: Attached = field(init=False)

    def __post_init__(self) -> None:
        self.adapters = Attached(self.alone.engine)

    @property
    def n_bytes(self) -> int:
        sizes = (file.stat().st_size for file in self.alone.engine.adapters)
        return self.n_bytes_alone + sum(sizes)

    def lm(self, name: str, adapter: Path | None = None, alpha: float = 1.0) -> LM:
        """The model with one adapter, or none, switched on.

        Raises:
            ModelError: the adapter is none of this model's.
        """
        if adapter is not None and adapter not in self.adapters:
            self.alone.engine.attach(check_adapter(adapter, name), name)
        form: Form | None = "chat" if has_chat(self.alone.vocabulary) else None
        return replace(
            self.alone, name=name, adapter=adapter, alpha=alpha, turns=self.lock, form=form
        )


def check_adapter(file: Path, name: str) -> Path:
    """The file of an adapter.

    Raises:
        ModelError: it is none that llama.cpp reads.
    """
    hint = "llama.cpp’s convert_lora_to_gguf.py makes one of a PEFT adapter."
    if not file.is_file():
        raise ModelError(f"The adapter of ‘{name}’ is no GGUF file.", hint)
    if read_header(file, name).metadata.get("general.type") != "adapter":
        raise ModelError(f"The file ‘{file.name[:100]}’ is a model, not an adapter.", hint)
    return file


def load(found: Found, settings: Settings) -> Loaded:
    """Read a model, and see that it can be used.

    Raises:
        ModelError: llama.cpp cannot use it, or it continues no text.
        MemoryLimitError: there is not enough memory.
    """
    name = found.name
    if settings.threads:
        # What torch makes of the logits would else wait for threads that llama.cpp keeps busy.
        torch.set_num_threads(settings.threads)
    engine = llama.load(found.header.file, name, found.cell, settings)
    tokenizer = GgufTokenizer(engine, found.header.metadata)
    vocabulary = GgufVocabulary(tokenizer, rows=engine.width)
    lm = LlamaLM(name, vocabulary, found.context, engine, found.header.quantised)
    ids = vocabulary.ids(PROBE)[:HALF]
    if not causal(lm, ids):
        raise ModelError(
            f"‘{name}’ is not a causal language model: what comes later in a text changes what it "
            "says of what came before.",
            "Choose one that continues text.",
        )
    engine.beside = same_beside(lm, ids)
    return Loaded(lm, found.memory(settings))
