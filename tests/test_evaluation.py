"""Evaluation: numbers by hand, the shared prefix, lm-evaluation-harness, studies, pairs."""

import json
import math
from dataclasses import replace

import pytest

from lmlab.api import load
from lmlab.errors import InputError, ModelError
from lmlab.features.prompt.evaluation import evaluate, iter_evaluate
from lmlab.features.prompt.evaluations import Evaluating, Evaluation
from lmlab.generation.complete import generate
from lmlab.generation.sampling import GenerateConfig
from lmlab.models.decoding import common_prefix
from lmlab.models.tokens import encode
from lmlab.scoring.likelihoods import likelihoods
from lmlab.scoring.score import score
from lmlab.text.protocols import Protocol, drawn
from lmlab.text.sets import Dataset
from lmlab.text.templates import PromptTemplate
from tests.folders import ARCHITECTURES

LABELLED = PromptTemplate(
    name="labelled",
    query="{{ text }} is",
    target=" {{ label }}",
    answer="label",
    separator=". ",
    labels={"dog": "a little dog", "cat": "cat", "hill": "hill"},
    shipped=True,
)
FREE = PromptTemplate(
    name="free",
    query="{{ text }} ->",
    target=" {{ y }}",
    answer="y",
    stop=("\n",),
    shipped=True,
)
LABELS = ("dog", "cat", "hill")
TEXTS = (
    "the man",
    "the big red ball",
    "a cat",
    "the grass",
    "hello there",
    "he",
    "she saw the king",
)
DATA = Dataset(
    "made up",
    tuple({"text": f"pool {i}", "label": LABELS[i % 3], "y": f"the dog {i}"} for i in range(9)),
    tuple({"text": t, "label": LABELS[i % 3], "y": "over the hill"} for i, t in enumerate(TEXTS)),
)


@pytest.fixture(scope="module")
def lm(folder):
    return load(str(folder("llama", "bytelevel-bos")))


def close(one: Evaluation, two: Evaluation) -> None:
    """The same answers and log-likelihoods."""
    assert len(one.predictions) == len(two.predictions)
    for a, b in zip(one.predictions, two.predictions, strict=True):
        assert (a.row, a.draw, a.answer, a.completion) == (b.row, b.draw, b.answer, b.completion)
        assert a.nll == pytest.approx(b.nll, rel=1e-4)
        assert a.logprobs == pytest.approx(b.logprobs, rel=1e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("template", [LABELLED, FREE], ids=lambda t: t.name)
def test_a_shared_prefix_changes_nothing(folder, architecture, template):
    model = load(str(folder(architecture, "bytelevel")))
    assert model.shares
    protocol = Protocol(shots=2, draws=2, max_new_tokens=6)
    shared = evaluate(model, template, DATA, protocol)
    alone = evaluate(
        model, template, DATA, Protocol(shots=2, draws=2, max_new_tokens=6, share=False)
    )
    close(shared, alone)


@pytest.mark.parametrize("adapter", ["lora_folder", "prompt_folder"])
def test_an_adapter_is_heeded(folder, request, adapter):
    base = folder("llama", "bytelevel-bos")
    model = load(f"{base}+{request.getfixturevalue(adapter)}")
    protocol = Protocol(shots=1, max_new_tokens=6)
    shared = evaluate(model, LABELLED, DATA, protocol)
    close(shared, evaluate(model, LABELLED, DATA, Protocol(shots=1, share=False)))
    found = shared.predictions[0]
    prompt = LABELLED.encode(drawn(DATA, protocol)[0], DATA.queries[0])
    expected = score(model, prompt.target, prefix=prompt.text).logprob
    assert found.nll == pytest.approx(-expected, rel=1e-4)
    assert evaluate(load(str(base)), LABELLED, DATA, protocol).nll.mean != shared.nll.mean


def test_every_number_is_what_score_gives(lm):
    protocol = Protocol(shots=2)
    result = evaluate(lm, LABELLED, DATA, protocol)
    (examples,) = drawn(DATA, protocol)
    assert [p.row for p in result.predictions] == list(range(1, len(TEXTS) + 1))
    for p, row in zip(result.predictions, DATA.queries, strict=True):
        prompt = LABELLED.encode(examples, row)
        scored = [score(lm, t, prefix=prompt.text).logprob for t in prompt.targets.values()]
        assert p.logprobs == pytest.approx(scored, rel=1e-4)
        assert p.nll == pytest.approx(-scored[LABELS.index(row["label"])], rel=1e-4)
        assert p.answer == LABELS[scored.index(max(scored))]
        alone = [score(lm, t).logprob for t in prompt.targets.values()]
        gaps = [a - b for a, b in zip(scored, alone, strict=True)]
        assert dict(p.choices)["minus unconditional"] == LABELS[gaps.index(max(gaps))]


def test_free_answers_are_what_generate_writes(lm):
    result = evaluate(lm, FREE, DATA, Protocol(shots=1, max_new_tokens=5))
    (examples,) = drawn(DATA, Protocol(shots=1))
    config = GenerateConfig(max_new_tokens=5, temperature=0, stop=("\n",))
    for p, row in zip(result.predictions, DATA.queries, strict=True):
        steps = list(generate(lm, FREE.encode(examples, row).text, config))
        assert p.completion == "".join(step.shown for step in steps)
        ended = steps[-1].finish in ("end", "stop")
        assert p.answer == FREE.decode(p.completion, ended=ended).value


def test_a_uniform_model_gives_the_logarithm_of_its_vocabulary(uniform_folder):
    model = load(str(uniform_folder))
    result = evaluate(model, FREE, DATA, Protocol(max_new_tokens=2))
    for p in result.predictions:
        assert p.nll == pytest.approx(p.n_tokens * math.log(512), rel=1e-5)


def test_the_figures_follow_from_the_rows(lm):
    result = evaluate(lm, LABELLED, DATA, Protocol(shots=1, draws=3))
    hits = [p.correct for p in result.predictions]
    assert result.accuracy.mean == pytest.approx(sum(hits) / len(hits))
    assert result.accuracy.low <= result.accuracy.mean <= result.accuracy.high
    assert result.by_way["sum"] == result.accuracy.mean
    assert sum(map(sum, result.confusion)) == len(hits)
    assert len(result.by_draw) == 3
    assert sum(b.count for b in result.reliability) == len(hits)
    assert 0 <= result.brier <= 2
    printed = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert {"shots", "draws", "n", "accuracy", "accuracy_low", "accuracy_high", "nll"} <= set(
        printed
    )


def test_few_shot_labels_equal_lm_evaluation_harness(folder, lm):
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    path = str(folder("llama", "bytelevel-bos"))
    harness = HFLM(path, device="cpu", dtype="float32", batch_size=4, add_bos_token=True)
    protocol = Protocol(shots=2)
    (examples,) = drawn(DATA, protocol)
    prompts = [LABELLED.encode(examples, row) for row in DATA.queries]
    pairs = [(p.text, end) for p in prompts for end in p.targets.values()]
    asked = [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(pairs)]
    theirs = [value for value, _ in harness.loglikelihood(asked, disable_tqdm=True)]
    mine = [lp for p in evaluate(lm, LABELLED, DATA, protocol).predictions for lp in p.logprobs]
    assert mine == pytest.approx(theirs, rel=1e-4)


def test_one_row_serves_what_begins_alike(lm):
    asked = [
        encode(lm.vocabulary, t, "the man is") for t in (" a", " a little", " a little dog", " x")
    ]
    found = {}
    for part in likelihoods(lm, asked, share=True):
        found |= part
    for i, item in enumerate(asked):
        expected = score(lm, item.text, prefix="the man is")
        assert found[i].logprob == pytest.approx(expected.logprob, rel=1e-4)
        assert found[i].n_tokens == expected.n_tokens
        assert found[i].greedy == all(token.rank == 1 for token in expected.tokens)


def test_what_is_common_stops_before_the_first_scored_token():
    same = tuple(range(20))
    assert common_prefix([same, (*same, 1), (*same[:12], 99)], 100) == same[:12]
    assert common_prefix([same, same], 10) == same[:10]
    assert common_prefix([same, same], 3) == ()


def test_more_shots_begin_with_the_fewer_ones():
    few, many = drawn(DATA, Protocol(shots=2, draws=3)), drawn(DATA, Protocol(shots=5, draws=3))
    assert [rows[:2] for rows in many] == few
    assert few[0] != few[1]
    assert drawn(DATA, Protocol(shots=2, draws=3, seed=1)) != few
    assert drawn(DATA, Protocol(draws=3)) == [[]]


def test_a_notebook_needs_names_only():
    import lmlab

    result = lmlab.evaluate("base", "german-lecture", shots=2, limit=8)
    assert result.data == "german"
    assert result.n == 8
    with pytest.raises(InputError, match="There are: chat-turns, choice-letters"):
        lmlab.evaluate("base", "no-such")


def test_progress_comes_before_the_result(lm):
    steps = list(iter_evaluate(lm, LABELLED, DATA, Protocol(shots=1, draws=3)))
    assert isinstance(steps[-1], Evaluation)
    told = [s for s in steps if isinstance(s, Evaluating)]
    assert told[0].done == 0
    assert [t.done for t in told] == sorted(t.done for t in told)
    assert told[0].total == 3 * len(TEXTS)
    partial = [s.so_far for s in told if s.so_far]
    assert [len(one.predictions) for one in partial] == [t.done for t in told[1:]]
    assert len(partial[0].predictions) < len(steps[-1].predictions)


def test_a_prompt_that_does_not_fit_is_told_with_its_length(lm):
    long = {"text": "the little dog " * 30, "label": "dog", "y": "x"}
    data = Dataset("long", DATA.pool, (DATA.queries[0], long))
    result = evaluate(lm, LABELLED, data)
    assert [p.row for p in result.predictions] == [1]
    assert result.unfit[0].row == 2
    assert result.unfit[0].n_tokens > lm.context
    assert "not asked" in result.notes[-1]
    with pytest.raises(InputError, match=f"reads at most {lm.context}"):
        evaluate(lm, LABELLED, Dataset("long", (), (long,)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shots": 10}, "10 shots are more than the 9 rows"),
        ({"shots": -1}, "shots must be"),
        ({"draws": 0}, "draws must be"),
        ({"limit": 0}, "At least one query"),
        ({"way": "magic"}, "no way"),
        ({"way": "calibrated", "calibrate": False}, "calibration on"),
    ],
)
def test_what_cannot_be_measured_is_said(lm, changes, words):
    with pytest.raises(InputError, match=words):
        evaluate(lm, LABELLED, DATA, Protocol(**changes))


def test_rows_that_lack_something_are_named(lm):
    with pytest.raises(InputError, match="row 2 of the queries: column ‘label’ is missing"):
        evaluate(lm, LABELLED, Dataset("d", (), (DATA.queries[0], {"text": "x"})))
    wrong = ({"text": "x", "label": "cow"},)
    with pytest.raises(InputError, match="‘cow’ is none of dog, cat, hill"):
        evaluate(lm, LABELLED, Dataset("d", (), wrong))


def test_figures_that_mean_little_come_with_a_note(lm):
    one_class = Dataset("d", DATA.pool, tuple(row for row in DATA.queries if row["label"] == "cat"))
    assert "Every row is ‘cat’" in evaluate(lm, LABELLED, one_class).notes[0]
    labels = {"dog": "a", "cat": "a little", "hill": "b"}
    overlapping = LABELLED.model_copy(update={"labels": labels})
    result = evaluate(lm, overlapping, DATA)
    assert "‘a’ begins ‘a little’" in result.notes[0]
    assert all(p.answer != "cat" for p in result.predictions)


def test_not_a_number_is_an_error(nan_folder):
    with pytest.raises(ModelError, match="not-a-number"):
        evaluate(load(str(nan_folder)), LABELLED, DATA)


def test_a_chat_model_is_asked_in_its_own_form(folder, tmp_path):
    model = load(str(folder("llama", "bytelevel-bos")))
    model.tokenizer.chat_template = (
        "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}[assistant] {% endif %}"
    )
    from lmlab.features.prompt.asking import Asking, prepared

    given, blanks = prepared(LABELLED, DATA.queries[:1], [DATA.pool[1:2]])
    given = replace(given, instruction="Say it.")
    (prompt,) = Asking(model, LABELLED, Protocol(), given, blanks).prompts()
    assert prompt.text.startswith("<|endoftext|>[user] Say it.\n\npool 1 is\n[assistant] cat\n")
    assert "".join(prompt.text[p.start : p.end] for p in prompt.parts) == prompt.text
    assert {part.kind for part in prompt.parts} == {"chat", "instruction", "example", "query"}
    chat = evaluate(model, LABELLED, DATA, Protocol(shots=1))
    plain = evaluate(model, LABELLED, DATA, Protocol(shots=1, form="plain"))
    assert chat.nll.mean != plain.nll.mean
    close(chat, evaluate(model, LABELLED, DATA, Protocol(shots=1, share=False)))
    ids = encode(model.vocabulary, " x", prompt.text).ids
    assert ids[:2].count(0) == 1
    model.tokenizer.chat_template = None


def test_a_wording_that_compares_numbers_is_measured(folder):
    text = (
        "name: x\nquery: '{{ text }}, {% if stars > 2 %}good{% else %}bad{% endif %}:'\n"
        "target: ' {{ y }}'\nanswer: y\nlabels: [yes, no]\n"
    )
    wording = PromptTemplate.parse(text)
    rows = [{"text": f"t {i}", "stars": str(i), "y": ("yes", "no")[i % 2]} for i in range(6)]
    found = evaluate(load(str(folder("llama"))), wording, Dataset("mine", (), tuple(rows)))
    assert [p.query for p in found.predictions][2:4] == ["t 2, bad:", "t 3, good:"]
    assert "calibrated" not in found.by_way
