"""A GGUF model that can be asked, and the copy of it that several may share."""

from collections.abc import Generator, Iterator, Sequence
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
from lmlab.models.backends.gguf.engine import Engine, Session
from lmlab.models.backends.gguf.header import read_header
from lmlab.models.backends.gguf.tokenizer import GgufTokenizer, GgufVocabulary
from lmlab.models.chat import has_chat
from lmlab.models.decoding import Decoder, SharedPrefix, going_on
from lmlab.models.fair_lock import Turns
from lmlab.models.forms import Form
from lmlab.models.head import SlicedHead
from lmlab.models.model import LM, Read
from lmlab.models.tokenizers import PROBE
from lmlab.models.tokens import Vocabulary
from lmlab.progress import Reading
from lmlab.settings import Settings

ROWS = 32  # texts that are read side by side
GOES_ON = 256  # positions that a row may go on by before there must be more room
Part = tuple[Sequence[int], int]  # ids, and how many logits are wanted, of the last ones
KERNELS = (
    "llama.cpp runs it as it is quantised: a token’s log-probability may differ from that of the "
    "dequantised weights by some hundredths of a nat."
)


@dataclass(frozen=True)
class LlamaLM(LM):
    """A model that llama.cpp runs, perhaps with an adapter."""

    name: str
    vocabulary: Vocabulary
    context: int
    engine: Engine
    adapter: Path | None = None
    alpha: float = 1.0
    turns: Turns = field(default_factory=Turns)
    form: Form | None = None

    @property
    def gives(self) -> frozenset[str]:
        return GIVEN

    @property
    def reading(self) -> list[str]:
        return [KERNELS]

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
    def shares(self) -> bool:
        return True

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
        return pad_sequence(list(found.split([len(ids) for ids in sequences])), True)

    def begin(self, ids: Sequence[int]) -> "Past":
        session = self.session(len(ids) + ROWS, ROWS + 1)
        for _ in session.read([(0, ids, 0)]):
            pass
        return Past(session)

    @torch.inference_mode()
    def over(self, ids: Tensor, past: "Past") -> tuple[Tensor, "Past"]:
        """Rows of ids [B, T] that come after what all of them begin with."""
        found = []
        for group in ids.split(ROWS):
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
            session = self.session(sum(len(ids) for ids, _ in group), len(group))
            yield from session.read([(row, *part) for row, part in enumerate(group)])
            session.clear()
            self.engine.idle = session

    def _groups(self, parts: Sequence[Part]) -> Iterator[list[Part]]:
        """Texts that are read in one pass."""
        group: list[Part] = []
        for part in parts:
            size = sum(len(ids) for ids, _ in [*group, part])
            if group and (len(group) == ROWS or size > llama.UBATCH):
                yield group
                group = []
            group.append(part)
        yield group


def _asked(reads: Sequence[Read]) -> tuple[list[Part], Tensor]:
    """What is to be read, and the ids [N] at the scored places."""
    parts = [(read.ids[:-1], len(read.ids) - read.low) for read in reads]
    return parts, torch.tensor([token for read in reads for token in read.ids[read.low :]])


@dataclass
class Past:
    """A context whose row 0 has read what others begin with."""

    session: Session

    def widened(self, rows: int) -> "Past":
        """The same: rows are made when they are read."""
        return self

    def fill(self, rows: int) -> None:
        """Have rows 1 to ``rows`` stand where row 0 does, and no others."""
        for row in range(1, self.session.rows):
            self.session.drop(row)
        for row in range(1, rows + 1):
            self.session.copy(0, row)


class LlamaDecoder(Decoder):
    """Rows of one length that go on in a context of their own."""

    def __init__(self, lm: LlamaLM, rows: int = 1) -> None:
        super().__init__(lm, rows)
        self._session: Session | None = None
        self._places: list[int] = []  # of the rows that go on

    def reading(self, ids: Sequence[int]) -> Generator[Reading, None, Tensor]:
        session = self._lm.session(len(ids) + GOES_ON * self._rows, self._rows)
        size = session.piece
        for low in range(0, len(ids), size):
            part = ids[low : low + size]
            last = low + size >= len(ids)
            found = self._read([(0, part, int(last))], session)
            if not last:
                yield Reading(low + size, len(ids))
        for row in range(1, self._rows):
            session.copy(0, row)
        self._session, self._places = session, list(range(self._rows))
        return found.expand(self._rows, -1)

    def read_all(self, prompts: Sequence[Sequence[int]], prefix: SharedPrefix) -> Tensor:
        start, more = len(prefix.prefix), max(map(len, prompts)) - len(prefix.prefix)
        past = prefix.past(len(prompts), more) if len(prompts) <= ROWS else None
        if past is None:
            session = self._lm.session(len(prompts) * (len(prompts[0]) + GOES_ON), len(prompts))
            self._places, start = list(range(len(prompts))), 0
        else:
            session = past.session
            past.fill(len(prompts))
            self._places = list(range(1, len(prompts) + 1))
        self._session = session
        parts = zip(self._places, prompts, strict=True)
        return self._read([(row, ids[start:], 1) for row, ids in parts], session)

    def feed(self, newest: Sequence[int]) -> Tensor:
        assert self._session is not None
        parts = zip(self._places, newest, strict=True)
        return self._read([(row, [token], 1) for row, token in parts], self._session)

    def keep(self, places: Sequence[int]) -> None:
        assert self._session is not None
        kept = [self._places[place] for place in places]
        for row in set(self._places) - set(kept):
            self._session.drop(row)
        self._places = kept

    def _read(self, parts: Sequence[tuple[int, Sequence[int], int]], session: Session) -> Tensor:
        """Logits [n, V] of the wanted places."""
        with going_on():
            found = [logits.clone() for logits in session.read(parts)]
        return self._checked(torch.cat(found)) if found else torch.empty(0, self._lm.width)


@dataclass
class Loaded:
    """A model in llama.cpp's memory, with the adapters that were read for it."""

    lm_alone: LlamaLM
    n_bytes_alone: int
    lock: Turns = field(default_factory=Turns)

    @property
    def adapters(self) -> "Loaded":
        """Those that are attached: ``in`` and ``detach``."""
        return self

    def __contains__(self, adapter: object) -> bool:
        return adapter in self.lm_alone.engine.adapters

    def detach(self, adapter: Path) -> None:
        """Forget an adapter that nobody uses."""
        self.lm_alone.engine.detach(adapter)

    @property
    def n_bytes(self) -> int:
        sizes = (file.stat().st_size for file in self.lm_alone.engine.adapters)
        return self.n_bytes_alone + sum(sizes)

    def lm(self, name: str, adapter: Path | None = None, alpha: float = 1.0) -> LM:
        """The model with one adapter, or none, switched on.

        Raises:
            ModelError: the adapter is none of this model's.
        """
        if adapter is not None and adapter not in self:
            self.lm_alone.engine.attach(check_adapter(adapter, name), name)
        form: Form | None = "chat" if has_chat(self.lm_alone.vocabulary) else None
        return replace(
            self.lm_alone, name=name, adapter=adapter, alpha=alpha, turns=self.lock, form=form
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
    engine = llama.load(found.header.file, name, found.cell, settings)
    tokenizer = GgufTokenizer(engine, found.header.metadata)
    vocabulary = GgufVocabulary(tokenizer, rows=engine.width)
    lm = LlamaLM(name, vocabulary, found.context, engine)
    ids = vocabulary.ids(PROBE)[:12]
    one, other = (lm.rows([[*ids, last]])[0, :-1] for last in ids[:2])
    if not torch.equal(one, other):
        raise ModelError(
            f"‘{name}’ is not a causal language model: what comes later in a text changes what it "
            "says of what came before.",
            "Choose one that continues text.",
        )
    return Loaded(lm, found.memory(settings))
