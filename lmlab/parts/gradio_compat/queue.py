"""The lines that requests wait in: quick work, scoring and generation apart, visitors in turn, and
a sentence for whoever finds a line full. Fine-tuning runs wait in a line of their own
(``lmlab.runs.jobs``).
"""

import math
import random
import time
from collections import Counter
from typing import Any

import gradio as gr
from fastapi import HTTPException
from gradio import queueing
from gradio.server_messages import ProcessCompletedMessage

from lmlab.fair import Fair, Spent, Ticket, makes_room, order
from lmlab.hosting.asgi import large_bytes
from lmlab.hosting.guests import LONGEST, Guests, place

OWN_SHARE = 24  # requests of one visitor that may wait at a time; a page that opens sends a few
LARGE = 64_000_000  # bytes of large requests that wait or are answered; half of one address
LOOK = 0.01  # seconds between two looks at who may run; Gradio's own are a thousand a second
UNREAD = 64  # sessions without a page whose answers are kept until somebody asks for them
# What a handler's ``concurrency_id`` belongs to; all else is quick.
KINDS = {
    **dict.fromkeys(("score", "drift", "knife", "timemachine"), "scoring"),
    **dict.fromkeys(("generate", "study", "taskmap"), "generation"),
}
SUGGESTIONS = {
    "quick": "Try again in a moment.",
    "scoring": "Try again in a moment, or take a shorter text.",
    "generation": "Try again in half a minute, or ask for fewer tokens or rows.",
}


def kind_of(concurrency_id: object) -> str:
    """``quick``, ``scoring`` or ``generation``."""
    return KINDS.get(str(concurrency_id), "quick")


class Iterators(dict[str, Any]):
    """Requests that are being answered bit by bit. Gradio lets go of one that a visitor stopped in
    two places at once, and the later one would fail.
    """

    def __delitem__(self, key: str) -> None:
        self.pop(key, None)


class Lines(queueing.Queue):
    """Gradio's queue with visitors in turn (``lmlab.fair``).

    Each address has its turns, as many as pages are open there within bounds, and in them its
    visitors have theirs: a visitor with ten requests and one with a single request that comes later
    are served in turn, and whoever asks for one thing at a time is served first come, first served.
    All sessions of an address that no page has begun are one visitor. Long work counts as several
    turns, and nobody holds all places of a line. In a full line whoever has most waiting makes room
    for whoever has least. ``most`` requests of one kind may wait.
    """

    def __init__(self, most: int, guests: Guests, **given: Any) -> None:
        super().__init__(**given)
        self.most = most
        self.guests = guests
        self.ANALYTICS_MAX_EVENTS = 0
        self.sleep_when_free = self.progress_update_sleep_when_free = LOOK
        self._fair: dict[str, Fair] = {}
        self._tickets: dict[str, Ticket] = {}
        self._running: dict[str, tuple[str, Ticket]] = {}
        self._spent = Spent(guests.share)
        self._clock, self._looked = 0.0, time.monotonic()

    def set_server_app(self, app: Any) -> None:
        """Answer for an app from here on."""
        app.iterators = Iterators(app.iterators)
        super().set_server_app(app)

    async def push(self, body: Any, request: Any, username: str | None) -> Any:
        """Take a request into its line.

        Raises:
            HTTPException: 429, the line is full, the visitor has a fair share in it already, or
                large requests take too much memory; 400, a session's name that no page has
                or half a character.
        """
        if _is_halved([body.data, body.event_data]):
            raise HTTPException(400, "There is half a character in what was sent. Type it anew.")
        session = body.session_hash or ""
        if len(session) > LONGEST:
            raise HTTPException(400, "This session’s name is too long.")
        address = self.guests.address(session) or place(getattr(request.client, "host", ""))
        ticket = Ticket(address, session if self.guests.knows(session) else "")
        ticket.n_bytes = large_bytes(request.scope)
        self._check_memory(ticket)
        if (fn := self.blocks.fns.get(body.fn_index)) is not None:
            self._check_room(ticket, session, kind_of(fn.concurrency_id))
        found = await super().push(body, request, username)
        if found[0] and (event := self.event_ids_to_events.get(str(found[1]))) is not None:
            self._place(event, ticket)
        self._forget_unread()
        return found

    def get_events(self) -> Any:
        """The next request that may run."""
        lines = list(self.event_queue_per_concurrency_id.items())
        random.shuffle(lines)
        self._worked()
        waiting = {self._ticket(event).address for event in self._queued()}
        self._ahead = self._spent.ahead(waiting, {one.address for _, one in self._running.values()})
        for name, line in lines:
            event = self._next(name, line)
            if event is not None:
                line.queue.remove(event)
                ticket = self._tickets.pop(event._id, Ticket("", ""))
                self._fair.setdefault(name, Fair(self.guests.share)).serve(ticket)
                self._running[event._id] = (name, ticket)
                return [event], event.fn.batch, name
        return None

    async def process_events(self, events: Any, batch: bool, begin_time: float, fn: Any) -> None:
        """Answer a request; its share of the time is counted against whoever asked."""
        began = self._worked()
        try:
            await super().process_events(events, batch, begin_time, fn)
        finally:
            spent = self._worked() - began
            for event in events:
                name, ticket = self._running.pop(event._id, (event.concurrency_id, Ticket("", "")))
                if (fair := self._fair.get(name)) is not None:
                    fair.charge(ticket, spent)
                    self._arrange(name)
                busy = any(line == name for line, _ in self._running.values())
                if not busy and not self.event_queue_per_concurrency_id[name].queue:
                    self._fair.pop(name, None)

    def _worked(self) -> float:
        """Seconds of work done so far for each of those that are answered at once, and take turns;
        each is charged meanwhile, so that nobody waits for the end of something long. Ask before
        the number of those that run changes.
        """
        now = time.monotonic()
        share = (now - self._looked) / max(1, len(self._running))
        for _, ticket in self._running.values():
            self._spent.charge(ticket.address, share)
        self._clock += share
        self._looked = now
        return self._clock

    def _next(self, name: str, line: queueing.EventQueue) -> queueing.Event | None:
        """The first request of a line that may run now.

        A visitor does not hold all places of a line: one is left for those who come, and of a line
        of long work for those elsewhere whose page is open; where others ask too, an address has
        its part of the places. And long work of a session without a page waits while a page's is
        there.
        """
        limit = line.concurrency_limit
        if not line.queue or (limit is not None and line.current_concurrency >= limit):
            return None
        at_work = [one for at, one in self._running.values() if at == name]
        running = Counter(one.who for one in at_work)
        tickets = {event._id: self._ticket(event) for event in line.queue}
        asking = {*running, *(one.who for one in tickets.values())}
        is_long = kind_of(name) != "quick"
        pages_first = is_long and any(visitor for _, visitor in asking)
        shares = {address: self.guests.share(address) for address, _ in asking}
        for event in line.queue:
            who = tickets[event._id].who
            held, most = running[who], (limit or math.inf) - 1
            if is_long and self.guests.elsewhere(who[0]):
                held = sum(one.address == who[0] for one in at_work)
                most = min(most, round((limit or 1) * shares[who[0]] / sum(shares.values())))
            holds_all = limit != 1 and held >= max(1, most)
            if not holds_all and who[0] not in self._ahead and (who[1] or not pages_first):
                return event
        return None

    def waiting(self, kind: str) -> int:
        """How many requests of a kind wait."""
        return len(self._queued(kind))

    def compute_analytics_summary(self, records: Any) -> Any:
        """Nothing: Gradio would sort all that was ever asked into a table after each request."""
        return self.cached_event_analytics_summary

    def _queued(self, kind: str = "") -> list[queueing.Event]:
        """What waits, of one kind or of all."""
        lines = self.event_queue_per_concurrency_id.items()
        of = (one for line, one in lines if kind in ("", kind_of(line)))
        return [event for line in of for event in line.queue]

    def _ticket(self, event: queueing.Event) -> Ticket:
        """A waiting request's; a page may have opened its connection after it asked."""
        ticket = self._tickets.setdefault(event._id, Ticket("", ""))
        if not ticket.visitor and self.guests.knows(event.session_hash):
            ticket.visitor = event.session_hash
        return ticket

    def _check_memory(self, new: Ticket) -> None:
        """A text of a few megabytes takes four times as much in memory until it is answered."""
        held = [self._ticket(event) for event in self._queued()]
        held += [ticket for _, ticket in self._running.values()]
        own = sum(one.n_bytes for one in held if one.address == new.address)
        whole = sum(one.n_bytes for one in held)
        if new.n_bytes and (own + new.n_bytes > LARGE // 2 or whole + new.n_bytes > LARGE):
            raise _full("Many large texts are waiting already. Try again in a moment.")

    def _check_room(self, new: Ticket, session: str, kind: str) -> None:
        waiting = {event._id: event for event in self._queued(kind)}
        tickets = {name: self._ticket(event) for name, event in waiting.items()}
        own = sum(session == event.session_hash for event in waiting.values())
        # Of a hall that opens the page at once some ask before their page is known.
        strangers = sum(one.who == new.who for one in tickets.values()) if not new.visitor else 0
        if own >= OWN_SHARE or strangers >= max(OWN_SHARE, self.most // 3):
            own = max(own, strangers)
            raise _full(f"{own} requests of yours are waiting already. Wait for them first.")
        if len(waiting) < self.most:
            return
        going = makes_room(list(tickets.values()), new, self.guests.share)
        many = "1 request is" if len(waiting) == 1 else f"{len(waiting)} requests are"
        if going is None:
            said = f"{many} waiting already, and no more are taken."
            raise _full(f"{said} {SUGGESTIONS[kind]}")
        name = next(name for name, one in tickets.items() if one is going)
        said = f"{many} waiting, most of them from where you are: this one made room for others."
        self._give_up(waiting[name], f"{said} {SUGGESTIONS[kind]}")

    def _give_up(self, event: queueing.Event, said: str) -> None:
        """Take a request out of its line, and tell whoever waits for it."""
        self.event_queue_per_concurrency_id[event.concurrency_id].queue.remove(event)
        self.event_ids_to_events.pop(event._id, None)
        self._tickets.pop(event._id, None)
        title = "That did not work"
        output = {"error": said, "visible": True, "duration": 12, "title": title}
        self.send_message(event, ProcessCompletedMessage(output=output, title=title, success=False))

    def _place(self, event: queueing.Event, ticket: Ticket) -> None:
        """Put a request that has just been added where its turn is."""
        line = event.concurrency_id
        fair = self._fair.setdefault(line, Fair(self.guests.share))
        self._tickets[event._id] = ticket
        fair.join(ticket)
        self._arrange(line)
        if len(self._tickets) > 2 * (len(self) + 1):
            # Of requests that were cancelled while they waited.
            self._tickets = {one._id: self._ticket(one) for one in self._queued()}

    def _arrange(self, line: str) -> None:
        """Put a line in the order of its turns."""
        queue = self.event_queue_per_concurrency_id[line].queue
        self._fair[line].arrange(self._ticket(one) for one in queue)
        queue.sort(key=lambda one: order(self._ticket(one)))

    def _forget_unread(self) -> None:
        """Let go of answers that nobody has asked for: a made-up session may never do so."""
        kept = self.pending_messages_per_session
        if len(kept) <= UNREAD:
            return
        running = (event for job in self.active_jobs if job for event in job)
        busy = {one.session_hash for one in (*running, *self._queued())}
        idle = [name for name in kept if name not in busy and name not in self.guests]
        for name in idle[:-UNREAD]:
            del kept[name]
            self.pending_event_ids_session.pop(name, None)


def _full(said: str) -> HTTPException:
    return HTTPException(429, said, {"Retry-After": "15"})


def _is_halved(value: Any) -> bool:
    """Whether half a character stands in a text somewhere: no answer could repeat it."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeError:
            return True
    if isinstance(value, dict):
        value = [*value, *value.values()]
    return isinstance(value, list) and any(map(_is_halved, value))


def put_lines(page: gr.Blocks, most: int, limit: int, guests: Guests) -> None:
    """Give a page its lines, in place of its queue, before it is served; ``limit`` is of a handler
    that has none of its own.
    """
    # What is queued cannot be called past the queue.
    page.queue(max_size=None, default_concurrency_limit=limit, api_open=False)
    # Those who wait are told of their place once a second: at each change it would be all to all.
    page._queue = Lines(
        most, guests, live_updates=False, concurrency_count=page.max_threads, update_intervals=1,
        max_size=None, blocks=page, default_concurrency_limit=limit,
    )  # fmt: skip


def lines_of(page: gr.Blocks) -> Lines:
    """A page's lines."""
    assert isinstance(page._queue, Lines)
    return page._queue
