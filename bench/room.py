"""A full room's votes: how long each takes while the lecturer scores.

    python -m bench.room [--phones 300] [--seconds 20]

So many phones join a room, hold their stream of events, and answer at a moment of their own within
the time given, as after a question was put; then they answer once more, all within two seconds, as
just before a vote ends. Meanwhile a visitor scores texts one after the other. The same votes are
timed once on the idle page first. The server is a process of its own.
"""

import argparse
import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import suppress

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from bench.load import served
from bench.visitor import Page, Visitor

SCENE = {
    "name": "bench", "title": "A question", "point": "For the bench.",
    "ask": {"say": "Which?", "options": ["one", "two", "three"], "answer": "Two.", "right": "two"},
}  # fmt: skip
RUSH = 2.0  # seconds in which all answer once more


class Room:
    """A room that was opened, asked a question."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.code = self.secret = ""
        self.question = 0

    async def post(self, path: str, **given: object) -> httpx.Response:
        """Send a call, once more after each moment in which the server asks to wait."""
        while True:
            answer = await self.client.post(f"/room/api/{path}", json=given)
            if answer.status_code != 429:
                return answer.raise_for_status()
            await asyncio.sleep(float(answer.headers["retry-after"]))

    async def open(self) -> None:
        """Open it, and ask."""
        opened = (await self.post("open")).json()
        self.code, self.secret = opened["code"], opened["secret"]
        told = await self.post(f"{self.code}/do", secret=self.secret, act="scene", scene=SCENE)
        self.question = told.json()["question"]["id"]

    async def join(self) -> str:
        """A phone."""
        return str((await self.post(f"{self.code}/join")).json()["phone"])

    async def listen(self) -> None:
        """A phone's stream of events, until it is cancelled."""
        async with self.client.stream("GET", f"/room/api/{self.code}/events") as events:
            async for _ in events.aiter_raw():
                pass

    async def votes(self, phones: Sequence[str], within: float) -> list[float]:
        """Seconds that the vote of each takes, all begun within a time."""

        async def vote(phone: str) -> float:
            await asyncio.sleep(random.uniform(0, within))
            began = time.perf_counter()
            given = {"phone": phone, "question": self.question, "round": 1}
            await self.post(f"{self.code}/answer", **given, value=random.randrange(3))
            return time.perf_counter() - began

        return list(await asyncio.gather(*map(vote, phones)))


async def scoring(address: str, done: list[float]) -> None:
    """A visitor who scores one text after the other, until cancelled."""
    page = await asyncio.to_thread(Page.read, address)
    async with Visitor(page, random.Random(0)) as visitor:
        await visitor.open()
        while True:
            began = time.perf_counter()
            await visitor.do("score")
            done.append(time.perf_counter() - began)


async def measure(address: str, n: int, seconds: float) -> dict[str, list[float]]:
    """Seconds of each vote, by what else went on."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=address, timeout=60, limits=limits) as client:
        room = Room(client)
        await room.open()
        phones = await asyncio.gather(*(room.join() for _ in range(n)))
        streams = [asyncio.create_task(room.listen()) for _ in phones]
        found = {"idle": await room.votes(phones, seconds)}
        done: list[float] = []
        visitor = asyncio.create_task(scoring(address, done))
        while not done and not visitor.done():
            await asyncio.sleep(0.1)
        found["scoring"] = await room.votes(phones, seconds)
        found["scoring, rush"] = await room.votes(phones, RUSH)
        for task in (visitor, *streams):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        told = await room.post(f"{room.code}/do", secret=room.secret, act="show")
        counted = sum(told.json()["question"]["tally"][0])
        if counted != n:
            raise SystemExit(f"{counted} of {n} votes were counted.")
        return found


def main() -> None:
    """Serve a page, fill a room, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--phones", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    with served(rooms=True) as server:
        found = asyncio.run(measure(server.address, given.phones, given.seconds))
        memory = server.memory() / 1e6
    table = Table(title=f"{given.phones} phones; server {memory:,.0f} MB")
    for head in ("votes while", "median, s", "95th percentile, s", "slowest, s", "against idle"):
        table.add_column(head, justify="right")
    idle = float(np.quantile(found["idle"], 0.95))
    for name, times in found.items():
        median, late, last = np.quantile(times, (0.5, 0.95, 1.0))
        table.add_row(name, f"{median:.3f}", f"{late:.3f}", f"{last:.3f}", f"{late / idle:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
