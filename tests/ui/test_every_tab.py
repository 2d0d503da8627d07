"""What every tab takes: it opens, shows its first result, has no serious violation in light, dark,
by keyboard and on a phone, and takes hostile text for text. Tabs are those that there are, and the
one that CONTRIBUTING.md makes, in a folder of its own.
"""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import lmlab.features
from lmlab.features import Feature, features
from lmlab.lab import Lab
from lmlab.settings import Settings
from tests.ui.conftest import handed_over, show_tab
from tests.ui.guide import made
from tests.ui.test_access import PHONE, PROJECTOR, SCRIPTS, by_keyboard, faults

pytestmark = pytest.mark.browser
HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>${window.hacked=1}'


@pytest.fixture(scope="module")
def guided(serve_lab, tmp_path_factory) -> str:
    """A page whose second tab is the guide's."""
    folder = made(tmp_path_factory.mktemp("features"))
    before = [*lmlab.features.__path__]
    yield serve_lab(Lab.open(Settings(offline=True, model="tiny", features=(folder,))), "order")
    lmlab.features.__path__[:] = before


def first_result(page: Page, tab: Feature) -> None:
    """Bring a tab to its first result."""
    show_tab(page, tab.title)
    if tab.first.press:
        page.locator(tab.first.press).click()
    expect(page.locator(tab.first.ready).first).to_be_visible()


def violations(page: Page) -> list[str]:
    """What is wrong with what is shown, in light, dark, by keyboard and on a phone."""
    found = [*faults(page), *by_keyboard(page)]
    page.locator(".lm-theme").click()
    found += faults(page, "color-contrast")
    page.locator(".lm-theme").click()
    page.set_viewport_size(PHONE)
    found += [*faults(page, "scrollable-region-focusable"), *page.evaluate("access.sideways()")]
    page.set_viewport_size(PROJECTOR)
    return found


def boxes(page: Page, tab: str) -> list[str]:
    """Ids of the text boxes that a tab shows."""
    find = "all => all.filter((one) => one.offsetParent).map((one) => one.id)"
    return page.locator(f"[id^={tab}-]:has(textarea:enabled)").evaluate_all(find)


def idle(page: Page, tab: Feature) -> None:
    """Have what runs end, so that the tab can be asked again."""
    # A stop may come before there is anything to be stopped: it is pressed as long as it can be.
    stopped = """([press, stop]) => {
      document.querySelector(stop)?.click();
      return Boolean(document.querySelector(press)?.disabled === false);
    }"""
    asked = [tab.first.press, f"#{tab.name}-stop:enabled"]
    page.wait_for_function(stopped, arg=asked, polling=500)


def takes_hostile_text(page: Page, tab: Feature) -> None:
    """Type it into every box and ask: it stays text."""
    idle(page, tab)
    for box in boxes(page, tab.name):
        field = page.locator(f"#{box} textarea").first
        if field.is_visible():  # another box may have closed it
            field.fill(HOSTILE)
    handed_over(page)
    page.locator(tab.first.press).click()
    handed_over(page)
    idle(page, tab)
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.timeout(900)
def test_every_tab_in_light_dark_by_keyboard_on_a_phone_and_with_hostile_text(visit, small_page):
    page = visit(small_page())
    page.evaluate(SCRIPTS)
    wrong = []
    for tab in features():
        first_result(page, tab)
        wrong += [f"{tab.title}: {one}" for one in violations(page)]
        if tab.first.press:
            takes_hostile_text(page, tab)
    assert not wrong, "\n".join(wrong)


@pytest.mark.timeout(600)
def test_the_tab_of_the_guide_takes_them_all(visit, guided):
    page = visit(guided)
    folders = [Path(path) for path in lmlab.features.__path__[1:]]
    tab = next(one for one in features(folders) if one.name == "order")
    page.evaluate(SCRIPTS)
    first_result(page, tab)
    keep = page.locator("#order-keep")
    keep.get_by_role("button", name="Receipt", exact=True).click()
    expect(keep.locator("pre")).to_contain_text("transformers")
    keep.get_by_role("button", name="Receipt", exact=True).click()
    assert violations(page) == []
    page.locator("#order-text textarea").fill(HOSTILE)
    handed_over(page)
    page.locator("#order-go").click()
    expect(page.locator("#order-result")).to_contain_text("onerror")
    assert page.evaluate("window.hacked") is None
    page.goto(f"{guided}?tab=order&text=One+two")
    expect(page.locator("#order-text textarea")).to_have_value("One two")
    page.goto(f"{guided}?scene=order-of-words")
    expect(page.locator("#order-text textarea")).to_have_value("The cat sat on the mat.")
    expect(page.locator("#order-result")).to_contain_text("mat. the on sat cat The")
