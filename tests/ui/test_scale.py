"""The Scale tab in a real browser: over the embedded suite, and over small models."""

import csv
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lmlab.features.scale.measured import Measured
from lmlab.features.scale.service import Scaling
from tests.ui.conftest import handed_over, show_tab

pytestmark = pytest.mark.browser
FIGURE = "document.querySelector('#scale-measured-plot .js-plotly-plot')"
COUNT = "#scale-figures .lm-fig.big .v"


def open_tab(visit, address: str, **options) -> Page:
    """The tab once it has measured."""
    page = visit(address, **options)
    show_tab(page, "Scale")
    expect(page.locator("#scale-measured table")).to_be_visible()
    expect(page.locator("#scale-stop")).to_be_disabled()
    return page


def type_in(page: Page, field: str, value: str) -> None:
    """Type a number into a field."""
    page.locator(f"#scale-{field} input").fill(value)
    handed_over(page)


def downloaded(page: Page, button: str) -> list[dict[str, str]]:
    """The rows of a CSV that a button gives."""
    with page.expect_download() as caught:
        page.locator(button).click()
    with Path(caught.value.path()).open(encoding="utf-8-sig", newline="") as opened:
        return list(csv.DictReader(opened))


def test_opening_shows_the_gpts_models_at_hand_and_what_they_reach(visit, real_page, real_lab):
    page = open_tab(visit, real_page("scale"))
    table = page.locator("#scale-table")
    gpt3 = table.locator("tr", has_text="GPT-3")
    expect(gpt3).to_contain_text("174,604,259,328")
    expect(gpt3).to_contain_text("175B")
    expect(table.locator("tr", has_text="GPT-4")).to_contain_text("not published")
    expect(table.locator("tr", has_text="base")).to_contain_text("4,959,488")
    kinds = ["stories", "older prose", "encyclopaedia"]
    steps = real_lab.service(Scaling).measure(["base", "small", "tiny"], kinds, 6)
    known = [step for step in steps if isinstance(step, Measured)]
    expect(page.locator("#scale-measured tbody tr")).to_have_count(9)
    for row, one in zip(page.locator("#scale-measured tbody tr").all(), known, strict=True):
        expect(row).to_contain_text(f"{one.bits_per_byte:.3f}")
    page.wait_for_function(f"{FIGURE}?.data?.map((line) => line.y.length).join() === '3,2,3,2,3,2'")
    page.locator("#scale-axis").get_by_label("perplexity").click()
    chart = page.locator("#scale-measured-plot")
    expect(chart).to_contain_text("perplexity, per token")
    page.locator("#scale-against").get_by_label("compute 6·N·D").click()
    expect(chart).to_contain_text("FLOPs")
    rows = downloaded(page, "#scale-measured-csv")
    assert [float(row["bits_per_byte"]) for row in rows] == pytest.approx(
        [one.bits_per_byte for one in known]
    )
    assert [row["model"] for row in downloaded(page, "#scale-csv")][-3:] == [
        "base",
        "small",
        "tiny",
    ]


def test_the_builder_follows_what_is_typed(visit, small_page, monkeypatch):
    page = open_tab(visit, small_page("scale"))
    expect(page.locator(COUNT)).to_have_text("174,604,259,328")
    expect(page.locator("#scale-lora")).to_contain_text("the 4.7 M of the LoRA paper")
    page.get_by_role("button", name="GPT-2 small").click()
    expect(page.locator(COUNT)).to_have_text("124,439,808")
    type_in(page, "layers", "24")
    type_in(page, "heads", "16")
    type_in(page, "width", "1024")
    expect(page.locator("#scale-feed-forward input")).to_have_value("4096")
    expect(page.locator(COUNT)).to_have_text("354,823,168")
    expect(page.locator("#scale-figures")).to_contain_text("the shape of GPT-2 medium")
    page.get_by_label("head tied to embeddings").click()
    expect(page.locator(COUNT)).to_have_text(f"{354_823_168 + 50257 * 1024:,}")
    type_in(page, "heads", "5")
    expect(page.locator("#scale-figures .lm-problem")).to_contain_text(
        "cannot be shared by 5 heads"
    )
    type_in(page, "heads", "16")
    expect(page.locator(COUNT)).to_be_visible()
    type_in(page, "rate", "989")
    expect(page.locator("#scale-training")).to_contain_text("9.89·10¹⁷")
    parts = downloaded(page, "#scale-parts-csv")
    assert sum(int(row["parameters"]) for row in parts) == 354_823_168 + 50257 * 1024
    stopped(page, monkeypatch)
    shapes(page)
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("document.documentElement.scrollWidth <= 390")
    big = page.locator(COUNT)
    assert big.evaluate("node => node.scrollWidth <= node.clientWidth + 1")
    assert big.bounding_box()["height"] < 60


def shapes(page: Page) -> None:
    """A model's shape is taken or refused; one that cannot be had is a row that says so."""
    choice = page.get_by_label("or the shape of a model at hand")
    choice.click()
    page.get_by_role("option", name="base", exact=True).click()
    expect(page.locator("#scale-width input")).to_have_value("48")
    expect(page.locator("#scale-length input")).to_have_value("512")
    choice.click()
    page.get_by_role("option", name="mock:uniform").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("‘mock:uniform’ gives no weights")
    expect(page.locator("#scale-width input")).to_have_value("48")
    box = page.locator("#scale-models input")
    box.fill("<img src=x onerror=alert(1)>")
    box.press("Enter")
    expect(page.locator("#scale-table")).to_contain_text("There is no model named ‘<img src=x")
    assert page.locator("#scale-table img").count() == 0
    expect(page.get_by_role("row", name="base 4 48 2 4,096 512")).to_be_visible()


def stopped(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring ends where it is stopped: no row comes after."""
    plain = Scaling._measured
    monkeypatch.setattr(
        Scaling,
        "_measured",
        lambda *asked: (time.sleep(0.3) or one for one in plain(*asked)),
    )
    for kind in ("shuffled stories", "German"):
        page.locator("#scale-kinds").get_by_label(kind).check()
    page.locator("#scale-go").click()
    expect(page.locator("#scale-status .lm-progress")).to_be_visible()
    page.locator("#scale-stop").click()
    expect(page.locator("#scale-status")).to_contain_text("Stopped")
    expect(page.locator("#scale-stop")).to_be_disabled()
    assert page.locator("#scale-measured tbody tr").count() < 5
