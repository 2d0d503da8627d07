"""How long each scene of the chapter takes, from the key press to its result on the page.

    python -m bench.scenes [--dwell SECONDS] [--rounds N]

A browser walks through all scenes in order and stays on each for some seconds, as a lecturer does;
what the page prepares meanwhile counts for the next scene. A scene has come when its tab is in
front, nothing runs on it, and what is to be looked at is there: the time is that of its last
change before a second without one. Scenes of live training come with their first step, and the walk
goes on when they are over.
The server is a process of its own, started as ``lmlab app``.
"""

import argparse
import math
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.table import Table

from bench.load import served
from lmlab.page.scenes.course import shipped
from lmlab.page.scenes.scene import Scene

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync")
LONGEST = 60.0  # seconds until a scene is given up
STILL = 1000  # ms without a change after which a scene counts as come

SCRIPT = Path(__file__).with_suffix(".js")


@dataclass(frozen=True)
class Came:
    """When a scene came, in seconds from the key; ``inf`` where it did not.

    Attributes:
        filled: its controls were filled in.
        pressed: its button was pressed.
        shown: the last change.
    """

    filled: float
    pressed: float
    shown: float


def live(scene: Scene) -> bool:
    """Whether the scene trains a model before everyone's eyes."""
    return bool(scene.tab == "pretraining" or scene.run == "start-go")


def walk(page: Page, address: str, dwell: float) -> list[tuple[Scene, Came]]:
    """Each scene, in the chapter's order, and when it came."""
    scenes, found = shipped(), []
    page.goto(address)
    page.wait_for_selector('html[data-lm-lecture="ready"]')
    page.evaluate(SCRIPT.read_text(encoding="utf-8"))
    time.sleep(dwell)
    for number, scene in enumerate(scenes):
        page.evaluate("(asked) => lmWatch.begin(...asked)", [scene.tab, _marks(scene)])
        if number:
            page.keyboard.press("PageDown")
        else:
            page.locator(".lm-lecturer").click()
        found.append((scene, _come(page, scene)))
        show = page.locator("#lecture .lm-show")
        if show.is_visible():
            show.click()
        time.sleep(dwell)
        _over(page, scene)
    return found


def _marks(scene: Scene) -> list[str]:
    return [look.at for look in scene.look]


def _come(page: Page, scene: Scene) -> Came:
    asked = [STILL, _marks(scene), scene.tab, live(scene)]
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        found = page.evaluate("(asked) => lmWatch.came(...asked)", asked)
        if found is not None:
            return Came(*(one / 1000 for one in found))
        time.sleep(0.1)
    return Came(math.inf, math.inf, math.inf)


def _over(page: Page, scene: Scene) -> None:
    """Wait for a run's end, as the next scene is to be measured on an idle machine."""
    end = time.monotonic() + 3 * LONGEST
    while live(scene) and time.monotonic() < end and _running(page, scene):
        time.sleep(0.5)


def _running(page: Page, scene: Scene) -> bool:
    return bool(page.evaluate("(tab) => lmWatch.running(tab)", scene.tab))


def table_of(rounds: Sequence[Sequence[tuple[Scene, Came]]]) -> Table:
    """Seconds by scene, a column for each round: filled in, pressed, shown."""
    heads = [f"round {number}, s" for number in range(1, len(rounds) + 1)]
    table = Table("scene", "tab", *heads, title="From the key to: filled in, pressed, shown")
    for row in zip(*rounds, strict=True):
        scene = row[0][0]
        told = (f"{came.filled:.2f} {came.pressed:.2f} {came.shown:5.2f}" for _, came in row)
        table.add_row(scene.name, scene.tab + (", live" if live(scene) else ""), *told)
    return table


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dwell", type=float, default=5, help="seconds on each scene")
    parser.add_argument("--rounds", type=int, default=1, help="each with a browser of its own")
    given = parser.parse_args()
    console, rounds = Console(width=120), []
    console.print(f"load of the machine before: {os.getloadavg()[0]:.1f}, cores: {os.cpu_count()}")
    path = os.environ.get("LMLAB_CHROMIUM") or shutil.which("chromium")
    with served(public=False) as server, sync_playwright() as playwright:
        for _ in range(given.rounds):
            browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
            page = browser.new_page(viewport={"width": 1280, "height": 720})
            rounds.append(walk(page, server.address, given.dwell))
            browser.close()
    console.print(table_of(rounds))


if __name__ == "__main__":
    main()
