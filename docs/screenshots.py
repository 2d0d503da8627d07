"""Takes the pictures of docs/images from the running page: ``make screenshots``, or some by name:
``python docs/screenshots.py likelihood lecture``.
"""

import io
import os
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from lmlab.features import Feature, features
from lmlab.lab import Lab
from lmlab.page.app import launch
from lmlab.settings import Settings

IMAGES = Path(__file__).parent / "images"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SIZE = {"width": 1280, "height": 960}
LECTURE = "sense-and-nonsense"
COLOURS = 224  # of a picture's palette
WAIT = 240_000  # milliseconds; a run on a busy machine takes its time


def main(*asked: str) -> None:
    """Every tab, one of them in dark colours, and a scene of the lecture."""
    lab = Lab.open(Settings(offline=True, runs_dir=Path(tempfile.mkdtemp())))
    _, address, _ = launch(lab, prevent_thread_lock=True, quiet=True)
    IMAGES.mkdir(exist_ok=True)
    path = os.environ.get("LMLAB_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        for tab in features():
            look = tab.picture or tab.first
            name = f"{tab.title.lower()}{'-dark' if look.dark else ''}"
            if tab.pictured and (not asked or name in asked):
                take(browser, f"{address}?__theme={'dark' if look.dark else 'light'}", name, tab)
        if not asked or "lecture" in asked:
            lecture(browser, address)
        browser.close()
    lab.jobs.close()


def opened(browser: Browser, address: str) -> Page:
    """The page, in a projector's size."""
    page = browser.new_page(viewport=SIZE, reduced_motion="reduce")
    page.set_default_timeout(WAIT)
    page.goto(address)
    return page


def take(browser: Browser, address: str, name: str, tab: Feature) -> None:
    """One tab once it shows a result."""
    look = tab.picture or tab.first
    page = opened(browser, address)
    if not name.startswith("likelihood"):
        page.get_by_label("Close this line").click()
    page.get_by_role("tab", name=tab.title, exact=True).click()
    if look.press:
        page.locator(look.press).click()
    page.locator(look.ready).first.wait_for()
    page.wait_for_timeout(2500)
    top = f"document.querySelector('{look.top}').getBoundingClientRect().top - 12"
    page.evaluate(f"scrollTo(0, {f'scrollY + {top}' if look.top else 0})")
    save(page, name)


def lecture(browser: Browser, address: str) -> None:
    """A scene, with hands counted and the answer shown."""
    page = opened(browser, f"{address}?scene={LECTURE}")
    page.locator('#lecture .lm-lecture[data-state="ready"]').wait_for()
    for hands, option in enumerate(page.locator(".lm-option").all(), start=2):
        for _ in range(hands):
            option.click()
    page.locator(".lm-show").click()
    page.mouse.move(640, 60)
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
