"""The Likelihood tab in a real browser, over mocks."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lmlab.lab import Lab
from tests import labs

pytestmark = pytest.mark.browser
STRIP = "#likelihood-strip"
TOKENS = f"{STRIP} .lm-tok"
HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>${window.hacked=1}'


@pytest.fixture
def page(visit, mock_page) -> Page:
    """The tab with the result that it opens with."""
    opened = visit(mock_page("likelihood"))
    expect(opened.locator(TOKENS).first).to_be_visible()
    return opened


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


def test_it_opens_with_a_result(page):
    expect(page.locator("#likelihood-figures .lm-fig.big .v")).not_to_have_text("–")
    expect(page.locator("#likelihood-definition .step")).to_have_count(4)
    expect(page.locator("#likelihood-factors tbody tr").first).to_be_visible()
    expect(page.locator("#likelihood-plot .scatterlayer .trace")).to_have_count(2)


def test_a_chip_fills_and_scores(page):
    page.get_by_role("button", name="With a prefix").click()
    expect(page.locator(f"{STRIP} .lm-prefix")).to_contain_text("The little boy heard a noise")
    expect(page.get_by_label("Text to score")).to_have_value("He opened the door and saw a bear.")


def test_the_measure_changes_colours_and_legend(page):
    classes = [page.locator(TOKENS).nth(5).get_attribute("class")]
    for name in ("rank", "probability", "entropy", "log-probability"):
        page.get_by_label(name, exact=True).check(force=True)
        classes.append(page.locator(TOKENS).nth(5).get_attribute("class"))
        formula = page.locator(f"{STRIP} .lm-formula")
        expect(formula).to_contain_text({"rank": "place", "entropy": "H"}.get(name, "p("))
    assert len(set(classes)) > 1


def test_the_keyboard_walks_and_pins(page):
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


def test_hover_shows_a_card_and_lights_up_the_table(page):
    page.locator(TOKENS).nth(3).hover()
    card = page.locator(f"{STRIP} .lm-card.show")
    expect(card).to_contain_text("token 4 of")
    expect(card.locator(".lm-bar")).not_to_have_count(0)
    expect(page.locator("#likelihood-factors tr.on")).to_have_attribute("data-i", "3")


def test_the_plot_lights_up_the_strip(page):
    expect(page.locator("#likelihood-plot .scatterlayer .point").first).to_be_visible()
    page.wait_for_function("document.querySelector('#likelihood-plot .js-plotly-plot').lmLinked")
    page.evaluate(
        """() => { const f = document.querySelector('#likelihood-plot .js-plotly-plot');
        f.emit('plotly_hover', {points: [{curveNumber: 0, pointNumber: 7}]}) }"""
    )
    expect(page.locator(f"{TOKENS}.on")).to_have_attribute("data-i", "7")


def test_a_long_text_brings_its_alternatives_on_demand(page):
    score(page, "the little dog ran and " * 180)
    page.locator(f"{STRIP} .lm-toks").focus()
    page.keyboard.press("End")
    card = page.locator(f"{STRIP} .lm-card.show")
    expect(card.locator(".lm-bar")).not_to_have_count(0)
    expect(page.locator(f"{STRIP} .lm-live")).to_contain_text("token ")


def test_four_thousand_tokens_are_drawn(page):
    score(page, " dog" * 4000)
    expect(page.locator(TOKENS)).to_have_count(4000)
    expect(page.locator(f"{STRIP} .lm-notes")).to_contain_text("windows")


def test_two_models_show_their_difference(page):
    choose(page, "mock:bigram")
    page.locator("#likelihood-go").click()
    expect(page.get_by_label("difference", exact=True)).to_be_checked()
    page.locator(TOKENS).nth(2).hover()
    card = page.locator(f"{STRIP} .lm-card.show")
    expect(card).to_contain_text("mock:bigram")
    expect(card).to_contain_text("difference")
    expect(page.locator("#likelihood-figures .second").first).to_contain_text("mock:bigram")


def test_models_with_other_tokens_are_shown_apart(page):
    choose(page, "mock:uniform")
    page.locator("#likelihood-go").click()
    expect(page.locator(f"{STRIP} .lm-toks")).to_have_count(2)
    expect(page.locator(f"{STRIP} .lm-notes")).to_contain_text("bits per byte")


def test_what_a_stranger_types_stays_text(page):
    score(page, HOSTILE, HOSTILE)
    page.locator(TOKENS).nth(3).hover()
    page.locator(TOKENS).nth(3).click()
    page.get_by_label("Model", exact=True).fill(HOSTILE)
    page.keyboard.press("Enter")
    page.locator("#likelihood-go").click()
    toast = page.get_by_test_id("toast-body")
    expect(toast).to_contain_text("<img src=x")
    assert page.evaluate("window.hacked") is None
    assert page.locator(f"{STRIP} img, {STRIP} script").count() == 0


def test_the_start_token_is_shown_and_can_be_chosen(page):
    score(page, "The dog ran.")
    expect(page.locator(f"{STRIP} .lm-runs")).to_contain_text("<s>")
    start = page.locator("#likelihood-start input")
    start.fill("</s>")
    start.press("Enter")
    score(page, "The cat ran.")
    expect(page.locator(f"{STRIP} .lm-runs")).to_contain_text("</s>")


def test_the_prefix_is_a_question_in_the_chat_form(page):
    page.get_by_label("Model", exact=True).fill(labs.CHAT)
    page.keyboard.press("Enter")
    page.locator("#likelihood-chat input").check()
    score(page, "The dog.", "Who ran?")
    expect(page.locator(f"{STRIP} .lm-prefix")).to_contain_text("[user] Who ran? [model]")


class Crashing(Lab):
    """A lab with a bug."""

    def score(self, model, text, *args, **options):
        if text == "crash":
            raise RuntimeError("a bug")
        yield from super().score(model, text, *args, **options)


@pytest.mark.parametrize(
    ("text", "words"), [("", "no text to score"), ("crash", "went wrong on the server")]
)
def test_an_error_is_said_and_nothing_is_lost(visit, serve_lab, mock_lab, text, words):
    lab = mock_lab()
    page = visit(serve_lab(Crashing(lab.store, lab.settings), "likelihood"))
    expect(page.locator(TOKENS).first).to_be_visible()
    before = page.locator(TOKENS).count()
    fill(page, text)
    page.locator("#likelihood-go").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text(words)
    assert page.locator(TOKENS).count() == before
    expect(page.get_by_label("Text to score")).to_have_value(text)
    expect(page.locator("#likelihood-stop")).to_be_disabled()


@pytest.fixture
def slow(visit, slow_page) -> Page:
    """The tab over a mock that takes its time."""
    opened = visit(slow_page("likelihood"))
    expect(opened.locator(TOKENS).first).to_be_visible()
    return opened


def test_stop_stops_and_keeps_what_was_there(slow):
    page = slow
    before = page.locator(TOKENS).count()
    fill(page, " dog" * 4000)
    page.locator("#likelihood-go").click()
    expect(page.locator("#likelihood-status")).to_contain_text("tokens")
    page.locator("#likelihood-stop").click()
    expect(page.locator("#likelihood-status")).to_contain_text("Stopped")
    assert page.locator(TOKENS).count() == before
    page.wait_for_timeout(1000)
    expect(page.locator("#likelihood-status")).to_contain_text("Stopped")
    score(page, "and on")


def test_a_run_asked_for_while_a_stop_is_on_its_way_is_not_stopped(slow):
    page = slow

    def late(route):
        page.wait_for_timeout(800)
        route.continue_()

    page.route("**/cancel", late)
    fill(page, " dog" * 4000)
    page.locator("#likelihood-go").click()
    expect(page.locator("#likelihood-status")).to_contain_text("tokens")
    page.locator("#likelihood-stop").click()
    expect(page.locator("#likelihood-status")).to_contain_text("Stopped")
    score(page, "and on")


def test_a_result_survives_a_switch_of_tabs(visit, mock_page):
    page = visit(mock_page("likelihood", "about"))
    expect(page.locator(TOKENS).first).to_be_visible()
    score(page, "Once upon")
    page.get_by_role("tab", name="About").click()
    expect(page.locator("#about-text")).to_be_visible()
    page.get_by_role("tab", name="Likelihood").click()
    expect(page.locator(TOKENS)).to_have_count(2)


def test_the_table_can_be_copied_and_saved(page):
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


def test_emoji_right_to_left_and_white_space_are_shown(page):
    fill(page, " שלום 🙂\n\t  x")
    page.locator("#likelihood-go").click()
    strip = page.locator(f"{STRIP} .lm-toks")
    expect(strip).to_have_attribute("dir", "rtl")
    expect(strip).to_contain_text("⟨82⟩")
    expect(strip).to_contain_text("⏎")


def test_nothing_scored_is_said(page):
    start = page.locator("#likelihood-start input")
    start.fill("never")
    start.press("Enter")
    score(page, "Once")
    expect(page.locator(f"{STRIP} .lm-notes")).to_contain_text("Nothing was scored")
    expect(page.locator("#likelihood-definition")).to_contain_text("no product")


def test_large_type_and_dark_colours_are_remembered(page):
    small = page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)")
    page.get_by_label("Projector mode").click()
    page.get_by_label("Dark colours").click()
    large = page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)")
    assert large > small
    page.reload()
    expect(page.locator(TOKENS).first).to_be_visible()
    assert page.evaluate("document.documentElement.classList.contains('projector')")
    assert page.evaluate("document.body.classList.contains('dark')")


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window(visit, mock_page, width):
    page = visit(mock_page("likelihood"), viewport={"width": width, "height": 720})
    expect(page.locator(TOKENS).first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_ctrl_enter_scores(page):
    fill(page, "Once upon a")
    page.get_by_label("Text to score").press("Control+Enter")
    page.wait_for_function("window.lmlab.shown.likelihood.runs[0].texts.length === 3")


def test_two_visitors_do_not_see_each_other(visit, slow_page, slow):
    page, other = slow, visit(slow_page("likelihood"))
    expect(other.locator(TOKENS).first).to_be_visible()
    fill(page, " dog" * 4000)
    page.locator("#likelihood-go").click()
    score(other, "Once upon")
    expect(other.locator(TOKENS)).to_have_count(2)
    shown = json.loads(other.evaluate("JSON.stringify(window.lmlab.shown.likelihood)"))
    assert shown["runs"][0]["texts"] == ["Once", " upon"]
