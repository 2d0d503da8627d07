"""What is sent to the page as JSON, looked at while it comes in: how many values it holds and how
deep they lie. A few megabytes of ``[[],[],…]`` become a gigabyte once they are read, and hold up
everybody meanwhile.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager

import numpy as np

from lmlab.hosting.asgi import App, Layer, Message, Receive, Scope, Send, header, peer, refuse

MOST_VALUES = 50_000  # of one call; the page's own have hundreds
DEEPEST = 40
SMALL = 65_536  # bytes; what is larger is taken in a few at a time
HELD = 64_000_000  # bytes of larger calls that are on their way in at one time
FORMS = ("multipart/", "application/x-www-form-urlencoded")
# A text with its quotation marks, or its beginning where the rest is still to come: the group is
# None for a whole text, and otherwise the backslash that the piece ends with, if it does.
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|(\\?)\Z)', re.DOTALL)
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # in depth, as signed bytes
_FLAT = bytes(set(range(256)) - set(b"[{]}"))


class TooMuchError(Exception):
    """There is more in a body than is read."""


class NoJsonError(Exception):
    """A body is no JSON in UTF-8."""


class Counted:
    """Counts the values of a JSON text that comes in pieces.

    >>> counted = Counted(most=3, deepest=9)
    >>> counted.take(b'["a, [b'); counted.take(b'", 1]'); counted.values
    2
    """

    def __init__(self, most: int = MOST_VALUES, deepest: int = DEEPEST) -> None:
        self.values = 0
        self._most = most
        self._deepest = deepest
        self._depth = 0
        self._texts = 0
        self._left = b""

    def take(self, piece: bytes) -> None:
        """Count on; the work goes with the bytes, whatever they are.

        Raises:
            TooMuchError: too many values, or too deep.
            NoJsonError: it is UTF-16, where other bytes would be marks, or no JSON: more ends than
                beginnings, or texts side by side.
        """
        if b"\0" in piece:
            raise NoJsonError
        parts = _TEXT.split(self._left + piece)
        self._texts += len(parts) // 2 - bool(self._left)
        cut = parts[-2] if len(parts) > 1 else None
        self._left = b"" if cut is None else b'"' + cut
        plain = b"".join(parts[::2])
        self.values += sum(map(plain.count, (b"[", b"{", b",", b":")))
        steps = np.frombuffer(plain.translate(_STEPS, _FLAT), np.int8)
        depths = self._depth + np.cumsum(steps, dtype=np.int64)
        if self.values > self._most or depths.max(initial=0) > self._deepest:
            raise TooMuchError
        if self._texts > self.values + 1 or depths.min(initial=0) < 0:
            raise NoJsonError
        self._depth = int(depths[-1]) if len(depths) else self._depth


class Bodies(Layer):
    """Takes calls in whole before they are read, and refuses those that hold too much.

    ``held`` bytes of larger calls may be on their way in at one time, half of them from one
    address.
    """

    def __init__(self, app: App, held: int = HELD) -> None:
        super().__init__(app)
        self.held = held
        self._held: Counter[str] = Counter()
        self._reading = asyncio.Lock()

    async def request(self, scope: Scope, receive: Receive, send: Send) -> None:
        if str(scope["path"]).endswith("/upload") or scope["method"] in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        if header(scope, b"content-type").strip().lower().startswith(FORMS):
            await refuse(send, 415, "Calls are sent as JSON.")
            return
        with self._share(peer(scope)) as grow:
            try:
                body = await _whole(receive, grow)
            except TooMuchError:
                # The page sends no such thing: the rest of it is not even read.
                await refuse(send, 413, _TOO_MUCH, _CLOSE)
                return
            except NoJsonError:
                await refuse(send, 400, "Calls are sent as JSON in UTF-8.", _CLOSE)
                return
            except _BusyError:
                await refuse(send, 503, _BUSY)
                return
            if body is not None:
                await self._answer(scope, body, receive, send)

    async def _answer(self, scope: Scope, body: bytearray, receive: Receive, send: Send) -> None:
        """Have a call answered. Large ones are read one after the other, and in between the loop
        does what else there is to do: reading takes hold of it, in a thread too (json keeps the
        interpreter's lock).
        """
        async with AsyncExitStack() as turn:
            if len(body) > SMALL:
                scope.setdefault("state", {})["body_bytes"] = len(body)
                await turn.enter_async_context(self._reading)
                await asyncio.sleep(0)

            async def noted(message: Message) -> None:
                await turn.aclose()
                await send(message)

            await self.app(scope, _replayed(body, receive), noted)

    @contextmanager
    def _share(self, address: str) -> Iterator[Callable[[int], None]]:
        """What one call takes of the room for larger ones: is told how many bytes it has by now.

        Raises:
            _BusyError: there is no room for them.
        """
        taken = 0

        def grow(n_bytes: int) -> None:
            nonlocal taken
            more = n_bytes - taken
            if n_bytes <= SMALL or more <= 0:
                return
            own, whole = self._held[address] + more, self._held.total() + more
            if own > self.held // 2 or whole > self.held:
                raise _BusyError
            self._held[address] = own
            taken = n_bytes

        try:
            yield grow
        finally:
            self._held[address] -= taken
            if self._held[address] <= 0:
                del self._held[address]


async def _whole(receive: Receive, grow: Callable[[int], None]) -> bytearray | None:
    """A body; None where whoever sends it has gone."""
    body, counted = bytearray(), Counted()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        piece = message.get("body", b"")
        counted.take(piece)
        body += piece
        grow(len(body))
        if not message.get("more_body"):
            return body


def _replayed(body: bytearray, receive: Receive) -> Receive:
    """What gives a body that was read, then what comes after it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        whole = bytes(body)
        body.clear()
        return {"type": "http.request", "body": whole, "more_body": False}

    return replay


class _BusyError(Exception):
    pass


_CLOSE = (b"connection", b"close")
_TOO_MUCH = (
    f"A call holds at most {MOST_VALUES:,} values, at most {DEEPEST} deep. Send less at once."
)
_BUSY = "Many large texts are being sent at this moment. Try again in a few seconds."
