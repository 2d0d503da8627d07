"""The Fine-tune tab in a real browser, over the embedded suite; runs are threads."""

import re
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from lmlab.assets import models_dir
from lmlab.features.tuning.service import Tuning
from lmlab.lab import Lab
from lmlab.text.wordings import shipped_templates
from lmlab.training.config import demo
from lmlab.training.sets import MaskView
from tests import labs
from tests.ui.conftest import TIMEOUT, handed_over, show_tab

pytestmark = pytest.mark.browser
MONITOR = "#tuning-monitor .lm-monitor"
COUNTER = "#tuning-counter .lm-fig.big"
LOSS = "#tuning-mask .lm-toks .lm-tok.loss"
ROWS = "#tuning-runs tbody tr"
LONG = 2000  # steps: more than a test waits for
# The whole curve is there, and longer than it was.
GROWN = f"""before => {{
  const {{ points, steps }} = document.querySelector("{MONITOR}").dataset;
  return points === steps && Number(points) > before;
}}"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Lab:
    """Over the embedded suite, which is what a run finds; not offline, as the Hub is asked."""
    return labs.lab_of(models_dir(), tmp_path_factory.mktemp("runs"), model="base", offline=False)


@pytest.fixture(scope="module")
def address(serve_lab, lab) -> str:
    return serve_lab(lab, "likelihood", "compare", "prompt", "tuning")  # none but the first is made


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


def test_rows_counter_and_form(page, lab):
    """It opens with the demo ready to start; all follows the form."""
    shown = [token.text for token in mask(lab).tokens if token.loss]
    assert page.locator(LOSS).all_text_contents() == shown
    expect(page.locator("#tuning-mask")).to_contain_text(carry(mask(lab)))
    expect(page.locator(COUNTER)).to_contain_text(learns(lab))
    expect(page.locator("#tuning-counter")).to_contain_text("ℓ(d + k) = 8 · (256 + 256) = 4,096")
    expect(page.locator("#tuning-counter svg rect.learns")).to_have_count(2)
    expect(page.locator("#tuning-monitor")).to_contain_text("Nothing trained yet")
    expect(page.locator("#tuning-runs")).to_contain_text("No runs yet")
    rows_are_walked(page, lab)
    the_counter_moves(page, lab)
    page.get_by_role("button", name="A rate that breaks it").click()
    expect(page.locator("#tuning-rate input, #tuning-rate textarea")).to_have_value("1000")


def rows_are_walked(page: Page, lab: Lab) -> None:
    """The mask follows the row and the settings."""
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


def the_counter_moves(page: Page, lab: Lab) -> None:
    """With every setting; what cannot be is said there, and refused."""
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


def more_come(page: Page) -> None:
    """Wait until there are more points than now."""
    before = points(page)
    expect(page.locator(MONITOR)).not_to_have_attribute("data-points", str(before))


def test_a_run_is_followed_stopped_resumed_and_compared(page, visit, address):
    start(page, LONG)
    looked_at(page)
    other = open_tab(visit(address))
    expect(other.locator("#tuning-runs")).to_contain_text("No runs yet")
    other.locator("#tuning-start-go").click()
    expect(other.locator(MONITOR)).to_contain_text("place 1 in the queue")
    before = points(page)
    page.reload()
    open_tab(page)
    turned(page, "running")
    page.wait_for_function(GROWN, arg=before)
    expect(page.locator(".lm-sample")).to_have_count(demo().samples)
    page.locator("#tuning-stop").click()
    turned(page, "stopped")
    expect(other.locator(MONITOR)).to_have_attribute("data-points", re.compile("[1-9]"))
    expect(other.locator(ROWS)).to_have_count(1)
    other.locator("#tuning-stop").click()
    turned(other, "stopped")
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


def looked_at(page: Page) -> None:
    """What was zoomed stays zoomed, and a figure keeps the focus, while points come."""
    canvas = page.locator("#tuning-monitor canvas").first
    canvas.focus()
    for key in ("End", "+", "ArrowLeft"):
        canvas.press(key)
    whole = page.locator("#tuning-monitor .lm-chart").first.get_by_text("whole run")
    expect(whole).to_be_visible()
    more_come(page)
    expect(whole).to_be_visible()
    whole.click()
    expect(whole).to_have_count(0)
    figure = page.locator(".lm-run-numbers .lm-num2", has_text="train loss")
    expect(figure).to_have_attribute("tabindex", "0")
    figure.focus()
    more_come(page)
    expect(figure).to_be_focused()


class Hub:
    """Stands in for the Hub's client."""

    def __init__(self, endpoint, token):
        self.token = token

    def create_repo(self, repo, **options):
        if self.token != "hf_right":
            raise RuntimeError(f"401 for {self.token}")

    def upload_folder(self, **options):
        pass


def test_what_was_learned_is_used_taken_along_and_pushed(page, monkeypatch):
    monkeypatch.setattr("lmlab.runs.hub.HfApi", Hub)
    start(page, 3)
    turned(page, "done")
    taken_and_pushed(page)
    page.locator("#tuning-use-prompts").click()
    expect(page.locator("#prompt-model input")).to_have_value("LoRA, ℓ = 8 on qa")
    expect(page.locator("#prompt-wording input")).to_have_value("The form of the tuned model")
    expect(page.locator("#prompt-form").get_by_label("as the model was tuned")).to_be_checked()
    expect(page.locator("#prompt-view .lm-prompttext")).to_contain_text("<|question|>")
    expect(page.locator("#prompt-strip .lm-tok").first).to_be_visible()
    page.wait_for_function("window.lmlab.shown.prompt?.runs[0].model.startsWith('base+run:')")


def taken_and_pushed(page: Page) -> None:
    """With a token that is not kept."""
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


def test_a_race_of_methods_ends_in_one_chart(page):
    page.get_by_text("More settings").click()
    form = page.locator("#tuning-form")
    expect(form.get_by_label("plain text")).to_be_checked()
    form.get_by_label("the model’s chat template").check()
    expect(page.locator("#tuning-mask .lm-problem")).to_contain_text("no chat template")
    form.get_by_label("plain text").check()
    expect(page.locator(LOSS).first).to_be_visible()
    fill(page, "steps", "4")
    page.locator("#tuning-race").click()
    expect(page.locator(ROWS)).to_have_count(5)
    expect(page.locator(f"{ROWS}:has-text('finished')")).to_have_count(5, timeout=3 * TIMEOUT)
    expect(page.locator("#tuning-contest svg").first.locator("circle")).to_have_count(5)
    expect(page.locator("#tuning-settings tbody")).to_contain_text("method")
    page.locator(f"{ROWS} input").first.uncheck()
    expect(page.locator("#tuning-contest svg").first.locator("circle")).to_have_count(4)
    first = page.locator(ROWS).first.get_by_role("button", name="Delete")
    first.click()
    first.click()
    expect(page.locator(ROWS)).to_have_count(4)
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("document.documentElement.scrollWidth <= 390")
