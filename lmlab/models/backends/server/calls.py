"""Asks a server: many requests in flight, with retries, back-off, time limits and cancel.

A server's key stands in a header and nowhere else: not in an error, and in no log.
"""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import httpx
from anyio.from_thread import start_blocking_portal

from lmlab.errors import ModelError
from lmlab.models.backends.server.host import Host

BUSY = (408, 425, 429, 500, 502, 503, 504)
LONGEST_WAIT = 30.0  # seconds, whatever a server asks for
CONNECT = 10.0  # seconds
SHOWN = 200  # characters of what a server says


@dataclass(frozen=True)
class Ask:
    """One request; its answer is one JSON value, or several, one after the other."""

    path: str
    body: dict[str, Any] | None = None  # nothing: it is a GET
    streams: bool = False


class Calls:
    """What is asked of one server.

    Raises:
        ModelError: its key is missing.
    """

    def __init__(self, name: str, host: Host) -> None:
        self._name, self._host = name, host
        self._key = os.environ.get(host.key, "").strip() if host.key else ""
        if host.key and not self._key:
            raise ModelError(
                f"The key of ‘{name}’ is missing.",
                f"Whoever runs this sets the variable {host.key}.",
            )

    def one(self, ask: Ask) -> Any:
        """The answer to one request."""
        return next(answer for _, answer in self.together([ask]))

    def together(
        self, asks: Sequence[Ask], wanted: Callable[[int], bool] = lambda which: True
    ) -> Generator[tuple[int, Any]]:
        """(which, answer) as they come; to close the iterator ends all that is in flight.

        ``wanted`` is asked after each answer of a stream whether it goes on.

        Raises:
            ModelError: a request failed, in a sentence; all that came was yielded before.
        """
        said: SimpleQueue[tuple[int, Any] | None] = SimpleQueue()
        with start_blocking_portal() as portal:
            future = portal.start_task_soon(self._all, asks, wanted, said)
            try:
                while (found := said.get()) is not None:
                    yield found
            except BaseException:
                future.cancel()
                raise
        try:
            future.result()
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    async def _all(
        self,
        asks: Sequence[Ask],
        wanted: Callable[[int], bool],
        said: "SimpleQueue[tuple[int, Any] | None]",
    ) -> None:
        gate = asyncio.Semaphore(self._host.at_once)

        async def each(which: int, ask: Ask) -> None:
            async with gate, aclosing(self._answers(client, ask)) as answers:
                async for answer in answers:
                    said.put((which, answer))
                    if not wanted(which):
                        return

        try:
            async with self._client() as client, asyncio.TaskGroup() as group:
                for which, ask in enumerate(asks):
                    group.create_task(each(which, ask))
        finally:
            said.put(None)

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self._host.url,
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            timeout=httpx.Timeout(self._host.silence, connect=CONNECT),
            follow_redirects=False,
        )

    async def _answers(self, client: httpx.AsyncClient, ask: Ask) -> AsyncGenerator[Any]:
        """The answers to one request, asked again where nothing has come yet."""
        for attempt in range(1, self._host.tries + 1):
            came, pause = False, self._host.wait * 2 ** (attempt - 1)
            try:
                method = "GET" if ask.body is None else "POST"
                async with client.stream(method, ask.path, json=ask.body) as answer:
                    if answer.status_code not in BUSY or attempt == self._host.tries:
                        async for found in self._read(answer, ask):
                            came = True
                            yield found
                        return
                    pause = _asked_pause(answer) or pause
            except httpx.TransportError as error:
                if came or attempt == self._host.tries:
                    raise self._broken(error, came) from None
            await asyncio.sleep(min(pause, LONGEST_WAIT))

    async def _read(self, answer: httpx.Response, ask: Ask) -> AsyncIterator[Any]:
        if answer.status_code != httpx.codes.OK:
            raise self._refused(answer.status_code, (await answer.aread()).decode(errors="replace"))
        if not ask.streams:
            yield self._parsed((await answer.aread()).decode(errors="replace"))
            return
        async for line in answer.aiter_lines():
            # Server-sent events, or one object a line.
            data = line.removeprefix("data:").strip()
            if data == "[DONE]":
                return
            if data and not line.startswith((":", "event:", "id:")):
                yield self._parsed(data)

    def _parsed(self, text: str) -> Any:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            raise ModelError(
                f"‘{self._name}’ answers with something that is no JSON.",
                "Does its address lead to the engine, and not to a web page before it?",
            ) from None
        if isinstance(found, dict) and found.get("error"):
            raise self._refused(httpx.codes.BAD_REQUEST, text)
        return found

    def _refused(self, status: int, text: str) -> ModelError:
        host = self._host
        if status in (401, 403):
            hint = f"See the variable {host.key}." if host.key else "Name the variable of its key."
            return ModelError(f"‘{self._name}’ does not let lmlab in ({status}).", hint)
        if status in BUSY:
            said = f"‘{self._name}’ is busy or broken ({status}), asked {host.tries} times."
            return ModelError(said, "Try again later.")
        told = _message(text)
        if self._key:
            told = told.replace(self._key, "[secret]")
        said = f": {told[:SHOWN]}" if told else ""
        return ModelError(
            f"‘{self._name}’ refuses what it was asked ({status}){said}",
            "Are its kind and its model named rightly?",
        )

    def _broken(self, error: httpx.TransportError, came: bool) -> ModelError:
        if came:
            return ModelError(f"‘{self._name}’ stopped in the middle of its answer.", "Ask again.")
        if isinstance(error, httpx.TimeoutException):
            return ModelError(f"‘{self._name}’ does not answer in time.", "Try again later.")
        return ModelError(f"‘{self._name}’ cannot be reached.", "Does it run, at its address?")


def _asked_pause(answer: httpx.Response) -> float:
    """The seconds that a server asks one to wait; 0 where it does not."""
    try:
        return max(0.0, float(answer.headers.get("retry-after", "0")))
    except ValueError:
        return 0.0


def _message(text: str) -> str:
    """What a server says of a refusal, in its various forms."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    for key in ("error", "message", "detail"):
        if isinstance(found, dict) and key in found:
            found = found[key]
    return " ".join(found.split()) if isinstance(found, str) else ""
