"""Visitors of a page that is attacked meanwhile, beside the same visitors in quiet.

    python -m bench.attacks [--clients 100] [--seconds 30] [--attacks json share sockets]

Both rounds are served by one page in a process of its own (``bench.load``). The attackers are
processes of their own and come from another address of this machine, with bounds: what they send is
small in number, and they end with the round. A round begins with all visitors opening the page; the
seconds count from when the last one has. The table has the 95th percentile of each kind of request
in both rounds and their ratio; the status is 1 where that of all requests is over 3.
"""

import argparse
import asyncio
import itertools
import json
import os
import random
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from subprocess import PIPE
from urllib.parse import urlsplit

import httpx
from rich.console import Console
from rich.table import Table

from bench.load import Seen, served, visits, watched
from bench.visitor import Page

ELSEWHERE = "127.0.0.2"  # where attackers come from; where there is no such address, from here
BOUND = 3.0
SOCKETS = 400  # half-open requests at a time
PAGES = 14  # that an attacker opens
BOMB = 15_000_000  # bytes of brackets
PAUSE = 0.2  # seconds between two of an attacker's calls
LONGEST = 600.0  # seconds of an attack whose end nobody tells


def client(address: str) -> httpx.AsyncClient:
    """An attacker's."""
    own = ELSEWHERE if sys.platform == "linux" else None
    transport = httpx.AsyncHTTPTransport(local_address=own)
    return httpx.AsyncClient(base_url=address, transport=transport, timeout=60)


async def json_bombs(address: str, seen: "Counter[str]") -> None:
    """Large bodies of nothing but brackets, one after the other."""
    nothing = b"[]," * (BOMB // 3)
    body = b'{"fn_index": 0, "session_hash": "bomb", "data": [' + nothing + b"[]]}"
    headers = {"content-type": "application/json"}
    async with client(address) as http:
        while True:
            try:
                answer = await http.post("/gradio_api/queue/join", content=body, headers=headers)
                seen[f"bomb {answer.status_code}"] += 1
            except httpx.HTTPError as error:
                seen[f"bomb {type(error).__name__}"] += 1
            await asyncio.sleep(PAUSE)


async def shares(address: str, seen: "Counter[str]") -> None:
    """Sessions that ask for scores of long texts and paste large tables: some have opened a page,
    the others are made up anew for each call.
    """
    page = await asyncio.to_thread(Page.read, address)
    score, use = page.event("likelihood-go", "click"), page.event("prompt-use", "click")
    text = " ".join(random.Random(0).choices(["dog", "ran", "the", "home"], k=4_000))[:19_000]
    table = "a,b\n" + "x,y\n" * 19_000
    own = [uuid.uuid4().hex for _ in range(PAGES)]
    async with client(address) as http, AsyncExitStack() as held:
        for name in own:
            beat = http.stream("GET", f"/gradio_api/heartbeat/{name}")
            await held.enter_async_context(beat)
        for number in itertools.count():
            event, given = (score, {"likelihood-text": text})
            if number % 10 == 0:
                event, given = (use, {"prompt-pasted": table})
            session = own[number % PAGES] if number % 2 else uuid.uuid4().hex
            body = {
                "data": page.values(event, given), "fn_index": event["id"],
                "session_hash": session,
            }  # fmt: skip
            kind = "page" if number % 2 else "made up"
            try:
                answer = await http.post("/gradio_api/queue/join", json=body)
                seen[f"{kind} {answer.status_code}"] += 1
            except httpx.HTTPError as error:
                seen[f"{kind} {type(error).__name__}"] += 1
            await asyncio.sleep(PAUSE / 10)


async def sockets(address: str, seen: "Counter[str]") -> None:
    """Requests that never end, so many at a time."""
    host, port = urlsplit(address).hostname, urlsplit(address).port
    own = (ELSEWHERE, 0) if sys.platform == "linux" else None
    held: list[asyncio.StreamWriter] = []
    try:
        while True:
            held = [one for one in held if not one.transport.is_closing()]
            for _ in range(min(50, SOCKETS - len(held))):
                try:
                    _, writer = await asyncio.open_connection(host, port, local_addr=own)
                    writer.write(b"POST /gradio_api/queue/join HTTP/1.1\r\nHost: x\r\nContent-")
                    held.append(writer)
                    seen["socket opened"] += 1
                except OSError as error:
                    seen[f"socket {type(error).__name__}"] += 1
            await asyncio.sleep(PAUSE)
    finally:
        for writer in held:
            writer.close()


ATTACKS = {"json": json_bombs, "share": shares, "sockets": sockets}


async def _attack(kind: str, address: str) -> "Counter[str]":
    """Until standard input ends."""
    seen: Counter[str] = Counter()
    attack = asyncio.create_task(ATTACKS[kind](address, seen))
    told = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    await asyncio.wait((attack, told), timeout=LONGEST, return_when=asyncio.FIRST_COMPLETED)
    attack.cancel()
    with suppress(asyncio.CancelledError):
        await attack
    return seen


@contextmanager
def attackers(kinds: Sequence[str], address: str) -> Iterator[list[str]]:
    """Attacks in processes of their own; what they saw, once they are over."""
    command = [sys.executable, "-m", "bench.attacks", "--on", address, "--attacks"]
    running = [
        subprocess.Popen([*command, kind], stdin=PIPE, stdout=PIPE, text=True) for kind in kinds
    ]
    said: list[str] = []
    try:
        yield said
        said += [process.communicate(timeout=60)[0].strip() for process in running]
    finally:
        for process in running:
            process.kill()
            process.wait()


def p95(seconds: Sequence[float]) -> float:
    """The 95th percentile; nothing at all is not-a-number."""
    ordered = sorted(seconds)
    return ordered[len(ordered) * 95 // 100] if ordered else float("nan")


def compared(quiet: Seen, attacked: Seen) -> tuple[Table, float]:
    """The table, and the ratio of all requests."""
    table = Table("kind", "quiet: n", "95 %, s", "attacked: n", "95 %, s", "ratio")
    every = [[s for one in seen.seconds.values() for s in one] for seen in (quiet, attacked)]
    rows = [(kind, quiet.seconds[kind], attacked.seconds[kind]) for kind in sorted(quiet.seconds)]
    for kind, one, other in [*rows, ("all", every[0], every[1])]:
        figures = (str(len(one)), f"{p95(one):.2f}", str(len(other)), f"{p95(other):.2f}")
        table.add_row(kind, *figures, f"{p95(other) / p95(one):.2f}")
    return table, p95(every[1]) / p95(every[0])


def main() -> None:
    """Print the table; as an attacker, print what was seen."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--think", type=float, default=4, help="seconds between two requests")
    parser.add_argument("--attacks", nargs="+", choices=sorted(ATTACKS), default=sorted(ATTACKS))
    parser.add_argument("--on", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.on:
        for kind in given.attacks:
            print(json.dumps(asyncio.run(_attack(kind, given.on))))
        return
    console = Console(width=120)
    console.print(f"load of the machine before: {os.getloadavg()[0]:.1f}, cores: {os.cpu_count()}")
    with served(training=False) as server:
        page = Page.read(server.address)
        asyncio.run(visits(page, 1, 8, 0.1))
        with watched(server) as before:
            quiet = asyncio.run(visits(page, given.clients, given.seconds, given.think))
        console.print(f"quiet: {quiet.total} answered", style="dim")
        with watched(server) as peak, attackers(given.attacks, server.address) as said:
            attacked = asyncio.run(visits(page, given.clients, given.seconds, given.think))
    table, ratio = compared(quiet, attacked)
    console.print(table)
    for name, seen, most in (("quiet", quiet, before[0]), ("attacked", attacked, peak[0])):
        failed = f"{len(seen.errors)} errors, {len(seen.refused)} refused"
        console.print(f"{name}: {seen.total} answered, {failed}, peak {most / 1e6:.0f} MB")
        for line in sorted(set(seen.errors + seen.refused))[:6]:
            console.print(line, markup=False)
    for kind, line in zip(given.attacks, said, strict=True):
        console.print(f"{kind}: {line}", markup=False)
    console.print(f"95th percentile of all: {ratio:.2f} × quiet, bound {BOUND:.0f}")
    raise SystemExit(ratio > BOUND)


if __name__ == "__main__":
    main()
