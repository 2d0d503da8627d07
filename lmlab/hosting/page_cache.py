"""The page and its files, which are the same for every visitor: made once, packed once, then handed
out from memory. Without it a class that opens the page together waits for the page to be made a
hundred times.

What is kept is asked for without anything that a visitor sent, under a name that stands for the one
that each visitor asked for, and only of files that there are: so nobody can change it, or push it
out with others.
"""

import asyncio
import re
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from lmlab.hosting.asgi import App, Header, Layer, Message, Receive, Scope, Send, header, path_of

BYTES = 64_000_000  # of all that lies here
LARGEST = 20_000_000
PAGE = "/"
TOLD = ("/config", "/gradio_api/info")  # to programs, of the page
PACKED = (b"text/", b"application/javascript", b"application/json", b"image/svg+xml", b"font/ttf")
# Stands in the kept page for the scheme and name that a visitor asked for.
NOBODY = b"page.invalid"
ORIGIN = b"http://" + NOBODY
MARKS = re.compile(rb"(<script(?=[\s>])|" + re.escape(ORIGIN) + rb")")
ASKS_FOR_LESS = (b"range", b"if-none-match", b"if-modified-since")
PIECE = 65_536  # bytes that are sent at once, so that what waits for a slow line is no whole page
START = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"  # of a gzip file
END = b"\x03\x00"  # an empty last block
FOR_EVER = b"public, max-age=31536000, immutable"
KINDS = {
    f".{end}": f"text/{kind}; charset=utf-8".encode()
    for end, kind in (("js", "javascript"), ("css", "css"), ("html", "html"))
}


@dataclass(frozen=True)
class KeptResponse:
    """One response."""

    headers: tuple[Header, ...]  # those that hold whoever asks
    parts: tuple[bytes, ...]  # its body, a page cut where a nonce or the visitor's own address goes
    origins: tuple[bool, ...]  # for each cut whether it is an address
    packed: tuple[bytes, ...]  # the parts by themselves, deflated; empty where that does not pay

    @property
    def n_bytes(self) -> int:
        """Bytes that it takes."""
        return sum(map(len, (*self.parts, *self.packed)))

    def body(self, nonce: str, origin: str, gzipped: bool) -> bytes:
        """The whole body, for one visitor."""
        tag, place = f'<script nonce="{nonce}"'.encode(), origin.encode()
        plain = _joined(self.parts, [place if one else tag for one in self.origins])
        if not gzipped:
            return plain
        tag, place = deflated(tag), deflated(place)
        inside = _joined(self.packed, [place if one else tag for one in self.origins])
        end = zlib.crc32(plain).to_bytes(4, "little") + (len(plain) % 2**32).to_bytes(4, "little")
        return START + inside + END + end


def _joined(parts: Sequence[bytes], between: Sequence[bytes]) -> bytes:
    last = parts[-1:]
    return b"".join([*(x for pair in zip(parts, between, strict=False) for x in pair), *last])


def deflated(part: bytes) -> bytes:
    """A part of a gzip file that can stand between any others."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(part) + packer.flush(zlib.Z_FULL_FLUSH)


class Shelf(Layer):
    """Answers from memory what does not depend on who asks: of the page's ``files``, paths, and of
    the page itself, made anew when there is another ``edition``. What is ``sent`` of some paths
    says a function of all of it."""

    def __init__(
        self,
        app: App,
        files: Callable[[], frozenset[str]] = frozenset,
        sent: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType({}),
        edition: Callable[[], int] = int,
    ) -> None:
        super().__init__(app)
        self.sent = sent
        self.edition = edition
        self._edition = edition()
        self.files = cache(files)
        self._kept: OrderedDict[str, KeptResponse] = OrderedDict()
        self._making: dict[str, asyncio.Lock] = {}

    async def request(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = self._key(scope)
        if key is None:
            await self.app(scope, receive, send)
            return
        if key == PAGE and (now := self.edition()) != self._edition:
            self._edition = now
            self._kept.pop(PAGE, None)
        if key not in self._kept:
            # Whoever comes meanwhile waits for the one that is being made.
            lock = self._making.setdefault(key, asyncio.Lock())
            try:
                async with lock:
                    if key not in self._kept and not await self._fill(key, scope, send):
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

    def _key(self, scope: Scope) -> str | None:
        """What tells a response from others; None where it depends on who asks."""
        if scope["method"] not in ("GET", "HEAD"):
            return None
        path = path_of(scope)
        # A link's query is read in the browser.
        if path == PAGE or (path in TOLD and not scope.get("query_string")):
            return path
        names = {name for name, _ in scope["headers"]}
        return path if path in self.files() and not names & {*ASKS_FOR_LESS} else None

    async def _fill(self, key: str, scope: Scope, send: Send) -> bool:
        """Have a response made and keep it; one that cannot be kept is sent: False."""
        bare = {
            **scope,
            "method": "GET",
            "raw_path": str(scope["path"]).encode(),
            "scheme": "http",
            "query_string": b"",
            "headers": [(b"host", NOBODY)],
            "client": None,
            "state": {},
        }
        messages: list[Message] = []

        async def take(message: Message) -> None:
            messages.append(message)

        await self.app(bare, _patient(), take)
        start, *parts = messages
        body = b"".join(part.get("body", b"") for part in parts)
        headers = {name.lower(): value for name, value in start["headers"]}
        odd = b"set-cookie" in headers or b"content-encoding" in headers
        odd |= int(headers.get(b"content-length", len(body))) != len(body)
        if start["status"] != 200 or odd or len(body) > LARGEST:
            await send(start)
            await send({"type": "http.response.body", "body": body})
            return False
        kept = await asyncio.to_thread(_keep, headers, self.sent.get(key, bytes)(body))
        self._kept[key] = kept
        while sum(one.n_bytes for one in self._kept.values()) > BYTES and len(self._kept) > 2:
            # The page itself takes longest to be made: it stays.
            del self._kept[next(one for one in self._kept if one != PAGE)]
        return True


def _patient() -> Receive:
    """Asks for a page and does not go away: what is kept for all is made to its end, whoever asked
    for it first."""
    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Message:
        for message in asked:
            return message
        never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        return await never

    return receive


def _keep(headers: dict[bytes, bytes], body: bytes) -> KeptResponse:
    kind = headers.get(b"content-type", b"")
    cut = MARKS.split(body) if kind.startswith((b"text/html", b"application/json")) else [body]
    parts, origins = tuple(cut[::2]), tuple(mark == ORIGIN for mark in cut[1::2])
    packed = tuple(map(deflated, parts)) if kind.startswith(PACKED) and len(body) > 1000 else ()
    # Packed and plain have not the same bytes: a browser that was cut off must not put the rest of
    # one behind the beginning of the other.
    dropped = {b"content-length", *((b"accept-ranges",) if packed else ())}
    left = [(name, value) for name, value in headers.items() if name not in dropped]
    if packed and b"etag" in headers and not headers[b"etag"].startswith(b"W/"):
        left = [(name, b"W/" + value if name == b"etag" else value) for name, value in left]
    return KeptResponse(tuple(left), parts, origins, packed)


async def _hand_out(found: KeptResponse, scope: Scope, send: Send) -> None:
    gzipped = bool(found.packed) and "gzip" in header(scope, b"accept-encoding")
    origin = f"{scope.get('scheme', 'http')}://{header(scope, b'host')}"
    body = found.body(str(scope.get("state", {}).get("nonce", "")), origin, gzipped)
    headers = [*found.headers, (b"content-length", str(len(body)).encode())]
    if found.packed:
        headers += [(b"vary", b"Accept-Encoding")]
    if gzipped:
        headers += [(b"content-encoding", b"gzip")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for place in range(0, len(body), PIECE):
        piece = body[place : place + PIECE]
        more = place + PIECE < len(body)
        await send({"type": "http.response.body", "body": piece, "more_body": more})


class WebFiles(Layer):
    """Answers with the page's own files, by their paths, out of memory; browsers keep them, as an
    address tells what is in them."""

    def __init__(self, app: App, files: Mapping[str, bytes]) -> None:
        super().__init__(app)
        self.files = files

    async def request(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = path_of(scope)
        if path not in self.files:
            await self.app(scope, receive, send)
            return
        body = self.files[path]
        headers = [
            (b"content-type", KINDS[path[path.rindex(".") :]]),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", FOR_EVER),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        sent = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": sent})
