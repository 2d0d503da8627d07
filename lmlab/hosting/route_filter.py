"""Which addresses answer at all, how much may be sent to them, and what is said when a call makes
no sense. Gradio serves much that this page does not use; only what is used is open.
"""

import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType

from lmlab.hosting.asgi import (
    App,
    Layer,
    Message,
    Receive,
    Scope,
    Send,
    header,
    path_of,
    refuse,
    request_id,
)  # fmt: skip

log = logging.getLogger("lmlab")
MOST_BODY = 16_000_000  # bytes of a call: a pasted table of 5 M characters fits
# What the page and programs ask for. All else of Gradio's is shut, what it brings next included:
# links that store what a visitor typed, monitoring, recording, proxying and editing, other sites'
# files, calls that pass the queue by under an API name.
OPEN: Mapping[str, str] = MappingProxyType(
    {
        "GET": r"/(config/?|theme\.css|favicon\.ico|robots\.txt|manifest\.json)?"
        r"|/(assets|static|svelte|web)/.+"
        r"|/gradio_api/(info/?|startup-events|theme\.css|app_id/?|queue/(data|status)|upload_progress)"
        r"|/gradio_api/heartbeat/[\w-]{1,80}"
        r"|/gradio_api/call/(v2/)?[\w-]{1,60}/[\w-]{1,80}"
        r"|/room(/|/[A-Za-z]{1,12}|/api/[A-Za-z]{1,12}/events)?"
        # A file of this machine by its whole path, which Gradio then looks for among the page's;
        # no address, and no share of another machine.
        r"|/gradio_api/file=(/|[A-Za-z]:[\\/])(?![\\/]).*",
        "POST": r"/gradio_api/(upload|cancel|reset/?|queue/join|component_server/?|run/predict/?)"
        r"|/gradio_api/call/(v2/)?[\w-]{1,60}/?"
        r"|/room/api/(open|[A-Za-z]{1,12}/(join|answer|do|play|table))",
    }
)
SIGNING_IN = r"|/login/(huggingface|callback)|/logout"
_INTO = re.compile(r"[\\/]\.{1,2}([\\/]|$)|//|\0")


class Doors(Layer):
    """Shuts what is not used and bounds what is sent; ``uploads``: whether files may be;
    ``signs_in``: whether visitors sign in here."""

    def __init__(
        self,
        app: App,
        uploads: bool = True,
        upload_bytes: int = MOST_BODY,
        signs_in: bool = False,
    ) -> None:
        super().__init__(app)
        self.uploads = uploads
        self.upload_bytes = upload_bytes
        paths = {**OPEN, "GET": OPEN["GET"] + (SIGNING_IN if signs_in else "")}
        self._open = {method: re.compile(path, re.DOTALL) for method, path in paths.items()}
        self._open["HEAD"] = self._open["GET"]

    async def request(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = path_of(scope)
        known = self._open.get(scope["method"])
        is_open = bool(known and known.fullmatch(path)) and not _INTO.search(path)
        query = bytes(scope.get("query_string", b"")).decode("latin-1")
        if not is_open or "deep_link" in (part.split("=", 1)[0] for part in query.split("&")):
            await refuse(send, 404, "There is nothing here.")
            return
        sends_file = path.startswith("/gradio_api/upload") and scope["method"] == "POST"
        if sends_file and not self.uploads:
            await refuse(send, 403, "Uploads are switched off on this page.")
            return
        await self._bounded(scope, receive, send, self.upload_bytes if sends_file else MOST_BODY)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        said = header(scope, b"content-length")
        if said and (not said.isdecimal() or len(said) > 15 or int(said) > most):
            await refuse(send, 413, _TOO_LARGE)
            return
        seen = 0
        started = False

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > most:
                raise _TooLargeError
            return message

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            if message.get("status") == 500 and _DIRECT.fullmatch(path_of(scope)):
                # Gradio's answer to arguments that a handler of the page cannot take.
                message = {**message, "status": 422}
            await send(message)

        try:
            await self.app(scope, counted, noted)
        except _TooLargeError:
            if not started:
                await refuse(send, 413, _TOO_LARGE)
        except Exception as error:
            await _failed(scope, error, send, started)


async def _failed(scope: Scope, error: Exception, send: Send, started: bool) -> None:
    """A call that broke the server's own code: the log has it, the caller gets its number.

    What is sent to the API is the caller's making, and the handlers behind it answer for
    themselves (``gradio_compat.handlers``): what breaks here did not fit them.
    """
    name = request_id(scope)
    log.error("A request failed", exc_info=error, extra={"request": name})
    if started:
        # A stream of events ends here; a client that waits for more would wait for ever.
        with suppress(Exception):
            await send({"type": "http.response.body", "body": b""})
        return
    own = path_of(scope).startswith("/gradio_api/")
    number = f" (request {name})" if name else ""
    said = "This call cannot be understood" if own else "Something went wrong on the server"
    await refuse(send, 400 if own else 500, f"{said}{number}.")


class _TooLargeError(Exception):
    pass


_DIRECT = re.compile(r"/gradio_api/run/predict/?")
_TOO_LARGE = "That is more than is read at once."
