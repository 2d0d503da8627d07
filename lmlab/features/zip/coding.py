"""A text as shares of a model's next-token distributions, and back.

Both sides ask the model for the same steps in the same order, one token at a time over what it
keeps, so both see the same bits of every number: a batch of scores would round otherwise.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lmlab.errors import InputError
from lmlab.features.zip.coder import BYTE, TOTAL, Decoder, Encoder, Shares, shares
from lmlab.models.decoding import Decoder as ModelSteps
from lmlab.models.model import LM
from lmlab.models.tokens import Vocabulary, encode, tile
from lmlab.models.windows import default_stride

Symbol = int | bytes  # a token's id, or up to 255 bytes that no token gives back
RUN = 255  # bytes of one symbol
LONGEST = 32  # tokens that together may give some characters back
NO_TEXT = re.compile("([\udc80-\udcff]+)")


def symbols(vocabulary: Vocabulary, width: int, content: bytes) -> list[Symbol]:
    """Any bytes as tokens whose bytes they are, in a row, and as bytes where there are none.

    Args:
        width: how many tokens the model's distributions are over.
    """
    found, read = list[Symbol](), list[int]()
    for part in NO_TEXT.split(content.decode("utf-8", "surrogateescape")):
        if NO_TEXT.match(part):
            found += _runs(part.encode("utf-8", "surrogateescape"))
        elif part:
            found += _of_text(vocabulary, width, part, read)
    return found


def _runs(data: bytes) -> list[bytes]:
    return [data[low : low + RUN] for low in range(0, len(data), RUN)]


def _of_text(vocabulary: Vocabulary, width: int, text: str, read: list[int]) -> list[Symbol]:
    """The symbols of a text; ``read`` are all tokens before it, and grows."""
    batch = vocabulary.tokenizer(
        text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
    )
    found, begin, group, given = list[Symbol](), 0, 0, b""
    spans = tile(batch["offset_mapping"], len(text))
    for token, (_, end) in zip(batch["input_ids"], spans, strict=True):
        read.append(token)
        group += 1
        fits = token < width
        given += vocabulary.read(read, len(read) - 1) if fits else b""
        wanted = text[begin:end].encode()
        if fits and given == wanted:
            found += read[len(read) - group :]
        elif fits and group < LONGEST and (given.startswith(wanted) or wanted.startswith(given)):
            continue  # a part of a character, or of what tokens give together
        else:
            del read[len(read) - group :]
            found += _runs(wanted)
        begin, group, given = end, 0, b""
    if group:
        del read[len(read) - group :]
    return [*found, *_runs(text[begin:].encode())]


class Steps:
    """The shares of what comes next, token by token; where the context is full, its second half is
    read anew."""

    def __init__(self, lm: LM) -> None:
        self._lm = lm
        self.read = list(encode(lm.vocabulary, "x").lead)
        self._model: ModelSteps | None = None
        self._logits = np.zeros(lm.width, np.float32)  # where nothing stands before

    def next(self) -> tuple[Shares, np.ndarray[tuple[int], np.dtype[np.float64]]]:
        """What ``shares`` gives of the next token's logits."""
        if self._model is None and self.read:
            self._begin()
        return shares(self._logits)

    def feed(self, token: int) -> None:
        """Go on by a token."""
        self.read.append(token)
        limit = self._lm.context
        if self._model is None or len(self.read) > limit:
            if len(self.read) > limit:
                self.read = self.read[default_stride(limit) - limit - 1 :]
            self._begin()
        else:
            self._logits = self._model.feed([token])[0].cpu().numpy()

    def _begin(self) -> None:
        self._model = self._lm.decoder()
        self._logits = self._model.read(self.read)[0].cpu().numpy()


@dataclass(frozen=True, slots=True)
class Share:
    """A token and its part of the interval, both as parts of 1."""

    token: int
    low: float
    size: float


@dataclass(frozen=True, slots=True)
class Step:
    """One symbol that was written."""

    symbol: Symbol
    done: int  # symbols so far
    total: int
    bits: float  # −log₂ of its probability; of bytes, what they cost
    share: Share | None  # of a token, where it is looked at
    others: tuple[Share, ...]  # the largest shares, its own perhaps among them
    interval: tuple[int, int, int]  # after it, as ``Encoder.interval``; where it is looked at


def write(lm: LM, found: Sequence[Symbol], *, look: int = 0) -> Iterator[Step | bytes]:
    """Code symbols; yields each, then the code.

    Args:
        look: how many of the largest shares are told beside each token's; 0 tells none of them.
    """
    steps, encoder = Steps(lm), Encoder()
    for done, symbol in enumerate(found, 1):
        ends, p = steps.next()
        share, others = None, tuple[Share, ...]()
        if isinstance(symbol, bytes):
            bits = float(math.log2(TOTAL) + 8 * (1 + len(symbol)))
            encoder.put(int(ends[-2]), 1)
            for byte in (len(symbol), *symbol):
                encoder.put(byte * BYTE, BYTE)
        else:
            bits = -math.log2(p[symbol]) if p[symbol] > 0 else math.log2(TOTAL)
            low, high = int(ends[symbol]), int(ends[symbol + 1])
            encoder.put(low, high - low)
            if look:
                share = _share(ends, symbol)
                others = tuple(_share(ends, int(one)) for one in np.argsort(-p)[:look])
            steps.feed(symbol)
        interval = encoder.interval if look else (0, 0, 0)
        yield Step(symbol, done, len(found), bits, share, others, interval)
    yield encoder.finish()


def _share(ends: Shares, token: int) -> Share:
    low, high = int(ends[token]), int(ends[token + 1])
    return Share(token, low / TOTAL, (high - low) / TOTAL)


def read(lm: LM, code: bytes, n_symbols: int, n_bytes: int) -> Iterator[bytes]:
    """Decode; yields the bytes of each symbol.

    Raises:
        InputError: more bytes than there were come out.
    """
    steps, decoder, tokens, left = Steps(lm), Decoder(code), list[int](), n_bytes
    for _ in range(n_symbols):
        ends, _ = steps.next()
        place = int(np.searchsorted(ends, decoder.find(), side="right")) - 1
        decoder.take(int(ends[place]), int(ends[place + 1] - ends[place]))
        if place == len(ends) - 2:
            data = bytes(_byte(decoder) for _ in range(_byte(decoder)))
        else:
            tokens.append(place)
            data = lm.vocabulary.read(tokens, len(tokens) - 1)
            steps.feed(place)
        left -= len(data)
        if left < 0:
            raise InputError("The code gives more bytes than went in: the numbers differ.")
        yield data


def _byte(decoder: Decoder) -> int:
    value = decoder.find() // BYTE
    decoder.take(value * BYTE, BYTE)
    return value
