"""The connections below the page: how long a request may take to come in, how many there may be,
and who gives way where there are more.
"""

import asyncio
import logging
from collections import defaultdict
from contextlib import suppress
from functools import partial
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from lmlab.hosting.asgi import App
from lmlab.hosting.guests import place

log = logging.getLogger("lmlab")
HEADERS_SECONDS = 20.0  # from a connection, or an answer, to the end of the next request's headers
BODY_SECONDS = 30.0  # for a body, and a second more for each RATE of its bytes that came
RATE = 10_000
SENDING_SECONDS = 60.0  # in which some of an answer has to be taken
DESCRIPTORS = (65_536, 10_240, 4_096)  # asked of the system in turn
BESIDES = 256  # descriptors for files, models, processes


def descriptors() -> int:
    """How many files and sockets this process may have open: raised as far as the system lets."""
    try:
        import resource
    except ImportError:  # Windows, which knows no such bound
        return DESCRIPTORS[0]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    endless = resource.RLIM_INFINITY
    for wanted in DESCRIPTORS:
        target = wanted if hard == endless else min(wanted, hard)
        if soft == endless or soft >= target:
            break
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
            soft = target
    return DESCRIPTORS[0] if soft == endless else soft


def backlog(open_files: int) -> int:
    """How many connections may wait to be taken; as many are taken at one go."""
    return 1024 if open_files >= 4096 else 128


def room(wanted: int, open_files: int) -> int:
    """How many connections there may be, so that no descriptor is missing."""
    return max(16, min(wanted, open_files - backlog(open_files) - BESIDES))


class Crowd:
    """At most so many connections, by the address that they come from, in the order they came.

    Where there is no room for another, the address that has most of them gives one up: one that
    waits for a request before one that is being answered. A class behind one address has the whole
    room while nobody else wants it.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._n = 0
        self._by: defaultdict[str, dict[Careful, None]] = defaultdict(dict)

    def add(self, one: "Careful") -> None:
        """A connection was made; another one may be cut for it."""
        self._by[one.address][one] = None
        self._n += 1
        if self._n > self.most:
            self._cut()

    def drop(self, one: "Careful") -> None:
        """A connection is no more."""
        if self._by[one.address].pop(one, self) is None:
            self._n -= 1
        if not self._by[one.address]:
            del self._by[one.address]

    def _cut(self) -> None:
        own = max(self._by.values(), key=len)
        victim = next((one for one in own if one.is_idle), next(reversed(own)))
        self.drop(victim)
        log.warning("There are more than %d connections; the oldest idle ones are cut", self.most)
        victim.cut()


class Careful(H11Protocol):
    """One connection of the crowd, which does not wait for ever."""

    def __init__(self, *, crowd: Crowd, **given: Any) -> None:
        super().__init__(**given)
        self.address = ""
        self._crowd = crowd
        self._phase = ""
        self._began = 0.0
        self._came = 0
        self._timer: asyncio.TimerHandle | None = None
        self._sending: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a request, or for the rest of one."""
        return self._waits_for() != ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.address = place(self.client[0] if self.client else "")
        self._watch()
        self._crowd.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.drop(self)
        self._forget()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._came += len(data)
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        self._forget()
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._sending = self.loop.call_later(SENDING_SECONDS, self.cut)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._sending is not None:
            self._sending.cancel()

    def cut(self) -> None:
        """End the connection at once."""
        self._forget()
        self.transport.abort()

    def _waits_for(self) -> str:
        """``headers`` or ``body``; empty where all of a request is here."""
        return {h11.IDLE: "headers", h11.SEND_BODY: "body"}.get(self.conn.their_state, "")

    def _watch(self) -> None:
        """Have the clock run for what is awaited."""
        phase = self._waits_for()
        if phase == self._phase or self.transport.is_closing():
            return
        self._forget()
        self._phase, self._began = phase, self.loop.time()
        if phase == "headers":
            self._came = 0
        if phase:
            self._timer = self.loop.call_later(self._allowed(), self._late)

    def _allowed(self) -> float:
        """Seconds for what is awaited, from its beginning."""
        body = self._phase == "body"
        return BODY_SECONDS + self._came / RATE if body else HEADERS_SECONDS

    def _late(self) -> None:
        left = self._began + self._allowed() - self.loop.time()
        if left > 0 or self.flow.read_paused:
            # Where nothing is read at present, it is not the sender who is late.
            self._timer = self.loop.call_later(max(left, 1.0), self._late)
        else:
            self.cut()

    def _forget(self) -> None:
        self._phase = ""
        if self._timer is not None:
            self._timer.cancel()


def careful_config(app: App, most: int, **given: Any) -> uvicorn.Config:
    """uvicorn's configuration of a server that believes no header and has at most so many
    connections, where there are descriptors enough."""
    open_files = descriptors()
    crowd = Crowd(room(most, open_files))
    more = {
        "http": partial(Careful, crowd=crowd),
        "ws": "none",
        "proxy_headers": False,
        "server_header": False,
        "backlog": backlog(open_files),
    }
    return uvicorn.Config(app=app, **{**given, **more})
