"""Arithmetic coding in whole numbers: an interval that each symbol narrows to its share.

Shares are out of ``TOTAL``, so that both sides cut the interval at the very same places. The
interval's beginning is kept exactly: whole bytes that are out, and 64 bits behind them.
"""

import numpy as np
from numpy.typing import NDArray

BITS = 32
TOTAL = 1 << BITS  # of all shares
BYTE = 1 << (BITS - 8)  # the share of each of 256 equal ones
WORD = 64  # bits of the interval that are worked on
MASK = (1 << WORD) - 1
LEAST = 1 << (WORD - 8)  # a smaller interval gives out a byte

Shares = NDArray[np.int64]


def shares(logits: NDArray[np.float32]) -> tuple[Shares, NDArray[np.float64]]:
    """Where each token's share begins, and the softmax [V] of logits [V] in double precision.

    The first has V + 2 numbers, from 0 to ``TOTAL``: each token's share is at least 1, however
    unlikely it is, and the last one, of 1, is for what is no token.
    """
    p = np.exp(logits.astype(np.float64) - float(logits.max()))
    p /= p.sum()
    sizes = np.floor(p * (TOTAL - len(p) - 1)).astype(np.int64) + 1
    sizes[p.argmax()] += TOTAL - 1 - int(sizes.sum())
    return np.concatenate([[0], np.cumsum(sizes), [TOTAL]]), p


class Encoder:
    """Writes symbols by their shares."""

    def __init__(self) -> None:
        self._out = bytearray()
        self._low, self._width = 0, 1 << WORD

    def put(self, low: int, size: int) -> None:
        """Narrow the interval to the share [low, low + size) of ``TOTAL``."""
        step = self._width >> BITS
        self._low += step * low
        self._width = step * size
        self._carry()
        while self._width < LEAST:
            self._out.append(self._low >> (WORD - 8))
            self._low = self._low << 8 & MASK
            self._width <<= 8

    def _carry(self) -> None:
        """What has grown beyond 64 bits goes to the bytes that are out."""
        if self._low <= MASK:
            return
        self._low &= MASK
        place = len(self._out) - 1
        while self._out[place] == 255:
            self._out[place] = 0
            place -= 1
        self._out[place] += 1

    @property
    def interval(self) -> tuple[int, int, int]:
        """Where it begins, its width, and how many bits both are counted in."""
        return int.from_bytes(self._out) << WORD | self._low, self._width, 8 * len(self._out) + WORD

    def finish(self) -> bytes:
        """The shortest bytes that name a number in the interval, with zeros behind them."""
        # The interval is at least as wide as the distance of two numbers of one byte more.
        self._low = -(-self._low // LEAST) * LEAST
        self._carry()
        return bytes(self._out + self._low.to_bytes(WORD // 8)).rstrip(b"\0")


def settled(first: int, width: int, bits: int) -> int:
    """How many leading bits are the same wherever in an interval the number will lie."""
    return bits - (first ^ first + width - 1).bit_length()


def needed(first: int, width: int, bits: int, code: bytes) -> int:
    """How many leading bits of the code lie, whatever follows them, in an interval."""
    whole = int.from_bytes(code) << max(0, bits - 8 * len(code)) >> max(0, 8 * len(code) - bits)
    for n in range(settled(first, width, bits), bits):
        low = whole >> bits - n << bits - n
        if first <= low and low + (1 << bits - n) <= first + width:
            return n
    return bits


class Decoder:
    """Reads symbols by their shares."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, WORD // 8
        # The number, from the interval's beginning on.
        self._code = int.from_bytes(data[: self._at].ljust(self._at, b"\0"))
        self._width = 1 << WORD

    def find(self) -> int:
        """The place, of ``TOTAL``, where the number lies."""
        return min(self._code // (self._width >> BITS), TOTAL - 1)

    def take(self, low: int, size: int) -> None:
        """Narrow the interval to the share that the place lies in."""
        step = self._width >> BITS
        self._code -= step * low
        self._width = step * size
        while self._width < LEAST:
            more = self._data[self._at] if self._at < len(self._data) else 0
            self._code = self._code << 8 | more
            self._width <<= 8
            self._at += 1
