"""Lecture mode in a browser: every shipped scene shows what it promises; links and own scenes."""

import re

import pytest
from playwright.sync_api import expect

from lmlab.features import features
from lmlab.lab import Lab
from lmlab.page.scenes.course import shipped
from lmlab.settings import Settings
from tests.ui.conftest import handed_over
from tests.ui.test_access import SCRIPTS, by_keyboard, faults

pytestmark = pytest.mark.browser
BAR = "#lecture .lm-lecture"
WRITTEN = re.compile(r"\w")
SIZES = ({"width": 1920, "height": 1080}, {"width": 1280, "height": 720})
# Whether all that a scene points at lies in the window, whole, and under nothing but a question.
IN_SIGHT = """(count) => {
  const marked = [...document.querySelectorAll("[data-lm-mark]")];
  return marked.length === count && marked.every((node) => {
    const box = node.getBoundingClientRect();
    const across = [4, box.width - 4], down = [4, box.height - 4];
    const free = (x, y) => {
      const top = document.elementFromPoint(box.x + x, box.y + y);
      return top && (node.contains(top) || top.closest(".lm-ask:not([data-shown])"));
    };
    return box.width > 0 && box.height > 0 && box.left >= 0 && box.top >= 0
      && box.right <= innerWidth && box.bottom <= innerHeight
      && across.every((x) => down.every((y) => free(x, y)));
  });
}"""
READY = '#lecture .lm-lecture[data-state="ready"]'


@pytest.fixture(scope="module")
def stage(serve_lab, tmp_path_factory):
    """A page whose runs end with the module."""
    lab = Lab.open(Settings(offline=True, runs_dir=tmp_path_factory.mktemp("runs")))
    yield serve_lab(lab)
    lab.jobs.close()


def test_the_stage_folds_its_form_and_gives_it_back(visit, stage):
    page = visit(f"{stage}?scene=by-hand")
    folded = page.locator(f"{BAR} .lm-inputs")
    expect(folded).to_have_text("“The cat sat down.” · base")
    expect(page.locator(READY)).to_be_visible()
    assert page.locator(BAR).bounding_box()["height"] <= 96
    expect(page.get_by_role("tablist").first).not_to_be_visible()
    expect(page.locator("#likelihood-text textarea")).not_to_be_visible()
    folded.click()
    expect(page.locator("#likelihood-text textarea")).to_be_visible()
    expect(page.get_by_role("tablist").first).to_be_visible()
    folded.click()
    expect(page.locator("#likelihood-text textarea")).not_to_be_visible()
    page.set_viewport_size({"width": 390, "height": 800})
    expect(page.locator("#likelihood-text textarea")).to_be_visible()
    page.locator(f"{BAR} .lm-leave").click()
    assert page.locator(".lm-exhibit, .lm-on-way, .lm-staged").count() == 0


def place(page, scene, name):
    """A part of the scene's tab."""
    return page.locator(f"#{scene.tab}-{name}, #{name}").first


@pytest.mark.timeout(600)
def test_every_scene_shows_what_it_promises(visit, stage):
    page = visit(f"{stage}?scene=")
    scenes = shipped(features())
    for number, scene in enumerate(scenes, start=1):
        expect(page.locator(f"{BAR} h2")).to_have_text(scene.title)
        expect(page.locator(f"{BAR} .lm-count")).to_have_text(f"{number} / {len(scenes)}")
        expect(page.locator(READY)).to_be_visible()
        page.wait_for_function(IN_SIGHT, arg=len(scene.look))
        if scene.ask:
            for name in scene.ask.hide:
                inner = place(page, scene, name).locator("> *").first
                expect(inner).not_to_be_visible()
            page.locator(f"{BAR} .lm-show").click()
            expect(page.locator(f"{BAR} .lm-answer")).to_have_text(scene.ask.answer)
        for at, look in enumerate(scene.look, start=1):
            target = place(page, scene, look.at)
            expect(target).to_have_attribute("data-lm-mark", str(at))
            told = target.locator("input, textarea")
            if not told.count():
                expect(target).to_have_text(WRITTEN)
        if scene.stored is None:
            expect(page.locator(f"{BAR} .lm-point")).not_to_contain_text("not on this machine")
        for size in SIZES:
            page.set_viewport_size(size)
            page.wait_for_function(IN_SIGHT, arg=len(scene.look))
        assert page.get_by_test_id("toast-body").all_inner_texts() == []
        page.keyboard.press("PageDown")
    expect(page.locator(f"{BAR} .lm-forward")).to_be_disabled()


def test_keys_hands_own_scenes_and_links(visit, stage, tmp_path):
    page = visit(f"{stage}?scene=by-hand")
    # Gradio is still one whose signs of progress the page can keep to itself.
    expect(page.locator('html[data-lm-lighter="yes"]')).to_be_visible()
    expect(page.locator(READY)).to_be_visible()
    hands_and_keys(page)
    kept_and_opened(page, tmp_path)
    page.locator(f"{BAR} .lm-leave").click()
    expect(page.locator(BAR)).not_to_be_visible()
    expect(page.locator("#likelihood-strip .lm-toks")).to_be_visible()
    text = "A <b>link</b> & more."
    page.locator("#likelihood-text textarea").fill(text)
    handed_over(page)
    page.locator(".lm-link").click()
    expect(page.locator("#lm-notice")).to_contain_text("Link copied")
    address = page.evaluate("navigator.clipboard.readText()")
    assert "tab=likelihood" in address
    page.goto(address)
    expect(page.locator("#likelihood-text textarea")).to_have_value(text)
    expect(page.locator("#likelihood-strip .lm-toks")).to_contain_text("<b")


def hands_and_keys(page):
    """Hands are counted before the answer is shown; arrows belong to whoever uses them."""
    options = page.locator(f"{BAR} .lm-option")
    options.nth(1).click()
    options.nth(1).click()
    options.nth(0).click()
    expect(options.nth(1)).to_contain_text("2")
    expect(page.locator("#likelihood-strip .lm-toks")).not_to_be_visible()
    page.locator(f"{BAR} .lm-show").click()
    expect(page.locator("#likelihood-strip .lm-toks")).to_contain_text("cat")
    page.locator(f"{BAR} h2").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(f"{BAR} h2")).to_have_text("Sense against nonsense")
    expect(page.locator(READY)).to_be_visible()
    page.keyboard.press("i")
    page.locator("#likelihood-text textarea").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(f"{BAR} h2")).to_have_text("Sense against nonsense")


def kept_and_opened(page, tmp_path):
    """The tab is kept as a scene and opened again; one that is wrong is refused."""
    page.locator("#likelihood-text textarea").fill("One of my own.")
    handed_over(page)
    page.locator(f"{BAR} .lm-list").click()
    page.get_by_label("Title").fill("Mine <i>")
    with page.expect_download() as caught:
        page.get_by_role("button", name="Save this tab as a scene").click()
    file = tmp_path / "90-mine.yaml"
    caught.value.save_as(file)
    assert "One of my own." in file.read_text(encoding="utf-8")
    page.locator(".lm-filelabel input").set_input_files(file)
    expect(page.locator(f"{BAR} h2")).to_have_text("Mine <i>")
    expect(page.locator("#likelihood-text textarea")).to_have_value("One of my own.")
    bad = tmp_path / "91-bad.yaml"
    bad.write_text(file.read_text(encoding="utf-8").replace("text:", "txt:"), encoding="utf-8")
    page.locator(f"{BAR} .lm-list").click()
    page.locator(".lm-filelabel input").set_input_files(bad)
    expect(page.get_by_test_id("toast-body").first).to_contain_text("no control ‘txt’")


def test_the_presenters_window_and_the_stage_stay_together(visit, stage):
    page = visit(f"{stage}?scene=by-hand")
    expect(page.locator(READY)).to_be_visible()
    page.locator(f"{BAR} .lm-option").nth(1).click()
    page.locator(f"{BAR} h2").focus()
    with page.context.expect_page() as opened:
        page.keyboard.press("s")
    desk = opened.value
    at = [one.name for one in shipped()].index("by-hand")
    scene = shipped()[at]
    expect(desk.get_by_text(scene.notes)).to_be_visible()
    expect(desk.get_by_text(scene.ask.answer)).to_be_visible()
    expect(desk.locator("li").nth(1)).to_have_text(f"{scene.ask.options[1]}1")
    expect(desk.locator(".lm-desk-spent")).to_contain_text(f"of {scene.minutes} min")
    desk.evaluate(SCRIPTS)
    assert faults(desk) == by_keyboard(desk) == []
    desk.keyboard.press("d")
    expect(desk.locator("body.dark")).to_be_visible()
    assert faults(desk, "color-contrast") == []
    desk.keyboard.press(" ")
    expect(page.locator(f"{BAR} .lm-answer")).to_have_text(scene.ask.answer)
    # The hands stay to be seen.
    expect(page.locator(f"{BAR} .lm-option").nth(1)).to_be_visible()
    desk.keyboard.press("b")
    expect(page.locator("html.lm-blank")).to_be_attached()
    expect(desk.get_by_role("button", name="Blank")).to_have_attribute("aria-pressed", "true")
    desk.keyboard.press(" ")
    expect(desk.locator("h1")).to_have_text("Sense against nonsense")
    expect(page.locator("html.lm-blank")).not_to_be_attached()
    page.keyboard.press("g")
    page.keyboard.type(str(at + 1))
    page.keyboard.press("Enter")
    expect(desk.locator("h1")).to_have_text(scene.title)
    desk.get_by_role("combobox").select_option(index=at + 2)
    expect(page.locator(f"{BAR} h2")).to_have_text("Conditional perplexity")
    for window in (desk, page):
        window.reload()
        expect(page.locator(f"{BAR} h2")).to_have_text("Conditional perplexity")
        expect(desk.locator("h1")).to_have_text("Conditional perplexity")
    desk.keyboard.press("PageUp")
    expect(page.locator(f"{BAR} h2")).to_have_text("Sense against nonsense")
    desk.close()
    page.locator(f"{BAR} h2").focus()
    page.keyboard.press("?")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).not_to_be_attached()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(f"{BAR} .lm-option").nth(1)).to_contain_text("1")


TRAINING = """title: {title}
point: A curve.
tab: {tab}
inputs: {{steps: "{steps}"}}
run: {run}
look: [{{at: monitor, say: Look.}}]
"""


def test_coming_back_to_a_scene_shows_its_curve(visit, serve_lab, mock_lab, tmp_path):
    asked = (("one", "tuning", 600, "start-go"), ("two", "pretraining", 5000, "go"))
    for name, tab, steps, run in asked:
        text = TRAINING.format(title=name, tab=tab, steps=steps, run=run)
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    lab = mock_lab(model="base", scenes=tmp_path)
    page = visit(f"{serve_lab(lab, 'tuning', 'pretraining')}?scene=one")
    page.evaluate(
        """() => new MutationObserver(() => {
          if (document.body.textContent.includes("place 1 in the queue")) window.waited = true;
        }).observe(document.body, { subtree: true, childList: true, characterData: true })"""
    )
    monitors = [page.locator(f"#{tab}-monitor .lm-monitor") for _, tab, *_ in asked]
    running, some = re.compile("running"), re.compile("^[1-9]")
    expect(monitors[0]).to_have_attribute("data-points", some)
    run = monitors[0].get_attribute("data-run")
    page.keyboard.press("PageDown")
    expect(monitors[1]).to_have_attribute("data-points", some)
    page.keyboard.press("PageUp")
    expect(page.locator(READY)).to_be_visible()
    expect(monitors[0]).to_have_attribute("data-state", "stopped")
    expect(monitors[0]).to_have_attribute("data-points", some)
    assert monitors[0].get_attribute("data-run") == run
    page.locator(f"{BAR} h2").focus()
    page.keyboard.press("r")
    expect(monitors[0]).not_to_have_attribute("data-run", run)
    expect(monitors[0]).to_have_attribute("data-state", running)
    assert not page.evaluate("window.waited")


def test_where_nothing_may_be_trained_the_stored_result_is_shown(visit, serve_lab):
    lab = Lab.open(Settings(offline=True, training=False))
    page = visit(f"{serve_lab(lab, 'tuning')}?scene=tuning-live")
    stored = page.locator(f"{BAR} .lm-stored")
    expect(page.locator(READY)).to_be_visible()
    expect(stored).not_to_be_visible()
    page.locator(f"{BAR} .lm-show").click()
    expect(stored).to_contain_text("Stored result, made on 2026-11-26 by base")
    expect(stored.locator("tbody tr, tr").last).to_contain_text("55.0 %")


def test_links_that_are_refused_or_wait_for_a_press(visit, serve_lab):
    # Nobody is at the Hub's address, and a model of the test's own name is in no cache.
    address = serve_lab(Lab.open(Settings()), "likelihood", "completion")
    page = visit(f"{address}?tab=<script>alert(1)</script>")
    alert = page.get_by_test_id("toast-body").first
    expect(alert).to_contain_text("There is no tab")
    expect(page.locator("#likelihood-figures .lm-fig.big .v")).to_be_visible()
    # The tab that it names comes to the front, and begins as it does by itself.
    page.goto(f"{address}?tab=completion&temperature=1e308")
    expect(alert).to_contain_text("goes from 0 to 3")
    expect(page.locator("#completion-strip .lm-tok").first).to_be_visible()
    page.goto(f"{address}?tab=likelihood&text=One+of+yours.&model=lmlab-tests/<b>not-here")
    # What is no name of the Hub's would be a folder; the sentence holds it as text.
    expect(page.locator(".lm-wants")).to_contain_text("the folder ‘lmlab-tests/<b>not-here’")
    expect(page.locator("#likelihood-text textarea")).to_have_value("One of yours.")
    expect(page.locator("#likelihood-model input")).to_have_value("base")
    page.get_by_role("button", name="Load it").click()
    expect(page.locator(".lm-wants")).to_be_hidden()
    expect(page.locator("#likelihood-model input")).to_have_value("lmlab-tests/<b>not-here")
    expect(alert).to_contain_text("There is no model named")
