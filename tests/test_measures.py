"""A measure is a file: one from outside appears wherever the others do, nothing else touched."""

import json
import math
from collections import Counter
from pathlib import Path

import pytest

import lmlab
from lmlab.cli.main import main
from lmlab.errors import InputError
from lmlab.measures import VARIABLE, Of, measure, measures
from lmlab.parts import strip, tables
from tests.outside import Numbers
from tools.marked import between
from tools.measures_table import BEGIN, END, measures_table

TEXT = "The cat sat on the mat and the cat sat on the dog."
# What CONTRIBUTING.md tells to write, word by word.
WALK = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
SCARCITY = (
    WALK.split("## A measure in five minutes", 1)[1].split("```python\n", 1)[1].split("```")[0]
)


@pytest.fixture
def scarcity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file outside of the package with a measure of its own."""
    path = tmp_path / "scarcity.py"
    path.write_text(SCARCITY, encoding="utf-8")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return path


@pytest.fixture(scope="module")
def scored() -> lmlab.Scored:
    return lmlab.score("tiny", TEXT)


def said(capsys: pytest.CaptureFixture[str], *more: str) -> str:
    assert main(["score", "--model", "tiny", "--text", TEXT, *more]) == 0
    return capsys.readouterr().out


def test_one_from_outside_is_everywhere(scarcity, scored, capsys, numbers: Numbers):
    odds = [math.log(math.expm1(-one.logprob)) for one in scored.tokens]
    assert scored.measured("scarcity") == pytest.approx(odds, abs=1e-6)
    assert tables.factors(scored)["odds_nats"].tolist() == pytest.approx(odds, abs=1e-6)
    page = json.loads(strip.payload(scored))
    assert [x / strip.SCALE for x in page["runs"][0]["scarcity"]] == pytest.approx(odds, abs=1e-4)
    assert "scarcity" in page["measures"]
    known = {one["key"]: one for one in json.loads(strip.key())["measures"]}
    assert known["scarcity"]["label"] == "log-odds against"
    assert f"odds {odds[0]:.1f} nats".replace("-", "−") in scored._repr_html_()
    tokens = json.loads(said(capsys, "--json"))["tokens"]
    assert [one["odds_nats"] for one in tokens] == pytest.approx(odds, abs=1e-4)
    assert "odds" in said(capsys, "--colour-by", "scarcity")
    told = numbers(said(capsys, "--receipt"))
    assert any(x == pytest.approx(sum(odds) / len(odds), abs=1e-3) for x in told)
    assert "| log-odds against |" in measures_table()


def test_what_cannot_be_a_measure_is_named(scarcity, tmp_path, monkeypatch, capsys):
    (tmp_path / "twin.py").write_text(SCARCITY, encoding="utf-8")
    monkeypatch.setenv(VARIABLE, f"{scarcity}:{tmp_path / 'twin.py'}")
    with pytest.raises(InputError, match="Two measures have the key ‘scarcity’"):
        measures()
    scarcity.write_text("x = 1", encoding="utf-8")
    monkeypatch.setenv(VARIABLE, str(scarcity))
    with pytest.raises(InputError, match="no MEASURE"):
        measures()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none.py"))
    with pytest.raises(InputError, match="no Python file"):
        measures()
    monkeypatch.delenv(VARIABLE)
    assert main(["score", "--model", "tiny", "--text", TEXT, "--colour-by", "none"]) == 2
    assert "There are: logprob, surprisal" in capsys.readouterr().err


def test_the_mean_lift_is_the_texts_own_entropy_minus_log_perplexity(scored):
    counts = Counter(one.id for one in scored.tokens)
    n = len(scored.tokens)
    entropy = -sum(c / n * math.log(c / n) for c in counts.values())
    lift = scored.measured("lift")
    assert lift.mean() == pytest.approx(entropy - scored.log_perplexity)
    third = scored.tokens[2]
    assert lift[2] == pytest.approx(third.logprob - math.log(counts[third.id] / n))


def test_the_margin_is_to_the_favourite_whether_alternatives_are_kept_or_not(scored):
    margins = scored.measured("margin")
    for token, margin in zip(scored.tokens, margins, strict=True):
        assert margin == pytest.approx(token.top[0].logprob - token.logprob)
        assert (margin == 0) == (token.rank == 1)
    alone = lmlab.score("tiny", TEXT, top_k=0)
    assert alone.measured("margin") == pytest.approx(margins, abs=1e-5)


def test_a_token_that_was_not_scored_has_no_measure_and_counts_in_no_lift(folder):
    found = lmlab.score(str(folder("gpt2", "no-special")), "the dog ran the dog")
    assert found.first_unscored
    for one in measures(found.tokens.columns):
        assert math.isnan(found.measured(one.key)[0])
    assert found.tokens[0].logprob is found.tokens[0].best is None
    ids = [one.id for one in found.tokens][1:]
    share = math.log(ids.count(ids[0]) / len(ids))
    assert found.measured("lift")[1] == pytest.approx(found.tokens[1].logprob - share)


def test_one_of_two_models_is_refused_for_one(scored):
    with pytest.raises(InputError, match="no measure of one text"):
        scored.measured("difference")


def test_each_number_is_sent_once(scored):
    run = json.loads(strip.payload(scored))["runs"][0]
    columns = {one.value.column if isinstance(one.value, Of) else one.key
               for one in measures(scored.tokens.columns)}  # fmt: skip
    assert {k for k, v in run.items() if isinstance(v, list) and len(v) == len(scored.tokens)} == {
        *columns, "texts"
    }  # fmt: skip
    assert {"surprisal", "probability"} & set(run) == set()


def test_the_documents_name_every_measure():
    path = Path(__file__).parents[1] / "docs/measures.md"
    document = path.read_text(encoding="utf-8")
    assert between(document, BEGIN, END, measures_table()) == document
    assert all(one.about in document for one in measures())
    assert measure("lift").formula.startswith("ln p")
