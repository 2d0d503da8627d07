"""The Fine-tune tab in a real browser, over small models; they train in threads, but for one."""

import re
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from lmlab.features.tuning.service import Tuning
from lmlab.lab import Lab
from lmlab.settings import Settings
from lmlab.text.wordings import shipped_templates
from lmlab.training.config import demo
from lmlab.training.masks import MaskView
from tests import labs
from tests.ui.conftest import handed_over, show_tab

pytestmark = pytest.mark.browser
MONITOR = "#tuning-monitor .lm-monitor"
COUNTER = "#tuning-counter .lm-fig.big"
LOSS = "#tuning-mask .lm-toks .lm-tok.loss"
ROWS = "#tuning-runs tbody tr"
LONG = 2000  # steps: more than a test waits for


@pytest.fixture(scope="module")
def lab(mock_lab) -> Lab:
    return mock_lab(model="base")


@pytest.fixture(scope="module")
def address(serve_lab, lab) -> str:
    return serve_lab(lab, "compare", "prompt", "tuning")


@pytest.fixture
def page(visit, address, lab) -> Page:
    labs.clear(lab)
    yield open_tab(visit(address))
    labs.clear(lab)


def open_tab(page: Page) -> Page:
    """The tab once a row and the counter are there."""
    show_tab(page, "Fine-tune")
    expect(page.locator(LOSS).first).to_be_visible()
    expect(page.locator(COUNTER)).to_be_visible()
    return page


def fill(page: Page, field: str, value: str) -> None:
    """Type into a box or a slider's number."""
    box = page.locator(f"#tuning-{field} :is(input[type=number], textarea, input[type=text])").first
    box.fill(value)
    box.press("Tab")


def choose(page: Page, field: str, name: str) -> None:
    """Pick from a dropdown."""
    page.locator(f"#tuning-{field} input").click()
    page.get_by_role("option", name=name, exact=True).click()


def start(page: Page, steps: int | None = None) -> None:
    """Press Start, and wait until steps are made."""
    if steps:
        fill(page, "steps", str(steps))
        expect(page.locator("#tuning-steps input[type=number]")).to_have_value(str(steps))
    page.locator("#tuning-start-go").click()
    expect(page.locator(MONITOR)).to_have_attribute("data-points", re.compile("[1-9]"))


def turned(page: Page, state: str) -> None:
    expect(page.locator(MONITOR)).to_have_attribute("data-state", state)


def points(page: Page) -> int:
    return int(page.locator(MONITOR).get_attribute("data-points") or 0)


def mask(lab: Lab, row: int = 0, **changed) -> MaskView:
    """A row of the demo as the library has it."""
    template, data = shipped_templates()["qa-tuned"], lab.service(Tuning).dataset("qa")
    return lab.service(Tuning).preview("base", data, template, replace(demo(), **changed), row)


def carry(view: MaskView) -> str:
    return f"{sum(t.loss for t in view.tokens)} of {len(view.tokens)} tokens carry loss"


def learns(lab: Lab, **changed) -> str:
    """How many parameters learn."""
    return f"{lab.service(Tuning).count('base', replace(demo(), **changed)).trainable:,}"


def test_it_opens_with_the_demo_ready_to_start(page, lab):
    shown = [token.text for token in mask(lab).tokens if token.loss]
    assert page.locator(LOSS).all_text_contents() == shown
    expect(page.locator("#tuning-mask")).to_contain_text(carry(mask(lab)))
    expect(page.locator(COUNTER)).to_contain_text(learns(lab))
    expect(page.locator("#tuning-counter")).to_contain_text("ℓ(d + k) = 8 · (48 + 48) = 768")
    expect(page.locator("#tuning-counter svg rect.learns")).to_have_count(2)
    expect(page.locator("#tuning-monitor")).to_contain_text("Nothing trained yet")
    expect(page.locator("#tuning-runs")).to_contain_text("No runs yet")


def test_the_counter_moves_with_every_setting(page, lab):
    fill(page, "rank", "2")
    expect(page.locator(COUNTER)).to_contain_text(learns(lab, rank=2))
    page.get_by_label("Prompt tuning", exact=True).check()
    expect(page.locator("#tuning-length")).to_be_visible()
    expect(page.locator("#tuning-lora")).to_be_hidden()
    expect(page.locator(COUNTER)).to_contain_text(learns(lab, method="prompt"))
    expect(page.locator("#tuning-rate input, #tuning-rate textarea")).to_have_value("0.03")
    page.get_by_label("Selective", exact=True).check()
    fill(page, "names", "-1, nothing_like_it")
    expect(page.locator("#tuning-counter .lm-problem")).to_contain_text("nothing_like_it")
    fill(page, "rate", "fast")
    expect(page.locator("#tuning-counter .lm-problem")).to_contain_text("cannot be ‘fast’")
    page.locator("#tuning-start-go").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("Type a number")


def test_rows_are_walked_and_the_mask_follows_the_settings(page, lab):
    last = mask(lab).rows
    page.locator("#tuning-back").click()
    expect(page.locator("#tuning-place")).to_contain_text(f"Row {last:,} of {last:,}")
    page.locator("#tuning-forth").click()
    expect(page.locator("#tuning-place")).to_contain_text(f"Row 1 of {last:,}")
    page.get_by_text("More settings").click()
    page.get_by_label("the whole row").check()
    expect(page.locator("#tuning-mask")).to_contain_text(carry(mask(lab, loss_on="all")))
    page.get_by_label("end token after the answer").uncheck()
    expect(page.locator("#tuning-mask .warn")).to_contain_text("does not learn to stop")


def test_the_form_of_a_row_is_chosen_and_told_of_the_run(page):
    page.get_by_text("More settings").click()
    form = page.locator("#tuning-form")
    expect(form.get_by_label("plain text")).to_be_checked()
    form.get_by_label("the model’s chat template").check()
    expect(page.locator("#tuning-mask .warn")).to_contain_text("The row has the chat form")
    start(page, 3)
    turned(page, "done")
    expect(page.locator("#tuning-settings")).to_contain_text("form chat")
    page.locator("#tuning-use-prompts").click()
    expect(page.locator("#prompt-form").get_by_label("as the model was tuned")).to_be_checked()


def test_start_reload_stop_resume_compare(page):
    start(page, LONG)
    before = points(page)
    expect(page.locator(MONITOR)).not_to_have_attribute("data-points", str(before))
    page.reload()
    open_tab(page)
    turned(page, "running")
    assert points(page) == int(page.locator(MONITOR).get_attribute("data-steps")) > before
    expect(page.locator(".lm-sample")).to_have_count(demo().samples)
    page.locator("#tuning-stop").click()
    turned(page, "stopped")
    kept = points(page)
    expect(page.locator("#tuning-compare")).to_be_visible()
    fill(page, "steps", "3")  # of another run: the one that goes on keeps its own
    page.locator("#tuning-resume").click()
    turned(page, "running")
    expect(page.locator(MONITOR)).not_to_have_attribute("data-points", str(kept))
    page.locator("#tuning-stop").click()
    turned(page, "stopped")
    assert points(page) > kept
    page.locator("#tuning-compare").click()
    expect(page.locator("#compare-model-2 input")).to_have_value("LoRA, ℓ = 8 on qa")
    expect(page.locator("#compare-prompt textarea")).to_have_value(re.compile("<.question.>"))
    expect(page.locator("#compare-strip-2")).to_contain_text("base+run:")
    expect(page.locator("#compare-strip-2 .lm-tok").first).to_be_visible()


def test_a_tuned_model_is_used_in_prompts(page):
    start(page, 3)
    turned(page, "done")
    page.locator("#tuning-use-prompts").click()
    expect(page.locator("#prompt-model input")).to_have_value("LoRA, ℓ = 8 on qa")
    expect(page.locator("#prompt-wording input")).to_have_value("The form of the tuned model")
    expect(page.locator("#prompt-view .lm-prompttext")).to_contain_text("<|question|>")
    expect(page.locator("#prompt-strip .lm-tok").first).to_be_visible()
    assert page.evaluate("window.lmlab.shown.prompt.runs[0].model").startswith("base+run:")


def test_what_was_zoomed_stays_zoomed_while_points_come(page):
    start(page, LONG)
    canvas = page.locator("#tuning-monitor canvas").first
    canvas.focus()
    for key in ("End", "+", "ArrowLeft"):
        canvas.press(key)
    whole = page.locator("#tuning-monitor .lm-chart").first.get_by_text("whole run")
    expect(whole).to_be_visible()
    before = points(page)
    expect(page.locator(MONITOR)).not_to_have_attribute("data-points", str(before))
    expect(whole).to_be_visible()
    whole.click()
    expect(whole).to_have_count(0)


def test_a_figure_keeps_the_focus_while_its_number_changes(page):
    start(page, LONG)
    figure = page.locator(".lm-run-numbers .lm-num2", has_text="train loss")
    expect(figure).to_have_attribute("tabindex", "0")
    figure.focus()
    before = points(page)
    expect(page.locator(MONITOR)).not_to_have_attribute("data-points", str(before))
    expect(figure).to_be_focused()


def test_runs_of_a_visitor_are_theirs_alone_and_others_wait(page, visit, address):
    start(page, LONG)
    other = open_tab(visit(address))
    expect(other.locator("#tuning-runs")).to_contain_text("No runs yet")
    other.locator("#tuning-start-go").click()
    expect(other.locator(MONITOR)).to_contain_text("place 1 in the queue")
    page.locator("#tuning-stop").click()
    expect(other.locator(MONITOR)).to_have_attribute("data-points", re.compile("[1-9]"))
    expect(other.locator(ROWS)).to_have_count(1)
    other.locator("#tuning-stop").click()
    turned(other, "stopped")


def test_a_race_of_methods_ends_in_one_chart(page):
    fill(page, "steps", "4")
    page.locator("#tuning-race").click()
    expect(page.locator(ROWS)).to_have_count(5)
    expect(page.locator(f"{ROWS}:has-text('finished')")).to_have_count(5)
    expect(page.locator("#tuning-contest svg").first.locator("circle")).to_have_count(5)
    expect(page.locator("#tuning-settings tbody")).to_contain_text("method")
    page.locator(f"{ROWS} input").first.uncheck()
    expect(page.locator("#tuning-contest svg").first.locator("circle")).to_have_count(4)
    first = page.locator(ROWS).first.get_by_role("button", name="Delete")
    first.click()
    first.click()
    expect(page.locator(ROWS)).to_have_count(4)


def test_a_rate_that_breaks_it_says_so(page):
    page.get_by_role("button", name="A rate that breaks it").click()
    expect(page.locator("#tuning-rate input, #tuning-rate textarea")).to_have_value("1000")
    page.locator("#tuning-start-go").click()
    expect(page.locator(MONITOR)).to_contain_text(re.compile(r"not a number at step \d+"))
    turned(page, "failed")


def test_a_table_of_ones_own(page):
    page.get_by_text("A table of your own").click()
    rows = "".join(f"What is {i}?,number {i}\n" for i in range(30))
    page.locator("#tuning-pasted textarea").fill("asked,told\n" + rows)
    page.locator("#tuning-use").click()
    expect(page.locator("#tuning-said")).to_contain_text("30 rows")
    expect(page.get_by_label("‘answer’ is the column")).to_have_value("told")
    expect(page.locator("#tuning-mask")).to_contain_text("number")
    start(page, 3)
    turned(page, "done")


class Hub:
    """Stands in for the Hub's client."""

    def __init__(self, endpoint, token):
        self.token = token

    def create_repo(self, repo, **options):
        if self.token != "hf_right":
            raise RuntimeError(f"401 for {self.token}")

    def upload_folder(self, **options):
        pass


def test_it_is_taken_along_and_pushed_with_a_token_that_is_not_kept(page, monkeypatch):
    monkeypatch.setattr("lmlab.runs.hub.HfApi", Hub)
    start(page, 3)
    turned(page, "done")
    with page.expect_download() as waiting:
        page.locator("#tuning-save").click()
    assert waiting.value.suggested_filename.endswith(".zip")
    page.get_by_text("Push it to the Hub").click()
    fill(page, "repo", "me/mine")
    token = page.locator("#tuning-token input")
    assert token.get_attribute("type") == "password"
    token.fill("hf_wrong")
    handed_over(page)
    page.locator("#tuning-push").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("did not take")
    expect(page.get_by_test_id("toast-body")).not_to_contain_text("hf_wrong")
    token.fill("hf_right")
    handed_over(page)
    page.locator("#tuning-push").click()
    expect(page.locator("#tuning-pushed a")).to_have_attribute(
        "href", "https://huggingface.co/me/mine"
    )
    expect(token).to_have_value("")


def test_it_fits_a_phone(visit, address, lab):
    labs.clear(lab)
    page = open_tab(visit(address, viewport={"width": 390, "height": 844}))
    start(page, 3)
    turned(page, "done")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_core_trains_behind_the_page(visit, serve_lab, tmp_path):
    lab = Lab.open(Settings(offline=True, model="tiny", runs_dir=tmp_path))
    page = open_tab(visit(serve_lab(lab, "tuning")))
    page.get_by_text("More settings").click()
    fill(page, "samples", "1")
    fill(page, "batch", "4")
    start(page, 6)
    turned(page, "done")
    assert points(page) == 6
    expect(page.locator(".lm-sample .lm-tok").first).to_be_visible()
    expect(page.locator(f"{ROWS} td").nth(4)).to_have_text("6 of 6")
    learned = page.locator(COUNTER).inner_text().split("\n")[0]
    expect(page.locator(f"{ROWS} td").nth(3)).to_have_text(learned)
