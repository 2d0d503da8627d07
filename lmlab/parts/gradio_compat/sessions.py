"""What the server keeps of visitors' sessions: small, bounded, and each visitor's from the others.

Gradio keeps a second copy of every component's settings for each session, for links that store
what was typed. This page has no such links (``hosting.route_filter``); the copy is some 80 ms of
work for each visitor and most of what a session takes. And it lets the session go that was not
used for longest, whoever made up the new ones.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from copy import copy
from datetime import datetime
from functools import partial
from typing import Any

from gradio import routes, state_holder
from gradio.components import State

from lmlab.hosting.guests import LONGEST, Guests
from lmlab.parts.vault import Packed

STRANGERS = 30  # sessions without a page
OF_ONE = 24_000_000  # bytes of one session's values, packed
OF_ALL = 1_000_000_000  # of all sessions; less where the disk for temporary files is small


class Session(state_holder.SessionState):
    """One visitor's session: the values of its ``State`` and the components that changed.

    Attributes:
        address: where its page was opened; empty where none was.
        n_bytes: of its values, packed.
    """

    def __init__(self, blocks: Any) -> None:
        # Not the base's: it is what makes the copies.
        self.blocks_config = copy(blocks.default_config)
        self.config_values: dict[int, dict[str, Any]] = {}
        self.state_data: dict[int, Any] = {}
        self._state_ttl: dict[int, Any] = {}
        self.is_closed = False
        self.STATE_TTL_WHEN_CLOSED = 3600
        self.address = ""
        self.n_bytes = 0

    def count(self) -> None:
        """Count its bytes anew."""
        packed = (one for one in self.state_data.values() if isinstance(one, Packed))
        self.n_bytes = sum(one.n_bytes for one in packed)

    def __setitem__(self, key: int, value: Any) -> None:
        block = self.blocks_config.blocks.get(key)
        if not isinstance(block, State):
            if block is not None:  # a tab that is made later tells of it as of the one before
                value._id, value.page, value.rendered_in = key, block.page, block.rendered_in
            self.blocks_config.blocks[key] = value
            return
        # Anew, so that the values stand in the order of their making.
        self.state_data.pop(key, None)
        self.state_data[key] = value
        self._state_ttl[key] = (block.time_to_live, datetime.now())
        self.count()
        while self.n_bytes > OF_ONE:
            oldest = next(k for k, v in self.state_data.items() if isinstance(v, Packed))
            self.n_bytes -= self.state_data.pop(oldest).n_bytes

    def _update_config(self, key: int) -> None:
        """Nothing is kept."""

    def _update_value_in_config(self, key: int, value: Any) -> None:
        """Nothing is kept."""


class Sessions(state_holder.StateHolder):
    """The sessions of a page, those with a page open apart from those without.

    A session begins with a page: scripts and made-up names have a few places of their own and push
    out one another alone. Where there are too many with a page, closed pages go first, then those
    of the address that has most.
    """

    def __init__(self, guests: Guests) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.guests = guests
        self.most_bytes = min(OF_ALL, shutil.disk_usage(tempfile.gettempdir()).free // 2)

    def __getitem__(self, session_id: str) -> Session:
        if len(session_id) > LONGEST:
            return Session(self.blocks)  # nobody's: such a name is no page's
        if session_id not in self.session_data:
            self.session_data[session_id] = Session(self.blocks)
        self.update(session_id)
        self.time_last_used[session_id] = datetime.now()
        found = self.session_data[session_id]
        assert isinstance(found, Session)
        return found

    def update(self, session_id: str) -> None:
        """Count a session as the one used last; others go until there is room."""
        with self.lock:
            if session_id in self.session_data:
                self.session_data.move_to_end(session_id)
            for name in list(self._leaving(session_id)):
                del self.session_data[name]
                self.time_last_used.pop(name, None)

    def delete_state(self, session_id: str, expired_only: bool = False) -> None:
        """Forget a session's values, all of them or those whose time is over."""
        super().delete_state(session_id, expired_only)
        if isinstance(found := self.session_data.get(session_id), Session):
            found.count()

    def _leaving(self, but: str) -> Iterator[str]:
        """Names of those that go, the one in use never among them."""
        sessions: dict[str, Session] = self.session_data  # type: ignore[assignment]
        for name, session in sessions.items():
            session.address = self.guests.address(name) or session.address
        strangers = [name for name, one in sessions.items() if not one.address]
        yield from [name for name in strangers if name != but][: max(0, len(strangers) - STRANGERS)]
        settled = {name: one for name, one in sessions.items() if one.address}
        held = sum(one.n_bytes for one in sessions.values())
        while len(settled) > self.capacity or held > self.most_bytes:
            by_bytes = len(settled) <= self.capacity
            victim = self._victim({k: v for k, v in settled.items() if k != but}, by_bytes)
            if victim is None:
                return
            held -= settled.pop(victim).n_bytes
            yield victim

    def _victim(self, settled: dict[str, Session], by_bytes: bool) -> str | None:
        closed = (name for name in settled if name not in self.guests)
        if (name := next(closed, None)) is not None:
            return name
        at: Counter[str] = Counter()
        for one in settled.values():
            at[one.address] += one.n_bytes if by_bytes else 1
        if not at:
            return None
        heaviest = max(at, key=lambda address: at[address])
        return next(name for name, one in settled.items() if one.address == heaviest)


def use_small_sessions(guests: Guests) -> None:
    """Have Gradio keep sessions in this way, for the page that is opened next."""
    own: tuple[Any, Any] = (Session, partial(Sessions, guests))
    state_holder.SessionState, routes.StateHolder = own  # type: ignore[misc, attr-defined]
