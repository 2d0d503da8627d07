"""The few words of ASGI that the layers in this package share."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]


class Layer:
    """Stands around an app and sees its requests; what is none goes through."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self.request if scope["type"] == "http" else self.app)(scope, receive, send)

    async def request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have the app answer it."""
        await self.app(scope, receive, send)


async def answer(
    send: Send, status: int, body: bytes, kind: str = "application/json", *headers: Header
) -> None:
    """Send a whole response."""
    length = (b"content-length", str(len(body)).encode())
    found = [(b"content-type", kind.encode()), length, (b"cache-control", b"no-store"), *headers]
    await send({"type": "http.response.start", "status": status, "headers": found})
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, status: int, said: str, *headers: Header) -> None:
    """Send a sentence as JSON, under the key that FastAPI's own errors have."""
    body = json.dumps({"detail": said}).encode()
    await answer(send, status, body, "application/json", *headers)


def header(scope: Scope, name: bytes) -> str:
    """A header of a request, or nothing."""
    found = (value for key, value in scope.get("headers", ()) if key == name)
    return next(found, b"").decode("latin-1")


def peer(scope: Scope) -> str:
    """The address that a request came from."""
    return str((scope.get("client") or ("",))[0])


def path_of(scope: Scope) -> str:
    """A request's path below the place that the page is mounted at."""
    return str(scope.get("path", "")).removeprefix(str(scope.get("root_path", ""))) or "/"


def request_id(scope: Scope) -> str:
    """The name that the log knows a request by; empty where there is no log."""
    return str(scope.get("state", {}).get("request_id", ""))


def large_bytes(scope: Scope) -> int:
    """How long a body is that was taken in as a large one; 0 for all others."""
    return int(scope.get("state", {}).get("body_bytes", 0))
