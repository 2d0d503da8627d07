"""The Compare tab in a real browser: over mocks, small models, and once over the suite."""

import json

import pytest
from playwright.sync_api import Page, expect

from lmlab.lab import Lab
from lmlab.runs.model_store import ModelRef, ModelStore
from lmlab.scoring.comparison import compare
from lmlab.settings import Settings
from tests import labs
from tests.test_sidebyside import adapter
from tests.ui.test_likelihood import HOSTILE

pytestmark = pytest.mark.browser
STRIP = "#compare-shift-strip"
TOKENS = f"{STRIP} .lm-tok"


def open_tab(visit, address: str, **options) -> Page:
    """The tab once its first comparison is there."""
    page = visit(address, **options)
    page.get_by_role("tab", name="Compare").click()
    expect(page.locator("#compare-sums tbody tr")).to_have_count(2)
    idle(page)
    return page


@pytest.fixture(scope="module")
def bare_page(serve_lab, tmp_path_factory) -> str:
    """A page of mocks alone: two with the same tokens stand side by side."""
    return serve_lab(labs.lab_of(*map(tmp_path_factory.mktemp, ("none", "runs"))), "compare")


def idle(page: Page) -> None:
    """Wait for the end of what runs."""
    expect(page.locator("#compare-stop")).to_be_disabled()
    expect(page.locator("#compare-status .lm-progress")).to_have_count(0)


def column(page: Page, i: int) -> str:
    """The text of a column's completion."""
    return page.evaluate(f"window.lmlab.shown['compare-{i}']?.runs[0].texts.join('')")


def choose(page: Page, i: int, name: str) -> None:
    """Choose a column's model."""
    page.get_by_label(f"Model {i}", exact=True).click()
    page.get_by_role("option", name=name, exact=True).click()


def compare_on(page: Page, text: str) -> None:
    """Compare on a task text."""
    page.get_by_label("Task text").fill(text)
    page.locator("#compare-shift-go").click()
    page.wait_for_function(
        "text => window.lmlab.shown['compare-shift']?.runs[0].texts.join('') === text", arg=text
    )
    idle(page)


def dial(page: Page, alpha: float) -> None:
    """Turn α."""
    box = page.locator("#compare-alpha input[type=number]")
    box.fill(str(alpha))
    box.press("Tab")


def test_one_prompt_under_several_models(visit, bare_page):
    page = open_tab(visit, bare_page)
    for i in (1, 2):
        expect(page.locator(f"#compare-strip-{i} .lm-tok").first).to_be_visible()
        expect(page.locator(f"#compare-strip-{i} .lm-runhead")).to_contain_text("perplexity")
    expect(page.locator("#compare-column-3")).to_have_count(0)
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 720})
        page.wait_for_function(f"document.documentElement.scrollWidth <= {width}")

    choose(page, 3, "mock:uniform")
    page.locator("#compare-prompt textarea").fill("the big")
    page.locator("#compare-length input").fill("5")
    page.locator("#compare-go").click()
    expect(page.locator("#compare-strip-3 .lm-tok")).to_have_count(5)
    idle(page)
    for i, name in enumerate(("mock:scripted", "mock:bigram", "mock:uniform"), 1):
        expect(page.locator(f"#compare-strip-{i} .lm-tok")).to_have_count(5)
        expect(page.locator(f"#compare-strip-{i} .lm-runhead b")).to_have_text(name)
    assert len({column(page, i) for i in (1, 2, 3)}) == 3

    page.locator("#compare-prompt textarea").fill(HOSTILE)
    page.locator("#compare-go").click()
    page.wait_for_function(
        "text => window.lmlab.shown['compare-1'].runs[0].prefix === text", arg=HOSTILE
    )
    idle(page)
    assert page.evaluate("window.hacked") is None

    for i in (1, 2):
        page.get_by_label(f"Model {i}", exact=True).fill(labs.CHAT)
        page.keyboard.press("Enter")
    page.locator("#compare-chat input").check()
    page.get_by_label("Task text").fill(f"{HOSTILE} dog")
    page.locator("#compare-shift-go").click()
    page.wait_for_function(
        "p => window.lmlab.shown['compare-shift']?.runs[0].prefix === `[user] ${p} [model]`",
        arg=HOSTILE,
    )


def test_one_text_under_two_models(visit, bare_page):
    page = open_tab(visit, bare_page)
    expect(page.locator(TOKENS).first).to_be_visible()
    rows = page.locator("#compare-moved tbody tr")
    expect(rows).to_have_count(12)
    compare_on(page, "the little dog ran over the hill")

    # The positions that moved most, by each measure, are one click away.
    head = page.locator("#compare-moved th").last
    expect(head).to_contain_text("difference")
    sizes = [
        abs(float(text.replace("−", "-")))
        for text in rows.locator("td:last-child").all_inner_texts()
    ]
    assert sizes == sorted(sizes, reverse=True)
    place = rows.first.get_attribute("data-i")
    rows.first.click()
    expect(page.locator(f"{TOKENS}.pin")).to_have_attribute("data-i", place)
    pinned = page.locator(f"{STRIP} .lm-pinned")
    expect(pinned.locator(".lm-dist .lm-bars")).to_have_count(2)
    expect(pinned).to_contain_text("mock:bigram")
    expect(pinned).to_contain_text("KL(1‖2)")
    for name in ("KL(1‖2)", "KL(2‖1)"):
        page.locator(STRIP).get_by_label(name, exact=True).check(force=True)
        expect(head).to_contain_text(name)
        expect(page.locator(f"{STRIP} .lm-formula")).to_contain_text("log₂")

    sums = page.locator("#compare-sums tbody tr")
    expect(sums.nth(0)).to_contain_text("task text")
    expect(sums.nth(1)).to_contain_text("general text")
    page.get_by_label("General text").fill("")
    compare_on(page, HOSTILE)
    expect(sums).to_have_count(1)
    page.locator(TOKENS).nth(1).click()
    assert page.evaluate("window.hacked") is None

    choose(page, 2, "mock:uniform")
    compare_on(page, "the little dog")
    expect(page.locator(f"{STRIP} .lm-notes")).to_contain_text("bits per byte")
    expect(page.locator(STRIP).get_by_label("difference a byte", exact=True)).to_be_checked()
    expect(page.locator(STRIP).get_by_label("rank", exact=True)).to_be_hidden()
    expect(page.locator("#compare-sums")).to_contain_text("perplexities do not")
    page.locator(TOKENS).first.click()
    expect(pinned).to_contain_text("tokens: only sums")

    page.get_by_label("Task text").fill("")
    page.locator("#compare-shift-go").click()
    expect(page.get_by_test_id("toast-body").first).to_contain_text("no task text")
    expect(page.locator(TOKENS).first).to_be_visible()


def test_the_dial_moves_what_is_shown_and_the_pin_stays(visit, small_page):
    page = open_tab(visit, small_page("compare"))
    choose(page, 2, "base+german")
    compare_on(page, "the little dog ran over the hill")
    page.locator(TOKENS).nth(2).click()
    pinned = page.locator(f"{STRIP} .lm-pinned")
    expect(pinned).to_contain_text("token 3")
    before = page.evaluate("window.lmlab.shown['compare-shift'].runs[0].kl[2]")
    bars = pinned.locator(".lm-bars")
    expect(bars).to_have_count(2)
    first, second = bars.all_inner_texts()
    dial(page, 2)
    page.wait_for_function(
        "old => window.lmlab.shown['compare-shift'].runs[0].kl[2] > old * 1.2", arg=before
    )
    expect(pinned).to_contain_text("token 3")
    # The next-token bars of the second model follow, those of the first stay.
    expect(bars.nth(1)).not_to_have_text(second, use_inner_text=True)
    expect(bars.nth(0)).to_have_text(first, use_inner_text=True)
    dial(page, 0)
    page.wait_for_function("window.lmlab.shown['compare-shift'].runs[0].kl[2] === 0")


def test_the_page_shows_the_librarys_numbers(visit, serve_lab, tmp_path):
    lab = Lab.open(Settings(offline=True))
    path = adapter(tmp_path / "odd", lab.store.resolve(ModelRef("base"), print))
    page = open_tab(visit, serve_lab(lab, "compare"))
    tuned = f"base+{path}"
    page.get_by_label("Model 2", exact=True).fill(tuned)
    page.keyboard.press("Enter")
    text = "The little dog ran over the hill."
    page.get_by_label("General text").fill("")
    dial(page, 0.1)
    compare_on(page, text)
    page.wait_for_function(
        "name => window.lmlab.shown['compare-shift'].runs[1].model.startsWith(name)", arg=tuned
    )
    refs = [ModelRef("base"), ModelRef("base", path, alpha=0.1)]
    with ModelStore(Settings(offline=True)).borrow_all(refs) as lms:
        expected = compare(*lms, text)
    shown = json.loads(
        page.evaluate("JSON.stringify(window.lmlab.shown['compare-shift'].runs.map(r => r.kl))")
    )
    bits = [value / 10_000 / 0.6931471805599453 for value in shown[0]]
    assert bits == pytest.approx(list(expected.kl), abs=2e-3)
    expect(page.locator("#compare-sums")).to_contain_text(f"{expected.second.perplexity:,.2f}"[:5])
