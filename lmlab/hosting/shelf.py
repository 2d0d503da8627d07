"""The page and its files, which are the same for every visitor: made once, packed once, then handed
out from memory. Without it a class that opens the page together waits for the page to be made a
hundred times.
"""

import asyncio
import re
import zlib
from collections import OrderedDict
from dataclasses import dataclass, field

from lmlab.hosting.asgi import App, Header, Message, Receive, Scope, Send, header

BYTES = 64_000_000  # of all that lies here
LARGEST = 20_000_000
SCRIPT = re.compile(rb"<script(?=[\s>])")
PACKED = (b"text/", b"application/javascript", b"application/json", b"image/svg+xml", b"font/ttf")
FILES = re.compile(r"/(assets|static)/.*|/theme\.css")
# What decides how the page is made: the address that the visitor sees.
PLACE = (b"host", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-prefix")
ASKS_FOR_LESS = (b"range", b"if-none-match", b"if-modified-since")
START = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"  # of a gzip file
END = b"\x03\x00"  # an empty last block


@dataclass(frozen=True)
class Kept:
    """One response.

    Attributes:
        headers: those that hold whoever asks.
        parts: its body, a page cut where a nonce goes.
        packed: the parts by themselves, deflated; empty where that does not pay.
    """

    headers: tuple[Header, ...]
    parts: tuple[bytes, ...]
    packed: tuple[bytes, ...]

    @property
    def n_bytes(self) -> int:
        """Bytes that it takes."""
        return sum(map(len, (*self.parts, *self.packed)))

    def body(self, nonce: str, gzipped: bool) -> bytes:
        """The whole body, for one visitor."""
        mark = f'<script nonce="{nonce}"'.encode()
        plain = mark.join(self.parts)
        if not gzipped:
            return plain
        inside = deflated(mark).join(self.packed) if len(self.parts) > 1 else self.packed[0]
        end = zlib.crc32(plain).to_bytes(4, "little") + (len(plain) % 2**32).to_bytes(4, "little")
        return START + inside + END + end


def deflated(part: bytes) -> bytes:
    """A part of a gzip file that can stand between any others."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(part) + packer.flush(zlib.Z_FULL_FLUSH)


@dataclass
class _Taken:
    """A response on its way, as far as it has come."""

    start: Message = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)


class Shelf:
    """Answers from memory what does not depend on who asks.

    Args:
        app: what answers the first time.
    """

    def __init__(self, app: App) -> None:
        self.app = app
        self._kept: OrderedDict[tuple[object, ...], Kept] = OrderedDict()
        self._making: dict[tuple[object, ...], asyncio.Lock] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = _key(scope)
        if key is None:
            await self.app(scope, receive, send)
            return
        if key not in self._kept:
            # Whoever comes meanwhile waits for the one that is being made.
            lock = self._making.setdefault(key, asyncio.Lock())
            try:
                async with lock:
                    if key not in self._kept and not await self._fill(key, scope, receive, send):
                        return
            finally:
                if self._making.get(key) is lock and not lock.locked():
                    del self._making[key]
        found = self._kept.get(key)
        if found is None:
            await self.app(scope, receive, send)
            return
        self._kept.move_to_end(key)
        await _hand_out(found, scope, send)

    async def _fill(
        self, key: tuple[object, ...], scope: Scope, receive: Receive, send: Send
    ) -> bool:
        """Have a response made and keep it; one that cannot be kept is sent: False."""
        taken = _Taken()

        async def take(message: Message) -> None:
            if message["type"] == "http.response.start":
                taken.start = message
            elif message["type"] == "http.response.body":
                taken.body += message.get("body", b"")

        await self.app(scope, receive, take)
        headers = {name.lower(): value for name, value in taken.start["headers"]}
        odd = b"set-cookie" in headers or b"content-encoding" in headers
        if taken.start["status"] != 200 or odd or len(taken.body) > LARGEST:
            await send(taken.start)
            await send({"type": "http.response.body", "body": bytes(taken.body)})
            return False
        kept = await asyncio.to_thread(_keep, headers, bytes(taken.body))
        self._kept[key] = kept
        while sum(one.n_bytes for one in self._kept.values()) > BYTES and len(self._kept) > 1:
            self._kept.popitem(last=False)
        return True


def _key(scope: Scope) -> tuple[object, ...] | None:
    """What tells a response from others; None where it depends on who asks."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return None
    names = {name for name, _ in scope["headers"]}
    path = str(scope["path"]).removeprefix(str(scope.get("root_path", "")))
    is_page = path in ("/", "") and not scope.get("query_string")
    if not (is_page or FILES.fullmatch(path)) or names & {*ASKS_FOR_LESS}:
        return None
    place = [(name, header(scope, name)) for name in PLACE] if is_page else []
    return (path, bytes(scope.get("query_string", b"")), scope.get("scheme"), *place)


def _keep(headers: dict[bytes, bytes], body: bytes) -> Kept:
    kind = headers.get(b"content-type", b"")
    parts = tuple(SCRIPT.split(body)) if kind.startswith(b"text/html") else (body,)
    packed = tuple(map(deflated, parts)) if kind.startswith(PACKED) and len(body) > 1000 else ()
    left = {name: value for name, value in headers.items() if name != b"content-length"}
    return Kept(tuple(left.items()), parts, packed)


async def _hand_out(found: Kept, scope: Scope, send: Send) -> None:
    state = scope.setdefault("state", {})
    state["marked"] = True
    gzipped = bool(found.packed) and "gzip" in header(scope, b"accept-encoding")
    body = found.body(str(state.get("nonce", "")), gzipped)
    headers = [*found.headers, (b"content-length", str(len(body)).encode())]
    if found.packed:
        headers += [(b"vary", b"Accept-Encoding")]
    if gzipped:
        headers += [(b"content-encoding", b"gzip")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
