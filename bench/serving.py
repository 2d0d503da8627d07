"""``lmlab serve``: sixteen callers at once against one after the other, texts of unequal length
scored and completed.

python -m bench.serving
"""

import asyncio
import socket
import threading
import time
from typing import Any

import httpx
import uvicorn

from lmlab.hosting.desk import Desk
from lmlab.hosting.openai import api
from lmlab.hosting.requests import Card
from lmlab.runs.model_store import ModelStore
from lmlab.settings import Settings

CALLERS = 16
ROUNDS = 5
TEXT = "Once upon a time, there was a little dog. The dog ran over the hill and saw a ball. "
SCORE = {"echo": True, "max_tokens": 0, "prompt_logprobs": 1}
JOBS: dict[str, dict[str, Any]] = {
    "score": SCORE,
    "complete 16": {"max_tokens": 16, "temperature": 0},
    "complete 64, drawn": {"max_tokens": 64, "temperature": 1, "seed": 1},
}


async def seconds(address: str, job: dict[str, Any], at_once: int) -> float:
    """What it takes until sixteen requests are answered, so many in flight."""
    gate = asyncio.Semaphore(at_once)
    # Each caller has an address of his own on this machine.
    ways = [httpx.AsyncHTTPTransport(local_address=f"127.0.1.{i + 1}") for i in range(CALLERS)]
    clients = [httpx.AsyncClient(transport=way, timeout=300) for way in ways]

    async def ask(i: int, client: httpx.AsyncClient) -> None:
        async with gate:
            asked = {"model": "base", "prompt": TEXT[: 20 + 4 * i], **job}
            answer = await client.post(f"{address}/v1/completions", json=asked)
            answer.raise_for_status()

    began = time.perf_counter()
    await asyncio.gather(*(ask(i, client) for i, client in enumerate(clients)))
    spent = time.perf_counter() - began
    await asyncio.gather(*(client.aclose() for client in clients))
    return spent


def main() -> None:
    """Print one ratio a job, best of some rounds each."""
    desk = Desk(ModelStore(Settings(offline=True)))
    with desk.store.borrow("base") as lm:
        app = api(desk, desk.store.settings, {"base": Card(lm.vocabulary, lm.context)})
    place = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [place]})
    thread.start()
    address = f"http://127.0.0.1:{place.getsockname()[1]}"
    for name, job in JOBS.items():
        best = {1: float("inf"), CALLERS: float("inf")}
        for _ in range(ROUNDS):
            for at_once in best:
                best[at_once] = min(best[at_once], asyncio.run(seconds(address, job, at_once)))
        ratio = best[1] / best[CALLERS]
        print(f"{name}: {CALLERS} at once {ratio:.2f} × as fast as one after the other")
    server.should_exit = True
    thread.join()


if __name__ == "__main__":
    main()
