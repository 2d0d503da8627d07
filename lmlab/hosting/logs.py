"""The server's log: plain or one JSON object a line, each request under an id; no secrets in it.

What visitors type stands in no line: paths are logged without their query, and an error by its kind
and place, unless ``debug`` asks for the traceback.
"""

import json
import logging
import os
import re
import secrets
import sys
import threading
import time
import traceback
from collections import OrderedDict
from typing import Any, TextIO

from lmlab.hosting.asgi import Layer, Message, Receive, Scope, Send
from lmlab.settings import Settings

NAME = "lmlab"
EXTRA = ("request", "method", "path", "status", "ms")  # of a record about a request
QUIET = (
    "/assets/",
    "/static/",
    "/gradio_api/heartbeat",
    "/gradio_api/queue/data",
    "/health",
    "/room/api/",
)
MINUTE = 60.0
OWN_TIMES = 20  # a minute, of one kind of line that names its request
FORMS = 300  # kinds of lines that are told apart
# Tokens of the Hub and of others who mark theirs, and whatever follows a word that says so.
_SECRET = re.compile(
    r"\b(hf_|api_org_|sk-|ghp_|github_pat_)[A-Za-z0-9_-]{6,}"
    r"|(?i:(?<=bearer )|(?<=token=)|(?<=password=))[^\s&\"']{4,}"
)
ENVIRONMENT = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_TOKEN")

log = logging.getLogger(NAME)


def redacted(text: str) -> str:
    """A text without tokens.

    >>> redacted("refused: hf_abcdefghijk")
    'refused: [secret]'
    """
    for name in ENVIRONMENT:
        if len(value := os.environ.get(name, "")) >= 6:
            text = text.replace(value, "[secret]")
    return _SECRET.sub("[secret]", text)


class Once(logging.Filter):
    """Lets a line through once a minute, one that names a request so many times, and says with the
    next how many there were.

    Lines of requests, which have a status, are not counted. What is told apart is a line's form,
    and the kind and place of its error; not what stands in it.
    """

    def __init__(self, times: int = 1) -> None:
        super().__init__()
        self._times = times
        self._lock = threading.Lock()
        self._said: OrderedDict[tuple[object, ...], tuple[float, int]] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is written."""
        if hasattr(record, "status"):
            return True
        times = self._times if hasattr(record, "request") else 1
        error = record.exc_info[1] if record.exc_info else None
        # asyncio puts all of what it says into the form: its first line tells what it is.
        form = str(record.msg).split("\n")[0][:200]
        key = (record.name, record.levelno, form, _place(error) if error else "")
        with self._lock:
            began, n = self._said.pop(key, (record.created, 0))
            held = 0
            if record.created - began > MINUTE:
                began, held, n = record.created, n - times, 0
            self._said[key] = (began, n + 1)
            while len(self._said) > FORMS:
                self._said.popitem(last=False)
        if held > 0:
            record.msg, record.args = f"{record.getMessage()} (and {held:,} times before)", ()
        return n < times


def calm() -> None:
    """Have the server's log, and asyncio's, say a thing once a minute."""
    for name in ("uvicorn.error", "asyncio"):
        other = logging.getLogger(name)
        if not any(isinstance(one, Once) for one in other.filters):
            other.addFilter(Once(OWN_TIMES))


class Lines(logging.Formatter):
    """A record as a line."""

    def __init__(self, form: str, debug: bool) -> None:
        super().__init__()
        self._form = form
        self._debug = debug

    def format(self, record: logging.LogRecord) -> str:
        found: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "message": redacted(record.getMessage()),
            **{key: value for key in EXTRA if (value := getattr(record, key, None)) is not None},
        }
        shown = ""
        if record.exc_info and record.exc_info[1] is not None:
            found["error"] = _place(record.exc_info[1])
            if self._debug:
                shown = redacted("".join(traceback.format_exception(record.exc_info[1])))
        if self._form == "json":
            return json.dumps({**found, **({"traceback": shown} if shown else {})})
        more = " ".join(f"{key}={found[key]}" for key in (*EXTRA, "error") if key in found)
        line = f"{found['time']} {found['level']} {found['message']} {more}".rstrip()
        return f"{line}\n{shown}".rstrip()


def _place(error: BaseException) -> str:
    """An error's kind and where it was raised; not its words, which may quote a visitor."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


def start(settings: Settings, stream: TextIO | None = None) -> logging.Handler:
    """Have the project's log written as the settings say; the handler, for it to be removed."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Lines(settings.logs, settings.debug))
    handler.addFilter(Once(OWN_TIMES))
    for old in [one for one in log.handlers if isinstance(one.formatter, Lines)]:
        log.removeHandler(old)
    log.addHandler(handler)
    # At one's own machine a line for every request would bury what matters.
    every = settings.logs == "json" or settings.debug
    log.setLevel(logging.INFO if every else logging.WARNING)
    log.propagate = False
    return handler


def misfit() -> None:
    """Note the error that is being handled as one of a call that did not fit the page."""
    log.info("A call did not fit", exc_info=True)


class RequestLog(Layer):
    """Gives each request an id, which stands in the answer (``X-Request-ID``) and in the log."""

    async def request(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = secrets.token_hex(6)
        scope.setdefault("state", {})["request_id"] = name
        began, status = time.monotonic(), 500

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message["headers"], (b"x-request-id", name.encode())]
                message = {**message, "headers": headers}
            await send(message)

        try:
            await self.app(scope, receive, named)
        finally:
            path = str(scope["path"])
            if status >= 400 or not path.startswith(QUIET):
                ms = round(1000 * (time.monotonic() - began))
                told = (name, scope["method"], _shown(path), status, ms)
                log.info("request", extra=dict(zip(EXTRA, told, strict=True)))


def _shown(path: str) -> str:
    """A path without what may be a name of a file, a session or a run."""
    path = re.sub(r"(/file=?|/heartbeat/|/call/[^/]+/).*", r"\1…", path)
    return "".join(char if char.isprintable() else "?" for char in path[:120])
