"""What a GGUF file says of itself, read before llama.cpp sees it: llama.cpp ends the whole process
on some damaged files. Reads no weights.
"""

import math
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmlab.errors import ModelError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
SCALARS = ("B", "b", "H", "h", "I", "i", "f", "?", "", "", "Q", "q", "d")  # by their number
STRING, ARRAY = 8, 9
MOST = 1 << 20  # metadata keys, and tensors
ALIGNMENT = 32
# Of each kind of tensor: how many numbers a block has, and in how many bytes.
BLOCKS: Mapping[int, tuple[int, int]] = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110),
    22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8),
    29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip
FLOATS = (0, 1, 28, 30)
PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")
AGAIN = "Fetch it again."
Metadata = Mapping[str, Any]


@dataclass(frozen=True)
class Header:
    """A file's metadata and the names of its tensors."""

    file: Path
    metadata: Metadata
    tensors: frozenset[str]
    quantised: bool  # whether a tensor has fewer than 16 bits a number

    def number(self, key: str) -> int | None:
        """A whole number that its architecture has under a name, the largest where layers differ;
        None where it says none."""
        value = self.metadata.get(f"{self.metadata.get('general.architecture')}.{key}")
        if isinstance(value, list):
            value = max((one for one in value if isinstance(one, int)), default=None)
        return value if isinstance(value, int) and value > 0 else None

    @property
    def files(self) -> list[Path]:
        """It, or all the files that it is a part of."""
        count = self.metadata.get("split.count", 1)
        if not isinstance(count, int) or count < 2 or not (found := PART.search(self.file.name)):
            return [self.file]
        stem = self.file.name[: found.start()]
        return [
            self.file.with_name(f"{stem}-{i:05}-of-{found[2]}.gguf")
            for i in range(1, int(found[2]) + 1)
        ]


def read_header(file: Path, name: str) -> Header:
    """The header of a file.

    Raises:
        ModelError: it is none, cut short, damaged or of a version that is not known here.
    """
    try:
        size = file.stat().st_size
        with file.open("rb") as opened:
            source = _Source(opened, size)
            if source.bytes(4) != MAGIC:
                raise ModelError(f"‘{name}’ is no GGUF file.", "Choose a file made for llama.cpp.")
            version = source.number("I")
            if version not in VERSIONS:
                raise ModelError(
                    f"‘{name}’ is a GGUF file of a version that is not known here.",
                    "Convert it anew with llama.cpp.",
                )
            n_tensors, n_keys = source.number("Q"), source.number("Q")
            if max(n_tensors, n_keys) > MOST:
                raise ValueError("counts beyond all reason")
            metadata = {source.string(): source.value() for _ in range(n_keys)}
            tensors = list(source.tensors(n_tensors))
            alignment = metadata.get("general.alignment", ALIGNMENT)
            start = -(-source.place // alignment) * alignment
    except OSError as error:
        raise ModelError(f"‘{name}’ cannot be read: {error.strerror}.") from None
    except (ValueError, TypeError, ZeroDivisionError, struct.error):
        raise ModelError(f"The file of ‘{name}’ is damaged or cut short.", AGAIN) from None
    needed = start + max((end for _, _, end in tensors), default=0)
    if needed > size:
        raise ModelError(
            f"The file of ‘{name}’ is cut short: {size:,} of {needed:,} bytes are there.", AGAIN
        )
    quantised = any(kind not in FLOATS for _, kind, _ in tensors)
    return Header(file, metadata, frozenset(name for name, _, _ in tensors), quantised)


class _Source:
    """A file read from its beginning; never more of it than there is."""

    def __init__(self, opened: Any, size: int) -> None:
        self._opened, self._size = opened, size
        self.place = 0

    def bytes(self, count: int) -> bytes:
        if count > self._size - self.place:
            raise ValueError("beyond its end")
        self.place += count
        data: bytes = self._opened.read(count)
        return data

    def number(self, kind: str) -> Any:
        return struct.unpack("<" + kind, self.bytes(struct.calcsize("<" + kind)))[0]

    def string(self) -> str:
        return self.bytes(self.number("Q")).decode("utf-8", errors="surrogateescape")

    def value(self, kind: int | None = None) -> Any:
        """A value of a kind, or of the one that stands before it."""
        kind = self.number("I") if kind is None else kind
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            return self._array()
        if not 0 <= kind < len(SCALARS):
            raise ValueError("no such kind")
        return self.number(SCALARS[kind])

    def _array(self) -> list[Any]:
        kind, count = self.number("I"), self.number("Q")
        # What stands for an item takes a byte at least; an array of arrays is in no file.
        if count > self._size - self.place or kind == ARRAY:
            raise ValueError("beyond its end")
        if kind == STRING:
            return [self.string() for _ in range(count)]
        if not 0 <= kind < len(SCALARS):
            raise ValueError("no such kind")
        return list(
            struct.unpack(
                f"<{count}{SCALARS[kind]}", self.bytes(count * struct.calcsize(SCALARS[kind]))
            )
        )

    def tensors(self, count: int) -> Iterator[tuple[str, int, int]]:
        """(name, kind, where it ends in the data) of each."""
        for _ in range(count):
            name, n = self.string(), self.number("I")
            if n > 8:
                raise ValueError("no such shape")
            shape = [self.number("Q") for _ in range(n)]
            kind, offset = self.number("I"), self.number("Q")
            # Of kinds that are newer than this, llama.cpp looks at the size by itself.
            block, width = BLOCKS.get(kind, (1, 0))
            yield name, kind, offset + math.prod(shape) // block * width
