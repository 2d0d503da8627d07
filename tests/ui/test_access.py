"""How axe-core and the keyboard are asked; the lecture; the line about a term; the first visit."""

import re
from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Page, expect

from tests.ui.conftest import show_tab

pytestmark = pytest.mark.browser
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
OWN = Path(__file__).with_name("access.js")
SCRIPTS = f"{AXE.read_text(encoding='utf-8')}\n{OWN.read_text(encoding='utf-8')}"
PHONE = {"width": 390, "height": 844}
PROJECTOR = {"width": 1280, "height": 720}
MOST_STOPS = 250


def faults(page: Page, *rules: str) -> list[str]:
    """The serious and critical violations of some rules, or of all."""
    page.mouse.move(0, 0)
    page.evaluate("() => document.activeElement.blur()")
    return page.evaluate("rules => access.serious(rules)", list(rules))


def by_keyboard(page: Page) -> list[str]:
    """The controls that Tab does not come to, and those on which the focus cannot be seen."""
    page.evaluate("access.list()")
    hidden = []
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        at = page.evaluate("access.focus()")
        if at and at["first"]:
            break
        if at and not at["shown"]:
            hidden.append(f"unseen: {at['html']}")
    else:
        hidden.append("the focus never comes back")
    return [*hidden, *page.evaluate("access.missed()")]


def test_a_first_visit_is_welcomed_once_and_the_lecture_has_no_serious_violation(visit, small_page):
    page = visit(small_page())
    expect(page.locator(".lm-begin")).to_be_visible()
    expect(page.locator("#likelihood-factors tbody tr").first).to_be_visible()
    expect(page.get_by_test_id("toast-body")).to_have_count(0)
    page.get_by_label("Close this line").click()
    page.goto(f"{small_page()}?scene=")
    expect(page.locator('#lecture .lm-lecture[data-state="ready"]')).to_be_visible()
    expect(page.locator(".lm-begin")).not_to_be_visible()
    page.locator("#lecture .lm-list").click()
    page.evaluate(SCRIPTS)
    assert faults(page) == []
    page.keyboard.press("d")
    expect(page.locator("body")).to_have_class(re.compile("dark"))
    assert faults(page, "color-contrast") == []


def test_what_is_a_term_takes_the_focus_and_explains_itself(visit, small_page):
    page = visit(small_page("tuning", "scale"))
    line = page.get_by_role("tooltip")
    rank = page.locator("#tuning-rank input").first
    rank.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    expect(line.filter(has_text="columns of V")).to_be_visible()
    expect(rank).to_have_attribute("aria-describedby", "lm-term")
    page.keyboard.press("Escape")
    expect(line).not_to_be_visible()

    show_tab(page, "Scale")
    expect(page.locator("#scale-measured th").first).to_be_visible()
    expect(page.locator("#scale-stop")).to_be_disabled()
    page.locator("#scale-layers input").focus()
    for place, said in (
        ("#scale-figures .lm-fig.big", "counts once"),
        ("#scale-measured th:has-text('bits per byte')", "comparable between models"),
    ):
        expect(page.locator(place)).to_have_attribute("tabindex", "0")
        page.keyboard.press("Tab")  # the focus is moved by the keyboard from here on
        page.locator(place).focus()
        expect(line).to_contain_text(said)
        expect(line).to_be_visible()
    page.keyboard.press("Escape")
    expect(line).not_to_be_visible()
