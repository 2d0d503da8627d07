"""The lines that requests wait in: quick work, scoring and generation apart, visitors in turn, and
a sentence for whoever finds a line full. Fine-tuning runs wait in a line of their own
(``lmlab.tuning.jobs``).
"""

from collections import Counter
from typing import Any

from fastapi import HTTPException
from gradio import queueing

OWN_SHARE = 24  # requests of one visitor that may wait at a time; a page that opens sends a few
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
    """Gradio's queue with visitors in turn.

    Each request gets a place in time: the round after its visitor's last one. A visitor with ten
    requests and one with a single request that comes later are so served in turn, and whoever asks
    for one thing at a time is served first come, first served.

    Args:
        most: requests of one kind that may wait.
        given: what Gradio's queue is made of.
    """

    def __init__(self, most: int, **given: Any) -> None:
        super().__init__(**given)
        self.most = most
        self.ANALYTICS_MAX_EVENTS = 0
        self._rounds: dict[str, int] = {}
        self._last: dict[tuple[str, str], int] = {}

    def set_server_app(self, app: Any) -> None:
        """Answer for an app from here on."""
        app.iterators = Iterators(app.iterators)
        super().set_server_app(app)

    async def push(self, body: Any, request: Any, username: str | None) -> Any:
        """Take a request into its line.

        Raises:
            HTTPException: 429, the line is full or the visitor has a fair share in it already.
        """
        visitor = body.session_hash or f"address {getattr(request.client, 'host', '')}"
        fn = self.blocks.fns.get(body.fn_index)
        if fn is not None:
            self._check_room(visitor, kind_of(fn.concurrency_id))
        found = await super().push(body, request, username)
        done, name, _ = found
        if done and (event := self.event_ids_to_events.get(str(name))) is not None:
            self._place(event, visitor)
        return found

    def get_events(self) -> Any:
        """The next request that may run."""
        found = super().get_events()
        if found is not None:
            events, _, line = found
            self._rounds[line] = getattr(events[0], "round", 0)
            if not self.event_queue_per_concurrency_id[line].queue:
                self._forget(line)
        return found

    def waiting(self, kind: str) -> int:
        """How many requests of a kind wait."""
        return len(self._waiting(kind))

    def compute_analytics_summary(self, records: Any) -> Any:
        """Nothing: Gradio would sort all that was ever asked into a table after each request."""
        return self.cached_event_analytics_summary

    def _waiting(self, kind: str) -> list[queueing.Event]:
        lines = self.event_queue_per_concurrency_id.items()
        return [event for line, one in lines if kind_of(line) == kind for event in one.queue]

    def _check_room(self, visitor: str, kind: str) -> None:
        waiting = self._waiting(kind)
        if len(waiting) >= self.most:
            many = "1 request is" if len(waiting) == 1 else f"{len(waiting)} requests are"
            said = f"{many} waiting already, and no more are taken."
            raise _full(f"{said} {SUGGESTIONS[kind]}")
        own = Counter(getattr(event, "visitor", "") for event in waiting)[visitor]
        if own >= OWN_SHARE:
            raise _full(f"{own} requests of yours are waiting already. Wait for them first.")

    def _place(self, event: queueing.Event, visitor: str) -> None:
        """Put a request that has just been added behind those of its round."""
        line = event.concurrency_id
        queue = self.event_queue_per_concurrency_id[line].queue
        round_ = max(self._rounds.get(line, 0), self._last.get((line, visitor), 0)) + 1
        self._last[line, visitor] = round_
        event.visitor, event.round = visitor, round_  # type: ignore[attr-defined]
        # Stable: within a round, first come, first served.
        queue.sort(key=lambda one: getattr(one, "round", 0))

    def _forget(self, line: str) -> None:
        """An empty line begins anew."""
        self._rounds.pop(line, None)
        for key in [key for key in self._last if key[0] == line]:
            del self._last[key]


def _full(said: str) -> HTTPException:
    return HTTPException(429, said, {"Retry-After": "15"})


def put_lines(page: Any, most: int, limit: int) -> Lines:
    """Give a page its lines, in place of its queue; before it is served.

    Args:
        page: Gradio's Blocks.
        most: requests of one kind that may wait.
        limit: of one handler at a time, where it has none of its own.
    """
    # What is queued cannot be called past the queue.
    page.queue(max_size=None, default_concurrency_limit=limit, api_open=False)
    # Those who wait are told of their place once a second: at each change it would be all to all.
    page._queue = Lines(
        most,
        live_updates=False,
        concurrency_count=page.max_threads,
        update_intervals=1,
        max_size=None,
        blocks=page,
        default_concurrency_limit=limit,
    )
    return page._queue
