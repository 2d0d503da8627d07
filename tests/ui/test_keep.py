"""What a visitor keeps: receipts, saved figures and strips, the report. Hostile text stays text."""

import ast
import csv
import io
import re
import threading

import pytest
from playwright.sync_api import Locator, Page, expect

from lmlab.features.likelihood import events
from tests.ui.conftest import TIMEOUT, show_tab

pytestmark = pytest.mark.browser
HOSTILE = (
    '=1+1 <img src=x onerror="document.title=\'owned\'"> </pre><script>1</script> """ \U0001f642'
)


def saved(page: Page, place: str, kind: str) -> bytes:
    """The file that a figure's menu gives."""
    menu = page.locator(f"{place} .lm-save")
    menu.get_by_role("button", name="Save this figure").click()
    with page.expect_download() as download:
        menu.get_by_role("button", name=kind, exact=True).click()
    return download.value.path().read_bytes()


def receipt(page: Page, name: str) -> Locator:
    """The receipt of a part of the page, shown."""
    keep = page.locator(f"#{name}-keep")
    keep.get_by_role("button", name="Receipt").click()
    return keep.locator("pre")


def test_what_was_shown_is_kept_in_every_form(visit, small_page, tmp_path):
    page = visit(small_page("likelihood", "completion"))
    page.get_by_label("Text to score").fill(HOSTILE)
    page.locator("#likelihood-go").click()
    expect(page.locator("#likelihood-strip .lm-toks")).to_contain_text("onerror")
    keep = page.locator("#likelihood-keep")
    keep.get_by_role("button", name="Receipt").click()
    expect(keep.locator("pre")).to_contain_text("onerror")
    with page.expect_download() as download:
        keep.get_by_role("button", name="Save as receipt.py").click()
    script = download.value.path().read_text(encoding="utf-8")
    assert HOSTILE in {n.value for n in ast.walk(ast.parse(script)) if isinstance(n, ast.Constant)}
    keep.get_by_role("button", name="Copy").click()
    expect(page.locator("#lm-notice")).to_have_text("Receipt copied.")
    assert page.evaluate("navigator.clipboard.readText()") == script

    assert saved(page, "#likelihood-strip", "PNG").startswith(b"\x89PNG")
    strip = saved(page, "#likelihood-strip", "HTML").decode()
    assert "<script" not in strip
    assert "<img" not in strip
    assert "default-src 'none'" in strip
    assert saved(page, "#likelihood-plot", "PNG").startswith(b"\x89PNG")
    assert b"<svg" in saved(page, "#likelihood-plot", "SVG")
    text = saved(page, "#likelihood-plot", "CSV").decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ["trace", "x", "y", "value", "text"]
    assert len(rows) > 5
    assert not any(cell.lstrip(" ").startswith(("=", "@")) for row in rows for cell in row)

    with page.expect_download() as download:
        page.get_by_role("button", name="Report", exact=True).click()
    report = download.value.path().read_text(encoding="utf-8")
    assert "&lt;img src=x onerror=" in report
    assert not re.search(r"<script|<img src=[\"']?x", report)
    assert "default-src 'none'" in report
    assert "from transformers import" in report
    (tmp_path / "report.html").write_text(report, encoding="utf-8")
    # The report as a browser shows it: nothing ran, and the text is there.
    other = page.context.new_page()
    other.goto((tmp_path / "report.html").as_uri())
    expect(other).to_have_title("lmlab report")
    expect(other.locator("main .lm-toks").last).to_contain_text("onerror")
    expect(other.locator("details pre").last).to_contain_text("AutoModelForCausalLM")

    # A completion's receipt says whether tokens were chosen.
    show_tab(page, "Completion")
    keep = page.locator("#completion-keep")
    keep.get_by_role("button", name="Receipt").click()
    expect(keep.locator("pre")).to_contain_text("for index in range")
    whole = keep.locator("pre").text_content()
    page.locator("#completion-undo").click()
    expect(keep.locator("pre")).not_to_have_text(whole)
    expect(keep.locator("pre")).to_contain_text("for index in range")
    page.locator("#completion-next button.lm-choice").nth(1).click()
    expect(keep.locator("pre")).to_contain_text("some chosen by hand")
    page.locator("#completion-regenerate").click()
    expect(keep.locator("pre")).to_contain_text("SEED, generator = 1")


def test_a_receipt_is_of_what_is_shown(visit, serve_lab, mock_lab, monkeypatch):
    whole, left = events.note, threading.Event()
    gates = {text: threading.Event() for text in ("second", "third")}

    def note(shown):  # is answered once the gate of its text is open
        text = shown.runs[0].text if shown else ""
        if text in gates:
            gates[text].wait(TIMEOUT / 1000)
        if text == "second":
            left.set()
        return whole(shown)

    def score(text):
        page.get_by_label("Text to score").fill(text)
        page.locator("#likelihood-go").click()
        expect(page.locator("#likelihood-strip .lm-toks")).to_contain_text(text)

    monkeypatch.setattr(events, "note", note)
    page = visit(serve_lab(mock_lab(model="base"), "likelihood"))
    score("first")
    code = receipt(page, "likelihood")
    expect(code).to_contain_text("first")
    # The old one goes as another text is shown, and the next one comes once it is known.
    score("second")
    expect(code).not_to_contain_text("first")
    # One that comes when a third text is shown already is dropped.
    gates["third"].set()
    score("third")
    expect(code).to_contain_text("third")
    gates["second"].set()
    assert left.wait(TIMEOUT / 1000)
    page.locator("#likelihood-copy").click()
    expect(page.locator("#likelihood-handover")).not_to_be_empty()
    expect(code).to_contain_text("third")
    expect(code).not_to_contain_text("second")


def test_drawings_and_receipts_of_shapes_and_models_are_kept(visit, small_page):
    page = visit(small_page("tuning", "scale"))
    page.get_by_role("button", name="Report", exact=True).click()
    expect(page.locator("#lm-notice")).to_have_text("Nothing to report yet: run something first.")
    show_tab(page, "Scale")
    text = saved(page, "#scale-cache-plot", "CSV").decode("utf-8-sig")
    last = [row for row in csv.DictReader(io.StringIO(text)) if row["trace"] == "this shape"][-1]
    assert (last["x"], float(last["y"])) == ("2048", 2 * 96 * 12288 * 2 * 2048)
    measured = saved(page, "#scale-measured-plot", "CSV").decode("utf-8-sig")
    assert next(csv.DictReader(io.StringIO(measured)))["trace"] == "stories"

    code = receipt(page, "scale-builder")
    expect(code).to_contain_text("n_layer=96")
    page.locator("#scale-layers input").fill("2")
    expect(code).to_contain_text("n_layer=2")
    page.locator("#scale-layers input").fill("0")
    expect(page.locator("#scale-builder-keep .lm-keep")).not_to_be_visible()
    expect(receipt(page, "scale-measured")).to_contain_text("KINDS, COUNT = ['stories'")
    with page.expect_download() as download:
        page.get_by_role("button", name="Report", exact=True).click()
    report = download.value.path().read_text(encoding="utf-8")
    assert "receipt of base" in report
    assert "parameters: L = 2, d = 12,288" in report
    assert "n_layer=2" in report
