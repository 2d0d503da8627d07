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
FILES = {
    "alpaca.json": json.dumps(ALPACA, indent=2),
    "chats.jsonl": "\n".join(map(json.dumps, CHATS)),
    "semi.csv": SEMI,
}
# What stands in the prompt of any row, and what in the answer that is learned.
EXPECTED = {
    "alpaca.json": (r"### Instruction:[\s⏎]+Name thing \d+", r"### Response:"),
    "chats.jsonl": (r"System: Be brief\.[\s⏎]+User: Name thing \d+\.[\s⏎]+Assistant:", r"It"),
    "semi.csv": (r"Review: A lovely, warm film \d+", r"(posi|nega)?tive"),
}
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


def word(page: Page, tab: str, name: str) -> None:
    """Choose a wording by its title."""
    page.locator(f"#{tab}-wording input").click()
    page.get_by_role("option", name=name, exact=True).click()


@pytest.mark.parametrize("name", list(FILES))
def test_a_file_of_the_wild_goes_through_prompt_and_fine_tune(visit, address, name):
    prompt, answer = map(re.compile, EXPECTED[name])
    page = visit(address)
    show_tab(page, "Prompt")
    expect(page.locator("#prompt-answer .lm-answer").first).to_be_visible()
    expect(page.locator("#prompt-stop")).to_be_disabled()
    page.locator("#prompt-own").get_by_text("A table of your own").click()
    give(page, "prompt", name, FILES[name])
    use(page, "prompt")
    if name == "semi.csv":
        word(page, "prompt", "sentiment: Review and Sentiment")
    expect(page.locator("#prompt-view .lm-prompttext")).to_contain_text(prompt)
    expect(page.locator("#prompt-view .lm-prompttext .lm-part.example")).to_have_count(3)
    written = page.locator("#prompt-view .lm-prompttext .lm-part:is(.added, .read)")
    expect(written).to_have_count(0)
    page.locator("#prompt-go").click()
    expect(written.first).to_be_visible()
    show_tab(page, "Fine-tune")
    expect(page.locator(f"{STRIP} .lm-tok.loss").first).to_be_visible()
    page.locator("#tuning-own").get_by_text("A table of your own").click()
    give(page, "tuning", name, FILES[name])
    use(page, "tuning")
    if name == "semi.csv":
        word(page, "tuning", "sentiment: Review and Sentiment")
    expect(page.locator("#tuning-place")).to_contain_text("Row 1 of 13, 1 held out")
    expect(page.locator(STRIP)).to_contain_text(answer)
    for field, value in (("steps", "2"), ("batch", "4")):
        box = page.locator(f"#tuning-{field} input[type=number]").first
        if field == "batch":
            page.get_by_text("More settings").click()
        box.fill(value)
        box.press("Tab")
    page.locator("#tuning-start-go").click()
    expect(page.locator("#tuning-monitor .lm-monitor")).to_have_attribute("data-state", "done")
    expect(page.locator("#tuning-runs tbody tr").first).to_contain_text(name)


def test_bad_rows_are_skipped_and_a_second_file_is_held_out(visit, address):
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
