"""The Likelihood tab in a real browser, over mocks."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from lmlab.lab import Lab
from tests import labs

pytestmark = pytest.mark.browser
STRIP = "#likelihood-strip"
TOKENS = f"{STRIP} .lm-tok"
HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>${window.hacked=1}'


def opened(visit, address: str, **options: Any) -> Page:
    """The tab with the result that it opens with."""
    page = visit(address, **options)
    expect(page.locator(TOKENS).first).to_be_visible()
    expect(page.locator("#likelihood-stop")).to_be_disabled()
    return page


def fill(page: Page, text: str, prefix: str = "") -> None:
    """Type into both boxes."""
    page.get_by_label("Prefix").fill(prefix)
    page.get_by_label("Text to score").fill(text)


def score(page: Page, text: str, prefix: str = "") -> None:
    """Score a text and wait for its strip."""
    fill(page, text, prefix)
    page.locator("#likelihood-go").click()
    page.wait_for_function(
        "text => window.lmlab.shown.likelihood?.runs[0].texts.join('') === text", arg=text
    )


def choose(page: Page, name: str) -> None:
    """Choose a second model."""
    page.get_by_label("Compare with").click()
    page.get_by_role("option", name=name, exact=True).click()


class Crashing(Lab):
    """A lab with a bug."""

    def score(self, model, text, *args, **options):
        if text == "crash":
            raise RuntimeError("a bug")
        yield from super().score(model, text, *args, **options)


def test_a_page_that_was_opened_before_brings_its_first_result(visit, mock_page):
    address = mock_page("likelihood", "about")
    opened(visit, address)
    page = visit(address)
    expect(page.locator(TOKENS).first).to_be_visible()
    page.evaluate(f"window.first = document.querySelector('{TOKENS}')")
    assert r"\"texts\":" in page.evaluate("fetch(location.href).then((page) => page.text())")
    # What the server answers is the same, and what is drawn stays.
    expect(page.locator("#likelihood-plot .scatterlayer .trace")).to_have_count(2)
    expect(page.locator("#likelihood-keep .lm-keep")).to_be_visible()
    assert page.evaluate("window.first.isConnected")
    page.locator("#likelihood-copy").click()
    expect(page.locator("#likelihood-handover")).to_contain_text("Copied")


def test_a_scored_text_is_walked_and_coloured(visit, mock_page):
    page = opened(visit, mock_page("likelihood", "about"))
    expect(page.locator("#likelihood-figures .lm-fig.big .v")).not_to_have_text("–")
    expect(page.locator("#likelihood-definition .step")).to_have_count(4)
    expect(page.locator("#likelihood-factors tbody tr").first).to_be_visible()
    expect(page.locator("#likelihood-plot .scatterlayer .trace")).to_have_count(2)
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 720})
        page.wait_for_function(f"document.documentElement.scrollWidth <= {width}")

    # The pointer, the plot and the measures.
    page.locator(TOKENS).nth(3).hover()
    card = page.locator(f"{STRIP} .lm-card.show")
    expect(card).to_contain_text("token 4 of")
    expect(card.locator(".lm-bar")).not_to_have_count(0)
    expect(page.locator("#likelihood-factors tr.on")).to_have_attribute("data-i", "3")
    expect(page.locator("#likelihood-plot .scatterlayer .point").first).to_be_visible()
    page.wait_for_function("document.querySelector('#likelihood-plot .js-plotly-plot').lmLinked")
    page.evaluate(
        """() => { const f = document.querySelector('#likelihood-plot .js-plotly-plot');
        f.emit('plotly_hover', {points: [{curveNumber: 0, pointNumber: 7}]}) }"""
    )
    expect(page.locator(f"{TOKENS}.on")).to_have_attribute("data-i", "7")
    classes = [page.locator(TOKENS).nth(5).get_attribute("class")]
    for name in ("rank", "probability", "entropy", "log-probability"):
        page.get_by_label(name, exact=True).check(force=True)
        classes.append(page.locator(TOKENS).nth(5).get_attribute("class"))
        formula = page.locator(f"{STRIP} .lm-formula")
        expect(formula).to_contain_text({"rank": "place", "entropy": "H"}.get(name, "p("))
    assert len(set(classes)) > 1

    # The keyboard, and back from another tab.
    score(page, "Once upon a time,")
    page.locator(f"{STRIP} .lm-toks").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator(f"{STRIP} .lm-live")).to_contain_text("token 2")
    page.keyboard.press("Enter")
    pinned = page.locator(f"{STRIP} .lm-pinned")
    expect(pinned).to_contain_text("token 2 of")
    expect(pinned.locator(".lm-dist").first.locator(".lm-bar")).not_to_have_count(0)
    page.keyboard.press("End")
    expect(page.locator(f"{STRIP} .lm-live")).to_contain_text("token 5")
    page.keyboard.press("Escape")
    expect(pinned).to_be_hidden()
    page.get_by_role("tab", name="About").click()
    expect(page.locator("#about-text")).to_be_visible()
    page.get_by_role("tab", name="Likelihood").click()
    expect(page.locator(TOKENS)).to_have_count(5)

    small = page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)")
    page.get_by_label("Projector mode").click()
    page.get_by_label("Dark colours").click()
    large = page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)")
    assert large > small
    page.reload()
    expect(page.locator(TOKENS).first).to_be_visible()
    assert page.evaluate("document.documentElement.classList.contains('projector')")
    assert page.evaluate("document.body.classList.contains('dark')")


def test_what_is_asked_is_scored_and_handed_over(visit, mock_page):
    page = opened(visit, mock_page("likelihood"))
    page.get_by_role("button", name="With a prefix").click()
    expect(page.locator(f"{STRIP} .lm-prefix")).to_contain_text("The little boy heard a noise")
    expect(page.get_by_label("Text to score")).to_have_value("He opened the door and saw a bear.")
    fill(page, "Once upon a")
    page.get_by_label("Text to score").press("Control+Enter")
    page.wait_for_function("window.lmlab.shown.likelihood.runs[0].texts.length === 3")

    score(page, "=1+1 dog")
    page.locator("#likelihood-copy").click()
    expect(page.locator("#likelihood-handover")).to_contain_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.splitlines()[0].startswith("i\ttoken\tid")
    with page.expect_download() as saved:
        page.locator("#likelihood-csv").click()
    text = Path(saved.value.path()).read_text(encoding="utf-8-sig")
    assert saved.value.suggested_filename == "factors.csv"
    assert "'=" in text

    fill(page, " שלום 🙂\n\t  x")
    page.locator("#likelihood-go").click()
    strip = page.locator(f"{STRIP} .lm-toks")
    expect(strip).to_have_attribute("dir", "rtl")
    expect(strip).to_contain_text("⟨82⟩")
    expect(strip).to_contain_text("⏎")

    page.get_by_label("Model", exact=True).fill(HOSTILE)
    page.keyboard.press("Enter")
    fill(page, HOSTILE, HOSTILE)
    page.locator("#likelihood-go").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("<img src=x")
    page.get_by_label("Model", exact=True).fill(labs.CHAT)
    page.keyboard.press("Enter")
    score(page, HOSTILE, HOSTILE)
    page.locator(TOKENS).nth(3).hover()
    page.locator(TOKENS).nth(3).click()
    assert page.evaluate("window.hacked") is None
    assert page.locator(f"{STRIP} img, {STRIP} script").count() == 0
    page.locator("#likelihood-chat input").check()
    score(page, "The dog.", "Who ran?")
    expect(page.locator(f"{STRIP} .lm-prefix")).to_contain_text("[user] Who ran? [model]")
    page.locator("#likelihood-chat input").uncheck()

    # What stands before the text: the start token, another one, nothing.
    score(page, "The dog ran.")
    expect(page.locator(f"{STRIP} .lm-runs")).to_contain_text("<s>")
    start = page.locator("#likelihood-start input")
    start.fill("</s>")
    start.press("Enter")
    score(page, "The cat ran.")
    expect(page.locator(f"{STRIP} .lm-runs")).to_contain_text("</s>")
    start.fill("never")
    start.press("Enter")
    score(page, "Once")
    expect(page.locator(f"{STRIP} .lm-notes")).to_contain_text("Nothing was scored")
    expect(page.locator("#likelihood-definition")).to_contain_text("no product")


def test_two_models_and_long_texts(visit, mock_page):
    page = opened(visit, mock_page("likelihood"))
    score(page, "the little dog ran and " * 180)
    page.locator(f"{STRIP} .lm-toks").focus()
    page.keyboard.press("End")
    expect(page.locator(f"{STRIP} .lm-card.show .lm-bar")).not_to_have_count(0)
    score(page, " dog" * 4000)
    expect(page.locator(TOKENS)).to_have_count(4000)
    expect(page.locator(f"{STRIP} .lm-notes")).to_contain_text("windows")

    choose(page, "mock:bigram")
    score(page, "Once upon a time")
    expect(page.get_by_label("difference", exact=True)).to_be_checked()
    page.locator(TOKENS).nth(2).hover()
    card = page.locator(f"{STRIP} .lm-card.show")
    expect(card).to_contain_text("mock:bigram")
    expect(card).to_contain_text("difference")
    expect(page.locator("#likelihood-figures .second").first).to_contain_text("mock:bigram")
    choose(page, "mock:uniform")
    page.locator("#likelihood-go").click()
    expect(page.locator(f"{STRIP} .lm-toks")).to_have_count(2)
    expect(page.locator(f"{STRIP} .lm-notes")).to_contain_text("bits per byte")


def test_an_error_is_said_and_nothing_is_lost(visit, serve_lab, mock_lab):
    lab = mock_lab()
    page = opened(visit, serve_lab(Crashing(lab.store, lab.settings), "likelihood"))
    before = page.locator(TOKENS).count()
    toast = page.get_by_test_id("toast-body")
    for text, words in (("", "no text to score"), ("crash", "went wrong on the server")):
        fill(page, text)
        page.locator("#likelihood-go").click()
        expect(toast.filter(has_text=words)).to_be_visible()
        assert page.locator(TOKENS).count() == before
        expect(page.get_by_label("Text to score")).to_have_value(text)
        expect(page.locator("#likelihood-stop")).to_be_disabled()
    expect(toast.last).to_contain_text("It is request")
    expect(toast.last).not_to_contain_text("a bug")


def test_stop_stops_its_own_run_alone(visit, serve_lab, mock_lab):
    address = serve_lab(mock_lab(model="mock:scripted?pause=1"), "likelihood")
    page, other = (opened(visit, address) for _ in range(2))
    before = page.locator(TOKENS).count()
    status = page.locator("#likelihood-status")
    fill(page, " dog" * 4000)
    page.locator("#likelihood-go").click()
    expect(status).to_contain_text("tokens")
    fill(other, "Once upon")
    other.locator("#likelihood-go").click()
    page.locator("#likelihood-stop").click()
    expect(status).to_contain_text("Stopped")
    assert page.locator(TOKENS).count() == before
    expect(other.locator(TOKENS)).to_have_count(2)

    # A run that is asked for while a stop is on its way is not stopped.
    held = []
    page.route("**/cancel", lambda route: held.append(route))
    page.locator("#likelihood-go").click()
    expect(status).to_contain_text("tokens")
    with page.expect_request("**/cancel"):
        page.locator("#likelihood-stop").click()
    expect(status).to_contain_text("Stopped")
    fill(page, "and on")
    page.locator("#likelihood-go").click()
    for route in held:
        route.continue_()
    page.wait_for_function("window.lmlab.shown.likelihood.runs[0].texts.join('') === 'and on'")
    expect(status).not_to_contain_text("Stopped")
