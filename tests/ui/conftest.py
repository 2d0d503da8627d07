"""A browser, and the page over mocks or the real models. A missing browser is an error."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from playwright.sync_api import TimeoutError as TooLateError

from lmlab.lab import Lab
from lmlab.page.app import launch
from lmlab.settings import Settings
from tests import labs

TIMEOUT = 60_000
SOON = 5_000
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BROWSERS = ("chromium-headless-shell", "chromium")
ELSEWHERE = os.environ.get("LMLAB_TEST_ADDRESS", "").rstrip("/")
LOCAL = ("http://127.0.0.1", "http://localhost", "data:", "blob:", "about:")


def handed_over(page: Page) -> None:
    """Wait until boxes have handed over what was typed, by the page's own clock."""
    page.evaluate("new Promise((done) => setTimeout(done, 300))")


def show_tab(page: Page, title: str) -> None:
    """Bring a tab to the front, through the menu of tabs where the window is narrow."""
    expect(page.get_by_role("tablist").first.get_by_role("tab").first).to_be_visible()
    tab = page.get_by_role("tab", name=title, exact=True)
    menu = page.locator(".overflow-menu > button").first
    # After a change of the window's width the menu is there for a moment longer.
    expect(tab.or_(menu).filter(visible=True).first).to_be_visible()
    with suppress(TooLateError):
        if not tab.is_visible():
            menu.click(timeout=SOON)
            tab = page.locator(".overflow-dropdown").get_by_text(title)
    tab.click()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium: the one that LMLAB_CHROMIUM names, Debian's, or playwright's own.

    Debian's shell without a window takes a fifth less of the processor than its whole browser.
    """
    path = os.environ.get("LMLAB_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=FLAGS)
        expect.set_options(timeout=TIMEOUT)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def serve_lab() -> Callable[..., str]:
    """``serve_lab(lab, *tabs)``: the address of a page over it, of those tabs, or of all."""

    def serve(lab: Any, *tabs: str) -> str:
        _, address, _ = launch(lab, tabs=tabs, prevent_thread_lock=True, quiet=True)
        return str(address).rstrip("/")

    return serve


@pytest.fixture(scope="session")
def mock_page(serve_lab, mock_lab) -> Callable[..., str]:
    """``mock_page(*tabs)``: the address of a page over such a lab; one tab opens quickly."""
    return cache(lambda *tabs: serve_lab(mock_lab(), *tabs))


@pytest.fixture(scope="session")
def small_page(serve_lab, mock_lab) -> Callable[..., str]:
    """The same, opening with a small model of weights."""
    return cache(lambda *tabs: serve_lab(mock_lab(model="base"), *tabs))


@pytest.fixture(scope="session")
def slow_page(serve_lab, mock_lab) -> Callable[..., str]:
    """The same over a mock that takes its time."""
    return cache(lambda *tabs: serve_lab(mock_lab(model=labs.SLOW), *tabs))


@pytest.fixture(scope="session")
def real_lab() -> Lab:
    """A lab over the embedded suite."""
    return Lab.open(Settings(offline=True))


@pytest.fixture(scope="session")
def real_page(serve_lab, real_lab) -> Callable[..., str]:
    """``real_page(*tabs)``: the address of a page over the embedded suite, or of the one that
    LMLAB_TEST_ADDRESS names, as of ``tests/confined.sh``, with all its tabs."""
    if ELSEWHERE:
        return lambda *tabs: ELSEWHERE
    return cache(lambda *tabs: serve_lab(real_lab, *tabs))


@pytest.fixture(scope="session")
def real_address(real_page) -> str:
    """The whole page over the embedded suite."""
    return real_page()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """``visit(address)``: an opened page. Fails on an error of a script or a foreign request."""
    contexts, errors, foreign = [], [], []

    def open_page(address: str, **options: Any) -> Page:
        sizes = {"viewport": {"width": 1280, "height": 720}, "reduced_motion": "reduce"}
        context = browser.new_context(**{**sizes, **options}, accept_downloads=True)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(TIMEOUT)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: note(request.url))
        page.goto(address)
        return page

    def note(url: str) -> None:
        if not url.startswith(LOCAL):
            foreign.append(url)

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []
    assert foreign == []
