"""The tokenizer of a GGUF file, as llama.cpp runs it, in the shape that a vocabulary takes.

A GGUF file names its way of cutting text and llama.cpp has the code of it, so that llama.cpp is the
truth here. It tells no offsets: they are found by what its tokens stand for.
"""

import ctypes
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import llama_cpp

from lmlab.errors import InputError
from lmlab.models.backends.gguf.engine import Engine
from lmlab.models.backends.gguf.header import Metadata
from lmlab.models.spelling import Spelling
from lmlab.models.tokens import Vocabulary

SPACE = b" "
SPM = 1  # llama.cpp's number of vocabularies whose words begin with a space
UNKNOWN = 1 << 0  # of a token, by its attributes: stands for all that there is no token of
ADDED = UNKNOWN | 1 << 3 | 1 << 4  # that, and what is cut out of a text before all else
NAMES = ("bos", "eos", "unknown", "padding")
CALLED = MappingProxyType({"unknown": "unk", "padding": "pad"})
TEMPLATE = "tokenizer.chat_template"


class GgufTokenizer:
    """What lmlab uses of a fast tokenizer."""

    is_fast = True
    name_or_path = ""

    def __init__(self, engine: Engine, metadata: Metadata) -> None:
        self._engine, self._metadata = engine, metadata
        self._vocabulary = engine.vocabulary
        self.chat_template: str | None = metadata.get(TEMPLATE)
        self.bos_token_id = self._special("bos")
        self.eos_token_id = self._special("eos")

    def __len__(self) -> int:
        return self._engine.width

    def __call__(
        self, text: str, *, add_special_tokens: bool = True, return_offsets_mapping: bool = False,
        verbose: bool = True,
    ) -> dict[str, list[Any]]:  # fmt: skip
        """Ids of a text, and of each the characters that it covers.

        Raises:
            InputError: the tokenizer rewrites the text, so that it cannot be told which are whose.
        """
        ids = self._cut(text)
        lead = self._lead if add_special_tokens and ids[: len(self._lead)] != self._lead else []
        found: dict[str, list[Any]] = {"input_ids": lead + ids}
        if return_offsets_mapping:
            found["offset_mapping"] = [(0, 0)] * len(lead) + self._offsets(text, ids)
        return found

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = False) -> str:
        """The text of ids."""
        kept = [i for i in ids if not (skip_special_tokens and i in self.added_tokens_decoder)]
        first = self.spaced and bool(kept) and self.pieces[kept[0]].startswith(SPACE)
        return b"".join(map(self.pieces.__getitem__, kept))[first:].decode(errors="replace")

    def convert_ids_to_tokens(self, ids: Any) -> Any:
        """Tokens as the file writes them; None for what it has not."""
        if isinstance(ids, int):
            return self._tokens[ids] if 0 <= ids < len(self) else None
        return [self.convert_ids_to_tokens(one) for one in ids]

    def get_vocab(self) -> Mapping[str, int]:
        """Ids by token."""
        return self._ids

    def get_chat_template(self) -> str:
        """The file's own."""
        return self.chat_template or ""

    @property
    def special_tokens_map(self) -> dict[str, str]:
        """Tokens that have a part to play, by that part."""
        found = {CALLED.get(name, name): self._special(name) for name in NAMES}
        return {f"{k}_token": self._tokens[i] for k, i in found.items() if i is not None}

    @cached_property
    def added_tokens_decoder(self) -> dict[int, str]:
        """Control tokens, and others that are cut out of a text before all else."""
        get = llama_cpp.llama_vocab_get_attr
        return {
            i: token for i, token in enumerate(self._tokens) if get(self._vocabulary, i) & ADDED
        }

    @cached_property
    def ends(self) -> frozenset[int]:
        """The tokens that end a text, by the file or by their names."""
        of = llama_cpp.llama_vocab_is_eog
        return frozenset(i for i in range(len(self)) if of(self._vocabulary, i))

    @cached_property
    def unknown_id(self) -> int | None:
        """What stands for all that there is no token of."""
        get = llama_cpp.llama_vocab_get_attr
        unknown = self._special("unknown")
        lossy = unknown is not None and not any(self.pieces[i] == b"\xff" for i in range(len(self)))
        return unknown if lossy and get(self._vocabulary, unknown) & UNKNOWN else None

    @cached_property
    def spaced(self) -> bool:
        """Whether a space is put before a text's first word."""
        if llama_cpp.llama_vocab_type(self._vocabulary) != SPM:
            return False
        return bool(self._metadata.get("tokenizer.ggml.add_space_prefix", True))

    @cached_property
    def pieces(self) -> tuple[bytes, ...]:
        """The bytes that each token stands for."""
        return tuple(map(self._piece, range(len(self))))

    @cached_property
    def fingerprint(self) -> str:
        """The same for two files that cut text into the same ids."""
        keys = sorted(key for key in self._metadata if key.startswith("tokenizer.ggml."))
        told = repr([(key, self._metadata[key]) for key in keys if "token_id" not in key])
        return hashlib.sha256(told.encode(errors="replace")).hexdigest()

    @cached_property
    def _lead(self) -> list[int]:
        adds = llama_cpp.llama_vocab_get_add_bos(self._vocabulary)
        return [self.bos_token_id] if adds and self.bos_token_id is not None else []

    @cached_property
    def _tokens(self) -> tuple[str, ...]:
        get = llama_cpp.llama_vocab_get_text
        texts = (get(self._vocabulary, i) or b"" for i in range(len(self)))
        return tuple(text.decode(errors="replace") for text in texts)

    @cached_property
    def _ids(self) -> Mapping[str, int]:
        return {token: i for i, token in enumerate(self._tokens)}

    def _special(self, name: str) -> int | None:
        """The id that the file names; for start and end, what llama.cpp makes of it."""
        ask = {"bos": llama_cpp.llama_vocab_bos, "eos": llama_cpp.llama_vocab_eos}.get(name)
        found = self._metadata.get(f"tokenizer.ggml.{name}_token_id", -1)
        found = ask(self._vocabulary) if ask else found
        return found if isinstance(found, int) and 0 <= found < len(self) else None

    def _cut(self, text: str) -> list[int]:
        data = text.encode(errors="surrogatepass")
        room = len(data) + 8
        while True:
            ids = (ctypes.c_int32 * room)()
            asked = (self._vocabulary, data, len(data), ids, room, False, True)
            count = llama_cpp.llama_tokenize(*asked)
            if count >= 0:
                return ids[:count]
            room = -count

    def _piece(self, token: int) -> bytes:
        room = 64
        while True:
            buffer = ctypes.create_string_buffer(room)
            asked = (self._vocabulary, token, buffer, room, 0, True)
            size = llama_cpp.llama_token_to_piece(*asked)
            if size >= 0:
                return buffer.raw[:size]
            room = -size

    def _offsets(self, text: str, ids: Sequence[int]) -> list[tuple[int, int]]:
        """Of each token its characters; a part of one counts as all of it."""
        data = text.encode()
        places, at, begins = list[tuple[int, int]](), 0, True
        for token in ids:
            piece = self.pieces[token]
            if begins and self.spaced and not data.startswith(piece, at):
                piece = piece.removeprefix(SPACE)
            if not data.startswith(piece, at):
                # White space beside a control token may go with it.
                skipped = len(data) - len(data[at:].lstrip())
                if not data.startswith(piece, skipped):
                    raise InputError(
                        f"The tokenizer of ‘{self._engine.name}’ rewrites this text, so that its "
                        "tokens have no places in it.",
                        "Leave out what is unusual in it, or score another text.",
                    )
                at = skipped
            places.append((at, at + len(piece)))
            at += len(piece)
            begins = token in self.added_tokens_decoder
        return _characters(data, places)


def _characters(data: bytes, places: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Places in bytes as places in characters.

    >>> _characters("aä".encode(), [(0, 1), (1, 2), (2, 3)])
    [(0, 1), (1, 2), (1, 2)]
    """
    begun, count = [], 0  # of each byte, how many characters began with it or before it
    for byte in data:
        count += byte & 0xC0 != 0x80
        begun.append(count)
    begun.append(count + 1)
    return [
        (begun[low] - 1, begun[high - 1]) if high > low else (begun[low] - 1,) * 2
        for low, high in places
    ]


class GgufSpelling(Spelling):
    """Bytes by llama.cpp, for which there is no decoder to be asked."""

    def data(self, token_id: int, *, bare: bool = False) -> bytes:
        if not 0 <= token_id < len(self.tokenizer):
            return b""
        piece: bytes = self.tokenizer.pieces[token_id]
        return piece.removeprefix(SPACE) if bare else piece

    def begins(self, ids: Sequence[int], at: int) -> bool:
        known = self.tokenizer.added_tokens_decoder
        return self.tokenizer.spaced and all(one in known for one in ids[:at])

    @property
    def unknown_id(self) -> int | None:
        found: int | None = self.tokenizer.unknown_id
        return found

    @property
    def cutting(self) -> str:
        return str(self.tokenizer.fingerprint)


@dataclass(frozen=True)
class GgufVocabulary(Vocabulary):
    """The tokens of a GGUF file."""

    @cached_property
    def spelling(self) -> Spelling:
        return GgufSpelling(self.tokenizer)
