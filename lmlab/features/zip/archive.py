"""The file: what made it and what is in it, before the code.

``LMZ``, the format, whether it is coded, a name, lmlab's version, a fingerprint of what gives the
numbers, how many symbols and bytes, the content's checksum, the code, and a checksum of all that.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch

from lmlab.errors import InputError, ModelError
from lmlab.features.zip.coding import Step, Steps, Symbol, read, symbols, write
from lmlab.models.model import LM
from lmlab.palette import visible
from lmlab.version import __version__

MAGIC, FORMAT = b"LMZ", 1
PRINT, CHECK, CRC = 8, 8, 4  # bytes
LARGEST = 20_000_000  # bytes of a content: hours of any model
PER_BYTE = 4  # symbols, at most
PROBE = "Once upon a time, in 1984: x = f(y); Ärger?\n"
PROBED = 24  # steps, of which half come after a prompt is read at once


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What has to be the same on both sides."""

    tokens: bytes  # the tokenizer
    weights: bytes  # all numbers of the model; zeros where it shows none
    numbers: bytes  # the shares that this machine makes of them for a few tokens

    @property
    def shown(self) -> str:
        """For people."""
        return "-".join(part.hex()[:8] for part in (self.tokens, self.weights, self.numbers))


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself."""

    model: str
    version: str  # of lmlab
    made: Fingerprint
    coded: bool  # else the content stands there as it is
    n_symbols: int
    n_bytes: int
    check: bytes  # of the content


def fingerprint(lm: LM) -> Fingerprint:
    """Of a model, as this machine runs it."""
    vocabulary = lm.vocabulary
    tokens = (vocabulary.names, vocabulary.leading, vocabulary.ids(PROBE))
    return Fingerprint(_digest(repr(tokens).encode()), _weights(lm), _numbers(lm))


def _digest(*parts: bytes) -> bytes:
    made = blake2b(digest_size=PRINT)
    for part in parts:
        made.update(part)
    return made.digest()


def _weights(lm: LM) -> bytes:
    """All parameters, and the adapter's file."""
    if "weights" not in lm.gives:
        return bytes(PRINT)
    made = blake2b(digest_size=PRINT)
    parameters: dict[str, Any] = lm.own_parameters()
    for name, found in sorted(parameters.items()):
        made.update(f"{name} {found.dtype} {tuple(found.shape)}".encode())
        made.update(found.contiguous().view(-1).view(torch.uint8).cpu().numpy())
    if lm.folder is not None:
        made.update(f"{lm.attached.alpha}".encode())
        for file in sorted(Path(lm.folder).glob("adapter_model.*")):
            made.update(file.read_bytes())
    return made.digest()


def _numbers(lm: LM) -> bytes:
    """Shares after a few tokens, of steps and of a prompt that is read at once."""
    made, steps = blake2b(digest_size=PRINT), Steps(lm)
    known = [token for token in lm.vocabulary.ids(PROBE) if token < lm.width]
    probe = list(islice(cycle(known or [0]), min(PROBED, max(1, lm.context // 2))))
    for at, token in enumerate(probe):
        made.update(steps.next()[0].tobytes())
        if at == len(probe) // 2:
            steps = Steps(lm)
            steps.read += probe
        else:
            steps.feed(token)
    return made.digest()


def pack(lm: LM, content: bytes, *, look: int = 0) -> Iterator[Step | bytes]:
    """Yields each symbol as it is coded, then the file. What a code would only lengthen stands in
    it as it is.

    Raises:
        InputError: it is empty or too large.
    """
    check_size(content)
    found: list[Symbol] = symbols(lm.vocabulary, lm.width, content)
    code = b""
    for event in write(lm, found, look=look):
        if isinstance(event, bytes):
            code = event
        else:
            yield event
    coded = len(code) < len(content)
    header = Header(
        lm.name, __version__, fingerprint(lm), coded, len(found), len(content), _digest(content)
    )
    body = MAGIC + _written(header) + (code if coded else content)
    yield body + zlib.crc32(body).to_bytes(CRC)


def check_size(content: bytes) -> None:
    """Raise an InputError where there is nothing, or too much."""
    if not content:
        raise InputError("There is nothing to zip.", "Give at least one byte.")
    if len(content) > LARGEST:
        large = f"It has {len(content):,} bytes; at most {LARGEST:,} are coded."
        raise InputError(large, "A model takes its time: give a smaller file.")


def _written(header: Header) -> bytes:
    made = header.made
    names = b"".join(
        _number(len(text)) + text for text in (header.model.encode(), header.version.encode())
    )
    return b"".join(
        (
            bytes([FORMAT, header.coded]), names, made.tokens, made.weights, made.numbers,
            _number(header.n_symbols), _number(header.n_bytes), header.check,
        )
    )  # fmt: skip


def _number(value: int) -> bytes:
    """Seven bits a byte, the lowest first; all but the last have the eighth."""
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, n: int) -> bytes:
        found = self.data[self.at : self.at + n]
        if len(found) < n:
            raise ValueError
        self.at += n
        return found

    def number(self) -> int:
        value = shift = 0
        while (byte := self.take(1)[0]) > 127:
            value |= (byte & 127) << shift
            shift += 7
            if shift > 63:
                raise ValueError
        return value | byte << shift

    def text(self) -> str:
        return self.take(self.number()).decode()


def opened(file: bytes) -> tuple[Header, bytes]:
    """What a file says of itself, and its code.

    Raises:
        InputError: it is none, is of another format, or is damaged.
    """
    if file[: len(MAGIC)] != MAGIC:
        raise InputError("That is no file that ‘lmlab zip’ made.", "Its files end in .lmz.")
    body, crc = file[:-CRC], file[-CRC:]
    if zlib.crc32(body).to_bytes(CRC) != crc:
        raise InputError("The file is damaged: its checksum differs.", "Copy it again.")
    reader = _Reader(body[len(MAGIC) :])
    try:
        form, coded = reader.take(2)
        if form != FORMAT:
            raise InputError(
                f"The file has format {form}; this lmlab reads {FORMAT}.", "Update it."
            )
        model, version = visible(reader.text()), visible(reader.text())  # a terminal will show it
        made = Fingerprint(*(reader.take(PRINT) for _ in range(3)))
        n_symbols, n_bytes = reader.number(), reader.number()
        header = Header(model, version, made, bool(coded), n_symbols, n_bytes, reader.take(CHECK))
        if n_bytes > LARGEST or n_symbols > PER_BYTE * n_bytes:
            raise ValueError
    except ValueError:
        raise InputError("The file’s header makes no sense.", "Copy it again.") from None
    return header, reader.data[reader.at :]


def unpack(lm: LM, header: Header, code: bytes) -> Iterator[bytes]:
    """Yields the bytes of each symbol.

    Raises:
        ModelError: the model, or this machine's numbers, are not those that made the file.
        InputError: what comes out is not what went in.
    """
    if not header.coded:
        yield checked(header, code)
        return
    check_same(header, fingerprint(lm), lm.name)
    whole = bytearray()
    for data in read(lm, code, header.n_symbols, header.n_bytes):
        whole += data
        yield data
    checked(header, bytes(whole))


def checked(header: Header, content: bytes) -> bytes:
    """The same content.

    Raises:
        InputError: it is not what went in.
    """
    if len(content) != header.n_bytes or _digest(content) != header.check:
        raise InputError(
            "What came out is not what went in: the model’s numbers have differed on the way.",
            "Decode on the machine that made the file, with as many threads.",
        )
    return content


def check_same(header: Header, here: Fingerprint, name: str) -> None:
    """Raise a ModelError where a file was made with other numbers: says which."""
    made, asked = header.made, f"‘{header.model[:200]}’"
    if made == here:
        return
    if made.tokens != here.tokens or made.weights != here.weights:
        what = "tokenizer is another" if made.tokens != here.tokens else "weights are others"
        raise ModelError(
            f"The file was made with {asked}; the {what} in ‘{name[:200]}’.",
            "Name the model that made it.",
        )
    raise ModelError(
        f"The model is the one that made the file, {asked}, but its numbers come out otherwise "
        "here: other floating-point kernels, threads or versions, and every bit counts.",
        "Decode it where it was made.",
    )
