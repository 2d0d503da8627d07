"""The Completion tab in a real browser: over mocks, and once over the suite."""

import json
import re
import time

import pytest
from playwright.sync_api import Locator, Page, expect

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


def same(page: Page, expected: list[str]) -> None:
    """Wait for a completion of these tokens."""
    page.wait_for_function(
        "old => JSON.stringify(window.lmlab.shown.completion.runs[0].texts) === old",
        arg=json.dumps(expected, ensure_ascii=False, separators=(",", ":")),
    )
    idle(page)


def asked(page: Page, prompt: str) -> None:
    """A prompt as it is typed, completed."""
    page.locator("#completion-prompt textarea").fill(prompt)
    handed_over(page)
    page.locator("#completion-go").click()


def plain(word: Locator) -> str:
    """A token as it is, from what is shown for it."""
    return (word.text_content() or "").replace("␣", " ").replace("⏎", "\n")


def test_a_completion_grows_goes_back_and_forks(visit, mock_page):
    page = open_tab(visit, mock_page("completion"))
    tokens, rows = page.locator(TOKENS), page.locator("#completion-branches .lm-branch")
    step, undo = page.locator("#completion-step"), page.locator("#completion-undo")
    expect(page.locator(f"{STRIP} .lm-prefix")).to_contain_text("Once upon a time")
    expect(page.locator("#completion-figures .lm-num2").first).to_contain_text("nats")
    expect(page.locator("#completion-branches .lm-branch.here")).to_have_count(1)

    # One token more, two less, down to the prompt, and on from there.
    begin(page, "the dog", 4)
    before = texts(page)
    step.click()
    expect(tokens).to_have_count(5)
    stepped = texts(page)
    assert stepped[:4] == before
    for left in range(4, -1, -1):
        undo.click()
        expect(tokens).to_have_count(left)
        expect(page.locator(f"{STATUS} .lm-progress")).to_have_count(0)
    expect(page.locator(NEXT)).not_to_have_count(0)
    for count in range(1, 4):
        step.click()
        expect(tokens).to_have_count(count)
    page.locator("#completion-go").click()
    expect(tokens).to_have_count(7)
    idle(page)
    assert texts(page)[:5] == stepped

    # The next seed, and back to the branch that was left.
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
    page.locator("#completion-branches .lm-branch:not(.here):not(.on)").last.click()
    same(page, first)

    # An alternative of a token that is there.
    begin(page, "a king", 6)
    before = texts(page)
    tokens.nth(2).click()
    other = page.locator(f"{STRIP} .lm-pinned button.lm-choice:not(.actual)").first
    taken = plain(other.locator("b"))
    other.click()
    same(page, [*before[:2], taken])
    expect(rows).to_have_count(3)
    page.locator("#completion-branches .lm-branch:not(.on)").click()
    same(page, before)

    # A token of the chart of those that may come next.
    third = page.locator(NEXT).nth(2)
    word = plain(third.locator("b"))
    third.click()
    same(page, [*before, word])

    begin(page, "Once upon", 3)
    number(page, "temperature", 0)
    number(page, "length", 200)
    page.locator("#completion-go").click()
    expect(page.locator(STATUS)).to_contain_text("end token")
    idle(page)
    assert texts(page)[-1] == "</s>"
    expect(page.locator("#completion-next")).to_contain_text("nothing comes next")
    step.click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("has ended the text here")


def test_controls_samples_and_advice(visit, mock_page):
    page = open_tab(visit, mock_page("completion"))
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 720})
        page.wait_for_function(f"document.documentElement.scrollWidth <= {width}")

    # The controls move the next token's bars at once.
    begin(page, "a cat", 3)
    before = texts(page)
    rows = page.locator(NEXT)
    expect(rows.nth(1).locator("em.after")).not_to_have_text("cut off")
    own = rows.nth(0).locator("em.own").text_content()
    number(page, "top-k", 1)
    expect(rows.nth(1)).to_have_class("lm-choice cut")
    expect(rows.nth(0).locator("em.after")).to_have_text("1.0000")
    expect(rows.nth(0).locator("em.own")).to_have_text(own)
    expect(page.locator("#completion-next")).to_contain_text(re.compile(r"1 of \d+ tokens"))
    page.locator("#completion-reset").click()
    expect(rows.nth(1).locator("em.after")).not_to_have_text("cut off")
    expect(page.locator("#completion-top-k input")).to_have_value("0")
    number(page, "seed", -1)
    page.locator("#completion-step").click()
    expect(page.get_by_test_id("toast-body").last).to_contain_text("less than minimum")
    assert texts(page) == before
    page.locator("#completion-reset").click()
    number(page, "seed", 0)

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

    page.locator(f"{STRIP} .lm-toks").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator(f"{STRIP} .lm-live")).to_contain_text("token 2")
    page.keyboard.press("Enter")
    expect(page.locator(f"{STRIP} .lm-pinned")).to_contain_text("p after the controls")

    # White space at the end, and a chat model asked plainly: each put right with one click.
    asked(page, "The king ")
    advice = page.locator("#completion-advice .lm-advice")
    expect(advice).to_contain_text("ends in white space")
    advice.get_by_role("button").click()
    expect(page.locator("#completion-prompt textarea")).to_have_value("The king")
    expect(advice).to_have_count(0)
    page.wait_for_function("window.lmlab.shown.completion.runs[0].prefix === 'The king'")
    idle(page)
    page.locator("#completion-model input").fill(labs.CHAT)
    page.keyboard.press("Enter")
    asked(page, "Who ran?")
    expect(advice).to_contain_text("chat template")
    advice.get_by_role("button").click()
    expect(page.locator("#completion-chat input")).to_be_checked()
    page.wait_for_function(
        "window.lmlab.shown.completion.runs[0].prefix === '[user] Who ran? [model]'"
    )
    expect(advice).to_have_count(0)
    idle(page)
    page.locator("#completion-model input").fill(HOSTILE)
    page.keyboard.press("Enter")
    asked(page, HOSTILE)
    expect(page.get_by_test_id("toast-body").last).to_contain_text("<img src=x")
    expect(page.locator(f"{STATUS} .lm-progress")).to_have_count(0)
    assert page.evaluate("window.hacked") is None


def test_stop_and_a_closed_page_end_the_run(visit, serve_lab, mock_lab, monkeypatch):
    drawn, take = [], Stream.take
    monkeypatch.setattr(Stream, "take", lambda *one: drawn.append(1) or take(*one))
    page = open_tab(visit, serve_lab(mock_lab(model=labs.SLOW), "completion"))
    tokens, status = page.locator(TOKENS), page.locator(STATUS)
    whole = tokens.count()
    page.locator("#completion-regenerate").click()
    expect(status.locator(".lm-progress")).to_contain_text(re.compile(r"token \d"))
    page.locator("#completion-stop").click()
    expect(status).to_contain_text("Stopped")
    kept = tokens.count()
    assert 1 <= kept < whole
    ended(drawn)
    assert tokens.count() == kept
    expect(status).to_contain_text("Stopped")

    page.locator("#completion-regenerate").click()
    expect(status.locator(".lm-progress")).to_contain_text(re.compile(r"token \d"))
    page.close()
    ended(drawn)


def ended(drawn: list[int]) -> None:
    """Wait until no token is drawn for as long as three take."""
    for _ in range(20):
        before = len(drawn)
        time.sleep(0.9)
        if len(drawn) == before:
            return
    raise AssertionError("tokens are still drawn")


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
    expect(page.locator(f"{STRIP} .lm-start")).to_have_text("<|bos|>")
    logprob = sum(step.logprob for step in steps)
    expect(page.locator("#completion-figures")).to_contain_text(f"{-logprob:.2f}")
