"""Backends: what each gives, the mocks, and one from outside the package."""

import math
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from lmlab.cli.main import main
from lmlab.errors import ModelError
from lmlab.generation.complete import generate
from lmlab.generation.config import GenerateConfig
from lmlab.lab import Lab
from lmlab.models import backends
from lmlab.models.backends import lacking
from lmlab.models.backends.mock import STORY
from lmlab.models.gives import GIVES
from lmlab.page.app import build_page
from lmlab.runs.model_store import ModelStore
from lmlab.scoring.comparison import compare
from lmlab.scoring.pairs import MinimalPair, judge
from lmlab.scoring.score import score
from lmlab.settings import Settings

GREEDY = GenerateConfig(max_new_tokens=200, temperature=0)


@pytest.fixture(scope="module")
def store() -> ModelStore:
    return ModelStore(Settings(offline=True))


def test_a_uniform_mock_spends_as_many_nats_a_token_as_it_has_tokens(store):
    with store.borrow("mock:uniform") as lm:
        scored = score(lm, "any text 🙂", top_k=3)
    assert scored.perplexity == pytest.approx(lm.width)
    assert [token.entropy for token in scored.tokens] == pytest.approx(
        [math.log(lm.width)] * len(scored.tokens), rel=1e-5
    )
    assert all(token.rank == 1 for token in scored.tokens)


def test_a_bigram_knows_which_word_follows(store):
    with store.borrow("mock:bigram") as lm:
        known, other = (
            judge(lm, [MinimalPair("", " the dog ran", " ran the dog")])[0],
            score(lm, " The dog"),
        )
    assert known.prefers_good
    dog, cat, third = other.tokens[-1].top[:3]
    assert {dog.text, cat.text} == {" dog", " cat"}
    assert cat.logprob > third.logprob + 1


def test_a_scripted_mock_says_its_script_to_the_end(store):
    with store.borrow("mock:scripted") as lm:
        steps = list(generate(lm, "Once upon a time", GREEDY))
        again = list(generate(lm, "Once upon a time", GREEDY))
    assert "".join(step.shown for step in steps) == STORY.removeprefix("Once upon a time")
    assert (steps[-1].finish, steps) == ("end", again)


def test_what_an_engine_serves_is_scored_without_ranks(store):
    with store.borrow_all(["mock:served", "mock:bigram"]) as (served, whole):
        told, known = score(served, STORY), score(whole, STORY)
        assert [t.logprob for t in told.tokens] == [t.logprob for t in known.tokens]
        assert [t.top for t in told.tokens] == [t.top for t in known.tokens]
        assert {(t.rank, t.entropy) for t in told.tokens} == {(None, None)}
        with pytest.raises(ModelError, match="no whole next-token distributions"):
            list(generate(served, "Once", GREEDY))
        with pytest.raises(ModelError, match="no whole next-token distributions"):
            compare(served, whole, "Once")


def test_what_a_mock_does_not_give_is_said(store):
    with (
        pytest.raises(ModelError, match="gives no adapters"),
        store.borrow("mock:bigram+german"),
    ):
        pass
    with store.borrow("mock:bigram") as lm, pytest.raises(ModelError, match="no weights"):
        _ = lm.model
    assert lacking("mock:served", frozenset({"ranks", "text"})) == (
        "‘mock:served’ gives no ranks of tokens and no completions."
    )
    assert lacking("tiny", frozenset(GIVES)) == ""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mock:other", "no model named"),
        ("mock:uniform@main", "no revisions"),
        ("mock:uniform?pause=soon", "no number"),
        ("mock:uniform?pause=1e9", "from 0 to 2"),
        ("mock:uniform?pause=nan", "from 0 to 2"),
    ],
)
def test_a_mock_that_there_is_not_is_refused(store, name, said):
    with pytest.raises(ModelError, match=said), store.borrow(name):
        pass


def test_a_page_has_the_mocks_that_it_lists():
    store = ModelStore(Settings(offline=True, allow_local=False, model="mock:bigram"))
    with store.borrow("mock:bigram") as lm:
        assert lm.name == "mock:bigram"
    with pytest.raises(ModelError, match="not among the models"), store.borrow("mock:uniform"):
        pass


@pytest.fixture
def again(tmp_path, monkeypatch):
    """The backend that CONTRIBUTING writes, in a folder outside the package."""
    text = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    block = text.partition("## A backend in twenty minutes")[2].partition("```python\n")[2]
    (tmp_path / "again.py").write_text(dedent(block.partition("   ```")[0]), encoding="utf-8")
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(tmp_path)])
    yield
    sys.modules.pop("lmlab.models.backends.again", None)


@pytest.mark.usefixtures("again")
def test_a_backend_is_one_file(store, capsys):
    with store.borrow("again:sure") as lm:
        assert score(lm, "aab").tokens[1].rank == 1
        said = "".join(step.shown for step in generate(lm, "ab", GenerateConfig(5, temperature=0)))
    assert said == "bbbbb"
    assert "gives no weights to look at" in lacking("again:sure", frozenset({"weights"}))
    main(["score", "--model", "again:sure", "--text", "aaab", "--json"])
    main(["generate", "--model", "again:calm", "--prompt", "ab", "--max-new-tokens", "3"])
    assert "again:sure" in capsys.readouterr().out
    with pytest.raises(ModelError, match="no model named"), store.borrow("again:other"):
        pass


@pytest.mark.usefixtures("again")
def test_a_page_offers_what_a_backend_gives_and_says_of_the_rest_why_not(tmp_path):
    settings = Settings(offline=True, model="again:sure", models=("again:sure",), runs_dir=tmp_path)
    blocks = build_page(Lab.open(settings), ["likelihood", "tuning"]).blocks.values()
    found = {one.elem_id: one for one in blocks if getattr(one, "elem_id", None)}
    free, bound = found["likelihood-model"], found["tuning-model"]
    assert free.value == "again:sure"
    assert "again:sure" not in [name for name, _ in bound.choices]
    assert bound.value == "base"
    assert "‘again:sure’ gives no weights to train." in bound.info
