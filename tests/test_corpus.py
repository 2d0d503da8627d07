"""Training text: mixtures, documents from strangers, duplicates, personal data, languages, the
filter, and what is left. Planted rows of the shipped corpus are what has to be found.
"""

import csv
import io
import json
import math
import time

import pytest

from lmlab.assets import assets_dir, models_dir
from lmlab.errors import InputError
from lmlab.features.data import cleaning, language, mixtures, privacy, quality, views
from lmlab.features.data.cleaning import Cleaning
from lmlab.features.data.duplicates import iter_twins, jaccard, plain, shingles
from lmlab.features.data.findings import Duplicate, Inspected, Looked, Quality
from lmlab.features.data.mixtures import Mixture, Part
from lmlab.features.data.service import Corpora
from lmlab.lab import Lab
from lmlab.progress import Loading
from lmlab.runs.model_store import ModelStore
from lmlab.scoring.score import score
from lmlab.settings import Settings
from lmlab.text.documents import Limits, read_documents, shipped_corpora

LIMITS = Limits(50, 2_000)


@pytest.fixture(scope="module")
def planted() -> list[dict[str, str]]:
    file = assets_dir() / "corpora" / "scraps.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def inspected() -> Inspected:
    corpora = Lab.open(Settings(offline=True)).service(Corpora)
    steps = list(corpora.inspect("tiny", "scraps", corpora.sample("scraps")))
    shares = [step.share for step in steps if not isinstance(step, Inspected | Loading)]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    return steps[-1]


def row(mixture: Mixture, name: str):
    return next(row for row in mixtures.mixed(mixture) if row.part.name == name)


def test_gpt3s_epochs_follow_from_its_weights_up_to_rounding_except_for_one():
    assert row(mixtures.GPT3, "WebText2").epochs == pytest.approx(0.22 * 300 / 19)
    agreement = {r.part.name: r.agreement for r in mixtures.mixed(mixtures.GPT3)}
    assert agreement == {
        "Common Crawl": "same",
        "WebText2": "apart",
        "Books1": "explained",
        "Books2": "explained",
        "Wikipedia": "explained",
    }
    web = row(mixtures.GPT3, "WebText2")
    assert web.low == pytest.approx(0.215 * 300 / 19.5)
    assert web.high == pytest.approx(0.225 * 300 / 18.5)
    assert "18.4 %" in web.words
    assert sum(part.weight for part in mixtures.GPT3.parts) == pytest.approx(1.01)


def test_the_piles_table_is_consistent_in_itself():
    parts = mixtures.PILE.parts
    assert len(parts) == 22
    assert sum(p.weight for p in parts) == pytest.approx(1, abs=1e-3)
    assert sum(p.size for p in parts) == pytest.approx(825.18, abs=0.05)
    assert sum(p.size * p.epochs for p in parts) == pytest.approx(1254.20, abs=0.1)
    assert {r.agreement for r in mixtures.mixed(mixtures.PILE)} == {"same"}


def test_the_bases_epochs_are_those_of_its_record():
    own = mixtures.base()
    assert own is not None
    story = json.loads((models_dir() / "base" / "training.json").read_text())
    assert own.total == pytest.approx(story["tokens"] / 1e6, rel=0.001)
    assert sum(p.weight for p in own.parts) == pytest.approx(1)
    rows = mixtures.mixed(own)
    assert {r.agreement for r in rows} <= {"same", "explained"}
    assert all(r.epochs == pytest.approx(r.part.epochs, abs=0.08) for r in rows)


def test_chance_outside_of_what_draws_allow_is_said():
    part = Part("x", 1.0, 0.5, epochs=9.0, epochs_step=0.01, spread=0.01)
    mixture = Mixture("m", "tokens", 2.0, (part,), "s")
    assert mixtures.mixed(mixture)[0].words.startswith("Further off than chance")


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.txt", "one\n\ntwo\nlines\n \n\nthree", ("one", "two\nlines", "three")),
        ("a.txt", "one\n<|endoftext|>\ntwo\n\nmore", ("one", "two\n\nmore")),
        ("a.jsonl", '{"id": 1, "text": "x", "meta": {"a": [1]}}\n\n"y"', ("x", "y")),
        ("a.jsonl", '{"title": "t", "story": "long story"}', ("long story",)),
        ("a.csv", "n,text\n1,x\n2,\n3,z", ("x", "z")),
        ("a.tsv", "n\tlong one\n1\txyz", ("xyz",)),
        ("pasted", '{"text": "x"}\n{"text": "y"}', ("x", "y")),
        ("a.md", b"\xef\xbb\xbfone\r\n\r\ntwo", ("one", "two")),
    ],
)
def test_documents_of_every_kind(name, data, expected):
    assert read_documents(data, name, LIMITS) == expected


def test_a_text_is_cut_where_the_visitor_says():
    assert read_documents("a\nb\n\nc", "a.txt", LIMITS, "lines") == ("a", "b", "c")
    assert read_documents("a\nb\n\nc", "a.txt", LIMITS, "nowhere") == ("a\nb\n\nc",)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.txt", b"a\xff\xfe", "not UTF-8"),
        ("a.txt", b"\x1f\x8b123", "compressed"),
        ("a.txt", " \n\n ", "no text"),
        ("a.txt", "a\0b", "NUL"),
        ("a.txt", "a\ud800b", "surrogate"),
        ("a.txt", "x" * 2_001, "at most 2,000"),
        ("a.txt", b"x" * 9_000, "at most 2,000"),
        ("a.txt", "x\n\n" * 51, "more than 50 documents"),
        ("a.jsonl", '{"text": "x"}\nnonsense', "Line 2"),
        ("a.jsonl", '{"n": 1}', "Line 1 has no text"),
        ("a.jsonl", '{"text": "\\ud800"}', "Line 1"),
        ("a.jsonl", "[" * 5_000, "Line 1"),
        ("a.csv", "a,a\n1,2", "Two columns"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason(name, data, words):
    with pytest.raises(InputError, match=words):
        read_documents(data, name, LIMITS)


def test_the_shipped_corpus_shows_what_was_planted(planted, inspected):
    assert "scraps" in shipped_corpora()
    assert len(inspected.documents) == len(planted)
    for given, found in zip(planted, inspected.documents, strict=True):
        twin = found.twin
        kind = "" if twin is None else "exact duplicate" if twin.exact else "near duplicate"
        assert kind == (given["planted"] if "duplicate" in given["planted"] else ""), found.text
        kinds = {one.kind for one in found.found}
        assert kinds == {k for k in ("e-mail", "phone") if k in given["planted"]}, found.text
        if given["language"]:
            assert found.language == given["language"], found.text


def test_duplicates_point_at_the_first_and_most_similar():
    texts = [
        "the little dog ran over the hill",
        "something else",
        "THE  little dog ran over the hill",
    ]
    texts += ["the little dog ran over the hills", "the little dog ran over the hill"]
    twins = list(iter_twins(texts, 0.6))
    assert [t and (t.first, t.exact) for t in twins] == [
        None, None, (0, True), (0, False), (0, True),
    ]  # fmt: skip
    sets = [shingles(plain(text)) for text in texts]
    assert twins[3].similarity == pytest.approx(jaccard(sets[0], sets[3]))
    assert list(iter_twins(texts, 1.0))[3] is None
    with pytest.raises(InputError):
        list(iter_twins(texts, 0.1))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("to jo+x@mail.example.org, or 555-0123.", ["jo+x@mail.example.org", "555-0123"]),
        ("(212) 555-0147 or +1 212 555 0147", ["(212) 555-0147", "+1 212 555 0147"]),
        ("020 7946 0958 / 01632 960001", ["020 7946 0958", "01632 960001"]),
        ("030 23125 014, 0171/39200 12", ["030 23125 014", "0171/39200 12"]),
        ("+49 (0)30 23125-014 und +442079460958", ["+49 (0)30 23125-014", "+442079460958"]),
        ("mü.ller@exämple.org", ["mü.ller@exämple.org"]),
        ("2024-05-06, 01.02.2024, 1914-1918, 192.168.100.200, 10.000.000, 3.14159265", []),
        ("x@y and a@b.c and name at example dot org, ISBN 978-3-16-148410-0", []),
    ],
)  # fmt: skip
def test_personal_data_by_pattern(text, found):
    assert [text[one.start : one.end] for one in privacy.find(text)] == found


@pytest.mark.parametrize(
    "hostile", ["a", "a@", "+1 ", "0-", "(0", "a.", "a@b.", "+1(1)", "000-", "1-", "@a.", "+1 11-"]
)
def test_no_text_makes_the_search_slow(hostile):
    """Ten times the text takes about ten times as long, not a hundred."""
    short, long = (_seconds(hostile * (n // len(hostile))) for n in (20_000, 200_000))
    assert long < 40 * short + 0.5


def _seconds(text: str) -> float:
    start = time.perf_counter()
    privacy.find(text)
    return time.perf_counter() - start


def test_masks_replace_what_was_found_and_nothing_else():
    text = "Ask a@example.org or b@example.org now."
    looked = Looked(text, 9, privacy.find(text), "en", 1.0, None, None)
    assert looked.masked == "Ask [e-mail] or [e-mail] now."
    assert "".join(piece for piece, _ in looked.segments()) == text


def test_too_little_text_has_no_language():
    assert list(language.guesses(["12 34 !!", "Es war einmal ein kleiner Hund."])) == [
        ("", 0.0),
        ("de", pytest.approx(1, abs=0.1)),
    ]


def test_quality_is_what_scoring_says(inspected):
    place, document = next(
        (i, one) for i, one in enumerate(inspected.documents) if one.text.startswith("The cat sat")
    )
    with ModelStore(Settings(offline=True)).borrow("tiny") as lm:
        scored = score(lm, document.text, top_k=0)
        assert document.tokens == len(lm.vocabulary.ids(document.text))
    assert document.quality.bits_per_byte == pytest.approx(scored.bits_per_byte, abs=1e-4)
    assert document.quality.perplexity == pytest.approx(scored.perplexity, rel=1e-3)
    rows = list(csv.DictReader(io.StringIO(views.to_csv(inspected))))
    assert float(rows[place]["bits_per_byte"]) == pytest.approx(scored.bits_per_byte, abs=1e-3)


def test_only_the_beginning_is_scored():
    text = "word " * 1000
    assert len(quality.beginning(text)) <= quality.BEGINNING
    assert text.startswith(quality.beginning(text))
    assert len(quality.beginning("x" * 5000)) == quality.BEGINNING


def corpus() -> Inspected:
    texts = ("good", "good", "goods", "=1+1 a@example.org", "schlecht")
    twins = (None, Duplicate(0, 1, 1.0, True), Duplicate(0, 2, 0.7, False), None, None)
    bits = (1.0, 1.0, 1.1, 2.0, 3.0)
    documents = tuple(
        Looked(t, 1, privacy.find(t), "de" if b == 3 else "en", 1.0, twin, Quality(b, math.inf, 1))
        for t, twin, b in zip(texts, twins, bits, strict=True)
    )
    return Inspected("c", "m", 0.6, documents, 1000)


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        (Cleaning(), (0, 3, 4)),
        (Cleaning(exact=False, near=False), (0, 1, 2, 3, 4)),
        (Cleaning(exact=False), (0, 1, 3, 4)),
        (Cleaning(languages=("en",)), (0, 3)),
        (Cleaning(most_bits=2.0), (0, 3)),
        (Cleaning(most_bits=1.99), (0,)),
    ],
)
def test_what_is_left(wanted, kept):
    left = cleaning.clean(corpus(), wanted)
    assert left.kept == kept
    assert sum(left.dropped.values()) + len(kept) == 5
    lines = [json.loads(line) for line in cleaning.to_jsonl(corpus(), wanted).splitlines()]
    assert [line["document"] - 1 for line in lines] == list(kept)


def test_masking_is_a_choice():
    assert "[e-mail]" in cleaning.to_jsonl(corpus(), Cleaning())
    assert "a@example.org" in cleaning.to_jsonl(corpus(), Cleaning(mask=False))
    assert cleaning.clean(corpus(), Cleaning(mask=False)).masked == 0


def test_tables_run_no_formula_and_json_is_valid():
    rows = list(csv.DictReader(io.StringIO(views.to_csv(corpus()))))
    assert rows[3]["text"].startswith("'=")
    assert rows[1]["exact_duplicate_of"] == "1"
    assert rows[2]["near_duplicate_of"] == "1"
    text = views.quality(corpus(), views.threshold(corpus()))
    assert json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert "<" not in text


def test_words_of_strangers_stay_text():
    hostile = "<img src=x> write to eve@example.org, or <b>eve</b>"
    twins = (None, Duplicate(0, 1, 0.9, False))
    documents = tuple(
        Looked(hostile, 9, privacy.find(hostile), "", 0.0, twin, None) for twin in twins
    )
    shown = views.findings(Inspected("<i>", "<u>", 0.6, documents, 1000))
    assert '<mark class="e-mail">eve@example.org</mark>' in shown
    assert '<mark class="e-mail">[e-mail]</mark>' in shown
    assert not any(tag in shown for tag in ("<img", "<b>eve", "<i>", "<u>"))


def test_limits_come_from_the_settings():
    corpora = Lab.open(Settings(offline=True, max_corpus_chars=40)).service(Corpora)
    with pytest.raises(InputError, match="at most 40"):
        corpora.read("x" * 41, "a.txt")
    with pytest.raises(InputError, match="no documents"):
        list(corpora.inspect("tiny", "none", []))


def test_a_table_given_to_pretraining_on_the_page_is_a_column(tmp_path):
    from lmlab.features.pretraining.text import read
    from lmlab.lab import Lab
    from lmlab.settings import Settings

    texts = [f"The dog number {i} ran over the hill and saw a red ball there." for i in range(50)]
    file = tmp_path / "kept.jsonl"
    file.write_text("\n".join(json.dumps({"document": i, "text": t}) for i, t in enumerate(texts)))
    found = read(Lab.open(Settings(offline=True, runs_dir=tmp_path)), str(file), "")
    data, said = found["own"], found["said"]
    assert sorted(row["text"] for row in (*data.train, *data.valid)) == sorted(texts)
    assert "kept.jsonl" in said
