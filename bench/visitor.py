"""A visitor of a served page without a browser: asks over HTTP what the page's own script asks."""

import asyncio
import json
import random
import uuid
from dataclasses import dataclass
from typing import Any, Self

import httpx

PATIENCE = 120.0  # seconds for one answer
WORDS = (
    "the a dog cat old young small red house garden river ran saw found took gave likes little "
    "girl boy and but then because with under over home big tree bird bread water night day never "
    "always"
).split()


class RefusedError(Exception):
    """The server takes no more of these."""


@dataclass(frozen=True)
class Page:
    """What a page has told of itself.

    Attributes:
        address: of it.
        components: by number: their kind and properties.
        events: by number, those that the server answers.
    """

    address: str
    components: dict[int, dict[str, Any]]
    events: dict[int, dict[str, Any]]

    @classmethod
    def read(cls, address: str) -> "Page":
        """Ask a served page."""
        config = httpx.get(f"{address}/config", timeout=PATIENCE).json()
        components = {one["id"]: one for one in config["components"]}
        return cls(address, components, {one["id"]: one for one in config["dependencies"]})

    def event(self, elem: str, kind: str) -> dict[str, Any]:
        """The event of a kind on the component with an elem_id; ``elem`` empty: of the page."""
        for event in self.events.values():
            if any(self._is(key, elem) and what == kind for key, what in event["targets"]):
                return event
        raise KeyError(f"{elem} {kind}")

    def values(self, event: dict[str, Any], given: dict[str, Any]) -> list[Any]:
        """An event's inputs: what the page opens with, and what is given by elem_id."""
        found = []
        for key in event["inputs"]:
            props = self.components.get(key, {}).get("props", {})
            found.append(given.get(props.get("elem_id"), props.get("value")))
        return found

    def _is(self, key: int | None, elem: str) -> bool:
        if key not in self.components:
            return not elem
        return bool(elem) and self.components[key]["props"].get("elem_id") == elem


class Visitor:
    """One browser's worth of requests, under a session of its own.

    Args:
        page: what is visited.
        draw: chance.
        session: its name; by default a new one.
    """

    def __init__(self, page: Page, draw: random.Random, session: str = "") -> None:
        self.page = page
        self.session = session or uuid.uuid4().hex[:12]
        self._draw = draw
        self._client = httpx.AsyncClient(base_url=page.address, timeout=PATIENCE, verify=False)
        self._beating: asyncio.Task[None] | None = None
        self._beats = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
        await self._client.aclose()

    async def open(self) -> None:
        """What a browser does first: the page, its heartbeat, the events of its opening."""
        (await self._client.get("/")).raise_for_status()
        self._beating = asyncio.create_task(self._beat())
        await asyncio.wait_for(self._beats.wait(), PATIENCE)
        await self.call(self.page.event("", "load"))

    async def do(self, kind: str) -> None:
        """One request of a kind of ``load.MIX``."""
        await getattr(self, f"_{kind.replace(' ', '_')}")()

    async def upload(self) -> None:
        """A small file."""
        rows = "".join(f"{self._text(8)},yes\n" for _ in range(50))
        files = {"files": ("rows.csv", f"text,label\n{rows}".encode())}
        (await self._client.post("/gradio_api/upload", files=files)).raise_for_status()

    async def train(self) -> None:
        """Start a fine-tuning run with what the page suggests."""
        owner = f"{self._draw.getrandbits(128):032x}"
        await self.call(self.page.event("tuning-start-go", "click"), {"tuning-owner": owner})

    async def call(
        self, event: dict[str, Any], given: dict[str, Any] | None = None, told: Any = None
    ) -> list[Any]:
        """Ask for an event and wait for its end; what it gave.

        Raises:
            RefusedError: the queue is full.
            RuntimeError: it failed.
        """
        values = self.page.values(event, given or {})
        body = {
            "data": values, "fn_index": event["id"], "session_hash": self.session,
            "event_data": told,
        }  # fmt: skip
        joined = await self._client.post("/gradio_api/queue/join", json=body)
        if joined.status_code in (429, 503):
            raise RefusedError(joined.json()["detail"])
        joined.raise_for_status()
        return await self._answer(joined.json()["event_id"])

    async def _answer(self, name: str) -> list[Any]:
        where = {"session_hash": self.session}
        async with self._client.stream("GET", "/gradio_api/queue/data", params=where) as stream:
            async for line in stream.aiter_lines():
                if not line.startswith("data:"):
                    continue
                message = json.loads(line[5:])
                if message["msg"] == "unexpected_error":
                    raise RuntimeError(message.get("message"))
                if message["msg"] == "process_completed" and message.get("event_id") == name:
                    output = message["output"]
                    if not message["success"]:
                        raise RuntimeError(output.get("error"))
                    data: list[Any] = output.get("data") or []
                    return data
        raise RuntimeError("The stream ended before the answer.")

    async def _beat(self) -> None:
        path = f"/gradio_api/heartbeat/{self.session}"
        async with self._client.stream("GET", path) as stream:
            self._beats.set()
            async for _ in stream.aiter_raw():
                pass

    def _text(self, words: int) -> str:
        return " ".join(self._draw.choices(WORDS, k=words)).capitalize() + "."

    async def _score(self) -> None:
        text = " ".join(self._text(12) for _ in range(6))
        await self.call(self.page.event("likelihood-go", "click"), {"likelihood-text": text})

    async def _alternatives(self) -> None:
        told = {"run": 0, "low": self._draw.randrange(40)}
        await self.call(self.page.event("likelihood-strip", "need"), told=told)

    async def _table(self) -> None:
        await self.call(self.page.event("likelihood-csv", "click"))

    async def _complete(self) -> None:
        given = {"completion-prompt": self._text(6), "completion-seed": self._draw.randrange(999)}
        await self.call(self.page.event("completion-go", "click"), given)

    async def _next_token(self) -> None:
        given = {"completion-temperature": self._draw.uniform(0.1, 2)}
        await self.call(self.page.event("completion-temperature", "change"), given)

    async def _compare(self) -> None:
        await self.call(self.page.event("compare-go", "click"))

    async def _prompt(self) -> None:
        await self.call(self.page.event("prompt-next", "click"))
        await self.call(self.page.event("prompt-go", "click"))

    async def _size(self) -> None:
        await self.call(self.page.event("scale-layers", "input"), {"scale-layers": 4})
