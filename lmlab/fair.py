"""Whose turn it is among many who wait: addresses in turn, and the visitors of an address in turn.

A lecture hall may stand behind one address, and one stranger may call himself by many names. So an
address gets turns for the pages that are open there, up to a bound, and whoever has most waiting
makes room for whoever has least. Alone, anybody may have all there is.
"""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import groupby

TURN = 0.1  # seconds of work that are one turn; longer work is as many
AHEAD = 0.2  # seconds for a share of one that an address may have more than another that asks


@dataclass
class Ticket:
    """The place of one who waits.

    Attributes:
        address: where it came from.
        visitor: who of that address.
        round: how many of the address's rounds come before it.
        number: the order of coming.
        start: where it stands among all addresses; what is lowest comes next.
        n_bytes: that it holds while it waits, where they are many.
    """

    address: str
    visitor: str
    round: int = 0
    number: int = 0
    start: float = 0.0
    n_bytes: int = 0

    @property
    def who(self) -> tuple[str, str]:
        """Address and visitor: one name at two addresses is two visitors."""
        return self.address, self.visitor


class Fair:
    """The turns of one line.

    What an address has waiting starts one after the other, each so much later as the address's
    share is small; what comes from an address that was quiet starts at once. Within an address a
    visitor's next one comes a round after the last.

    Args:
        share: how many turns an address gets where others get one.
    """

    def __init__(self, share: Callable[[str], float] = lambda address: 1.0) -> None:
        self._share = share
        self._count = 0
        self._now = 0.0
        self._next: dict[str, float] = {}
        self._rounds: dict[str, int] = {}
        self._last: dict[tuple[str, str], int] = {}

    def __len__(self) -> int:
        """How many addresses and visitors are remembered."""
        return len(self._next) + len(self._rounds) + len(self._last)

    def join(self, ticket: Ticket) -> None:
        """Give a ticket its round; ``arrange`` those that wait afterwards."""
        self._count += 1
        ticket.number = self._count
        before = max(self._rounds.get(ticket.address, 0), self._last.get(ticket.who, 0))
        ticket.round = self._last[ticket.who] = before + 1

    def arrange(self, waiting: Iterable[Ticket]) -> None:
        """Say where each one starts; they come in the order of ``start`` and ``number``."""
        ordered = sorted(waiting, key=lambda one: (one.address, one.round, one.number))
        for address, own in groupby(ordered, key=lambda one: one.address):
            first = max(self._now, self._next.get(address, 0.0))
            for place, ticket in enumerate(own):
                ticket.start = first + place / self._share(address)

    def serve(self, ticket: Ticket) -> None:
        """Note that it was a ticket's turn."""
        self._now = max(self._now, ticket.start)
        self._next[ticket.address] = ticket.start + 1 / self._share(ticket.address)
        rounds = self._rounds[ticket.address] = max(
            ticket.round, self._rounds.get(ticket.address, 0)
        )
        if self._last.get(ticket.who, 0) <= rounds:
            self._last.pop(ticket.who, None)

    def charge(self, ticket: Ticket, seconds: float) -> None:
        """Note how much work a turn was: who asks for long work has fewer turns."""
        more = max(0.0, seconds / TURN - 1) / self._share(ticket.address)
        self._next[ticket.address] = self._next.get(ticket.address, self._now) + more

    def clear(self) -> None:
        """An empty line begins anew."""
        self._now = 0.0
        for kept in (self._next, self._rounds, self._last):
            kept.clear()


class Spent:
    """What each address has had of the whole process, whatever it asked for.

    A line knows its own requests alone, and one address's large tables would slow down everybody's
    scores. So an address that has had more than its part waits until the others have theirs; where
    nobody else asks for anything, it has all there is.

    Args:
        share: as ``Fair``'s.
    """

    def __init__(self, share: Callable[[str], float]) -> None:
        self._share = share
        self._seconds: dict[str, float] = {}

    def charge(self, address: str, seconds: float) -> None:
        """Note work that was done."""
        self._seconds[address] = self._seconds.get(address, 0.0) + seconds / self._share(address)

    def ahead(self, waiting: AbstractSet[str], running: AbstractSet[str]) -> AbstractSet[str]:
        """The addresses whose turn it is not, of those that wait; who comes anew has no claims on
        what was before."""
        asking = waiting | running
        known = [self._seconds[one] for one in asking if one in self._seconds]
        least = min(known, default=0.0)
        self._seconds = {one: max(self._seconds.get(one, 0.0), least) for one in asking}
        return {one for one in waiting if self._seconds[one] > least + AHEAD}


def order(ticket: Ticket) -> tuple[float, int]:
    """What tickets are sorted by, once they are arranged."""
    return ticket.start, ticket.number


def makes_room(
    waiting: Sequence[Ticket], new: Ticket, share: Callable[[str], float] = lambda address: 1.0
) -> Ticket | None:
    """Which of those who wait goes, so that a new one finds room in a full line.

    The last one of the visitor with most waiting, at the address with most for its share, and of
    several such visitors the one who came last; None where the new one would have as much itself.
    """
    if not waiting:
        return None
    at = _counts(one.address for one in waiting)
    heaviest = max(at, key=lambda address: at[address] / share(address))
    of = _counts(one.visitor for one in waiting if one.address == heaviest)
    came = {one.visitor: one.number for one in waiting if one.address == heaviest}
    visitor = max(of, key=lambda name: (of[name], came[name]))
    if heaviest == new.address:
        heavier = of[visitor] > of.get(new.visitor, 0) + 1
    else:
        own = (at.get(new.address, 0) + 1) / share(new.address)
        heavier = at[heaviest] / share(heaviest) > own
    if not heavier:
        return None
    return max(
        (one for one in waiting if one.who == (heaviest, visitor)), key=lambda one: one.number
    )


def _counts(names: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return found
