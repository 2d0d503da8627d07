"""What a queue of runs knows besides: whose turn it is, which page a run belongs to, and how runs
ended whose processes did not say so. Knows no torch.
"""

import secrets
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, SupportsIndex

from lmlab.errors import InputError, LabError
from lmlab.fair import Fair, Ticket, makes_room, order
from lmlab.runs import locks
from lmlab.runs.store import PAGES, RunFolder, RunInfo

REMEMBERED = 1_000  # addresses and owners whose last turn is known
GONE = (
    "The queue was full, and somebody had nothing in it: this run made room. Start it again later."
)


class Waiting(list[RunFolder]):
    """A queue of runs, the next one first. Hold the queue's lock.

    An owner may be made up by whoever asks, so an address has its turn before an owner has; one
    that is alone may fill the queue, and makes room for others when they come.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self.whence: Callable[[], str] = lambda: ""
        self._fair = Fair()
        self._tickets: dict[str, Ticket] = {}

    def make_room(self, owner: str) -> RunFolder | None:
        """Which run goes so that one of an owner fits in; None where there is room.

        Raises:
            InputError: the queue is full, and nobody has more in it.
        """
        if len(self) < self.most:
            return None
        tickets = [self._tickets[one.path.name] for one in self]
        going = makes_room(tickets, Ticket(self.whence(), owner))
        if going is None:
            raise InputError(f"{len(self)} runs are waiting already.", "Try again later.")
        return next(one for one in self if self._tickets[one.path.name] is going)

    def append(self, folder: RunFolder) -> None:
        """Put a run where its turn is."""
        ticket = Ticket(self.whence(), folder.spec.owner)
        self._tickets[folder.path.name] = ticket
        if len(self._fair) > REMEMBERED:
            self._fair.clear()
        self._fair.join(ticket)
        super().append(folder)
        self._fair.arrange(self._tickets[one.path.name] for one in self)
        self.sort(key=lambda one: order(self._tickets[one.path.name]))

    def pop(self, index: SupportsIndex = -1) -> RunFolder:
        """Take a run out because it is its turn."""
        folder = super().pop(index)
        self._fair.serve(self._tickets.pop(folder.path.name))
        return folder

    def remove(self, folder: RunFolder) -> None:
        """Take a run out before its turn."""
        super().remove(folder)
        self._tickets.pop(folder.path.name, None)

    def clear(self) -> None:
        """Forget all that wait."""
        super().clear()
        self._tickets.clear()


class Page:
    """One page's name beside its runs; as long as it lives it holds a lock of that name."""

    def __init__(self) -> None:
        self.name = secrets.token_hex(8)
        self._held = ExitStack()

    def settle(self, root: Path) -> None:
        """Be known to other pages on the same runs.

        Raises:
            OSError: the disk is full, for instance.
        """
        path = _lock(root, self.name)
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            self._held.enter_context(locks.hold(path))

    def close(self) -> None:
        """Be gone."""
        self._held.close()


def is_left(folder: RunFolder, state: Mapping[str, Any]) -> bool:
    """Whether a run waited or went on when its page died; nobody trains it now."""
    if page := state.get("page"):
        if locks.held(_lock(folder.path.parent, str(page))):
            return False
    elif locks.is_process(state.get("server"), state.get("server_born")) or "server" not in state:
        return False  # it never had a page, or one of an earlier version that lives
    if state.get("state") == "queued":
        return True
    return state.get("state") == "running" and not state.get("recovered")


def created(folder: RunFolder) -> float:
    """When a run was asked for, in seconds since 1970; 0 where that cannot be read."""
    try:
        return folder.spec.created
    except LabError:
        return 0.0


def _lock(root: Path, name: str) -> Path:
    return root / PAGES / f"{Path(name).name[:40]}.lock"


class Ends:
    """Written into the run's state, else kept in memory until the disk has room."""

    def __init__(self) -> None:
        self._unsaid: dict[str, str] = {}

    def failed(self, folder: RunFolder, why: str) -> bool:
        """Write that a run failed, and why; whether the disk took it."""
        try:
            folder.set_state("failed", message=why)
        except OSError:
            self._unsaid[folder.path.name] = why
            return False
        self.forget(folder)
        return True

    def forget(self, folder: RunFolder) -> None:
        """A run begins anew, or is gone."""
        self._unsaid.pop(folder.path.name, None)

    def shown(self, folder: RunFolder, info: RunInfo) -> RunInfo:
        """A run as it is, that nobody trains, with what the disk may have had no room for."""
        why = self._unsaid.get(folder.path.name)
        if why is None:
            return info
        if self.failed(folder, why):
            return folder.info()
        return replace(info, state="failed", place=None, message=why)
