"""The Pre-training tab in a real browser, over the real lab: small models, few steps."""

import re

import pytest
from playwright.sync_api import Page, expect

from lmlab.features.pretraining.service import Pretraining
from lmlab.features.tuning.service import Tuning
from lmlab.lab import Lab
from lmlab.settings import Settings
from tests.test_pretraining import TEXT
from tests.ui.conftest import handed_over, show_tab

pytestmark = pytest.mark.browser
MONITOR = "#pretraining-monitor .lm-monitor"
FACTS = "#pretraining-facts .lm-fig"
PARAMETERS = "#pretraining-counter .lm-fig .v"
ROWS = "#pretraining-runs tbody tr"


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Lab:
    runs = tmp_path_factory.mktemp("runs")
    return Lab.open(Settings(offline=True, runs_dir=runs, max_parameters=1_000_000))


@pytest.fixture(scope="module")
def address(serve_lab, lab) -> str:
    return serve_lab(lab, "completion", "pretraining")


@pytest.fixture
def page(visit, address) -> Page:
    return open_tab(visit(address))


def open_tab(page: Page) -> Page:
    """The tab once tokens and counter are there."""
    show_tab(page, "Pre-training")
    expect(page.locator("#pretraining-tokens .lm-bpe").first).to_be_visible()
    expect(page.locator(PARAMETERS).first).to_be_visible()
    return page


def fill(page: Page, field: str, value: str) -> None:
    box = page.locator(
        f"#pretraining-{field} :is(input[type=number], textarea, input[type=text])"
    ).first
    box.fill(value)
    box.press("Tab")
    handed_over(page)


def size(page: Page, name: str, width: int) -> None:
    """Choose a size, and wait for the form to follow."""
    page.locator("#pretraining-size").get_by_label(name, exact=True).check()
    expect(page.locator("#pretraining-width input[type=number]")).to_have_value(str(width))


def start(page: Page, steps: int) -> None:
    size(page, "micro", 48)
    fill(page, "steps", str(steps))
    page.locator("#pretraining-go").click()
    expect(page.locator(MONITOR)).to_have_attribute("data-points", re.compile("[1-9]"))


def turned(page: Page, state: str) -> None:
    expect(page.locator(MONITOR)).to_have_attribute("data-state", state)


def test_from_nothing_to_a_model_that_completes(page, lab):
    expect(page.locator(FACTS)).to_have_count(6)
    expect(page.locator("#pretraining-facts")).to_contain_text("6.238")  # ln 512
    expect(page.locator(".lm-bpe-merges li").first).to_contain_text("1h+e→he")
    expect(page.locator(PARAMETERS).first).to_have_text("130,368")
    expect(page.locator("#pretraining-monitor")).to_contain_text("Nothing trained yet")
    start(page, 40)
    turned(page, "done")
    monitor = page.locator("#pretraining-monitor")
    for line in ("ln V 6.24", "token frequencies 5.21", "the shipped base"):
        expect(monitor.locator(".lm-chart").first).to_contain_text(line)
    expect(monitor).to_contain_text("From nothing")
    steps = monitor.locator(".lm-growth").first.locator("tbody td:first-child")
    assert steps.last.inner_text() == "0"
    assert steps.first.inner_text() == "40"
    expect(page.locator(ROWS)).to_have_count(1)
    owner = page.evaluate("window.lmlab.visitor()")
    assert [len(kind.runs(owner)) for kind in (lab.service(Pretraining), lab.service(Tuning))] == [
        1,
        0,
    ]
    keep = page.locator("#pretraining-keep")
    keep.get_by_role("button", name="Receipt").click()
    expect(keep.locator("pre")).to_contain_text("assets/corpora/pretraining/stories.txt")
    expect(keep.locator("pre")).to_contain_text("SEED, STEPS, WARMUP = 20, 40, 1")
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("document.documentElement.scrollWidth <= 390")
    page.set_viewport_size({"width": 1280, "height": 720})
    with page.expect_download() as waiting:
        page.locator("#pretraining-save").click()
    assert waiting.value.suggested_filename.endswith(".zip")
    the_form_is_followed(page)
    page.locator("#pretraining-complete").click()
    expect(page.locator("#completion-model input")).to_have_value("micro from nothing on stories")
    expect(page.locator("#completion-strip .lm-tok").first).to_be_visible()
    # The tab opens with another model first.
    page.wait_for_function("window.lmlab.shown.completion?.runs[0].model.startsWith('run:')")


def the_form_is_followed(page: Page) -> None:
    """Tokens and count follow text and vocabulary; what cannot be is refused."""
    size(page, "tiny", 64)
    toks = page.locator("#pretraining-tokens .lm-bpe-toks")
    toks.focus()
    toks.press("ArrowRight")
    expect(page.locator(".lm-bpe-now")).to_contain_text("times in the text")
    fill(page, "vocabulary", "257")
    expect(page.locator(".lm-bpe-merges")).to_contain_text("none")
    expect(page.locator("#pretraining-facts")).to_contain_text("5.549")  # ln 257
    expect(page.locator(PARAMETERS).first).to_have_text("114,048")
    page.locator("#pretraining-text").get_by_label("plays", exact=True).check()
    expect(page.locator("#pretraining-text")).to_contain_text("Shakespeare")
    expect(page.locator("#pretraining-tokens .lm-bpe-toks")).to_contain_text(":")
    fill(page, "heads", "5")
    expect(page.locator("#pretraining-counter .lm-problem")).to_contain_text("cannot be shared")
    page.locator("#pretraining-go").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("cannot be shared")
    size(page, "medium", 128)
    fill(page, "width", "384")
    # Counted, so known to the server: started before, it would be a run that others wait for.
    expect(page.locator("#pretraining-counter")).to_contain_text("d = 384")
    page.locator("#pretraining-go").click()
    expect(page.get_by_test_id("toast-body").last).to_contain_text("At most 1,000,000 parameters")


def test_a_text_of_ones_own_reload_stop_resume_delete(page):
    page.get_by_text("A text of your own").click()
    box = page.locator("#pretraining-pasted textarea")
    box.fill("<img src=x onerror=window.hacked=1> " + TEXT)
    handed_over(page)
    page.locator("#pretraining-use").click()
    expect(page.locator("#pretraining-said")).to_contain_text("characters")
    expect(page.locator("#pretraining-text").get_by_label("own text")).to_be_checked()
    fill(page, "batch", "64")  # slow steps: a page is loaded meanwhile
    start(page, 6000)
    page.reload()
    open_tab(page)
    turned(page, "running")
    page.locator("#pretraining-stop").click()
    turned(page, "stopped")
    page.locator("#pretraining-keep").get_by_role("button", name="Receipt").click()
    expect(page.locator("#pretraining-keep")).to_contain_text("not made all its steps")
    kept = int(page.locator(MONITOR).get_attribute("data-points"))
    assert kept > 0
    expect(page.locator("#pretraining-complete")).to_be_visible()
    page.locator("#pretraining-resume").click()
    turned(page, "running")
    page.locator("#pretraining-stop").click()
    turned(page, "stopped")
    assert page.evaluate("window.hacked") is None
    delete = page.locator(ROWS).first.get_by_role("button", name="Delete")
    delete.click()
    expect(delete).to_have_text("Sure?")
    delete.click()
    expect(page.locator(ROWS)).to_have_count(0)
    expect(page.locator("#pretraining-monitor")).to_contain_text("Nothing trained yet")
