"""Sentences through tokenizers, as the page and the command ask for them. Imports no torch before a
tokenizer is read.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lmlab.errors import InputError, ModelError
from lmlab.features.languages.counted import BYTES, Counted, Row
from lmlab.lab import Lab, import_core
from lmlab.models.refs import ModelRef
from lmlab.progress import Loading, Progress

if TYPE_CHECKING:
    from lmlab.models.tokens import Vocabulary

MOST_TOKENIZERS = 6
Sentences = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Languages:
    """What can be asked about sentences and tokenizers."""

    lab: Lab

    def count(
        self, tokenizers: Sequence[str], sentences: Sentences, model: str = ""
    ) -> Iterator[Loading | Progress | Counted]:
        """Each tokenizer's counts; where a model is named, the sentences' bits per byte under it
        stand with all of them.

        Raises:
            InputError: no tokenizer, or too many, or too much text.
            ModelError: there is no such model, it may not be opened, or has no tokenizer.
        """
        names = list(dict.fromkeys(filter(None, tokenizers)))
        if not 1 <= len(names) <= MOST_TOKENIZERS:
            raise InputError(f"Choose from 1 to {MOST_TOKENIZERS} tokenizers, not {len(names)}.")
        self.lab.check_length("".join(text for _, text in sentences), "All of the sentences")
        import_core()
        found = []
        for name in names:
            yield Loading(f"Tokenizer of {name} …")
            found.append(self._count(name, sentences))
        bits = list[float]()
        for i, (_, text) in enumerate(sentences if model else ()):
            yield Progress(i, len(sentences))
            for event in self.lab.score(model, text, top_k=0):
                if isinstance(event, Loading):
                    yield event
                elif not isinstance(event, Progress):
                    bits.append(event.bits_per_byte)
        for one in found:
            yield one.scored(bits) if model else one

    def _count(self, name: str, sentences: Sentences) -> Counted:
        if name == BYTES:
            rows = (Row(kind, text, tuple(map(_shown, text.encode()))) for kind, text in sentences)
            return Counted(BYTES, 256, None, tuple(rows))
        from lmlab.models.configs import tokenizer_folder
        from lmlab.models.tokenizers import read_vocabulary

        folder = tokenizer_folder(ModelRef.parse(name), self.lab.store, lambda message: None)
        vocabulary = read_vocabulary(folder, name)
        rows = (_row(vocabulary, kind, text) for kind, text in sentences)
        return Counted(name, len(vocabulary.names), _context(folder, name), tuple(rows))


def _row(vocabulary: "Vocabulary", kind: str, text: str) -> Row:
    from lmlab.models.tokens import encode

    coded = encode(vocabulary, text, bos="never")
    ids, characters = coded.ids, [text[low:high] for low, high in coded.spans]
    pieces = (vocabulary.reader(ids, i)(token) for i, token in enumerate(ids))
    return Row(kind, text, tuple(pieces), vocabulary.unknown(ids, characters))


def _context(folder: Path, name: str) -> int | None:
    from lmlab.models.backends.transformers.model import CONTEXT_NAMES
    from lmlab.models.configs import number, read_config

    with suppress(ModelError):  # a tokenizer may come without a model that is known here
        config = read_config(folder, name).get_text_config()
        return next(filter(None, (number(config, one) for one in CONTEXT_NAMES)), None)
    return None


def _shown(byte: int) -> str:
    return chr(byte) if 32 <= byte < 127 else f"⟨{byte:02X}⟩"
