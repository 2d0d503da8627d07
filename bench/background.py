"""A run that trains in the background: what it costs the page, and what the page costs it.

    python -m bench.background [--rounds N] [--steps N]

First table: how long a visitor waits for a score, idle and while a run trains. Second: how long a
run's steps take with nobody watching, and with pages that ask for its news twice a second over
HTTP, as an open tab does.
"""

import argparse
import json
import statistics
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.scoring import text_of
from lmlab.features.tuning.service import Tuning
from lmlab.lab import Lab
from lmlab.page.app import build_page, serve
from lmlab.settings import Settings
from lmlab.text.wordings import shipped_template
from lmlab.training.config import demo
from lmlab.training.events import TrainStep

OWNER = "be" * 16  # a visitor's name, as a browser makes it


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60)
    arguments = parser.parse_args()
    console = Console()
    console.print(_waiting(arguments.rounds))
    console.print(_watched(arguments.rounds, arguments.steps))


@contextmanager
def _lab() -> Iterator[Lab]:
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab.open(Settings(runs_dir=Path(folder), max_steps=100_000))
        try:
            yield lab
        finally:
            lab.jobs.close()


def _start(lab: Lab, steps: int) -> str:
    config = replace(demo(), steps=steps, evaluate_every=0, sample_every=0, save_every=0)
    template = shipped_template("qa-tuned")
    return lab.service(Tuning).start(
        OWNER, "base", lab.service(Tuning).dataset("qa"), template, config
    )


def _waiting(rounds: int) -> Table:
    text = text_of(256)
    with _lab() as lab:

        def waits() -> list[float]:
            found = []
            for _ in range(20 * rounds):
                began = time.perf_counter()
                list(lab.score("base", text))
                found.append(time.perf_counter() - began)
                time.sleep(0.05)
            return sorted(found)

        list(lab.score("base", text))
        idle = waits()
        run = _start(lab, 100_000)
        for event in lab.service(Tuning).events(OWNER, run):
            if isinstance(event, TrainStep):
                break
        busy = waits()
    table = Table("", "median, s", "95th percentile, s", title="scoring 256 tokens on the page")
    for name, found in (("idle", idle), ("while a run trains", busy)):
        table.add_row(
            name, f"{statistics.median(found):.3f}", f"{found[len(found) * 95 // 100]:.3f}"
        )
    return table


def _watched(rounds: int, steps: int) -> Table:
    seconds: dict[int, list[float]] = {0: [], 1: [], 8: []}
    for _ in range(rounds):
        for pages, found in seconds.items():
            found.append(_seconds_a_step(pages, steps))
    alone = statistics.median(seconds[0])
    table = Table("pages that watch", "seconds a step", "ratio", title="a run's steps")
    for pages, found in seconds.items():
        middle = statistics.median(found)
        table.add_row(str(pages), f"{middle:.4f}", f"{middle / alone:.3f}")
    return table


def _seconds_a_step(pages: int, steps: int) -> float:
    """Mean seconds of a run's steps, the first five left out."""
    with _lab() as lab, _page(lab, pages) as (address, monitor):
        run = _start(lab, steps)
        over = threading.Event()
        for _ in range(pages):
            threading.Thread(target=_watch, args=(address, monitor, run, over), daemon=True).start()
        while not lab.service(Tuning).run(OWNER, run).is_over:
            time.sleep(0.5)
        over.set()
        found = [
            one for one in lab.service(Tuning).read(OWNER, run, 0) if isinstance(one, TrainStep)
        ]
    return statistics.fmean(one.seconds for one in found[5:])


@contextmanager
def _page(lab: Lab, pages: int) -> Iterator[tuple[str, int]]:
    """The served page's address and the number of its monitor; nothing if nobody watches."""
    if not pages:
        yield "", 0
        return
    page = build_page(lab)
    monitor = next(key for key, one in page.blocks.items() if one.elem_id == "tuning-monitor")
    _, address, _ = serve(page, lab, prevent_thread_lock=True, quiet=True)
    try:
        yield address, monitor
    finally:
        page.close(verbose=False)


def _watch(address: str, monitor: int, run: str, over: threading.Event) -> None:
    asked: dict[str, Any] = {"owner": OWNER, "run": run, "have": 0}
    body = {"session_hash": "bench", "component_id": monitor, "fn_name": "follow", "data": asked}
    while not over.wait(0.5):
        request = urllib.request.Request(
            address + "gradio_api/component_server",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            news = json.load(answer)
        if "have" not in news:
            raise RuntimeError(f"the page says nothing of the run: {news}")
        asked["have"] = news["have"]


if __name__ == "__main__":
    main()
