"""Many visitors at once: how long each kind of request takes, and what the server holds.

    python -m bench.load [--clients 10 50 100] [--seconds N] [--train]
    python -m bench.load --sessions 2000

First form: so many clients, each with a session of its own, open the page over the embedded suite
and go on as visitors do, with time to think between two requests. Second: as many short visits
(open, score, upload, leave), twenty at a time; memory and disk after every tenth of them.
The server is a process of its own, started as ``lmlab app --public``.
"""

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from bench.visitor import Page, RefusedError, Visitor

AT_ONCE = 20  # short visits side by side
START = 120.0  # seconds that a server may take to answer
PACE = 0.25  # seconds between two looks at the server's memory
KEPT_MINUTES = 1  # how long files of a short visit are kept
# A visit: what is done, and how often.
MIX = (
    ("score", 4),
    ("alternatives", 4),
    ("table", 1),
    ("complete", 2),
    ("next token", 3),
    ("compare", 1),
    ("prompt", 1),
    ("size", 3),
)


@dataclass
class Seen:
    """What the clients of one round saw.

    Attributes:
        seconds: by kind of request, each from its sending to its last word.
        errors: sentences of what went wrong.
        refused: sentences of a full queue.
    """

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Requests that were answered."""
        return sum(map(len, self.seconds.values()))


@dataclass(frozen=True)
class Server:
    """A page in a process of its own.

    Attributes:
        address: of the page.
        process: its process.
        home: the folder that it writes into.
    """

    address: str
    process: psutil.Process
    home: Path

    def memory(self) -> int:
        """Resident bytes of the page's process."""
        return int(self.process.memory_info().rss)

    def disk(self) -> int:
        """Bytes of all files that it wrote."""
        return sum(path.stat().st_size for path in self.home.rglob("*") if path.is_file())


@contextmanager
def served(**settings: object) -> Iterator[Server]:
    """``lmlab app --public`` on the embedded suite, until left."""
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="lmlab-load-") as home:
        given = {f"LMLAB_{name.upper()}": str(value) for name, value in settings.items()}
        environment = {
            **os.environ, "LMLAB_PUBLIC": "true", "LMLAB_OFFLINE": "true", "LMLAB_LOGS": "plain",
            "LMLAB_RUNS_DIR": f"{home}/runs", "TMPDIR": home, "GRADIO_TEMP_DIR": f"{home}/files",
            **given,
        }  # fmt: skip
        command = [sys.executable, "-m", "lmlab.cli.main", "app", "--port", str(port)]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        try:
            address = f"http://127.0.0.1:{port}"
            _wait(address, process)
            yield Server(address, psutil.Process(process.pid), Path(home))
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def watched(server: Server) -> Iterator[list[int]]:
    """The server's peak of resident memory, bytes, in the first place of a list."""
    peak, over = [server.memory()], threading.Event()

    def watch() -> None:
        while not over.wait(PACE):
            peak[0] = max(peak[0], server.memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


async def visits(page: Page, clients: int, seconds: float, think: float) -> Seen:
    """So many clients open the page at once; when all have, they go on for so long."""
    seen, opened = Seen(), asyncio.Barrier(clients)
    await asyncio.gather(*(_visit(page, i, seen, opened, seconds, think) for i in range(clients)))
    return seen


async def _visit(
    page: Page, number: int, seen: Seen, opened: asyncio.Barrier, seconds: float, think: float
) -> None:
    draw = random.Random(number)
    kinds, weights = zip(*MIX, strict=True)
    async with Visitor(page, draw) as visitor:
        await _timed(seen, "open", visitor.open())
        await opened.wait()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await asyncio.sleep(draw.uniform(0.3, 1.7) * think)
            (kind,) = draw.choices(kinds, weights)
            await _timed(seen, kind, visitor.do(kind))


async def _timed(seen: Seen, kind: str, asked: "asyncio.Future[None] | object") -> None:
    began = time.monotonic()
    try:
        await asked  # type: ignore[misc]
    except RefusedError as error:
        seen.refused.append(f"{kind}: {error}")
    except (httpx.HTTPError, RuntimeError, ValueError, KeyError) as error:
        seen.errors.append(f"{kind}: {type(error).__name__}: {str(error)[:200]}")
    else:
        seen.seconds[kind].append(time.monotonic() - began)


def crowd(clients: int, seconds: float, think: float, training: bool) -> tuple[Seen, int]:
    """What a round of so many clients sees, and the server's peak memory in bytes."""
    with served(training=training) as server:
        page = Page.read(server.address)
        asyncio.run(visits(page, 1, 8, 0.1))  # models are loaded, code is compiled
        with watched(server) as peak:
            if training:
                asyncio.run(_start_run(page))
            seen = asyncio.run(visits(page, clients, seconds, think))
        return seen, peak[0]


async def _start_run(page: Page) -> None:
    async with Visitor(page, random.Random(0)) as visitor:
        await visitor.train()


def short_visits(sessions: int) -> Table:
    """Memory and disk of a server after every tenth of so many short visits."""
    columns = ("visits", "memory, MB", "disk, MB", "files", "errors", "seconds")
    table = Table(*columns, title=f"{sessions:,} short visits, files kept {KEPT_MINUTES} minute")
    with served(training=False, file_minutes=KEPT_MINUTES) as server:
        page, seen, began = Page.read(server.address), Seen(), time.monotonic()
        step = max(1, sessions // 10)
        asyncio.run(_short(page, range(AT_ONCE), seen))
        for start in range(0, sessions + 1, step):
            files = sum(path.is_file() for path in server.home.rglob("*"))
            figures = (server.memory() / 1e6, server.disk() / 1e6)
            row = (f"{start:,}", *(f"{one:.1f}" for one in figures), str(files))
            errors = len(seen.errors) + len(seen.refused)
            table.add_row(*row, str(errors), f"{time.monotonic() - began:.0f}")
            print(*row, errors, f"{time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
            if start < sessions:
                asyncio.run(_short(page, range(start, min(start + step, sessions)), seen))
        for line in sorted(set(seen.errors + seen.refused))[:5]:
            print(line, file=sys.stderr)
    return table


async def _short(page: Page, numbers: Sequence[int], seen: Seen) -> None:
    waiting = asyncio.Semaphore(AT_ONCE)

    async def once(number: int) -> None:
        async with waiting, Visitor(page, random.Random(number)) as visitor:
            await _timed(seen, "open", visitor.open())
            await _timed(seen, "score", visitor.do("score"))
            await _timed(seen, "upload", visitor.upload())

    await asyncio.gather(*map(once, numbers))


def table_of(rounds: Sequence[tuple[int, float, Seen, int]]) -> Table:
    """Seconds by kind, a block for each number of clients."""
    table = Table("clients", "kind", "answered", "median, s", "95 %, s", "longest, s")
    for clients, seconds, seen, peak in rounds:
        for kind, found in sorted(seen.seconds.items()):
            found = sorted(found)
            shown = (found[len(found) // 2], found[len(found) * 95 // 100], found[-1])
            table.add_row(str(clients), kind, str(len(found)), *(f"{one:.2f}" for one in shown))
        rate = f"{(seen.total - len(seen.seconds['open'])) / seconds:.1f} a second"
        said = f"{len(seen.errors)} errors, {len(seen.refused)} refused"
        table.add_row(str(clients), "all", rate, said, f"peak {peak / 1e6:.0f} MB", "")
        table.add_section()
    return table


def main() -> None:
    """Print the table that was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clients", type=int, nargs="+", default=[10, 50, 100])
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--think", type=float, default=4, help="seconds between two requests")
    parser.add_argument("--train", action="store_true", help="with a fine-tuning run under way")
    parser.add_argument("--sessions", type=int, help="short visits instead")
    given = parser.parse_args()
    console = Console(width=120)
    console.print(f"load of the machine before: {os.getloadavg()[0]:.1f}, cores: {os.cpu_count()}")
    if given.sessions:
        console.print(short_visits(given.sessions))
        return
    rounds = []
    for clients in given.clients:
        began = time.monotonic()
        seen, peak = crowd(clients, given.seconds, given.think, given.train)
        rounds.append((clients, given.seconds, seen, peak))
        for line in sorted(set(seen.errors + seen.refused))[:8]:
            console.print(f"{clients}: {line}", markup=False)
        console.print(f"{clients} clients: {time.monotonic() - began:.0f} s", style="dim")
    console.print(table_of(rounds))


def _free_port() -> int:
    import socket

    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def _wait(address: str, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + START
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(f"{address}/health", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise RuntimeError("The server does not answer.")


if __name__ == "__main__":
    main()
