"""The Data tab in a real browser: mixtures, a visitor's corpus, the filter, what is left."""

import json

import pytest
from playwright.sync_api import Page, expect

from lmlab.features.data.mixtures import GPT3, PILE, mixed
from tests.ui.conftest import handed_over
from tests.ui.test_keep import receipt

pytestmark = pytest.mark.browser
HOSTILE = '<img src=x onerror="window.hacked=1"> ${window.hacked=1} write to eve@example.org'


def open_tab(visit, address: str, **options) -> Page:
    """The tab once the shipped corpus was looked at."""
    page = visit(address, **options)
    page.get_by_role("tab", name="Data", exact=True).click()
    expect(page.locator(".lm-qhist")).to_be_visible()
    idle(page)
    return page


def idle(page: Page) -> None:
    expect(page.locator("#data-stop")).to_be_disabled()
    expect(page.locator("#data-status .lm-progress")).to_have_count(0)


def own(page: Page, text: str) -> None:
    """Paste a corpus and look at it."""
    page.locator("#data-source").get_by_text("own text").click()
    page.locator("#data-pasted textarea").fill(text)
    handed_over(page)
    page.locator("#data-go").click()


def epochs(page: Page) -> list[float]:
    return [float(text) for text in page.locator(".lm-mixtable .epochs b").all_inner_texts()]


def test_mixtures_and_the_shipped_corpus(visit, slow_page):
    page = open_tab(visit, slow_page("data"))
    shown = page.locator(".lm-corpuscards .lm-fig").first
    expect(shown).to_contain_text("61")
    expect(page.locator(".lm-twins").first).to_contain_text("exact")
    expect(page.locator("mark.phone").first).to_be_visible()
    expect(page.locator("#data-findings")).to_contain_text("[e-mail]")
    expect(page.locator("#data-findings")).to_contain_text("German")
    box = page.locator(".lm-qline2 input[type=number]")
    box.fill("1.5")
    box.press("Tab")
    kept = page.locator(".lm-kept")
    expect(kept).to_contain_text("of 61 documents stay")
    stay = int(kept.inner_text().split()[0])
    for name in ("drop exact duplicates", "drop near duplicates"):
        page.locator("#data-wishes").get_by_text(name).click()
        handed_over(page)
    expect(page.locator(".lm-left")).to_contain_text(f"{stay} of 61 documents")
    cards = page.locator(".lm-qside").first.locator(".lm-twinhead b").all_inner_texts()
    assert all(float(bits) <= 1.5 for bits in cards)
    page.locator("#data-wishes").get_by_text("drop above the threshold").click()
    expect(page.locator(".lm-left")).to_contain_text("61 of 61 documents")

    assert epochs(page) == [round(row.epochs, 2) for row in mixed(GPT3)]
    expect(page.locator(".lm-mixtable .why.apart")).to_contain_text("18.4 %")
    expect(page.locator(".lm-mixsum")).to_contain_text("101.0 %")
    page.locator(".lm-mixtotal input[type=number]").fill("600")
    assert epochs(page) == pytest.approx([2 * row.epochs for row in mixed(GPT3)], abs=0.006)
    expect(page.locator(".lm-mixwarn")).to_contain_text("WebText2, Wikipedia")
    expect(page.locator(".lm-mixtable tr.over .past").first).to_have_text("⚠ past 4")
    page.get_by_role("button", name="Scale to 100 %").click()
    expect(page.locator(".lm-mixsum")).to_contain_text("100.0 %")
    page.get_by_label("weight of Wikipedia, per cent").last.fill("")
    assert epochs(page)[4] == pytest.approx(3 / 101 * 100 / 100 * 600 / 3, abs=0.01)
    page.get_by_role("button", name="As published").click()
    assert epochs(page) == [round(row.epochs, 2) for row in mixed(GPT3)]
    page.get_by_role("radio", name="The Pile").check(force=True)
    expect(page.locator(".lm-mixtable tbody tr")).to_have_count(len(PILE.parts))
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 720})
        page.wait_for_function(f"document.documentElement.scrollWidth <= {width}")

    own(page, "\n\n".join(f"document number {i} of many" for i in range(900)))
    expect(page.locator("#data-status .lm-progress")).to_contain_text("scored")
    page.locator("#data-stop").click()
    expect(page.locator("#data-status")).to_contain_text("Stopped.")
    expect(shown).to_contain_text("61")


def test_a_visitors_corpus(visit, small_page, tmp_path):
    page = open_tab(visit, small_page("data"))
    shown = page.locator(".lm-corpuscards .lm-fig").first
    own(page, "")
    expect(page.get_by_test_id("toast-body").first).to_contain_text("There is no text")
    expect(shown).to_contain_text("61")
    own(page, f"The dog ran home to his mother.\n\nThe dog ran home to his mother.\n\n{HOSTILE}")
    expect(shown).to_contain_text("3")
    expect(page.locator("mark.e-mail").first).to_have_text("eve@example.org")
    idle(page)
    expect(receipt(page, "data")).to_contain_text("TEXTS = [  # beginnings of documents")
    page.locator("#data-wishes").get_by_text("drop above the threshold").click()
    expect(page.locator(".lm-left")).to_contain_text("2 of 3 documents")
    assert page.evaluate("window.hacked") is None
    with page.expect_download() as waiting:
        page.locator("#data-cleaned").click()
    lines = waiting.value.path().read_text(encoding="utf-8-sig").splitlines()
    assert [json.loads(line)["document"] for line in lines] == [1, 3]
    assert "[e-mail]" in json.loads(lines[1])["text"]
    with page.expect_download() as waiting:
        page.locator("#data-csv").click()
    assert waiting.value.path().read_text(encoding="utf-8-sig").startswith("document,characters")

    file = tmp_path / "two.jsonl"
    file.write_text('{"text": "one"}\n{"text": "two"}\n')
    page.locator("#data-upload input[type=file]").set_input_files(file)
    expect(page.locator("#data-upload")).to_contain_text("two")
    handed_over(page)
    page.locator("#data-go").click()
    expect(shown).to_contain_text("2documents")
