"""Calls every event of a served page with generated values: defaults, with one or more of them
replaced by what strangers send. Reports answers with status 500, tracebacks, paths, and silence.

``python -m bench.fuzz --seconds 60`` serves the page over the embedded suite, without fine-tuning;
with ``--free`` nothing of a call is what the page would send.
"""

import argparse
import json
import math
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

SILENCE = 60.0  # seconds without a word that count as a hang, on a machine that is busy as well
ENOUGH = 1  # results of an event that streams after which the caller leaves
PATIENCE = 15.0  # seconds after which the caller leaves an event that says what it is doing
LEAKS = ("Traceback (most recent", 'File "/', "site-packages")
NUMBERS = (0, -1, 1, 2**31, 2**63, -(2**63), 1e308, -1e308, math.nan, math.inf, 0.5, 1e-320)
TEXTS = (
    "",
    " ",
    "\0",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "${alert(1)}",
    "{{ 7*7 }}{% for i in range(10**9) %}x{% endfor %}",
    "../../../../etc/passwd",
    "run:0123456789abcdef",
    "base+../../etc",
    "http://127.0.0.1:9/x",
    "=cmd|' /C calc'!A0",
    "__proto__",
    "constructor",
    "NaN",
    "-1",
    "\ud800",
    "🙂" * 300,
    "a" * 5000,
    "'; DROP TABLE runs; --",
)
OBJECTS: tuple[Any, ...] = (
    None,
    True,
    [],
    {},
    [[]],
    [None] * 50,
    {"__proto__": {"polluted": 1}, "constructor": {"prototype": {}}},
    {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
    {"path": "http://127.0.0.1:9/x", "meta": {"_type": "gradio.FileData"}},
    {"__type__": "update", "value": "x"},
)


@dataclass
class Report:
    """What was seen.

    Attributes:
        calls: how many were made.
        events: which events were called.
        statuses: of the answers.
        ends: how events ended: completed, failed, left, refused.
        faults: what must not be, each with the event and the values.
    """

    calls: int = 0
    events: set[int] = field(default_factory=set)
    statuses: "Counter[int]" = field(default_factory=Counter)
    ends: "Counter[str]" = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


class Fuzz:
    """One seeded stranger.

    Args:
        address: of the page.
        seed: of everything that is drawn.
        free: send whatever values, whatever an event takes.
    """

    def __init__(self, address: str, seed: int = 0, free: bool = False) -> None:
        self._random = random.Random(seed)
        self._free = free
        self._client = httpx.Client(base_url=address.rstrip("/"), timeout=SILENCE)
        config = self._client.get("/config").json()
        self._components = {one["id"]: one["props"] for one in config["components"]}
        self._events = [one for one in config["dependencies"] if one.get("backend_fn", True)]
        served = ((one["id"], one["props"].get("server_fns")) for one in config["components"])
        self._served = [(key, name) for key, names in served for name in names or ()]
        self.report = Report()

    def run(self, seconds: float) -> Report:
        """Call events, in an order of chance, all of them before one comes again."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            order = self._random.sample(self._events, len(self._events))
            for event in order:
                if time.monotonic() >= end:
                    break
                self._once(event)
        return self.report

    def _once(self, event: dict[str, Any]) -> None:
        kind = self._random.random()
        if kind < 0.05 and self._served:
            self._serve()
        elif kind < 0.1:
            self._nonsense()
        else:
            self._call(event)

    def _call(self, event: dict[str, Any]) -> None:
        values = self._values(event)
        session = f"{self._random.getrandbits(48):012x}"
        body = {"data": values, "fn_index": event["id"], "session_hash": session}
        if self._free or self._random.random() < 0.2:
            body["event_data"] = self._nested(2)
        self.report.events.add(event["id"])
        if event.get("queue") is False:
            self._post("/gradio_api/run/predict", body, str(event["id"]))
            return
        joined = self._post("/gradio_api/queue/join", body, str(event["id"]))
        if joined is None or joined.status_code != 200:
            self.report.ends["refused"] += 1
            return
        try:
            self._listen(session, event["id"], values)
        except httpx.HTTPError as error:
            self._fault(f"event {event['id']}: {type(error).__name__}", values)

    def _listen(self, session: str, event: int, values: Sequence[Any]) -> None:
        where = {"session_hash": session}
        heard, began = 0, time.monotonic()
        last = began
        with self._client.stream("GET", "/gradio_api/queue/data", params=where) as stream:
            for line in stream.iter_lines():
                if not line.startswith("data:"):
                    continue
                self._look(line, f"event {event}", values)
                message = json.loads(line[5:])
                if message["msg"] == "heartbeat" and time.monotonic() - last > SILENCE:
                    self._fault(f"event {event}: silent for {SILENCE:.0f} s", values)
                    return
                if message["msg"] == "heartbeat":
                    continue
                last, heard = time.monotonic(), heard + (message["msg"] == "process_generating")
                if message["msg"] == "process_completed":
                    done = "completed" if message.get("success") else "failed"
                    self.report.ends[done] += 1
                    return
                tired = heard > 0 and time.monotonic() - began > PATIENCE
                over = message["msg"] in ("unexpected_error", "close_stream")
                if over or tired or heard > ENOUGH:
                    self.report.ends["left"] += 1
                    return
        self._fault(f"event {event}: ended without a last word", values)

    def _serve(self) -> None:
        key, name = self._random.choice(self._served)
        session = f"{self._random.getrandbits(48):012x}"
        body = {"session_hash": session, "component_id": key, "fn_name": name, "data": self._any()}
        self._post("/gradio_api/component_server", body, f"function {name}")

    def _nonsense(self) -> None:
        paths = ("queue/join", "run/predict", "call/score", "call/nothing", "component_server")
        bodies = ("{", "[]", '{"data": 1}', '{"fn_index": "x", "data": []}', "[" * 20_000, "\0")
        path = f"/gradio_api/{self._random.choice(paths)}"
        self._post(path, self._random.choice(bodies), path)

    def _post(self, path: str, body: Any, name: str) -> httpx.Response | None:
        content = body if isinstance(body, str) else json.dumps(body)
        try:
            answer = self._client.post(
                path, content=content, headers={"content-type": "application/json"}
            )
        except httpx.HTTPError as error:
            self._fault(f"{name}: {type(error).__name__}", body)
            return None
        self.report.calls += 1
        self.report.statuses[answer.status_code] += 1
        if answer.status_code >= 500 and answer.status_code != 503:
            self._fault(f"{name}: status {answer.status_code}", body)
        self._look(answer.text, name, body)
        return answer

    def _look(self, text: str, name: str, values: Any) -> None:
        if leak := next((one for one in LEAKS if one in text), ""):
            self._fault(f"{name}: {leak!r} in the answer", values)

    def _fault(self, said: str, values: Any) -> None:
        self.report.faults.append(f"{said} ← {json.dumps(values)[:300]}")

    def _values(self, event: dict[str, Any]) -> list[Any]:
        if self._free:
            return [self._nested(3) for _ in event["inputs"]]
        values = [self._components.get(key, {}).get("value") for key in event["inputs"]]
        for _ in range(min(len(values), self._random.choice((1, 1, 1, 2, 5)))):
            values[self._random.randrange(len(values))] = self._any()
        chance = self._random.random()
        if chance < 0.05:
            return values[: self._random.randrange(len(values) + 1)]
        return [*values, self._any()] if chance < 0.1 else values

    def _nested(self, depth: int) -> Any:
        kind = self._random.random()
        if depth and kind < 0.3:
            return [self._nested(depth - 1) for _ in range(self._random.randrange(4))]
        if depth and kind < 0.5:
            return {str(self._any())[:40]: self._nested(depth - 1) for _ in range(3)}
        return self._any()

    def _any(self) -> Any:
        return self._random.choice(self._random.choice((NUMBERS, TEXTS, OBJECTS)))


def served(training: bool = False) -> Iterator[str]:
    """The page over the embedded suite, for as long as it is asked for."""
    from lmlab.lab import Lab
    from lmlab.page.app import launch
    from lmlab.settings import Settings

    settings = Settings(public=True, offline=True, training=training, max_chars=5000)
    app, address, _ = launch(Lab.open(settings), prevent_thread_lock=True, quiet=True)
    yield str(address)
    app.blocks.close(verbose=False)


def main() -> None:
    """Serve, call, report; status 1 where something was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--address", help="of a page that is served already")
    parser.add_argument("--free", action="store_true", help="calls without a schema")
    given = parser.parse_args()
    serving = served()
    report = Fuzz(given.address or next(serving), given.seed, given.free).run(given.seconds)
    print(f"{report.calls} calls of {len(report.events)} events")
    print("status", dict(report.statuses), "ends", dict(report.ends))
    print("\n".join(report.faults))
    serving.close() if not given.address else None  # type: ignore[attr-defined]
    raise SystemExit(bool(report.faults))


if __name__ == "__main__":
    main()
