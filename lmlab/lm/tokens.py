"""Text to token ids and back: what a token shows as, which characters it covers, where a prefix
ends. Works on any fast tokenizer; never runs a model.
"""

import json
import re
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Literal

from lmlab.errors import InputError

BosSetting = Literal["tokenizer", "always", "never"]

_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_ESCAPED_BYTES = re.compile("[\udc80-\udcff]+")


@dataclass(frozen=True)
class Encoded:
    """A prefix and a text as one sequence of ids, with the border between them.

    Attributes:
        ids: what is put in front, the tokens of the prefix, the tokens of the text.
        lead: the ids that were put in front (for instance BOS).
        n_context: how many ids come before the text's first token.
        spans: for each token of the text, the characters of ``text`` that it completes.
        prefix: the characters conditioned on.
        text: the characters scored; ``prefix + text`` is what was given.
        moved: the end of the given prefix that went over to the text.
    """

    ids: tuple[int, ...]
    lead: tuple[int, ...]
    n_context: int
    spans: tuple[tuple[int, int], ...]
    prefix: str
    text: str
    moved: str


@dataclass(frozen=True)
class Vocabulary:
    """A fast tokenizer seen as a list of tokens, each a string of bytes."""

    tokenizer: Any
    _texts: dict[int, str] = field(default_factory=dict, repr=False, compare=False)

    def data(self, token_id: int) -> bytes:
        """The bytes that a token stands for; empty for an id that the tokenizer does not know."""
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
        return token.replace("▁", " ").encode()

    def text(self, token_id: int) -> str:
        """What a token shows as; bytes that are no whole character stand as ``⟨F0 9F⟩``."""
        if token_id not in self._texts:
            known = self._token(token_id) is not None
            self._texts[token_id] = show(self.data(token_id)) if known else f"⟨#{token_id}⟩"
        return self._texts[token_id]

    def is_partial(self, token_id: int) -> bool:
        """Whether the token holds a part of a character."""
        try:
            self.data(token_id).decode()
        except UnicodeDecodeError:
            return True
        return False

    @cached_property
    def leading(self) -> tuple[int, ...]:
        """The special ids that the tokenizer puts before a text by its own default."""
        bare = self.ids("x")
        full = list(self.tokenizer("x", add_special_tokens=True, verbose=False)["input_ids"])
        for i in range(len(full) - len(bare) + 1):
            if full[i : i + len(bare)] == bare:
                return tuple(full[:i])
        return ()

    @property
    def start_id(self) -> int | None:
        """The id that stands for the start of a text: BOS, else EOS, else None."""
        bos = self.tokenizer.bos_token_id
        chosen = self.tokenizer.eos_token_id if bos is None else bos
        return None if chosen is None else int(chosen)

    def ids(self, text: str) -> list[int]:
        """The ids of a text alone, with nothing added."""
        return list(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

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
    def _byte_level(self) -> bool:
        pipeline = json.loads(self.tokenizer.backend_tokenizer.to_str())
        return '"ByteLevel"' in json.dumps([pipeline.get("decoder"), pipeline.get("pre_tokenizer")])


def show(data: bytes) -> str:
    """Bytes as text, each run of bytes that is not UTF-8 written as ``⟨F0 9F⟩``.

    >>> show(b" \\xf0\\x9f")
    ' ⟨F0 9F⟩'
    """
    text = data.decode("utf-8", errors="surrogateescape")
    return _ESCAPED_BYTES.sub(
        lambda m: f"⟨{' '.join(f'{ord(c) - 0xDC00:02X}' for c in m[0])}⟩", text
    )


def encode(
    vocabulary: Vocabulary,
    text: str,
    prefix: str = "",
    bos: BosSetting = "tokenizer",
    *,
    given: bool = False,
) -> Encoded:
    """Encode ``prefix + text`` once and place the border by character offsets.

    White space at the end of the prefix goes over to the text, and so does a token that straddles
    the border. With no prefix the context is BOS, else EOS, else empty.

    Args:
        vocabulary: the model's.
        text: what is scored.
        prefix: what stands before it.
        bos: what is put in front.
        given: white space at the end of the prefix stays there: the opening of a chat's turn is
            given to the model as it is.

    Raises:
        InputError: the text is empty, or a string is not valid Unicode.
    """
    if not text:
        raise InputError("There is no text to score.", "Type at least one character.")
    joined = prefix + text
    check_unicode(joined)
    batch = vocabulary.tokenizer(
        joined, add_special_tokens=False, return_offsets_mapping=True, verbose=False
    )
    ids, spans = list(batch["input_ids"]), tile(batch["offset_mapping"], len(joined))
    if not ids:
        raise InputError("The model's tokenizer makes no tokens of this text.")
    border = len(prefix) if given else len(prefix.rstrip())
    first = next(
        i for i, (start, end) in enumerate(spans) if end > border or start == end == border
    )
    border = spans[first][0]
    lead = _lead(vocabulary, ids, bos, has_prefix=first > 0)
    return Encoded(
        ids=(*lead, *ids),
        lead=tuple(lead),
        n_context=len(lead) + first,
        spans=tuple((start - border, end - border) for start, end in spans[first:]),
        prefix=joined[:border],
        text=joined[border:],
        moved=joined[border : len(prefix)],
    )


def encode_prompt(vocabulary: Vocabulary, prompt: str, bos: BosSetting = "tokenizer") -> list[int]:
    """The ids of a prompt to be completed; an empty prompt is the start token alone.

    Raises:
        InputError: the prompt is empty and the tokenizer has no start token, or not valid Unicode.
    """
    check_unicode(prompt)
    ids = vocabulary.ids(prompt)
    lead = _lead(vocabulary, ids, bos, has_prefix=bool(ids))
    if not ids and not lead:
        raise InputError("There is nothing to start from.", "Type at least one character.")
    return [*lead, *ids]


def check_unicode(text: str) -> None:
    """Refuse a string that cannot be written as UTF-8 (lone surrogates)."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"Character {error.start + 1} is half of a surrogate pair, not valid text.",
            "Delete it and type it again.",
        ) from None


def tile(offsets: list[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """Turn a tokenizer's offsets into spans that cover [0, length) without gap or overlap.

    A character shared by several tokens goes to the one that completes it; characters that no
    token claims (white space that a tokenizer trims) go to the token after them.

    >>> tile([(0, 2), (1, 2), (1, 2)], 2)
    [(0, 1), (1, 1), (1, 2)]
    """
    spans: list[tuple[int, int]] = []
    position = 0
    for i, (_, end) in enumerate(offsets):
        last = i == len(offsets) - 1
        stop = length if last else min(end, max(offsets[i + 1][0], position))
        stop = max(stop, position)
        spans.append((position, stop))
        position = stop
    return spans


def _lead(vocabulary: Vocabulary, ids: list[int], bos: BosSetting, has_prefix: bool) -> list[int]:
    """The ids to put in front: exactly one BOS, none when the text brings its own."""
    if bos == "never":
        return []
    lead = list(vocabulary.leading)
    start = vocabulary.start_id
    if not lead and start is not None and (bos == "always" or not has_prefix):
        lead = [start]
    if bos == "always" and not lead:
        raise InputError("This model's tokenizer has no start or end token to begin with.")
    return [] if lead and ids[:1] == lead[-1:] else lead


@lru_cache(maxsize=1)
def _byte_table() -> dict[str, int]:
    """The printable stand-ins of byte-level BPE (Radford et al. 2019) and the bytes they mean."""
    keep = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    moved = [byte for byte in range(256) if byte not in set(keep)]
    return {chr(b): b for b in keep} | {chr(0x100 + i): b for i, b in enumerate(moved)}
