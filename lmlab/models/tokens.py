"""Text to token ids and back: what a token shows as, which characters it covers, where a prefix
ends. Works on any fast tokenizer; never runs a model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from lmlab.errors import InputError
from lmlab.models.spelling import Spelling, show

__all__ = [
    "BosSetting",
    "Encoded",
    "Vocabulary",
    "check_unicode",
    "encode",
    "encode_prompt",
    "show",
    "tile",
    "with_end",
]

# ``tokenizer``: what it adds by its own default; ``always``; ``never``; or a token to begin with.
BosSetting = str
LONGEST_TOKEN = 500  # characters of a token that is named


@dataclass(frozen=True)
class Encoded:
    """A prefix and a text as one sequence of ids, with the border between them."""

    ids: tuple[int, ...]  # what is put in front, the tokens of the prefix, the tokens of the text
    lead: tuple[int, ...]  # the ids that were put in front (for instance BOS)
    n_context: int  # how many ids come before the text's first token
    # for each token of the text, the characters of ``text`` that it completes
    spans: tuple[tuple[int, int], ...]
    prefix: str  # the characters conditioned on
    text: str  # the characters scored; ``prefix + text`` is what was given
    moved: str  # the end of the given prefix that went over to the text


@dataclass(frozen=True)
class Vocabulary:
    """A fast tokenizer seen as a list of tokens, each a string of bytes."""

    tokenizer: Any
    # how many tokens the model has an embedding of; None where no model is known
    rows: int | None = None
    notes: tuple[str, ...] = ()  # what a reader has to know about how it was loaded, in sentences

    @cached_property
    def spelling(self) -> Spelling:
        """How its tokens are written."""
        return Spelling(self.tokenizer)

    def data(self, token_id: int) -> bytes:
        """The bytes that a token stands for; empty for an id that the tokenizer does not know."""
        return self.spelling.data(token_id)

    def text(self, token_id: int) -> str:
        """What a token shows as in the middle of a text, after a whole word; bytes that are no
        whole character stand as ``⟨F0 9F⟩``."""
        return self.spelling.shown(token_id)

    def reader(self, ids: Sequence[int], at: int | None = None) -> Callable[[int], str]:
        """What a token would show as after the first ``at`` of these ids, by default all of them.

        A word's token shows no space where nothing but special tokens stands before it, nor inside
        of a word.
        """
        begins = self.spelling.begins(ids, len(ids) if at is None else at)
        return partial(self.spelling.shown, bare=True) if begins else self.spelling.shown

    def read(self, ids: Sequence[int], at: int) -> bytes:
        """The bytes that the token at a place adds to the text of those before it."""
        return self.spelling.data(ids[at], bare=self.spelling.begins(ids, at))

    def is_partial(self, token_id: int) -> bool:
        """Whether the token holds a part of a character."""
        return self.spelling.is_partial(token_id)

    @cached_property
    def names(self) -> tuple[str | None, ...]:
        """Its tokens as the file writes them, by id."""
        return tuple(self.tokenizer.convert_ids_to_tokens(list(range(len(self.tokenizer)))))

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

    def checked(self, ids: Sequence[int]) -> Sequence[int]:
        """The same ids.

        Raises:
            InputError: the model has no embedding of one; names the token.
        """
        if self.rows is not None and ids and max(ids) >= self.rows:
            token = next(i for i in ids if i >= self.rows)
            raise InputError(
                f"The model does not know the token ‘{self.text(token)}’: its id is {token:,}, and "
                f"the model's embedding has {self.rows:,} rows.",
                "Leave it out, or take a model whose embedding was resized for it.",
            )
        return ids

    def unknown(self, ids: Sequence[int], characters: Sequence[str]) -> int:
        """How many of the ids stand for characters, those given, that it has no token of."""
        lost = self.spelling.unknown_id
        if lost is None or lost not in ids:
            return 0
        name = self.text(lost).strip()
        pairs = zip(ids, characters, strict=True)
        return sum(i == lost and shown.strip() != name for i, shown in pairs)

    def id_of(self, token: str) -> int:
        """The id of a token, by its name or by what it stands for.

        Raises:
            InputError: there is no such token.
        """
        check_unicode(token)
        found = self.tokenizer.get_vocab().get(token)
        ids = [] if found is None else [found]
        if found is None and 0 < len(token) <= LONGEST_TOKEN:
            ids = self.ids(token)
        if len(ids) != 1:
            raise InputError(
                f"The model's tokenizer has no token ‘{token[:50]}’ to begin with.",
                "Name one of its special tokens, or ‘tokenizer’, ‘always’ or ‘never’.",
            )
        return int(ids[0])


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
        given: white space at the end of the prefix stays there: the opening of a chat's turn is
            given to the model as it is.

    Raises:
        InputError: the text is empty, a string is not valid Unicode, or the model does not know a
            token.
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
        ids=tuple(vocabulary.checked((*lead, *ids))),
        lead=tuple(lead),
        n_context=len(lead) + first,
        spans=tuple((start - border, end - border) for start, end in spans[first:]),
        prefix=joined[:border],
        text=joined[border:],
        moved=joined[border : len(prefix)],
    )


def with_end(vocabulary: Vocabulary, item: Encoded) -> Encoded:
    """The same with the end token after the text, which completes no character.

    Raises:
        InputError: the tokenizer has none, or the model does not know it.
    """
    end = vocabulary.tokenizer.eos_token_id
    if end is None:
        raise InputError("This model's tokenizer has no end token to score.")
    length = len(item.text)
    ids = tuple(vocabulary.checked((*item.ids, int(end))))
    return replace(item, ids=ids, spans=(*item.spans, (length, length)))


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
    return list(vocabulary.checked([*lead, *ids]))


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
    """The ids to put in front, as far as the text does not bring them itself."""
    if bos == "never":
        return []
    if bos in ("tokenizer", "always"):
        lead = list(vocabulary.leading)
        start = vocabulary.start_id
        if not lead and start is not None and (bos == "always" or not has_prefix):
            lead = [start]
    else:
        lead = [vocabulary.id_of(bos)]
    if bos == "always" and not lead:
        raise InputError("This model's tokenizer has no start or end token to begin with.")
    brought = (n for n in range(len(lead), 0, -1) if ids[:n] == lead[-n:])
    return lead[: len(lead) - next(brought, 0)]
