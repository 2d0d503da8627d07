"""The page over the embedded suite: the numbers that a visitor sees are the library's."""

import pytest
from gradio_client import Client
from playwright.sync_api import expect

from lmlab.errors import ModelError
from lmlab.page.app import build_page
from lmlab.runs.model_store import ModelStore
from lmlab.scoring.score import score
from lmlab.settings import Settings

TEXT = "The little dog ran over the hill."


@pytest.fixture(scope="module")
def expected():
    with ModelStore(Settings(offline=True)).borrow("base") as lm:
        return score(lm, TEXT, prefix="Once upon a time.")


@pytest.mark.browser
def test_the_page_shows_the_librarys_numbers(visit, real_address, expected):
    page = visit(real_address)
    page.get_by_label("Prefix").fill("Once upon a time.")
    page.get_by_label("Text to score").fill(TEXT)
    page.locator("#likelihood-go").click()
    figure = page.locator("#likelihood-figures .lm-fig.big .v")
    expect(figure).to_contain_text(f"{expected.perplexity:.2f}")
    first = page.locator("#likelihood-factors tbody tr").first
    expect(first).to_contain_text(f"−{-expected.tokens[0].logprob:.3f}")
    page.get_by_role("tab", name="About").click()
    expect(page.locator("#about-text")).to_contain_text("How a text is scored")
    page.get_by_role("button", name="base ", exact=False).first.click()
    expect(page.locator(".lm-modelcard").first).to_contain_text("bits per byte")


@pytest.mark.parametrize(
    ("name", "words", "hint"),
    [
        ("no-such-model", "‘no-such-model’ is not on this machine", "base"),
        ("..", "folder", "folder"),
    ],
)
def test_a_model_that_cannot_be_had_gets_a_hint(name, words, hint):
    store = ModelStore(Settings(offline=True))
    with pytest.raises(ModelError, match=words) as caught, store.borrow(name):
        pass
    assert hint in caught.value.hint


def test_programs_get_the_command_lines_json(real_address, expected):
    client = Client(real_address, verbose=False)
    answer = client.predict(TEXT, "Once upon a time.", "base", 5, api_name="/score")
    assert answer["logprob"] == pytest.approx(expected.logprob)
    assert len(answer["tokens"][0]["top"]) == 5


def test_the_page_loads_no_model_before_it_is_asked(real_lab):
    fresh = type(real_lab).open(real_lab.settings)
    build_page(fresh)
    assert fresh.store.loaded() == []
