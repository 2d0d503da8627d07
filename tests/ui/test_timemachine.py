"""The Change tab's parts on distributions in a real browser, over the embedded suite."""

import csv
import math

import pytest
from playwright.sync_api import Page, expect

from lmlab.features.change.changes import Moment
from lmlab.features.change.drift_service import Drifting, TaskMaps
from lmlab.features.change.timemachine_service import TimeMachine
from lmlab.scoring.comparison import compare
from tests.ui.conftest import handed_over
from tests.ui.test_keep import saved
from tests.ui.test_likelihood import HOSTILE

pytestmark = pytest.mark.browser
STRIP = "#timemachine-view .lm-toks"
SLIDER = "#timemachine-view .lm-time-slider"


def open_part(visit, address: str, name: str, **options) -> Page:
    page = visit(address, **options)
    page.get_by_role("tab", name="Change", exact=True).click()
    page.get_by_role("tab", name=name, exact=True).click()
    return page


def settled(page: Page, part: str) -> None:
    """Wait for the end of what runs."""
    expect(page.locator(f"#{part}-status .lm-progress")).to_have_count(0)
    expect(page.locator(f"#{part}-stop")).to_be_disabled()


def arrived(page: Page, n: int) -> None:
    page.wait_for_function("n => window.lmlab.time?.n === n", arg=n)
    settled(page, "timemachine")


def colours(page: Page) -> list[str]:
    return page.locator(f"{STRIP} .lm-tok").evaluate_all("all => all.map(s => s.bin)")


def test_noise_becomes_language_and_the_keyboard_moves_it(visit, real_page, real_lab):
    page = open_part(visit, real_page("change"), "Time machine")
    stops = real_lab.service(TimeMachine).shipped()
    arrived(page, len(stops))
    rows = saved(page, ".lm-time-figures", "CSV").decode("utf-8-sig").splitlines()
    assert rows[0] == "step,model,perplexity,bits per byte"
    assert len(rows) == len(stops) + 1
    text = page.get_by_label("Text x").input_value()
    found = [m for m in real_lab.service(TimeMachine).travel(stops, text) if isinstance(m, Moment)]
    slider = page.locator(SLIDER)
    for place in (0, 4, len(stops) - 1):
        slider.fill(str(place))
        moment = found[place]
        expect(slider).to_have_attribute("aria-valuetext", f"step {moment.step}, perplexity "
            + page.locator("#timemachine-view .lm-time-pp").inner_text())  # fmt: skip
        shown = float(page.locator("#timemachine-view .lm-time-pp").inner_text().replace(",", ""))
        assert shown == pytest.approx(moment.scored.perplexity, rel=6e-3)
        expect(page.locator(".lm-time-written")).to_contain_text(moment.written.strip()[:6])
    levels = [int(level[1:]) for level in colours(page)]
    slider.fill("0")
    early = [int(level[1:]) for level in colours(page)]
    assert sum(early) > 2 * sum(levels)
    slider.fill(str(len(stops) - 1))
    without_the_server(page, stops)
    by_itself(page)
    words_of_strangers(page, stops)
    fits_a_phone(page)


def without_the_server(page: Page, stops) -> None:
    """The keyboard moves strip, bars and marker."""
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    bars = page.locator("#timemachine-view .lm-pinned .lm-bars")
    expect(bars).to_have_count(1)
    last, marker = bars.inner_text(), page.locator(".lm-time-chart circle.on")
    right = float(marker.get_attribute("cx"))
    page.locator(SLIDER).focus()
    page.keyboard.press("Home")
    expect(page.locator(".lm-time-step")).to_have_text("step 0")
    assert bars.inner_text() != last
    assert float(marker.get_attribute("cx")) < right
    page.keyboard.press("ArrowRight")
    expect(page.locator(".lm-time-step")).to_have_text(f"step {stops[1].step}")
    page.locator(".lm-time-play").click()
    expect(page.locator(".lm-time-step")).to_have_text(f"step {stops[2].step}")
    page.locator(".lm-time-chart circle").last.click()
    expect(page.locator(".lm-time-step")).to_have_text(f"step {stops[-1].step}")
    assert [url for url in sent if "queue" in url] == []


def by_itself(page: Page) -> None:
    """Play walks where motion is welcome."""
    page.emulate_media(reduced_motion="no-preference")
    page.locator(SLIDER).fill("5")
    play = page.locator(".lm-time-play")
    expect(play).to_contain_text("Play")
    play.click()
    expect(play).to_contain_text("Pause")
    page.wait_for_function("window.lmlab.time.at === 8")
    expect(play).to_contain_text("Play")


def words_of_strangers(page: Page, stops) -> None:
    """What a stranger types stays text, and what cannot be is told."""
    page.get_by_label("Text x").fill(HOSTILE)
    handed_over(page)
    page.locator("#timemachine-go").click()
    page.wait_for_function(
        "text => window.lmlab.shown.timemachine?.runs[0].texts.join('') === text", arg=HOSTILE
    )
    arrived(page, len(stops))
    assert page.evaluate("window.hacked") is None
    with page.expect_download() as saved:
        page.locator("#timemachine-csv").click()
    with open(saved.value.path(), encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0][2:] == [f"step_{stop.step}_bits" for stop in stops]
    page.get_by_label("Text x").fill(" ")
    handed_over(page)
    page.locator("#timemachine-go").click()
    expect(page.get_by_test_id("toast-body").first).to_contain_text("no text")
    page.get_by_label("Steps of").click()
    page.get_by_role("option", name="your run").click()
    page.locator("#timemachine-go").click()
    expect(page.get_by_text("not a run of yours")).to_be_visible()
    expect(page.locator(f"{STRIP} .lm-tok").first).to_be_visible()


def test_drift_and_map_have_the_librarys_numbers(visit, real_page, real_lab):
    page = open_part(visit, real_page("change"), "Distribution")
    tuned = page.get_by_label("Tuned W + ΔW").input_value()
    page.locator("#drift-rows input[type=number]").fill("2")
    page.locator("#drift-rows input[type=number]").press("Tab")
    handed_over(page)
    page.locator("#drift-go").click()
    rows = page.locator(".lm-forgetting tbody tr")
    expect(rows).to_have_count(10)
    settled(page, "drift")
    kind = real_lab.service(Drifting).kinds(tuned, 2)[0]
    with real_lab.store.borrow_all(["base", tuned]) as lms:
        pairs = [compare(*lms, one.text, prefix=one.prefix) for one in kind.passages]
    expected = [sum(pair.mean_kl[way] for pair in pairs) / 2 for way in (1, 0)]
    figure = "document.querySelector('#drift-plot .js-plotly-plot').data[0]"
    page.wait_for_function(f"{figure}?.x?.length === 1")
    assert page.evaluate(f"{figure}.x[0]") == pytest.approx(expected[0], rel=1e-3)
    page.get_by_label("KL(base ‖ tuned)").check()
    page.wait_for_function(
        f"wanted => Math.abs({figure}.x[0] / wanted - 1) < 1e-3", arg=expected[1]
    )
    expect(rows.first).to_contain_text(kind.name)
    with page.expect_download() as saved:
        page.locator("#drift-csv").click()
    with open(saved.value.path(), encoding="utf-8-sig", newline="") as file:
        table = list(csv.DictReader(file))
    assert float(table[0]["kl_tuned_base_bits"]) == pytest.approx(expected[0], rel=1e-3)
    page.get_by_role("tab", name="Map of tasks", exact=True).click()
    the_map(page, real_lab)
    fits_a_phone(page)


def the_map(page: Page, real_lab) -> None:
    """It states its stress and its numbers."""
    box = page.locator("#taskmap-rows input[type=number]")
    box.fill("2")
    box.press("Tab")
    handed_over(page)
    page.locator("#taskmap-go").click()
    expect(page.locator("#taskmap-said")).to_contain_text("stress")
    settled(page, "taskmap")
    (found,) = real_lab.service(TaskMaps).measure(2)
    expect(page.locator("#taskmap-said")).to_contain_text(f"stress {found.stress:.2f}")
    cells = page.locator(".lm-moves tbody tr").nth(1).locator("td")
    shown = [float(text.replace("−", "-")) for text in cells.all_inner_texts()]
    expected = [found.moved(1, kind) for kind in range(len(found.kinds))]
    assert shown == pytest.approx(expected, abs=6e-3)
    figure = "document.querySelector('#taskmap-plot .js-plotly-plot')"
    page.wait_for_function(f"{figure}?.data?.length === 1")
    points = page.evaluate(f"[{figure}.data[0].x, {figure}.data[0].y]")
    for point, (x, y) in zip(zip(*points, strict=True), found.points, strict=True):
        assert math.dist(point, (x, y)) < 1e-6


def fits_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("document.documentElement.scrollWidth <= 390")
