"""Multiple choice with options that differ by row, its numbers against lm-evaluation-harness."""

import csv
import io
import json
import os

import pytest

from lmlab.api import load
from lmlab.errors import InputError
from lmlab.features.prompt.evaluation import evaluate
from lmlab.features.prompt.views import to_csv
from lmlab.scoring.score import score
from lmlab.text.protocols import Protocol, drawn
from lmlab.text.rows import options_of
from lmlab.text.sets import Dataset, read_table, split
from lmlab.text.templates import PromptTemplate
from lmlab.text.wordings import shipped_templates
from tests.test_evaluation import close

CHOICE = PromptTemplate(
    name="choice",
    query="{{ text }} is",
    target=" {{ y }}",
    separator=". ",
    options="of",
    answer="y",
    decode={"how": "label"},
    shipped=True,
)
WORDS = ("the little dog", "a hill", "singing", "over", "red ball in the grass", "king")
TEXTS = ("the man", "a cat", "hello there", "the grass", "he", "she saw the king", "the big ball")


def row(text: str, i: int) -> dict[str, str]:
    """A row whose options depend on its place: two to four of the words."""
    options = [WORDS[(i + j) % len(WORDS)] for j in range(2 + i % 3)]
    return {"text": text, "of": " | ".join(options), "y": options[i % len(options)]}


DATA = Dataset(
    "made up",
    tuple(row(f"pool {i}", i) for i in range(6)),
    tuple(row(text, i) for i, text in enumerate(TEXTS)),
)


@pytest.fixture(scope="module")
def lm(folder):
    return load(str(folder("llama", "bytelevel-bos")))


def test_a_cell_holds_options_in_two_ways():
    assert options_of("a | b|c d ") == ("a", "b", "c d")
    assert options_of('["a|b", 2]') == ("a|b", "2")


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("", "no two options"),
        ("one", "no two options"),
        ("a||b", "empty"),
        ("a|b|a", "‘a’ stands there twice"),
        ('["a", ', "no valid JSON"),
        ('["a", NaN]', "no valid JSON"),
        ('["a", ["b"]]', "no list of texts"),
        ("|".join(map(str, range(51))), "at most 50"),
        ("[" * 10_000, "no valid JSON"),
    ],
)
def test_options_that_cannot_be_are_refused(cell, words):
    with pytest.raises(InputError, match=words):
        options_of(cell)


def test_every_option_is_a_target_and_letters_can_stand_for_them():
    rows = [{"question": "Who?", "options": "Bob | Ann", "answer": "Ann"}, {"question": "Who?"}]
    asked = {**rows[1], "options": '["Leo", "Mia", "Tim"]'}
    wordings = shipped_templates()
    plain = wordings["choice-question"].encode(rows[:1], asked)
    assert plain.text == "Question: Who?\nAnswer: Ann\n\nQuestion: Who?\nAnswer:"
    assert plain.targets == {"Leo": " Leo", "Mia": " Mia", "Tim": " Tim"}
    letters = wordings["choice-letters"]
    prompt = letters.encode(rows[:1], asked)
    assert "A. Bob\nB. Ann\nAnswer: B\n\n" in prompt.text
    assert prompt.targets == {"Leo": " A", "Mia": " B", "Tim": " C"}
    assert letters.decode(" B", targets=prompt.targets).value == "Mia"
    assert letters.columns == ("question", "options", "answer")
    assert wordings["choice-question"].fields == ("question", "options")


def test_a_strangers_options_are_text(folder):
    wording = PromptTemplate.parse(
        "name: x\nquery: '{{ options | join(\"/\") }}:'\ntarget: ' {{ y }}'\nanswer: y\n"
        "options: options"
    )
    prompt = wording.encode([], {"options": "{{ 7*7 }} | b"})
    assert prompt.text == "{{ 7*7 }}/b:"


def test_every_number_is_what_score_gives(lm):
    protocol = Protocol(shots=2)
    result = evaluate(lm, CHOICE, DATA, protocol)
    close(result, evaluate(lm, CHOICE, DATA, Protocol(shots=2, share=False)))
    (examples,) = drawn(DATA, protocol)
    for p, asked in zip(result.predictions, DATA.queries, strict=True):
        prompt = CHOICE.encode(examples, asked)
        options = options_of(asked["of"])
        assert p.options == tuple(prompt.targets) == options
        given = [score(lm, t, prefix=prompt.text).logprob for t in prompt.targets.values()]
        alone = [score(lm, t).logprob for t in prompt.targets.values()]
        assert p.logprobs == pytest.approx(given, rel=1e-4)
        assert p.nll == pytest.approx(-given[options.index(asked["y"])], rel=1e-4)
        expected = {
            "sum": given,
            "per character": [v / len(o) for v, o in zip(given, options, strict=True)],
            "per byte": [v / len(o.encode()) for v, o in zip(given, options, strict=True)],
            "minus unconditional": [a - b for a, b in zip(given, alone, strict=True)],
        }
        assert dict(p.choices) == {
            way: options[values.index(max(values))] for way, values in expected.items()
        }
        assert p.answer == dict(p.choices)["sum"]


def test_the_figures_know_that_options_differ(lm):
    result = evaluate(lm, CHOICE, DATA, Protocol(shots=1, draws=2, way="per character"))
    printed = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert printed["accuracy"] == pytest.approx(result.by_way["per character"])
    assert set(printed["accuracy_by_way"]) == {
        "sum", "per character", "per byte", "minus unconditional",
    }  # fmt: skip
    assert 0 <= printed["brier"] <= 2
    assert sum(b.count for b in result.reliability) == len(result.predictions)
    assert not {"confusion", "macro_f1", "f1"} & set(printed)
    rows = list(csv.DictReader(io.StringIO(to_csv([result]))))
    assert json.loads(rows[0]["options"]) == list(result.predictions[0].options)
    assert json.loads(rows[0]["ln_p"]) == pytest.approx(result.predictions[0].logprobs, abs=1e-5)
    calibrated = evaluate(lm, CHOICE, DATA, Protocol(way="calibrated"))
    assert "not calibrated" in calibrated.notes[0]


def test_an_option_that_begins_another_comes_with_a_note(lm):
    queries = (*DATA.queries[:2], {"text": "x", "of": "a hill | a hill here | b", "y": "b"})
    result = evaluate(lm, CHOICE, Dataset("d", DATA.pool, queries))
    assert result.notes[0].startswith("In 1 of 3 rows one option begins another")
    assert result.predictions[2].answer != "a hill here"


def test_a_row_whose_options_are_wrong_is_named(lm):
    queries = (*DATA.queries, {"text": "x", "of": "a | b", "y": "c"})
    with pytest.raises(InputError, match="made up, queries: Row 8: the answer ‘c’ is none of a, b"):
        evaluate(lm, CHOICE, Dataset("made up", DATA.pool, queries))
    pool = ({"text": "x", "of": "a", "y": "a"},)
    with pytest.raises(InputError, match="examples: Row 1: there are no two options"):
        evaluate(lm, CHOICE, Dataset("made up", pool, DATA.queries))


def test_a_table_brings_its_own_options(lm):
    lines = [json.dumps({**one, "of": list(options_of(one["of"]))}) for one in DATA.queries]
    table = read_table("\n".join(lines), "t.jsonl")
    result = evaluate(lm, CHOICE, split(table))
    assert all(p.truth in p.options for p in result.predictions)


@pytest.mark.parametrize("delimiter", [" ", ""])
def test_multiple_choice_equals_lm_evaluation_harness(folder, lm, tmp_path, delimiter):
    from lm_eval import simple_evaluate
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.models.huggingface import HFLM

    os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
    mine = evaluate(lm, CHOICE, DATA, Protocol(shots=1, calibrate=False))
    (examples,) = drawn(DATA, Protocol(shots=1))
    # The harness measures lengths without the delimiter, and the unconditional text without it.
    rows = [
        {
            "prompt": CHOICE.encode(examples, one).text,
            "options": [(" " if not delimiter else "") + o for o in options_of(one["of"])],
            "gold": options_of(one["of"]).index(one["y"]),
        }
        for one in DATA.queries
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(r) + "\n" for r in rows))
    metrics = ("acc", "acc_norm") if delimiter else ("acc", "acc_mutual_info")
    task = ConfigurableTask(
        config={
            "task": "mine",
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(file)}, "cache_dir": str(tmp_path / "c")},
            "test_split": "test",
            "output_type": "multiple_choice",
            "doc_to_text": "{{prompt}}",
            "doc_to_choice": "{{options}}",
            "doc_to_target": "{{gold}}",
            "target_delimiter": delimiter,
            "metric_list": [{"metric": metric} for metric in metrics],
        }
    )
    path = str(folder("llama", "bytelevel-bos"))
    harness = HFLM(path, device="cpu", dtype="float32", batch_size=4, add_bos_token=True)
    found = simple_evaluate(
        model=harness, tasks=[task], bootstrap_iters=0, log_samples=True, verbosity="ERROR"
    )
    samples = sorted(found["samples"]["mine"], key=lambda sample: sample["doc_id"])
    for p, sample in zip(mine.predictions, samples, strict=True):
        theirs = [answers[0] for answers in sample["filtered_resps"]][: len(p.options)]
        assert p.logprobs == pytest.approx(theirs, rel=1e-4)
    ways = {"acc": "sum", "acc_norm": "per character", "acc_mutual_info": "minus unconditional"}
    for metric in metrics:
        theirs = [float(sample[metric]) for sample in samples]
        hits = [float(dict(p.choices)[ways[metric]] == p.truth) for p in mine.predictions]
        assert hits == theirs
