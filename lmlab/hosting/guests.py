"""Who is here: pages that are open, and the addresses they are open at.

A page keeps a connection open for as long as it is shown (Gradio's heartbeat). A session that never
opened one is a script's, or made up: all of an address count as one visitor.
"""

import ipaddress
import math
import re
from collections import Counter, OrderedDict

from lmlab.hosting.asgi import App, Receive, Scope, Send, path_of

HALL = 8.0  # the most turns of an address, where an address with one page gets one
LONGEST = 64  # characters of a session's name
LEFT = 2_000  # pages that are remembered once their connection is gone
_BEAT = re.compile(r"/gradio_api/heartbeat/([^/]+)/?")


def place(host: str) -> str:
    """What counts as one address: of IPv6 the network that a household or a hall gets.

    >>> place("192.0.2.7"), place("2001:db8:1:2:3:4:5:6"), place("testclient")
    ('192.0.2.7', '2001:db8:1:2::', 'testclient')
    """
    try:
        found = ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return host[:LONGEST]
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False).network_address)
    return str(found)


class Guests:
    """The open pages, and those that were; used from the event loop alone."""

    def __init__(self) -> None:
        self._sessions: dict[str, str] = {}
        self._left: OrderedDict[str, str] = OrderedDict()
        self._beats: Counter[str] = Counter()
        self._pages: Counter[str] = Counter()

    def come(self, session: str, address: str) -> None:
        """A page of a session has opened its connection."""
        self._beats[session] += 1
        self._left.pop(session, None)
        if session not in self._sessions:
            self._sessions[session] = address
            self._pages[address] += 1

    def leave(self, session: str) -> None:
        """One of a session's connections has ended."""
        self._beats[session] -= 1
        if self._beats[session] <= 0:
            del self._beats[session]
            address = self._sessions.pop(session)
            self._pages[address] -= 1
            if not self._pages[address]:
                del self._pages[address]
            self._left[session] = address
            if len(self._left) > LEFT:
                self._left.popitem(last=False)

    def __contains__(self, session: str) -> bool:
        """Whether a session's page is open."""
        return session in self._sessions

    def knows(self, session: str) -> bool:
        """Whether a session began with a page: a laptop that slept has lost its connection."""
        return session in self._sessions or session in self._left

    def address(self, session: str) -> str:
        """Where a session's page was opened; empty where none was."""
        return self._sessions.get(session, "") or self._left.get(session, "")

    def elsewhere(self, address: str) -> bool:
        """Whether a page is open at another address."""
        return len(self._pages) > (address in self._pages)

    def share(self, address: str) -> float:
        """Turns of an address: the root of how many pages are open there, within bounds, so that a
        hall has more than one visitor, and a script that opens pages gains little."""
        return min(math.sqrt(max(1, self._pages[address])), HALL)


class Beats:
    """Tells ``Guests`` of the pages that open and close.

    Args:
        app: what answers.
        guests: who is told.
    """

    def __init__(self, app: App, guests: Guests) -> None:
        self.app = app
        self.guests = guests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = path_of(scope)
        beat = _BEAT.fullmatch(path) if scope["type"] == "http" else None
        if beat is None or scope["method"] != "GET" or len(beat[1]) > LONGEST:
            await self.app(scope, receive, send)
            return
        self.guests.come(beat[1], place((scope.get("client") or ("",))[0]))
        try:
            await self.app(scope, receive, send)
        finally:
            self.guests.leave(beat[1])
