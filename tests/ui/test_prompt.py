"""The Prompt tab in a real browser: over mocks, and once over the suite."""

import csv
import io
import json
import re

import pytest
from playwright.sync_api import Page, expect

from lmlab.features.prompt.evaluation import evaluate
from lmlab.runs.model_store import ModelStore
from lmlab.settings import Settings
from lmlab.text.protocols import Protocol
from lmlab.text.sets import shipped
from lmlab.text.wordings import shipped_templates
from tests import labs
from tests.ui.conftest import handed_over, show_tab
from tests.ui.test_likelihood import HOSTILE

pytestmark = pytest.mark.browser
TEXT = "#prompt-view .lm-prompttext"
EXAMPLES = "#prompt-examples .lm-row"
QUERY = "#prompt-query"
ANSWER = "#prompt-answer .lm-answer"
ROWS = "#prompt-predictions tbody tr"


def open_tab(visit, address: str, **options) -> Page:
    """The tab once its first query has been run."""
    page = visit(address, **options)
    show_tab(page, "Prompt")
    expect(page.locator(ANSWER).first).to_be_visible()
    expect(page.locator("#prompt-stop")).to_be_disabled()
    return page


def choose(page: Page, field: str, name: str) -> None:
    """Pick from a dropdown."""
    page.locator(f"#prompt-{field} input").click()
    page.get_by_role("option", name=name, exact=True).click()


def number(page: Page, field: str, value: str) -> None:
    """Type a number and leave the box."""
    box = page.locator(f"#prompt-{field} input[type=number]")
    box.fill(value)
    box.press("Tab")


def parts(page: Page, kind: str) -> list[str]:
    """The texts of the prompt's parts of a kind."""
    return page.locator(f"{TEXT} .lm-part.{kind}").all_inner_texts()


def measure(page: Page, button: str = "measure") -> None:
    """Press a button of the lower half and wait for its predictions."""
    page.locator(ROWS).evaluate_all("rows => rows.forEach(row => row.dataset.old = 1)")
    page.locator(f"#prompt-{button}").click()
    expect(page.locator(f"{ROWS}[data-old]")).to_have_count(0)
    expect(page.locator(ROWS).first).to_be_visible()
    expect(page.locator("#prompt-measure-stop")).to_be_disabled()


def test_a_prompt_is_built(visit, mock_page):
    page = open_tab(visit, mock_page("prompt"))
    assert len(parts(page, "example")) == 3
    assert len(parts(page, "separator")) == 3
    assert len(parts(page, "query")) == 1
    expect(page.locator("#prompt-view .lm-length")).to_contain_text("of 1,024 tokens")
    expect(page.locator("#prompt-strip .lm-tok").first).to_be_visible()
    expect(page.locator(ANSWER)).to_contain_text("G reads")
    own_examples_stay(page)
    examples_are_chosen(page)
    wordings(page)
    box = page.locator(f"{QUERY} textarea").first
    before = box.input_value()
    page.locator("#prompt-next").click()
    expect(box).not_to_have_value(before)
    box.fill("a new query")
    expect(page.locator(f"{TEXT} .lm-part.query")).to_have_text("a new query ->")
    forms(page)


def own_examples_stay(page: Page) -> None:
    """What was typed stays when shots or seed change."""
    cells = page.locator(f"{EXAMPLES} textarea")
    cells.nth(2).fill("my own words")
    expect(page.locator("#prompt-examples .lm-own")).to_contain_text("1 example is yours")
    expect(page.locator(TEXT)).to_contain_text('"my own words"')
    others = [cells.nth(0).input_value(), cells.nth(4).input_value()]
    number(page, "seed", "7")
    expect(cells.nth(0)).not_to_have_value(others[0])
    expect(cells.nth(2)).to_have_value("my own words")
    expect(page.locator(EXAMPLES)).to_have_count(3)
    number(page, "shots", "1")
    expect(page.locator(EXAMPLES)).to_have_count(1)
    expect(cells.first).to_have_value("my own words")
    number(page, "shots", "0")
    expect(page.locator(f"{TEXT} .lm-part.example")).to_have_count(1)
    number(page, "shots", "3")
    expect(page.locator(EXAMPLES)).to_have_count(3)
    expect(cells.first).to_have_value("my own words")
    page.get_by_role("button", name="draw all anew").click()
    expect(cells.first).not_to_have_value("my own words")
    expect(page.locator("#prompt-examples .lm-own")).to_be_hidden()


def examples_are_chosen(page: Page) -> None:
    """By hand, from the rows of the set; moved, and taken away again."""
    first = page.locator(f"{EXAMPLES} textarea").first
    page.get_by_text("Choose rows by hand").click()
    rows = shipped("german").pool
    page.get_by_label("Search the rows").fill("the cat")
    found = [row for row in rows if "the cat" in row["english"]]
    expect(page.locator("#prompt-pool .lm-count")).to_contain_text(f"{len(found)} of {len(rows)}")
    page.locator("#prompt-pool tbody tr:not(.on)").first.click()
    expect(page.locator(EXAMPLES)).to_have_count(4)
    expect(page.locator(f"{EXAMPLES} textarea").nth(6)).to_have_value(re.compile("the cat"))
    chosen = page.locator(f"{EXAMPLES} textarea").nth(6).input_value()
    expect(page.locator("#prompt-shots input[type=number]")).to_have_value("4")
    page.get_by_label("example 4 up").click()
    expect(page.locator(f"{EXAMPLES} textarea").nth(4)).to_have_value(chosen)
    page.locator("#prompt-pool tbody tr.on", has_text=chosen).first.click()
    expect(page.locator(EXAMPLES)).to_have_count(3)
    first.fill("typed by hand")
    expect(page.locator(TEXT)).to_contain_text('"typed by hand"')
    page.get_by_label("remove example 2").click()
    expect(page.locator(EXAMPLES)).to_have_count(2)


def wordings(page: Page) -> None:
    """One that is wrong is said where the prompt stands; another one takes the same examples."""
    page.get_by_text("Edit the wording").click()
    source = page.locator("#prompt-source textarea")
    text = source.input_value()
    source.fill(text.replace('query: \'"{{ english }}"', "query: '{{ ''.__class__ }}"))
    expect(page.locator(f"{TEXT} .lm-problem")).to_contain_text("not valid")
    source.fill(text.replace('{{ english }}": "\'', "{{ nothing }}'"))
    expect(page.locator(f"{TEXT} .lm-problem")).to_be_visible()
    source.fill(text.replace("separator: ' | '", "separator: ' ;; '"))
    expect(page.locator(TEXT)).to_contain_text(" ;; ")
    choose(page, "wording", "An arrow")
    expect(page.locator(TEXT)).to_contain_text("typed by hand ->")
    expect(page.locator(f"{EXAMPLES} textarea").first).to_have_value("typed by hand")
    expect(source).to_have_value(re.compile("german-arrow"))


def forms(page: Page) -> None:
    """A chat model shows both forms before it runs, and is measured in the one that is chosen."""
    form = page.locator("#prompt-form")
    expect(form.get_by_label("as the model was tuned")).to_be_checked()
    expect(page.locator("#prompt-view .lm-chat")).to_be_hidden()
    choose(page, "model", labs.CHAT)
    expect(page.locator(f"{TEXT} .lm-part.chat").first).to_have_text("[user] ")
    page.locator("#prompt-view .lm-chat summary").click()
    plain = page.locator("#prompt-view .lm-chat div")
    expect(plain.locator(".lm-part.query")).to_be_visible()
    expect(plain.locator(".lm-part.chat")).to_have_count(0)
    form.get_by_label("chat").check()
    expect(page.locator(f"{TEXT} .lm-part.chat").first).to_have_text("[user] ")
    measure(page, "few")
    expect(page.locator("#prompt-figures .lm-notes")).to_contain_text("chat form")
    form.get_by_label("plain").check()
    expect(page.locator("#prompt-view")).to_contain_text("asked in the plain form here")
    expect(page.locator(f"{TEXT} .lm-part.chat")).to_have_count(0)


def test_every_kind_of_study(visit, mock_page, tmp_path):
    page = open_tab(visit, mock_page("prompt"))
    expect(page.locator("#prompt-invitation")).to_contain_text("Nothing measured yet")
    expect(page.locator("#prompt-second input")).to_have_value("base+german")
    figures = page.locator("#prompt-figures tbody")
    curve(page)
    side_by_side(page)
    measure(page, "few")
    expect(figures).to_contain_text("zero-shot")
    with page.expect_download() as waiting:
        page.locator("#prompt-csv").click()
    waiting.value.save_as(tmp_path / "p.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "p.csv").read_text("utf-8-sig"))))
    assert {row["shots"] for row in rows} == {"0", "3"}
    assert not any(cell.startswith(("=", "@")) for row in rows for cell in row.values())
    measure(page, "tuned")
    expect(figures.locator("tr")).to_have_count(2)
    page.locator("#prompt-kind").get_by_label("Wordings").check()
    measure(page)
    expect(figures.locator("tr")).to_have_count(5)
    page.locator(f"{EXAMPLES} textarea").first.fill("typed by hand")
    expect(page.locator(TEXT)).to_contain_text("typed by hand")
    page.locator("#prompt-kind").get_by_label("Order").check()
    measure(page)
    expect(figures).to_contain_text("6 orders of 3 examples")
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("document.documentElement.scrollWidth <= 390")


def curve(page: Page) -> None:
    """A curve is drawn, and a prediction loads its query."""
    measure(page)
    expect(page.locator("#prompt-figures tbody tr")).to_have_count(5)
    expect(page.locator("#prompt-plot .scatterlayer .trace")).to_have_count(2)
    page.get_by_label("only the wrong ones").check()
    wrong = page.locator(ROWS).first
    expect(wrong).to_have_class("wrong")
    asked = wrong.locator("td.query").inner_text()
    wrong.click()
    expect(page.locator(f"{TEXT} .lm-part.query")).to_have_text(asked)
    page.get_by_label("only the wrong ones").uncheck()


def side_by_side(page: Page) -> None:
    """One click sets zero-shot, few-shot and tuned side by side."""
    measure(page, "three")
    expect(page.locator("#prompt-invitation")).to_be_hidden()
    rows = page.locator("#prompt-figures tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text("zero-shot")
    expect(rows.nth(1)).to_contain_text("3 shots")
    expect(rows.nth(2)).to_contain_text("base+german, zero-shot, own wording")
    expect(page.locator("#prompt-plot .barlayer .point")).to_have_count(3)
    expect(page.locator("#prompt-plot .errorbar")).to_have_count(3)
    expect(page.locator("#prompt-nll")).to_be_hidden()
    page.locator("#prompt-shown").get_by_label("Log-likelihood").check()
    expect(page.locator("#prompt-nll .ytitle")).to_contain_text("true answer")
    expect(page.locator("#prompt-nll")).to_be_visible()
    expect(page.locator("#prompt-plot")).to_be_hidden()


def test_labels_and_options(visit, mock_page):
    page = open_tab(visit, mock_page("prompt"))
    bars = page.locator("#prompt-answer .lm-labelrow")
    choose(page, "data", "sentiment")
    expect(page.locator(f"{EXAMPLES} select")).to_have_count(3)
    expect(page.locator(TEXT)).to_contain_text("Review:")
    page.locator("#prompt-go").click()
    expect(bars).to_have_count(2)
    expect(bars.first).to_contain_text("→")
    expect(page.locator("#prompt-answer")).to_contain_text("by likelihood")
    choose(page, "data", "similarity")
    expect(page.locator(TEXT)).to_contain_text("Meaning:")
    measure(page, "few")
    expect(page.locator("#prompt-details .lm-confusion tbody tr")).to_have_count(2)
    expect(page.locator("#prompt-reliability .scatterlayer .trace")).to_have_count(2)
    choose(page, "data", "choice")
    expect(page.locator(TEXT)).to_contain_text("Question:")
    asked = page.locator(f"{QUERY} textarea")
    expect(asked.nth(1)).to_have_value(re.compile(r"\|"))
    handed_over(page)
    asked.nth(1).fill("a cat | a dog | a hen")
    expect(page.locator(f"{TEXT} .lm-problem")).to_contain_text("is none of a cat, a dog")
    asked.nth(2).fill("a dog")
    expect(page.locator(f"{TEXT} .lm-problem")).to_be_hidden()
    page.locator("#prompt-go").click()
    expect(bars).to_have_count(3)
    expect(bars.nth(1)).to_have_class(re.compile("actual"))
    measure(page, "few")
    expect(page.locator("#prompt-details .lm-ways")).to_be_visible()
    expect(page.locator("#prompt-details .lm-confusion")).to_have_count(0)
    asked.nth(1).fill("only one")
    expect(page.locator(f"{TEXT} .lm-problem")).to_contain_text("no two options")


def test_a_study_is_drawn_before_it_is_done_and_can_be_stopped(visit, serve_lab, mock_lab):
    page = open_tab(visit, serve_lab(mock_lab(model="mock:scripted?pause=0.01"), "prompt"))
    page.locator("#prompt-kind").get_by_label("Wordings").check()
    number(page, "queries", "12")
    number(page, "draws", "2")
    page.locator("#prompt-measure").click()
    going = page.locator("#prompt-figures tr.going")
    expect(going.first).to_contain_text("so far")
    # Few queries of every design come first, then all the others.
    expect(page.locator("#prompt-measure-status")).to_contain_text("of 4 prompts, which tell")
    expect(page.locator("#prompt-plot .barlayer .point").first).to_be_attached()
    expect(page.locator("#prompt-measure-stop")).to_be_disabled()
    expect(going).to_have_count(0)
    expect(page.locator("#prompt-figures tbody tr").first).to_contain_text("12 × 2")
    number(page, "draws", "20")
    page.locator("#prompt-measure").click()
    expect(page.locator("#prompt-measure-status .lm-progress")).to_contain_text("prompts")
    page.locator("#prompt-measure-stop").click()
    expect(page.locator("#prompt-measure-status")).to_contain_text("Stopped")


def test_tables_pairs_and_words_of_ones_own(visit, mock_page):
    page = open_tab(visit, mock_page("prompt"))
    pairs(page)
    words_of_strangers(page)
    page.get_by_text("A table of your own").click()
    pasted = page.locator("#prompt-pasted textarea")
    pasted.fill("a,b\n1\n")
    handed_over(page)
    page.locator("#prompt-use").click()
    alert = page.get_by_test_id("toast-body")
    expect(alert.filter(has_text="Line 2 has 1 columns instead of 2")).to_be_visible()
    pasted.fill("from,to\n" + "".join(f"word {i},Wort {i}\n" for i in range(40)))
    handed_over(page)
    page.locator("#prompt-use").click()
    expect(page.locator("#prompt-said")).to_contain_text("40 rows")
    expect(page.get_by_label("‘german’ is the column")).to_have_value("to")
    expect(page.locator(TEXT)).to_contain_text('"word ')
    measure(page, "few")
    expect(page.locator(ROWS).first).to_contain_text("Wort ")


def pairs(page: Page) -> None:
    """Minimal pairs, shipped and of one's own."""
    page.locator("#prompt-judge").click()
    expect(page.locator("#prompt-pair .lm-side2")).to_have_count(2)
    expect(page.locator("#prompt-pair .lm-side2.better")).to_have_count(1)
    expect(page.locator("#prompt-pair .lm-tok.pin")).to_have_count(2)
    expect(page.locator("#prompt-pair .lm-verdict")).to_contain_text("as likely")
    page.locator("#prompt-pairs-all").click()
    expect(page.locator("#prompt-pairs-table .lm-labelrow").last).to_contain_text("all")
    expect(page.locator("#prompt-pairs-table")).to_contain_text("62 of 62 pairs")
    page.get_by_text("Pairs of your own").click()
    page.locator("#prompt-pairs-use").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("no table")
    page.locator("#prompt-pairs-pasted textarea").fill(f"kind,a,b\none,x y,{HOSTILE!r}\n,z,w\n")
    handed_over(page)
    page.locator("#prompt-pairs-use").click()
    expect(page.locator("#prompt-pairs-table")).to_contain_text("2 of 2 pairs")
    expect(page.locator("#prompt-pairs-table .lm-labelrow")).to_have_count(3)
    page.get_by_text("Every pair").click()
    expect(page.locator("#prompt-pairs-list tbody tr")).to_have_count(2)
    expect(page.locator("#prompt-pairs-list")).to_contain_text("onerror")


def words_of_strangers(page: Page) -> None:
    """What a stranger types stays text."""
    page.locator(f"{EXAMPLES} textarea").first.fill(HOSTILE)
    page.locator(f"{QUERY} textarea").last.fill(HOSTILE)
    page.locator(f"{QUERY} textarea").first.fill(HOSTILE)
    expect(page.locator(f"{TEXT} .lm-part.query")).to_contain_text("onerror")
    page.locator("#prompt-go").click()
    expect(page.locator("#prompt-answer .lm-mark")).to_contain_text("onerror")
    page.locator("#prompt-good textarea").fill(HOSTILE)
    handed_over(page)
    page.locator("#prompt-judge").click()
    expect(page.locator("#prompt-pair .lm-toks").first).to_contain_text("onerror")
    assert page.evaluate("window.hacked") is None


def test_the_page_shows_the_librarys_figures(visit, real_page):
    template = shipped_templates()["german-lecture"]
    protocol = Protocol(shots=3, limit=12)
    with ModelStore(Settings(offline=True)).borrow("base") as lm:
        expected = evaluate(lm, template, shipped("german"), protocol)
    page = open_tab(visit, real_page("prompt"))
    number(page, "queries", "12")
    number(page, "draws", "1")
    measure(page, "few")
    row = page.locator("#prompt-figures tbody tr").last
    expect(row).to_contain_text(f"{expected.accuracy.mean:.3f}")
    expect(row).to_contain_text(f"{expected.nll.mean:.3f}")
    shown = json.loads(page.evaluate("JSON.stringify(window.lmlab.shown.prompt)"))
    assert shown["runs"][0]["model"] == "base"
