"""The Change tab's parts on weights in a real browser, over the embedded suite and a run's own."""

import math
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Page, expect

from lmlab.features.change.changes import Changes, Knifed
from lmlab.features.change.service import Changing, KnifeTexts
from lmlab.lab import Lab
from lmlab.runs.store import Runs
from lmlab.runs.worker import train
from lmlab.settings import Settings
from tests.tuningbits import DATA, TEMPLATE, quick
from tests.ui.conftest import handed_over, show_tab
from tests.ui.test_keep import saved
from tests.ui.test_likelihood import HOSTILE

pytestmark = pytest.mark.browser
OWNER = "0123456789abcdef" * 2
TOAST = "toast-body"
CELLS = "#change-map .lm-mapcell"
FIGURE = "document.querySelector('#change-spectra-plot .js-plotly-plot')"


def open_tab(visit, address: str) -> Page:
    """The tab once the first pair is measured."""
    page = visit(address)
    settled(page, "weights", "matrices changed")
    return page


def settled(page: Page, part: str, said: str = "") -> None:
    """Wait for what runs to end."""
    expect(page.locator(f"#change-{part}-stop")).to_be_disabled()
    expect(page.locator(f"#change-{part}-status .lm-progress")).to_have_count(0)
    if said:
        expect(page.locator(f"#change-{part}-status")).to_contain_text(said)


def choose(page: Page, field: str, option: str) -> None:
    page.locator(f"#change-{field} input").click()
    page.get_by_role("option", name=option).first.click()


def receipt(page: Page, part: str) -> str:
    """The script beside a result, opened."""
    page.locator(f"#{part}-keep .lm-keep-open").click()
    code = page.locator(f"#{part}-keep .lm-keep-code")
    expect(code).to_contain_text("import torch")
    return code.inner_text()


def changes_of(lab: Lab, base: str, tuned: str) -> Changes:
    return next(s for s in lab.service(Changing).weights(base, tuned) if isinstance(s, Changes))


def test_weights_as_a_map_and_one_matrix_in_full(visit, real_page, real_lab):
    page = open_tab(visit, real_page("change"))
    found = changes_of(real_lab, "base", "base+sentiment")
    expect(page.locator("#change-tuned input")).to_have_value("base+sentiment")
    expect(page.locator(CELLS)).to_have_count(len(found.matrices))
    most = max(found.matrices, key=lambda one: one.relative)
    expect(page.locator("#change-figures")).to_contain_text(most.name)
    other = next(one for one in found.matrices if one.kind.endswith("down_proj"))
    cell = page.locator(f'{CELLS}[data-name="{other.name}"]')
    expect(cell).to_have_text(f"{100 * other.relative:.1f}")
    cell.click()
    expect(page.locator("#change-figures")).to_contain_text(other.name)
    expect(page.locator("#change-figures")).to_contain_text(f"{other.effective_rank:.2f}")
    page.wait_for_function(f"n => {FIGURE}?.data?.[1]?.y.length === n", arg=other.rank)
    drawn = page.evaluate(f"[...{FIGURE}.data[1].y]")
    assert drawn == pytest.approx(other.singular_values, rel=1e-4)
    expect(page.locator("#change-pictures canvas")).to_have_count(4)
    page.locator("#change-matrix-keep").get_by_role("button", name="Receipt").click()
    expect(page.locator("#change-matrix-keep pre")).to_contain_text(other.name)

    choose(page, "tuned", "all weights tuned")
    settled(page, "weights", "vectors changed")
    norm = page.locator(f"{CELLS}[data-name$='layers.0.post_attention_layernorm']")
    inside = page.locator("#change-map .lm-mapscroll").bounding_box()
    box = norm.bounding_box()
    assert box["x"] + box["width"] <= inside["x"] + inside["width"] + 1
    norm.click()
    expect(page.locator("#change-figures")).to_contain_text("post_attention_layernorm")
    expect(page.locator("#change-spectra-plot")).to_contain_text("A vector has no singular values")
    expect(page.locator("#change-pictures canvas")).to_have_count(2)

    choose(page, "tuned", "base+qa-prompt")
    expect(page.locator("#change-map")).to_contain_text("changes no weight")
    expect(page.locator("#change-figures")).to_contain_text("No matrix has changed")
    expect(page.locator("#change-pictures canvas")).to_have_count(0)
    settled(page, "weights")
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("document.documentElement.scrollWidth <= 390")
    page.set_viewport_size({"width": 1280, "height": 720})

    # What does not belong together is refused with a sentence.
    box = page.locator("#change-tuned input")
    for name, words in ((HOSTILE[:80], "no model named"), ("small", "same matrices")):
        box.fill(name)
        box.press("Enter")
        expect(page.get_by_test_id(TOAST).last).to_contain_text(words)
        settled(page, "weights")
    # What was drawn was another pair's.
    expect(page.locator(CELLS)).to_have_count(0)
    expect(page.locator("#change-figures")).to_contain_text("Choose a matrix")
    assert page.evaluate("window.hacked") is None


def test_the_knife_goes_from_the_base_to_the_tuned_model(visit, real_page, real_lab):
    page = open_tab(visit, real_page("change"))
    page.get_by_role("tab", name="Rank knife", exact=True).click()
    task, general = "Review: a dull, empty film\nSentiment: negative", "Once upon a time."
    for field, text in (("task", task), ("general", general)):
        page.locator(f"#change-knife-{field} textarea").fill(text)
    handed_over(page)
    page.locator("#change-knife-go").click()
    expect(page.locator(".lm-knifesaid")).to_contain_text("Check: k = 0 is the base")
    settled(page, "knife")
    assert "K = 1 " in receipt(page, "change-knife")
    cut = saved(page, ".lm-knifechart:first-child", "CSV").decode("utf-8-sig").split()
    assert [line.split(",")[0] for line in cut[-3:]][1:] == ["base", "tuned"]
    drawing = ElementTree.fromstring(saved(page, ".lm-knifechart:first-child", "SVG").decode())
    lines = [node for node in drawing.iter() if node.tag.endswith(("line", "polyline"))]
    assert lines
    assert all("stroke: rgb(" in node.get("style", "") for node in lines)
    assert float(drawing.get("width")) > 100
    slider = page.locator(".lm-knifeslider input")
    shown = page.locator(".lm-knifenums .lm-num2")
    last = int(slider.get_attribute("max"))
    for place, ref in ((0, "base"), (last, "base+sentiment")):
        slider.fill(str(place))
        expect(shown.first).to_contain_text(f"{place} of {last}")
        for text, cell in ((task, shown.nth(1)), (general, shown.nth(2))):
            scored = next(s for s in real_lab.score(ref, text) if hasattr(s, "perplexity"))
            number = float(cell.locator("b").inner_text().split()[0].replace(",", ""))
            assert number == pytest.approx(scored.perplexity, rel=2e-3)
    on = KnifeTexts(task=task, general=general)
    *_, whole = real_lab.service(Changing).knife("base", "base+sentiment", on)
    assert isinstance(whole, Knifed)
    assert last == whole.ranks[-1]
    slider.fill("1")
    middle = float(shown.nth(1).locator("b").inner_text().split()[0].replace(",", ""))
    assert middle == pytest.approx(math.exp(whole.points[1].task), rel=2e-3)

    # Another pair: the curve of this one goes at once, and Stop is kept to.
    choose(page, "tuned", "base+verse")
    for field in ("task", "general"):
        page.locator(f"#change-knife-{field} textarea").fill("")
    handed_over(page)
    page.locator("#change-knife-go").click()
    expect(page.locator(".lm-knifebody")).to_be_hidden()
    expect(page.locator("#change-knife-status .lm-progress")).to_contain_text("k =")
    page.locator("#change-knife-stop").click()
    expect(page.locator("#change-knife-status")).to_contain_text("Stopped.")
    expect(page.locator("#change-knife-status .lm-progress")).to_have_count(0)


def test_a_finished_run_opens_beside_its_base(visit, serve_lab, tmp_path):
    settings = Settings(offline=True, runs_dir=tmp_path, device="cpu")
    made = Runs(tmp_path).new(OWNER, "base", DATA, TEMPLATE, quick(steps=2))
    for _ in train(made, settings):
        pass
    address = serve_lab(Lab.open(settings), "tuning", "change")
    name = {"name": "lmlab-visitor", "value": OWNER}
    kept = {"cookies": [], "origins": [{"origin": address, "localStorage": [name]}]}
    page = visit(address, storage_state=kept)
    show_tab(page, "Fine-tune")
    page.locator("#tuning-runs").get_by_role("button", name="Show").click()
    page.locator("#tuning-change").click()
    expect(page.locator("#change-tuned input")).to_have_value("your run: LoRA, ℓ = 4 on words")
    expect(page.locator("#change-base input")).to_have_value("base")
    settled(page, "weights", f"base+run:{made.spec.id}: 42 matrices changed by LoRA of rank ℓ = 4")
