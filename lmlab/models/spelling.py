"""How the tokens of a tokenizer are written: as bytes, and as text where they stand.

Byte-level tokens are the same everywhere. With all others the tokenizer's own decoder says whether
a space comes before a token: not at the start of a text, nor inside of a word.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from tokenizers.models import Unigram

_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_ESCAPED_BYTES = re.compile("[\udc80-\udcff]+")


@dataclass(frozen=True)
class Spelling:
    """The written form of a fast tokenizer's tokens."""

    tokenizer: Any
    _shown: dict[tuple[int, bool], str] = field(default_factory=dict, repr=False, compare=False)

    def data(self, token_id: int, *, bare: bool = False) -> bytes:
        """The bytes that a token stands for; empty for an id that the tokenizer does not know.

        Args:
            bare: whether the decoder puts no space before it, as ``begins`` says.
        """
        token = self._token(token_id)
        if token is None:
            return b""
        if token_id in self._added:
            return token.encode()
        if self._byte_level:
            table = _byte_table()
            if all(char in table for char in token):
                return bytes(table[char] for char in token)
        elif match := _BYTE_TOKEN.fullmatch(token):
            return bytes([int(match[1], 16)])
        return self._decoded(token_id, bare).encode()

    def shown(self, token_id: int, *, bare: bool = False) -> str:
        """Like ``data``, as text; bytes that are no whole character stand as ``⟨F0 9F⟩``."""
        key = (token_id, bare)
        if key not in self._shown:
            known = self._token(token_id) is not None
            self._shown[key] = show(self.data(token_id, bare=bare)) if known else f"⟨#{token_id}⟩"
        return self._shown[key]

    def is_partial(self, token_id: int) -> bool:
        """Whether the token holds a part of a character."""
        try:
            self.data(token_id).decode()
        except UnicodeDecodeError:
            return True
        return False

    def begins(self, ids: Sequence[int], at: int) -> bool:
        """Whether the decoder puts no space before the token at a place: a text begins there, or a
        word goes on."""
        if self._byte_level:
            return False
        if not at or (ids[at - 1] in self._special and self._special.issuperset(ids[:at])):
            return True
        last = self._token(ids[at - 1])
        return bool(self._suffix) and last is not None and not last.endswith(self._suffix)

    @cached_property
    def unknown_id(self) -> int | None:
        """What stands for all that the tokenizer has no token of; None where that cannot be."""
        if self._byte_level:
            return None
        backend = self.tokenizer.backend_tokenizer
        if isinstance(backend.model, Unigram):
            state = _state(backend.model)
            found = None if state.get("byte_fallback") else state.get("unk_id")
        elif getattr(backend.model, "byte_fallback", False):
            return None
        else:
            name = backend.model.unk_token
            found = backend.token_to_id(name) if name else None
        return None if found is None else int(found)

    def _decoded(self, token_id: int, bare: bool) -> str:
        """A token by the tokenizer's own decoder, with nothing or a word before it."""
        alone = self._decode([token_id])
        if bare:
            return alone
        before, both = self._decode(self._word), self._decode([*self._word, token_id])
        return both[len(before) :] if both.startswith(before) else alone

    def _decode(self, ids: list[int]) -> str:
        text: str = self.tokenizer.backend_tokenizer.decode(ids, skip_special_tokens=False)
        return text

    def _token(self, token_id: int) -> str | None:
        if not 0 <= token_id < self._size:
            return None
        token = self.tokenizer.convert_ids_to_tokens(token_id)
        return token if isinstance(token, str) else None

    @cached_property
    def _size(self) -> int:
        return len(self.tokenizer)

    @cached_property
    def _added(self) -> frozenset[int]:
        return frozenset(self.tokenizer.added_tokens_decoder)

    @cached_property
    def _special(self) -> frozenset[int]:
        return frozenset(self.tokenizer.all_special_ids) - {self.unknown_id}

    @cached_property
    def _word(self) -> list[int]:
        """A word, for spelling what comes after one."""
        return list(self.tokenizer("a", add_special_tokens=False, verbose=False)["input_ids"])

    @property
    def cutting(self) -> str:
        """What text is cut by, as JSON: the same for two tokenizers that cut it into the same ids,
        whatever they add, pad or cut off."""
        parts = json.loads(self.tokenizer.backend_tokenizer.to_str())
        return json.dumps([parts.get(name) for name in ("normalizer", "pre_tokenizer", "model")])

    @cached_property
    def _byte_level(self) -> bool:
        backend = self.tokenizer.backend_tokenizer
        parts = [_state(backend.decoder), _state(backend.pre_tokenizer)]
        return '"ByteLevel"' in json.dumps(parts)

    @cached_property
    def _suffix(self) -> str:
        """What ends a word's last token, such as ``</w>``; empty in most tokenizers."""
        decoder = _state(self.tokenizer.backend_tokenizer.decoder)
        return str(decoder.get("suffix", "")) if decoder.get("type") == "BPEDecoder" else ""


def _state(part: Any) -> dict[str, Any]:
    """A part of a tokenizer's pipeline as its file has it; empty where there is none."""
    found: dict[str, Any] = {} if part is None else json.loads(part.__getstate__())
    return found


def show(data: bytes) -> str:
    """Bytes as text, each run of bytes that is not UTF-8 written as ``⟨F0 9F⟩``.

    >>> show(b" \\xf0\\x9f")
    ' ⟨F0 9F⟩'
    """
    text = data.decode("utf-8", errors="surrogateescape")
    return _ESCAPED_BYTES.sub(
        lambda m: f"⟨{' '.join(f'{ord(c) - 0xDC00:02X}' for c in m[0])}⟩", text
    )


@lru_cache(maxsize=1)
def _byte_table() -> dict[str, int]:
    """The printable stand-ins of byte-level BPE (Radford et al. 2019) and the bytes they mean."""
    keep = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    moved = [byte for byte in range(256) if byte not in set(keep)]
    return {chr(b): b for b in keep} | {chr(0x100 + i): b for i, b in enumerate(moved)}
