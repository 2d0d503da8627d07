"""The map of continuations in a real browser: areas, controls, paths, keys, going in."""

import pytest
from playwright.sync_api import expect

from tests.ui.conftest import handed_over
from tests.ui.test_completion import number, open_tab
from tests.ui.test_likelihood import HOSTILE

pytestmark = pytest.mark.browser
MAP = "#completion-tree-map"
# Of all cells of the first column: their heights as shares of the map, by their kind.
COLUMN = """() => { const map = document.querySelector(".lm-map");
  return [...map.querySelectorAll(".lm-spot")].filter((one) => one.style.left === "0%")
    .map((one) => [one.className.split(" ")[1], parseFloat(one.style.height) / 100]) }"""


def test_the_map_has_area_for_all_probability_and_goes_in(visit, small_page):
    page = open_tab(visit, small_page("completion"))
    page.locator("#completion-prompt textarea").fill(HOSTILE)
    number(page, "temperature", 1)
    handed_over(page)
    page.locator("#completion-tree-go").click()
    spots = page.locator(f"{MAP} .lm-spot")
    expect(spots.first).to_be_attached()
    column = page.evaluate(COLUMN)
    assert sum(height for _, height in column) == pytest.approx(1, abs=1e-4)
    assert {kind for kind, _ in column} <= {"token", "small", "rest"}
    expect(page.locator(f"{MAP} .lm-paths tbody tr")).to_have_count(1 + 4 + 5)

    # A control cuts: what is left fills the map; under the model's own areas what is cut is grey.
    number(page, "top-k", 2)
    expect(page.locator(f"{MAP} .lm-spot.rest")).to_have_count(0)
    assert [kind for kind, _ in page.evaluate(COLUMN)] == ["token", "token"]
    page.locator(f"{MAP} label", has_text="the model’s own").click()
    expect(page.locator(f"{MAP} .lm-spot.cut").first).to_be_attached()
    assert sum(height for _, height in page.evaluate(COLUMN)) == pytest.approx(1, abs=1e-4)
    page.locator(f"{MAP} label", has_text="after the controls").click()

    # Keys walk, Enter goes in, the prompt leads back.
    page.mouse.move(0, 0)
    page.locator(f"{MAP} .lm-map").press("ArrowDown")
    expect(page.locator(f"{MAP} .lm-areasaid")).to_contain_text("where it stands")
    page.keyboard.press("Enter")
    crumbs, heads = page.locator(f"{MAP} .lm-crumb"), page.locator(f"{MAP} .lm-heads div")
    expect(crumbs).to_have_count(2)
    expect(heads).to_have_count(5)
    expect(heads.first).to_contain_text("token 2")
    crumbs.first.click()
    expect(crumbs).to_have_count(1)
    expect(heads.first).to_contain_text("token 1")
    keep = page.locator("#completion-tree-keep")
    keep.get_by_role("button", name="Receipt", exact=True).click()
    expect(keep.locator("pre")).to_contain_text("onerror")
    assert page.evaluate("window.hacked") is None
