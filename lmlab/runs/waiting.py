"""The runs that wait, in turn: addresses first, then the owners of an address (``lmlab.fair``)."""

from collections.abc import Callable
from typing import SupportsIndex

from lmlab.errors import InputError
from lmlab.fair import Fair, Ticket, makes_room, order
from lmlab.runs.store import RunFolder

REMEMBERED = 1_000  # addresses and owners whose last turn is known
GONE = (
    "The queue was full, and somebody had nothing in it: this run made room. Start it again later."
)


class Waiting(list[RunFolder]):
    """A queue of runs, the next one first. Hold the queue's lock.

    An owner may be made up by whoever asks, so an address has its turn before an owner has; one
    that is alone may fill the queue, and makes room for others when they come.

    Args:
        most: how many wait.
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
