"""Takes the pictures of docs/images from the running page: ``make screenshots``."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from lmlab.lab import Lab
from lmlab.settings import Settings
from lmlab.ui.app import launch

IMAGES = Path(__file__).parent / "images"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
# The tab, what is waited for, and what is pressed before the picture.
TABS = {
    "likelihood": ("Likelihood", "#likelihood-plot .scatterlayer", ""),
    "completion": ("Completion", "#completion-strip .lm-tok", "#completion-go"),
    "compare": ("Compare", "#compare-shift-strip .lm-tok", ""),
    "prompt": ("Prompt", "#prompt-strip .lm-tok", "#prompt-go"),
    "fine-tune": (
        "Fine-tune",
        "#tuning-monitor .lm-sampleside:nth-of-type(2) .lm-tok",
        "#tuning-start-go",
    ),
}


def main() -> None:
    """One picture a tab in each colour scheme."""
    lab = Lab.open(Settings(offline=True, runs_dir=Path(tempfile.mkdtemp())))
    _, address, _ = launch(lab, prevent_thread_lock=True, quiet=True)
    IMAGES.mkdir(exist_ok=True)
    path = os.environ.get("LMLAB_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        for name, (label, ready, press) in TABS.items():
            for theme in ("light", "dark"):
                page = open_tab(browser, f"{address}?__theme={theme}", label)
                if press:
                    page.locator(press).click()
                page.wait_for_selector(ready, timeout=60_000)
                page.wait_for_timeout(1500)
                suffix = "" if theme == "light" else "-dark"
                page.screenshot(path=IMAGES / f"{name}{suffix}.png")
                page.close()
        browser.close()


def open_tab(browser: Browser, address: str, label: str) -> Page:
    """The page at one tab, in a projector's size."""
    page = browser.new_page(viewport={"width": 1280, "height": 1100}, reduced_motion="reduce")
    page.goto(address)
    page.get_by_role("tab", name=label, exact=True).click()
    return page


if __name__ == "__main__":
    sys.exit(main())
