"""What the browser is told about the page: where scripts may come from, who may frame it.

The policy lets no script run but the page's own files and those inline scripts that carry the
nonce of this one response; a tag or a handler that got into the page by some hole does not run.
``unsafe-eval`` has to be allowed: Gradio makes functions from text (templates, ``js=``).
"""

import secrets
from collections.abc import Sequence

from lmlab.hosting.asgi import App, Header, Layer, Message, Receive, Scope, Send

SPACES = ("https://huggingface.co", "https://*.huggingface.co", "https://*.hf.space")


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
    """Puts security headers on every response; the nonce of each, which whoever has the page
    (``page_cache``) puts into its scripts, stands in the request's state.

    ``framed_by`` are sites that may frame the page.
    """

    def __init__(self, app: App, framed_by: Sequence[str] = ()) -> None:
        super().__init__(app)
        self.framed_by = tuple(framed_by)

    async def request(self, scope: Scope, receive: Receive, send: Send) -> None:
        nonce = scope.setdefault("state", {})["nonce"] = secrets.token_urlsafe(16)

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                named = {key.lower() for key, _ in message["headers"]}
                added = [pair for pair in self._headers(nonce) if pair[0] not in named]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        await self.app(scope, receive, headed)

    def _headers(self, nonce: str) -> list[Header]:
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
