"""Tables of the wild in a real browser, over the core: from the file to a prompt, an answer and a
run, and to rows that are skipped."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from lmlab.lab import Lab
from lmlab.settings import Settings
from tests.ui.conftest import show_tab

pytestmark = pytest.mark.browser
LINES = range(14)
ALPACA = [
    {"instruction": f"Name thing {i}.", "input": "" if i % 2 else "a hint", "output": f"It is {i}."}
    for i in LINES
]
CHATS = [
    {
        "id": i,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": f"Name thing {i}."},
            {"role": "assistant", "content": f"It is {i}."},
        ],
    }
    for i in LINES
]
LABELS = ("positive", "negative")
SEMI = "\ufefftext;label;\r\n" + "".join(
    f"A lovely, warm film {i};{LABELS[i % 2]};\r\n" for i in LINES
)
STRIP = "#tuning-mask .lm-toks"


@pytest.fixture(scope="module")
def address(serve_lab, tmp_path_factory) -> str:
    runs = tmp_path_factory.mktemp("runs")
    lab = Lab.open(Settings(offline=True, model="tiny", runs_dir=runs))
    return serve_lab(lab, "prompt", "tuning")


def give(page: Page, tab: str, name: str, content: str, kind: str = "upload") -> None:
    """Upload a file into a tab."""
    file = {"name": name, "mimeType": "text/plain", "buffer": content.encode()}
    page.locator(f"#{tab}-{kind} input[type=file]").set_input_files(file)
    expect(page.locator(f"#{tab}-{kind}")).to_contain_text(name.partition(".")[0])


def use(page: Page, tab: str) -> None:
    page.locator(f"#{tab}-use").click()
    expect(page.locator(f"#{tab}-said")).to_contain_text("rows")


def replace(page: Page, tab: str, name: str, content: str) -> None:
    """Upload another file instead."""
    page.locator(f"#{tab}-upload").get_by_label("Clear").or_(
        page.locator(f"#{tab}-upload").get_by_label("Remove")
    ).first.click()
    give(page, tab, name, content)


def test_files_of_the_wild_become_prompts_and_answers(visit, address):
    page = visit(address)
    show_tab(page, "Prompt")
    expect(page.locator("#prompt-answer .lm-answer").first).to_be_visible()
    expect(page.locator("#prompt-stop")).to_be_disabled()
    page.locator("#prompt-own").get_by_text("A table of your own").click()
    give(page, "prompt", "semi.csv", SEMI)
    use(page, "prompt")
    page.locator("#prompt-wording input").click()
    page.get_by_role("option", name="sentiment: Review and Sentiment", exact=True).click()
    text = page.locator("#prompt-view .lm-prompttext")
    expect(text).to_contain_text(re.compile(r"Review: A lovely, warm film \d+"))
    expect(text.locator(".lm-part.example")).to_have_count(3)
    replace(page, "prompt", "alpaca.json", json.dumps(ALPACA, indent=2))
    use(page, "prompt")
    expect(text).to_contain_text(re.compile(r"### Instruction:[\s⏎]+Name thing \d+"))
    expect(text.locator(".lm-part.example")).to_have_count(3)
    written = text.locator(".lm-part:is(.added, .read)")
    expect(written).to_have_count(0)
    page.locator("#prompt-go").click()
    expect(written.first).to_be_visible()


def test_bad_rows_are_skipped_a_second_file_is_held_out_and_a_run_learns_it(visit, address):
    rows = [*CHATS, {"id": 99, "messages": [{"role": "user", "content": "Nobody answers."}]}]
    page = visit(address)
    show_tab(page, "Fine-tune")
    expect(page.locator(f"{STRIP} .lm-tok.loss").first).to_be_visible()
    page.locator("#tuning-own").get_by_text("A table of your own").click()
    give(page, "tuning", "chats.jsonl", "\n".join(map(json.dumps, rows)))
    page.locator("#tuning-use").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("Line 15: the chat has no answer")
    page.locator("#tuning-skip").get_by_label("skip rows that cannot be used").check()
    give(page, "tuning", "held.json", json.dumps(CHATS[:4]), "table2")
    use(page, "tuning")
    expect(page.locator("#tuning-said")).to_contain_text("1 row was skipped: Line 15")
    expect(page.locator("#tuning-place")).to_contain_text("Row 1 of 10, 4 held out")
    expect(page.locator("#tuning-place")).to_contain_text("4 of 14 rows stand in held.json")
    expect(page.locator(STRIP)).to_contain_text(
        re.compile(r"System: Be brief\.[\s⏎]+User: Name thing \d+\.[\s⏎]+Assistant:")
    )
    page.get_by_text("More settings").click()
    for field, value in (("steps", "2"), ("batch", "4"), ("samples", "1")):
        box = page.locator(f"#tuning-{field} input[type=number]").first
        box.fill(value)
        box.press("Tab")
    page.locator("#tuning-start-go").click()
    monitor = page.locator("#tuning-monitor .lm-monitor")
    expect(monitor).to_have_attribute("data-state", "done")
    expect(monitor).to_have_attribute("data-points", "2")
    expect(page.locator(".lm-sample .lm-tok").first).to_be_visible()
    run = page.locator("#tuning-runs tbody tr").first
    expect(run).to_contain_text("chats.jsonl")
    expect(run.locator("td").nth(4)).to_have_text("2 of 2")
    learned = page.locator("#tuning-counter .lm-fig.big").inner_text().split("\n")[0]
    expect(run.locator("td").nth(3)).to_have_text(learned)
