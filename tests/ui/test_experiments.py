"""The Zip and Audit tabs in a real browser: the interval step by step, tokens of a number."""

import pytest
from playwright.sync_api import expect

from tests.ui.conftest import handed_over

pytestmark = pytest.mark.browser
TEXT = "The dog ran to the <b>king</b>.\n\nA cat said שלום."


def test_the_interval_narrows_and_the_far_side_knows_in_the_end(visit, mock_page):
    page = visit(mock_page("zip", "audit") + "?tab=zip")
    page.locator("#zip-text textarea").fill(TEXT)
    handed_over(page)
    page.locator("#zip-go").click()
    expect(page.locator("#zip-far")).to_contain_text("bit for bit")
    expect(page.locator("#zip-far .lm-zipfar")).to_have_text(TEXT)
    expect(page.locator("#zip-sizes tbody tr")).to_have_count(4)
    slider, said = page.locator("#zip-view input"), page.locator("#zip-view .lm-zipsaid")
    expect(slider).to_have_value("1")
    expect(said).to_contain_text("The")
    page.get_by_label("one token on").click()
    expect(slider).to_have_value("2")
    expect(said).to_contain_text("dog")
    expect(page.locator("#zip-view rect.own")).to_have_count(1)
    slider.focus()
    page.keyboard.press("End")
    for side in ("near", "far"):
        expect(page.locator(f"#zip-view .{side}")).to_contain_text("<b>king</b>.⏎⏎A cat said שלום.")
    last = slider.input_value()
    page.get_by_role("button", name="Play").click()  # from the beginning
    page.get_by_role("button", name="Pause").click()
    assert 1 <= int(slider.input_value()) < int(last)


def test_a_row_opens_the_tokens_that_make_it(visit, mock_page):
    page = visit(mock_page("zip", "audit") + "?tab=audit")
    page.locator("#audit-text textarea").fill(TEXT)
    handed_over(page)
    page.locator("#audit-go").click()
    row = page.locator("#audit-table tr", has_text="no start token")
    row.locator("summary").click()
    expect(row.locator("li").first).to_contain_text("not counted")
    expect(page.locator("#audit-table")).to_contain_text("lm-eval")
    keep = page.locator("#audit-keep")
    keep.get_by_role("button", name="Receipt", exact=True).click()
    expect(keep).to_contain_text("gives no weights")  # a mock has none
