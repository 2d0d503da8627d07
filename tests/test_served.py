"""Models behind a server: each engine's dialect against the model itself, and what goes wrong."""

import json
import logging
import math
from collections import deque
from contextlib import closing

import pytest

from lmlab.cli.main import main
from lmlab.errors import InputError, LabError, ModelError
from lmlab.features.completion.branches import Tree
from lmlab.features.completion.events import Handlers
from lmlab.generation.complete import generate, sample, unfold
from lmlab.generation.config import GenerateConfig
from lmlab.lab import Lab
from lmlab.models.backends import lacking
from lmlab.runs.model_store import ModelStore
from lmlab.scoring.score import ScoreRequest, score, score_many
from lmlab.settings import Settings
from tests.engines import KINDS, Engine, listening

TEXT, PREFIX = " ran over the hill – and saw a ball. שלום", "The dog"
SCORING = ("vllm", "sglang", "llama-cpp-python")
IDS = ("vllm", "sglang", "llamacpp")
GREEDY = GenerateConfig(12, temperature=0, alternatives=3)
SECRET = "secret-key-1"


@pytest.fixture(scope="module")
def local():
    with ModelStore(Settings(offline=True)).borrow("tiny") as lm:
        yield lm


@pytest.fixture
def serving(local, monkeypatch):
    """``serving(kind)``: an engine that answers as ``server:lab``, and a store that may ask it."""
    stack = []

    def start(engine_kind, **given):
        engine = Engine(local, engine_kind)
        running = listening(engine.app)
        stack.append(running)
        host = {
            "kind": engine_kind,
            "url": running.__enter__(),
            "tokenizer": "tiny",
            "wait": 0,
            "tries": 3,
        }
        told = json.dumps({"lab": host | {"context": local.context} | given})
        monkeypatch.setenv("LMLAB_SERVERS", told)
        return engine, ModelStore(Settings(offline=True))

    yield start
    for running in stack:
        running.__exit__(None, None, None)


@pytest.mark.parametrize("kind", SCORING)
def test_a_server_scores_as_the_model_does(serving, local, kind):
    _, store = serving(kind)
    with store.borrow("server:lab") as lm:
        found, known = (score(one, TEXT, prefix=PREFIX, top_k=3) for one in (lm, local))
        assert lm.context == local.context
    assert [t.id for t in found.tokens] == [t.id for t in known.tokens]
    for one, other in zip(found.tokens, known.tokens, strict=True):
        assert one.logprob == pytest.approx(other.logprob, abs=1e-4)
        assert [a.logprob for a in one.top] == pytest.approx(
            [a.logprob for a in other.top], abs=1e-4
        )
        assert one.rank == (other.rank if kind == "vllm" else None)
        assert one.entropy is None
    assert "ntropies are not given by this server." in found.notes[-1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_completes_as_the_model_does(serving, local, kind):
    _, store = serving(kind)
    with store.borrow("server:lab") as lm:
        found, known = (list(generate(one, PREFIX, GREEDY)) for one in (lm, local))
    assert "".join(s.shown for s in found) == "".join(s.shown for s in known)
    assert [s.id for s in found] == [s.id for s in known]
    assert [s.logprob for s in found] == pytest.approx([s.logprob for s in known], abs=1e-4)
    assert [[c.id for c in s.top] for s in found] == [[c.id for c in s.top] for s in known]
    assert {(s.rank, s.entropy, s.probability) for s in found} == {(None, None, None)}
    assert found[-1].finish == known[-1].finish == "length"


@pytest.mark.parametrize("kind", IDS)
def test_samples_have_seeds_and_stop_strings_end_them(serving, local, kind):
    _, store = serving(kind)
    config = GenerateConfig(40, seed=3, stop=(".",), alternatives=0)
    with store.borrow("server:lab") as lm:
        drawn: dict[int, str] = {}
        for which, step in sample(lm, PREFIX, config, n=4):
            drawn[which] = drawn.get(which, "") + step.shown
            assert step.probability == pytest.approx(math.exp(step.logprob))
        again = "".join(step.shown for step in generate(lm, PREFIX, config))
    with_model = {
        i: "".join(
            s.shown for s in generate(local, PREFIX, GenerateConfig(40, seed=3 + i, stop=(".",)))
        )
        for i in range(4)
    }
    assert drawn == with_model
    assert again == drawn[0]
    assert not any("." in text for text in drawn.values())


def test_a_completion_goes_on_from_a_fork(serving, local):
    _, store = serving("vllm")
    start = local.vocabulary.ids(" ran")
    with store.borrow("server:lab") as lm:
        found, known = (
            [s for s in unfold(one, PREFIX, GREEDY, start=start) if hasattr(s, "shown")]
            for one in (lm, local)
        )
    assert [(s.index, s.id) for s in found] == [(s.index, s.id) for s in known]


@pytest.mark.parametrize(("kind", "gives"), [("vllm", {"text"}), ("llama-cpp-python", {"text"})])
def test_a_server_that_ignores_echo_gives_no_scores(local, serving, kind, gives):
    engine, store = serving(kind)
    engine.fault = "no echo"
    with store.borrow("server:lab") as lm:
        assert lm.gives == gives
        with pytest.raises(ModelError, match="gives no log-probabilities of a text"):
            score(lm, TEXT, prefix=PREFIX)


@pytest.mark.parametrize(
    ("kind", "fault", "said"),
    [
        ("vllm", "html", "no JSON"),
        ("vllm", "half", "no JSON"),
        ("vllm", "count", "log-probabilities of the prompt where there are"),
        ("vllm", "other", "other tokens than it was asked"),
        ("vllm", "nan", "finite number"),
        ("vllm", "key", "does not let lmlab in"),
        ("vllm", "refused", r"\(400\): Incorrect key: \[secret\]"),
        ("vllm", "broken down", "asked 3 times"),
        ("vllm", "busy always", "is busy or broken"),
        ("sglang", "count", "log-probabilities of the prompt where there are"),
        ("sglang", "other", "other tokens than it was asked"),
        ("sglang", "null", "leaves out the log-probability"),
        ("llama-cpp-python", "count", "other tokens"),
        ("llama-cpp-python", "other", "other tokens"),
        ("llama-cpp-python", "null", "leaves out the log-probability"),
    ],
)
def test_what_a_server_scores_wrongly_is_a_sentence(
    serving, kind, fault, said, monkeypatch, caplog
):
    monkeypatch.setenv("LAB_KEY", SECRET)
    engine, store = serving(kind, key="LAB_KEY")
    caplog.set_level(logging.DEBUG)
    with store.borrow("server:lab") as lm:
        engine.fault = fault
        with pytest.raises(ModelError, match=said) as caught:
            score(lm, TEXT, prefix=PREFIX)
    assert caught.value.hint
    assert set(engine.keys) == {f"Bearer {SECRET}"}
    assert SECRET not in str(caught.value) + caplog.text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("fault", "came"), [("cut", 2), ("dies", 2), ("half", 0)])
def test_a_server_that_dies_in_the_middle_loses_nothing_that_came(serving, kind, fault, came):
    engine, store = serving(kind)
    steps = []
    with store.borrow("server:lab") as lm:
        engine.fault = fault
        found = generate(lm, PREFIX, GREEDY)
        with pytest.raises(ModelError, match=r"in the middle|no JSON"):
            deque(map(steps.append, found))
    assert len(steps) == came


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_without_log_probabilities_is_refused_on_connecting(serving, kind):
    engine, store = serving(kind)
    engine.fault = "silent"
    with pytest.raises(ModelError) as caught, store.borrow("server:lab"):
        pass
    assert "log-probabilities" in str(caught.value) or "alternatives" in str(caught.value)


def test_a_vllm_that_tells_no_ids_is_refused(serving):
    engine, store = serving("vllm")
    engine.fault = "no ids"
    with pytest.raises(ModelError, match="tells no ids"), store.borrow("server:lab"):
        pass


def test_a_busy_server_is_asked_again_and_what_came_is_not(serving):
    engine, store = serving("vllm")
    texts = [ScoreRequest(TEXT[: 8 + i], PREFIX) for i in range(6)]
    with store.borrow("server:lab") as lm:
        engine.fault = "busy"
        first = score_many(lm, texts)
        asked = len(engine.asked)
        assert [one.logprob for one in score_many(lm, texts)] == [one.logprob for one in first]
        assert len(engine.asked) == asked


def test_to_close_a_completion_ends_the_request(serving):
    engine, store = serving("vllm")
    with store.borrow("server:lab") as lm:
        engine.fault = "hangs"
        with closing(generate(lm, PREFIX, GREEDY)) as steps:
            next(steps)
        assert engine.gone.wait(60)


def test_many_may_ask_at_once(serving):
    _, store = serving("vllm")
    with store.borrow("server:lab") as one, store.borrow("server:lab") as other:
        assert score(one, "A cat").logprob == score(other, "A cat").logprob


def test_the_first_token_of_an_echo_is_not_scored(serving):
    _, store = serving("llama-cpp-python")
    with store.borrow("server:lab") as lm, pytest.raises(InputError, match="first token"):
        score(lm, TEXT)


def test_a_control_that_a_server_has_not_is_refused(serving):
    _, store = serving("openai")
    with store.borrow("server:lab") as lm, pytest.raises(InputError, match="has no top k"):
        list(generate(lm, PREFIX, GenerateConfig(3, top_k=5)))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "http://127.0.0.1:1", "tries": 1}, "cannot be reached"),
        ({"key": "NOT_SET"}, "key of ‘server:lab’ is missing"),
        ({"model": "other"}, "serves no model ‘other’"),
        ({"tokenizer": "none/such"}, "tokenizer ‘none/such’ is not here"),
        ({"kind": "sglang"}, r"refuses what it was asked \(404\): Not Found"),
        ({"kind": "tgi"}, "LMLAB_SERVERS, at ‘lab.kind’"),
        ({"url": "http://me:word@host"}, "without a user or a key"),
        ({"url": "file:///etc/passwd"}, "without a user or a key"),
        ({"key_value": "x"}, "LMLAB_SERVERS, at ‘lab.key_value’"),
    ],
)
def test_what_the_host_said_wrongly_is_a_sentence(serving, given, said):
    _, store = serving("vllm", **given)
    with pytest.raises(LabError, match=said) as caught, store.borrow("server:lab"):
        pass
    assert "word" not in str(caught.value)


def test_a_visitor_makes_nobody_be_asked(serving, tmp_path):
    engine, _ = serving("vllm")
    lab = Lab.open(Settings(offline=True, public=True, runs_dir=tmp_path))
    address = "http://127.0.0.1:9"
    for name in ("server:lab", "server:other", f"server:{address}", address, "server:lab@main"):
        with pytest.raises(ModelError):
            list(lab.score(name, TEXT))
    assert (engine.asked, engine.keys) == ([], [])


def test_a_page_knows_by_its_kind_what_a_server_gives(serving, monkeypatch, tmp_path):
    serving("ollama")
    assert lacking("server:lab", frozenset({"scores"})) == (
        "‘server:lab’ gives no log-probabilities of a text."
    )
    assert lacking("server:lab", frozenset({"text"})) == ""
    file = tmp_path / "servers.yaml"
    file.write_text("lab: {kind: vllm, url: 'http://127.0.0.1:8000/v1/', tokenizer: tiny}\n")
    monkeypatch.setenv("LMLAB_SERVERS", str(file))
    assert lacking("server:lab", frozenset({"scores", "ranks"})) == ""
    monkeypatch.setenv("LMLAB_SERVERS", str(tmp_path / "none"))
    with pytest.raises(InputError, match="cannot be read"):
        lacking("server:lab", frozenset({"text"}))


def returned(work):
    """What a generator returns."""
    found = []

    def whole():
        found.append((yield from work))

    deque(whole(), maxlen=0)
    return found[0]


def test_the_completion_tab_draws_what_a_server_tells(serving, tmp_path):
    serving("vllm")
    lab = Lab.open(Settings(offline=True, runs_dir=tmp_path))
    work = Handlers(lab)._follow(Tree.plant("server:lab", PREFIX), GREEDY)
    shown = returned(work)
    head, *lines = map(json.loads, shown["strip"].split("\n"))
    assert not {"rank", "entropy"} & set(head["measures"])
    assert [line[2:4] for line in lines] == [[None, None]] * 12
    assert "‘server:lab’ gives no whole next-token distributions." in shown["chart"]


def test_commands_ask_a_server(serving, capsys):
    serving("vllm")
    assert main(["score", "--model", "server:lab", "--text", "The dog", "--json"]) == 0
    scored = json.loads(capsys.readouterr().out)
    assert scored["tokens"][0]["rank"]
    assert scored["tokens"][0]["entropy"] is None
    command = ["generate", "--model", "server:lab", "--prompt", "The dog", "--n", "2", "--json"]
    assert main([*command, "--max-new-tokens", "3"]) == 0
    assert len(json.loads(capsys.readouterr().out)["samples"]) == 2
    assert main(["generate", "--model", "server:lab", "--prompt", "The", "--receipt"]) == 2
    assert "no weights" in capsys.readouterr().err
