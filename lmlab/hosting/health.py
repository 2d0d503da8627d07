"""What a host asks a running page: ``/health``, and ``/metrics`` for Prometheus where it is on.

Names no folder, no run and no visitor: both addresses are open to whoever can open the page.
"""

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from lmlab.hosting.asgi import App, Layer, Message, Receive, Scope, Send, answer
from lmlab.lab import Lab
from lmlab.models.backends import scheme
from lmlab.version import __version__

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
FOLDER, LEARNED = "a folder", "a fine-tuned model"


@dataclass(frozen=True)
class Vitals:
    """How a page is."""

    ready: bool  # whether requests are answered
    version: str  # of lmlab
    models: tuple[str, ...]  # those in memory, by their public names
    queue: int  # requests that wait
    runs: int  # fine-tuning runs under way
    waiting_runs: int  # fine-tuning runs in the queue
    memory_bytes: int  # resident memory of this process


def vitals(lab: Lab, waiting: Callable[[], int]) -> Vitals:
    """Look at a lab; ``waiting`` tells how many requests are in the page's queue."""
    runs, waiting_runs = lab.jobs.counts()
    embedded = {str(lab.store.folder(name)): name for name in lab.store.embedded()}
    models = tuple(public_name(path, embedded) for path in lab.store.loaded())
    memory = int(psutil.Process().memory_info().rss)
    return Vitals(True, __version__, models, waiting(), runs, waiting_runs, memory)


def public_name(path: str, embedded: dict[str, str]) -> str:
    """What a loaded model is called in public.

    >>> public_name("/x/hub/models--openai-community--gpt2/snapshots/607a", {})
    'openai-community/gpt2'
    >>> public_name("/home/someone/secret", {})
    'a folder'
    >>> public_name("mock:bigram", {})
    'mock:bigram'
    """
    if scheme(path) and not Path(path).is_absolute():
        return path.partition("?")[0]
    if path in embedded:
        return embedded[path]
    parts = Path(path).parts
    if scheme(path):
        parts = parts[:-1]
    if len(parts) >= 3 and parts[-2] == "snapshots" and parts[-3].startswith("models--"):
        return parts[-3].removeprefix("models--").replace("--", "/")
    return LEARNED if "runs" in parts else FOLDER


@dataclass
class Counted:
    """Requests answered so far, by status, and the seconds that they took."""

    by_status: "Counter[int]" = field(default_factory=Counter)
    seconds: float = 0.0


class Health(Layer):
    """Answers ``/health`` and, if asked to, ``/metrics``; counts what else is answered."""

    def __init__(self, app: App, look: Callable[[], Vitals], metrics: bool = False) -> None:
        super().__init__(app)
        self.look = look
        self.metrics = metrics
        self.counted = Counted()

    async def request(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, asked = str(scope["path"]).rstrip("/"), scope["method"] in ("GET", "HEAD")
        if path == "/health" and asked:
            await answer(send, 200, json.dumps(asdict(self.look())).encode())
        elif path == "/metrics" and asked and self.metrics:
            await answer(send, 200, exposition(self.look(), self.counted).encode(), PLAIN)
        else:
            await self._count(scope, receive, send)

    async def _count(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.monotonic()

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.counted.by_status[message["status"]] += 1
                self.counted.seconds += time.monotonic() - began
            await send(message)

        await self.app(scope, receive, noted)


def exposition(found: Vitals, counted: Counted) -> str:
    """The page's figures in Prometheus' text format.

    https://prometheus.io/docs/instrumenting/exposition_formats/
    """
    told = [
        ("models_loaded", "gauge", len(found.models), "Models in memory."),
        ("queue_waiting", "gauge", found.queue, "Requests that wait."),
        ("runs_running", "gauge", found.runs, "Fine-tuning runs under way."),
        ("runs_waiting", "gauge", found.waiting_runs, "Fine-tuning runs in the queue."),
        ("resident_memory_bytes", "gauge", found.memory_bytes, "Resident memory."),
        ("requests_total", "counter", counted.by_status, "Requests answered, by status."),
        (
            "first_byte_seconds_total",
            "counter",
            f"{counted.seconds:.6f}",
            "Seconds from a request to its answer's beginning.",
        ),
    ]
    lines = []
    for name, kind, value, about in told:
        lines += [f"# HELP lmlab_{name} {about}", f"# TYPE lmlab_{name} {kind}"]
        if isinstance(value, Counter):
            by = sorted(value.items())
            lines += [f'lmlab_{name}{{status="{status}"}} {count}' for status, count in by]
        else:
            lines.append(f"lmlab_{name} {value}")
    return "\n".join(lines) + "\n"
