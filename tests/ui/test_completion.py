"""The Completion tab in a real browser: over mocks, and once over the suite."""

import json
import re
import time

import pytest
from playwright.sync_api import Page, expect

from lmlab.generation.config import GenerateConfig
from lmlab.generation.streams import Stream
from lmlab.runs.model_store import ModelStore
from lmlab.settings import Settings
from tests import labs
from tests.ui.conftest import handed_over
from tests.ui.test_likelihood import HOSTILE

pytestmark = pytest.mark.browser
STRIP = "#completion-strip"
TOKENS = f"{STRIP} .lm-tok"
NEXT = "#completion-next .lm-choice"
STATUS = "#completion-status"


def open_tab(visit, address: str, **options) -> Page:
    """The tab once its first completion is there."""
    page = visit(address, **options)
    page.get_by_role("tab", name="Completion").click()
    idle(page)
    return page


@pytest.fixture
def page(visit, mock_page) -> Page:
    return open_tab(visit, mock_page("completion"))


def idle(page: Page) -> None:
    """Wait for tokens that are there to stay."""
    expect(page.locator(TOKENS).first).to_be_visible()
    expect(page.locator("#completion-stop")).to_be_disabled()
    expect(page.locator(f"{STATUS} .lm-progress")).to_have_count(0)


def texts(page: Page) -> list[str]:
    """The completion's tokens as they came."""
    return page.evaluate("window.lmlab.shown.completion.runs[0].texts")


def number(page: Page, name: str, value: float) -> None:
    """Set a control."""
    box = page.locator(f"#completion-{name} input[type=number]")
    box.fill(str(value))
    box.press("Tab")


def begin(page: Page, prompt: str, length: int = 6) -> None:
    """A new prompt, completed."""
    page.locator("#completion-prompt textarea").fill(prompt)
    number(page, "length", length)
    page.locator("#completion-go").click()
    page.wait_for_function(
        """([prompt, n]) => { const d = window.lmlab.shown.completion;
        return d?.runs[0].prefix === prompt && d.runs[0].texts.length === n }""",
        arg=[prompt, length],
    )
    idle(page)


def test_it_opens_with_a_completion(page):
    assert texts(page)
    expect(page.locator(f"{STRIP} .lm-prefix")).to_contain_text("Once upon a time")
    expect(page.locator("#completion-figures .lm-num2").first).to_contain_text("nats")
    expect(page.locator("#completion-branches .lm-branch.here")).to_have_count(1)


def test_a_step_adds_one_token_and_undo_takes_it_back(page):
    begin(page, "the dog", 4)
    before = texts(page)
    page.locator("#completion-step").click()
    expect(page.locator(TOKENS)).to_have_count(5)
    idle(page)
    stepped = texts(page)
    page.locator("#completion-undo").click()
    expect(page.locator(TOKENS)).to_have_count(4)
    idle(page)
    page.locator("#completion-undo").click()
    expect(page.locator(TOKENS)).to_have_count(3)
    idle(page)
    assert (stepped[:4], texts(page)) == (before, before[:3])
    page.locator("#completion-go").click()
    expect(page.locator(TOKENS)).to_have_count(7)
    idle(page)
    assert texts(page)[:5] == stepped


def test_undo_down_to_the_prompt_and_step_again(page):
    begin(page, "the dog", 1)
    page.locator("#completion-undo").click()
    expect(page.locator(TOKENS)).to_have_count(0)
    expect(page.locator(NEXT)).not_to_have_count(0)
    page.locator("#completion-step").click()
    expect(page.locator(TOKENS)).to_have_count(1)


def test_regenerate_takes_the_next_seed_and_keeps_the_old_branch(page):
    begin(page, "the dog and", 5)
    first = texts(page)
    page.locator("#completion-regenerate").click()
    expect(page.locator("#completion-seed input")).to_have_value("1")
    page.wait_for_function(
        "old => JSON.stringify(window.lmlab.shown.completion.runs[0].texts) !== old "
        "&& window.lmlab.shown.completion.runs[0].texts.length === 5",
        arg=json.dumps(first, ensure_ascii=False, separators=(",", ":")),
    )
    idle(page)
    rows = page.locator("#completion-branches .lm-branch")
    assert rows.count() >= 2
    page.locator("#completion-branches .lm-branch:not(.here):not(.on)").last.click()
    idle(page)
    page.wait_for_function(
        "old => JSON.stringify(window.lmlab.shown.completion.runs[0].texts) === old",
        arg=json.dumps(first, ensure_ascii=False, separators=(",", ":")),
    )


def test_an_alternative_forks_and_the_branch_can_be_gone_back_to(page):
    begin(page, "a king", 6)
    before = texts(page)
    page.locator(TOKENS).nth(2).click()
    others = page.locator(f"{STRIP} .lm-pinned button.lm-choice:not(.actual)")
    taken = others.first.locator("b").text_content().replace("␣", " ").replace("⏎", "\n")
    others.first.click()
    expect(page.locator(TOKENS)).to_have_count(3)
    idle(page)
    assert texts(page) == [*before[:2], taken]
    expect(page.locator("#completion-branches .lm-branch")).to_have_count(3)
    page.locator("#completion-branches .lm-branch:not(.on)").click()
    expect(page.locator(TOKENS)).to_have_count(6)
    assert texts(page) == before


def test_the_controls_move_the_next_tokens_bars_at_once(page):
    begin(page, "a cat", 3)
    rows = page.locator(NEXT)
    expect(rows.nth(1).locator("em.after")).not_to_have_text("cut off")
    own = rows.nth(0).locator("em.own").text_content()
    number(page, "top-k", 1)
    expect(rows.nth(1)).to_have_class("lm-choice cut")
    expect(rows.nth(0).locator("em.after")).to_have_text("1.0000")
    expect(rows.nth(0).locator("em.own")).to_have_text(own)
    expect(page.locator("#completion-next")).to_contain_text(re.compile(r"1 of \d+ tokens"))
    assert len(texts(page)) == 3
    page.locator("#completion-reset").click()
    expect(rows.nth(1).locator("em.after")).not_to_have_text("cut off")
    expect(page.locator("#completion-top-k input")).to_have_value("0")


def test_a_click_in_the_chart_takes_that_token(page):
    begin(page, "a cat", 3)
    rows = page.locator(NEXT)
    word = rows.nth(2).locator("b").text_content().replace("␣", " ").replace("⏎", "\n")
    rows.nth(2).click()
    expect(page.locator(TOKENS)).to_have_count(4)
    idle(page)
    assert texts(page)[-1] == word


def test_the_end_token_ends(page):
    begin(page, "Once upon", 3)
    number(page, "temperature", 0)
    number(page, "length", 200)
    page.locator("#completion-go").click()
    expect(page.locator(STATUS)).to_contain_text("end token")
    idle(page)
    assert texts(page)[-1] == "</s>"
    expect(page.locator("#completion-next")).to_contain_text("nothing comes next")
    page.locator("#completion-step").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("has ended the text here")


def test_stop_stops_and_keeps_what_was_drawn(visit, mock_page, slow_page):
    page = open_tab(visit, mock_page("completion"))
    slow = open_tab(visit, slow_page("completion"))
    slow_count = slow.locator(TOKENS).count()
    slow.locator("#completion-regenerate").click()
    expect(slow.locator(f"{STATUS} .lm-progress")).to_contain_text(re.compile(r"token \d"))
    slow.locator("#completion-stop").click()
    expect(slow.locator(STATUS)).to_contain_text("Stopped")
    kept = slow.locator(TOKENS).count()
    assert 1 <= kept < slow_count
    slow.wait_for_timeout(800)
    assert slow.locator(TOKENS).count() == kept
    page.locator("#completion-step").click()
    idle(page)


@pytest.mark.parametrize(("tab", "name"), [("Completion", "completion"), ("Compare", "compare")])
def test_a_closed_page_ends_the_run(visit, serve_lab, mock_lab, monkeypatch, tab, name):
    drawn, plain = [], Stream.take
    monkeypatch.setattr(Stream, "take", lambda *one: drawn.append(1) or plain(*one))
    page = visit(serve_lab(mock_lab(model=labs.SLOW), name))
    page.get_by_role("tab", name=tab).click()
    expect(page.locator(f"#{name}-status .lm-progress")).to_contain_text(re.compile(r"token \d"))
    page.close()
    time.sleep(0.8)  # what was on its way
    before = len(drawn)
    time.sleep(1.2)
    assert 1 <= len(drawn) <= before + 1 < 40


def test_samples_are_counted_most_likely_first(page):
    page.locator("#completion-n input[type=number]").fill("20")
    page.locator("#completion-n input[type=number]").press("Tab")
    number(page, "sample-length", 1)
    page.locator("#completion-draw").click()
    rows = page.locator("#completion-samples tbody tr")
    expect(rows).not_to_have_count(0)
    counts = [int(text.rstrip("×")) for text in rows.locator("td:first-child").all_text_contents()]
    assert sum(counts) == 20
    assert max(counts) > 1
    values = rows.locator("td:nth-child(2)").all_text_contents()
    numbers = [float(value.replace("−", "-")) for value in values]
    assert numbers == sorted(numbers, reverse=True)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("length", 0, "max_new_tokens"), ("length", "", "empty"), ("seed", -1, "seed")],
)
def test_a_wrong_control_is_said(page, name, value, words):
    before = texts(page)
    number(page, name, value)
    page.locator("#completion-step").click()
    toast = page.get_by_test_id("toast-body")
    expect(toast.first).to_be_visible()
    assert texts(page) == before


def test_what_a_stranger_types_stays_text(page):
    begin(page, HOSTILE, 2)
    page.locator(TOKENS).first.click()
    page.locator("#completion-model input").fill(HOSTILE)
    page.keyboard.press("Enter")
    page.locator("#completion-go").click()
    expect(page.get_by_test_id("toast-body").first).to_be_visible()
    expect(page.locator(f"{STATUS} .lm-progress")).to_have_count(0)
    assert page.evaluate("window.hacked") is None


def test_the_keyboard_walks_the_completion(page):
    page.locator(f"{STRIP} .lm-toks").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator(f"{STRIP} .lm-live")).to_contain_text("token 2")
    page.keyboard.press("Enter")
    expect(page.locator(f"{STRIP} .lm-pinned")).to_contain_text("p after the controls")


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window(visit, mock_page, width):
    page = open_tab(visit, mock_page("completion"), viewport={"width": width, "height": 720})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_page_shows_the_librarys_tokens(visit, real_page):
    from lmlab.generation.complete import generate

    page = open_tab(visit, real_page("completion"))
    page.locator("#completion-prompt textarea").fill("The little dog")
    number(page, "length", 8)
    number(page, "temperature", 0.7)
    page.locator("#completion-go").click()
    page.wait_for_function(
        "window.lmlab.shown.completion?.runs[0].prefix === 'The little dog' "
        "&& window.lmlab.shown.completion.runs[0].texts.length === 8"
    )
    idle(page)
    config = GenerateConfig(max_new_tokens=8, temperature=0.7)
    with ModelStore(Settings(offline=True)).borrow("base") as lm:
        steps = list(generate(lm, "The little dog", config))
    assert texts(page) == [step.text for step in steps]
    logprob = sum(step.logprob for step in steps)
    expect(page.locator("#completion-figures")).to_contain_text(f"{-logprob:.2f}")


def asked(page, prompt):
    page.locator("#completion-prompt textarea").fill(prompt)
    handed_over(page)
    page.locator("#completion-go").click()


def test_the_start_token_is_shown(page):
    expect(page.locator(f"{STRIP} .lm-runs")).to_contain_text("<s>")


def test_white_space_at_the_end_is_taken_away_with_one_click(page):
    asked(page, "The king ")
    advice = page.locator("#completion-advice .lm-advice")
    expect(advice).to_contain_text("ends in white space")
    advice.get_by_role("button").click()
    expect(page.locator("#completion-prompt textarea")).to_have_value("The king")
    expect(advice).to_have_count(0)
    page.wait_for_function("window.lmlab.shown.completion.runs[0].prefix === 'The king'")


def test_a_chat_model_asked_plainly_is_asked_in_its_form_with_one_click(page):
    page.locator("#completion-model input").fill(labs.CHAT)
    page.keyboard.press("Enter")
    asked(page, "Who ran?")
    advice = page.locator("#completion-advice .lm-advice")
    expect(advice).to_contain_text("chat template")
    advice.get_by_role("button").click()
    expect(page.locator("#completion-chat input")).to_be_checked()
    page.wait_for_function(
        "window.lmlab.shown.completion.runs[0].prefix === '[user] Who ran? [model]'"
    )
    expect(advice).to_have_count(0)
