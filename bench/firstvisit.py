"""How long a first visit takes, beside an empty page of Gradio's with ten tabs.

    python -m bench.firstvisit [--rounds N] [--clicks N]

Each round opens both pages in turn, each in a fresh context of one browser (nothing cached), and
times from the request to what the visitor came for: the first coloured token here, the ten tabs
there. Then chips of the first tab are clicked, each timed to its new strip. Prints medians, their
ratio and the bytes of the page's configuration.
"""

import argparse
import json
import os
import shutil
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import gradio as gr
import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from bench.load import served
from bench.scenes import FLAGS

TABS = 10
PATIENCE = 120_000  # ms
COLOURED = "#likelihood-strip .lm-tok:is(.b0,.b1,.b2,.b3,.b4,.b5,.b6,.b7,.b8)"
TABBED = "[role=tab]"
# When there were so many of something on the page, and a picture of them, by the page's own clock.
SEEN = """(([selector, many]) => {
  const look = () => document.querySelectorAll(selector).length >= many;
  const watcher = new MutationObserver(() => {
    if (!look()) return;
    watcher.disconnect();
    requestAnimationFrame(() => { window.seenAt = performance.now(); });
  });
  watcher.observe(document, { childList: true, subtree: true, attributeFilter: ["class"] });
})("""
# Milliseconds from a click on a chip to the strip's new tokens, by the page's own clock.
CLICK = """(i) => new Promise((done) => {
  const strip = document.querySelector("#likelihood-strip .lm-runs"), began = performance.now();
  new MutationObserver((_, watcher) => {
    if (!strip.querySelector(".lm-tok")) return;
    watcher.disconnect();
    requestAnimationFrame(() => done(performance.now() - began));
  }).observe(strip, { childList: true });
  const chips = document.querySelectorAll("CHIPS");
  chips[i % chips.length].click();
})"""
CHIPS = "#likelihood-examples button"


@contextmanager
def empty() -> Iterator[str]:
    """The address of a page of ten tabs, each with a line of text."""
    with gr.Blocks(analytics_enabled=False) as page, gr.Tabs():
        for number in range(1, TABS + 1):
            with gr.Tab(f"Tab {number}"):
                gr.Markdown("Nothing.")
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False)
    try:
        yield str(address).rstrip("/")
    finally:
        page.close()


def opened(browser: Browser, address: str, selector: str, many: int = 1) -> tuple[Page, float]:
    """A page in a context of its own, and seconds until so many of something are seen."""
    page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
    page.add_init_script(f"{SEEN}{json.dumps([selector, many])})")
    page.goto(address, wait_until="commit", timeout=PATIENCE)
    page.wait_for_function("() => window.seenAt", timeout=PATIENCE)
    return page, float(page.evaluate("window.seenAt")) / 1000


def clicked(page: Page, clicks: int) -> list[float]:
    """Seconds from the click on each of some chips to its strip."""
    found = []
    for i in range(1, clicks + 1):
        page.wait_for_timeout(1500)  # until what the last one set off is over
        found.append(float(page.evaluate(CLICK.replace("CHIPS", CHIPS), i)) / 1000)
    return found


def _told(name: str, seconds: Sequence[float]) -> None:
    each = " ".join(f"{one:.2f}" for one in seconds)
    print(f"{name:<42} {statistics.median(seconds):6.2f} s   ({each})")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clicks", type=int, default=4, help="of chips, in the last round")
    given = parser.parse_args()
    path = os.environ.get("LMLAB_CHROMIUM") or shutil.which("chromium")
    bare, ours, chips = [], [], []
    print(f"load before: {os.getloadavg()[0]:.1f}, cores: {os.cpu_count()}")
    with served(public=False) as server, empty() as other, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        for number in range(given.rounds + 1):
            page, before = opened(browser, other, TABBED, TABS)
            page.context.close()
            page, seconds = opened(browser, server.address, COLOURED)
            if number:  # the first round has the servers make their pages
                bare.append(before)
                ours.append(seconds)
            if number == given.rounds:
                chips = clicked(page, given.clicks)
            page.context.close()
        config = httpx.get(f"{server.address}/config", timeout=60).json()
        html = httpx.get(server.address, timeout=60).text
    _told("empty page of ten tabs, to its tabs", bare)
    _told("lmlab, to the first coloured token", ours)
    print(f"{'ratio':<42} {statistics.median(ours) / statistics.median(bare):6.2f}")
    if chips:
        _told("a chip's click to its strip", chips)
    components, events = len(config["components"]), len(config["dependencies"])
    print(f"configuration: {len(json.dumps(config).encode()):,} bytes, page {len(html):,} bytes")
    print(f"{components} components, {events} events")


if __name__ == "__main__":
    main()
