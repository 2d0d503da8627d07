"""Takes the pictures of docs/images from the running page: ``make screenshots``, or some by name:
``python docs/screenshots.py likelihood lecture``.
"""

import io
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from lmlab.lab import Lab
from lmlab.page.app import launch
from lmlab.settings import Settings

IMAGES = Path(__file__).parent / "images"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SIZE = {"width": 1280, "height": 960}
LECTURE = "sense-and-nonsense"
COLOURS = 224  # of a picture's palette
WAIT = 240_000  # milliseconds; a run on a busy machine takes its time


class Shot(NamedTuple):
    """A tab's title, what is waited for, what is pressed before, what comes to the top."""

    title: str
    ready: str
    press: str = ""
    top: str = ""


SHOTS = {
    "likelihood": Shot("Likelihood", "#likelihood-plot .scatterlayer"),
    "completion": Shot("Completion", "#completion-strip .lm-tok", "#completion-go"),
    "compare": Shot("Compare", "#compare-shift-strip .lm-tok"),
    "prompt": Shot("Prompt", "#prompt-strip .lm-tok", "#prompt-go"),
    "fine-tune": Shot(
        "Fine-tune",
        '#tuning-monitor .lm-monitor[data-state="done"]',
        "#tuning-start-go",
        "#tuning-counter",
    ),
    "change-dark": Shot("Change", "#change-pictures canvas"),
    "scale": Shot("Scale", "#scale-measured svg.lm-curve"),
    "data": Shot("Data", "#data-mixture .lm-mixtable"),
    "pre-training": Shot(
        "Pre-training",
        '#pretraining-monitor .lm-monitor[data-state="done"]',
        "#pretraining-go",
        "#pretraining-live",
    ),
}


def main(*asked: str) -> None:
    """Every tab, one of them in dark colours, and a scene of the lecture."""
    lab = Lab.open(Settings(offline=True, runs_dir=Path(tempfile.mkdtemp())))
    _, address, _ = launch(lab, prevent_thread_lock=True, quiet=True)
    IMAGES.mkdir(exist_ok=True)
    path = os.environ.get("LMLAB_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        for name, shot in SHOTS.items():
            if asked and name not in asked:
                continue
            theme = "dark" if name.endswith("-dark") else "light"
            take(browser, f"{address}?__theme={theme}", name, shot)
        if not asked or "lecture" in asked:
            lecture(browser, address)
        browser.close()
    lab.tuning.jobs.close()


def opened(browser: Browser, address: str) -> Page:
    """The page, in a projector's size."""
    page = browser.new_page(viewport=SIZE, reduced_motion="reduce")
    page.set_default_timeout(WAIT)
    page.goto(address)
    return page


def take(browser: Browser, address: str, name: str, shot: Shot) -> None:
    """One tab once it shows a result."""
    page = opened(browser, address)
    if not name.startswith("likelihood"):
        page.get_by_label("Close this line").click()
    page.get_by_role("tab", name=shot.title, exact=True).click()
    if shot.press:
        page.locator(shot.press).click()
    page.locator(shot.ready).first.wait_for()
    page.wait_for_timeout(2500)
    top = f"document.querySelector('{shot.top}').getBoundingClientRect().top - 12"
    page.evaluate(f"scrollTo(0, {f'scrollY + {top}' if shot.top else 0})")
    save(page, name)


def lecture(browser: Browser, address: str) -> None:
    """A scene, with hands counted and the answer shown."""
    page = opened(browser, f"{address}?scene={LECTURE}")
    page.locator('#lecture .lm-lecture[data-state="ready"]').wait_for()
    for hands, option in enumerate(page.locator(".lm-option").all(), start=2):
        for _ in range(hands):
            option.click()
    page.locator(".lm-show").click()
    page.wait_for_timeout(1500)
    page.evaluate("scrollTo(0, 0)")
    save(page, "lecture")


def save(page: Page, name: str) -> None:
    """The picture, with a palette: a third of the size."""
    page.wait_for_timeout(500)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    small = picture.quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(IMAGES / f"{name}.png", optimize=True)
    page.close()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
