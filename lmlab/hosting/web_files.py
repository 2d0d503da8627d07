"""The page's own files, out of memory; browsers keep them: an address tells what is in them."""

from collections.abc import Mapping

from lmlab.hosting.asgi import App, Layer, Receive, Scope, Send, path_of

FOR_EVER = b"public, max-age=31536000, immutable"
KINDS = {".js": b"text/javascript; charset=utf-8", ".css": b"text/css; charset=utf-8"}


class WebFiles(Layer):
    """Answers for some paths, ``files`` by their path."""

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
