"""What the browser is told about the page: where scripts may come from, who may frame it.

The policy lets no script run but the page's own files and those inline scripts that carry the
nonce of this one response; a tag or a handler that got into the page by some hole does not run.
``unsafe-eval`` has to be allowed: Gradio makes functions from text (templates, ``js=``).
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from lmlab.hosting.asgi import App, Layer, Message, Receive, Scope, Send

SPACES = ("https://huggingface.co", "https://*.huggingface.co", "https://*.hf.space")
LARGEST_PAGE = 20_000_000
_SCRIPT = re.compile(rb"<script(?=[\s>])")


def policy(nonce: str, framed_by: Sequence[str]) -> str:
    """The content security policy of one response."""
    parts = {
        "default-src": "'self'",
        "script-src": f"'self' 'nonce-{nonce}' 'unsafe-eval'",
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": "'self'",
        "media-src": "'self' data: blob:",
        "worker-src": "'self' blob:",
        "frame-src": "'none'",
        "object-src": "'none'",
        "base-uri": "'self'",
        "form-action": "'self'",
        "frame-ancestors": " ".join(framed_by) or "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in parts.items())


class Headers(Layer):
    """Puts security headers on every response, and the nonce into the page's own scripts.

    ``framed_by`` are sites that may frame the page.
    """

    def __init__(self, app: App, framed_by: Sequence[str] = ()) -> None:
        super().__init__(app)
        self.framed_by = tuple(framed_by)

    async def request(self, scope: Scope, receive: Receive, send: Send) -> None:
        nonce = secrets.token_urlsafe(16)
        # Whoever has the page in pieces puts the nonce in without searching for its place.
        state = scope.setdefault("state", {})
        state["nonce"] = nonce
        page = _Page(send, nonce, state)

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                named = {key.lower() for key, _ in message["headers"]}
                added = [pair for pair in self._headers(nonce) if pair[0] not in named]
                message = {**message, "headers": [*message["headers"], *added]}
            await page.take(message)

        await self.app(scope, receive, headed)

    def _headers(self, nonce: str) -> list[tuple[bytes, bytes]]:
        found = {
            "content-security-policy": policy(nonce, self.framed_by),
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-opener-policy": "same-origin",
            "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
        }
        if not self.framed_by:
            found["x-frame-options"] = "DENY"
        return [(name.encode(), value.encode()) for name, value in found.items()]


class _Page:
    """Hands a response on; one that is HTML is held back until it is whole and marked."""

    def __init__(self, send: Send, nonce: str, state: Mapping[str, Any]) -> None:
        self._send = send
        self._state = state
        self._mark = b'<script nonce="' + nonce.encode() + b'"'
        self._start: Message | None = None
        self._body = bytearray()

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start" and self._is_bare(message):
            self._start = message
        elif self._start is not None and message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if len(self._body) > LARGEST_PAGE:
                raise ValueError("A page is larger than pages are.")
            if not message.get("more_body"):
                await self._whole()
        else:
            await self._send(message)

    def _is_bare(self, start: Message) -> bool:
        """Whether this is a page without the nonce."""
        headers = {key.lower(): value for key, value in start["headers"]}
        html = headers.get(b"content-type", b"").startswith(b"text/html")
        return html and b"content-encoding" not in headers and not self._state.get("marked")

    async def _whole(self) -> None:
        assert self._start is not None
        body = _SCRIPT.sub(self._mark, bytes(self._body))
        headers = [pair for pair in self._start["headers"] if pair[0].lower() != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
        await self._send({**self._start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})
