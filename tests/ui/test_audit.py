"""The Audit tab in a real browser: a row opens the tokens that make its number."""

import pytest
from playwright.sync_api import expect

from tests.ui.conftest import handed_over

pytestmark = pytest.mark.browser
TEXT = "The dog ran to the <b>king</b>.\n\nA cat said שלום."


def test_a_row_opens_the_tokens_that_make_it(visit, mock_page):
    page = visit(mock_page("zip", "audit") + "?tab=audit")
    page.locator("#audit-text textarea").fill(TEXT)
    handed_over(page)
    page.locator("#audit-go").click()
    row = page.locator("#audit-table tr", has_text="no start token")
    row.locator("summary").click()
    expect(row.locator("li").first).to_contain_text("not counted")
    expect(page.locator("#audit-table")).to_contain_text("lm-eval")
