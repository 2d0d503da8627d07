"""``lmlab serve``: what it answers against the models themselves, by lmlab's own server backend, by
lm-evaluation-harness and by hand.
"""

import asyncio
import json
import threading
from contextlib import contextmanager

import httpx
import pytest
import uvicorn

from lmlab.cli.main import main
from lmlab.generation.complete import generate
from lmlab.generation.config import GenerateConfig
from lmlab.hosting.desk import Desk
from lmlab.hosting.openai import api
from lmlab.hosting.requests import Card
from lmlab.models.fair_lock import Turns
from lmlab.models.model import Read
from lmlab.runs.model_store import ModelStore
from lmlab.scoring.score import score
from lmlab.settings import Settings
from tests import folders, loops
from tests.engines import listening

PREFIX, TEXT = "The dog", " ran over the hill and saw a big red ball."
GREEDY = GenerateConfig(10, temperature=0, alternatives=3)


@pytest.fixture(scope="module")
def store(suite):
    return ModelStore(Settings(offline=True), models=suite)


@pytest.fixture(scope="module")
def chat(tmp_path_factory):
    return str(folders.save_chat_model(tmp_path_factory.mktemp("chat") / "model"))


@pytest.fixture(scope="module")
def address(store, chat):
    cards = {}
    for name in ("base", "base+german", chat, "mock:served"):
        with store.borrow(name) as lm:
            cards[name] = Card(lm.vocabulary, lm.context)
    with listening(api(Desk(store), store.settings, cards)) as found:
        yield found


@pytest.fixture
def post(address):
    def ask(path="completions", **body):
        asked = {"model": "base", "temperature": 0, **body}
        # A lone half of a character goes through as an escape alone.
        sent = {"content": json.dumps(asked), "headers": {"content-type": "application/json"}}
        return httpx.post(f"{address}/v1/{path}", **sent, timeout=60)

    return ask


@pytest.mark.parametrize("model", ["base", "base+german"])
def test_the_server_backend_against_it_equals_the_model(address, suite, monkeypatch, model):
    host = {"kind": "vllm", "url": address, "tokenizer": str(suite / "base"), "model": model}
    monkeypatch.setenv("LMLAB_SERVERS", json.dumps({"lab": host}))
    # Of a store of its own: what is borrowed here is not to be had there.
    own = ModelStore(Settings(offline=True), models=suite)
    with own.borrow("server:lab") as lm, own.borrow(model) as local:
        assert lm.context == local.context
        found, known = (score(one, TEXT, prefix=PREFIX, top_k=4) for one in (lm, local))
        texts = [[s.shown for s in generate(one, PREFIX, GREEDY)] for one in (lm, local)]
        drawn = [
            [s.id for s in generate(one, PREFIX, GenerateConfig(10, seed=5))] for one in (lm, local)
        ]
    for one, other in zip(found.tokens, known.tokens, strict=True):
        assert one.logprob == pytest.approx(other.logprob, abs=1e-4)
        assert (one.id, one.rank) == (other.id, other.rank)
        assert [a.id for a in one.top] == [a.id for a in other.top]
    assert texts[0] == texts[1]
    assert drawn[0] == drawn[1]


def test_an_adapter_is_another_model(post):
    texts = {name: post(model=name, prompt=PREFIX).json() for name in ("base", "base+german")}
    assert texts["base"]["choices"][0]["text"] != texts["base+german"]["choices"][0]["text"]


def test_models_are_listed_with_their_context(address, chat):
    found = httpx.get(f"{address}/v1/models").json()["data"]
    assert [one["id"] for one in found] == ["base", "base+german", chat, "mock:served"]
    assert all(one["max_model_len"] for one in found)


def test_echo_puts_the_prompt_before_what_is_drawn(store, post):
    with store.borrow("base") as lm:
        ids = [*lm.vocabulary.leading, *lm.vocabulary.ids(PREFIX + TEXT)]
        known = score(lm, PREFIX + TEXT)
        steps = list(generate(lm, PREFIX + TEXT, GREEDY))
    by_ids, by_text = (
        post(prompt=prompt, echo=True, logprobs=1, max_tokens=10).json()
        for prompt in (ids, PREFIX + TEXT)
    )
    columns = by_ids["choices"][0]["logprobs"]
    assert columns == by_text["choices"][0]["logprobs"]
    assert columns["token_logprobs"][0] is columns["top_logprobs"][0] is None
    assert columns["token_logprobs"][1:] == pytest.approx(
        [one.logprob for one in (*known.tokens, *steps)], abs=1e-4
    )
    text = PREFIX + TEXT + "".join(step.shown for step in steps)
    assert by_text["choices"][0]["text"] == text
    assert by_ids["usage"]["prompt_tokens"] == len(ids)
    assert by_ids["usage"]["completion_tokens"] == 10


def test_a_rank_that_a_model_does_not_give_is_not_made_up(post):
    asked = {"prompt": "a b", "echo": True, "max_tokens": 0, "prompt_logprobs": 0}
    found = post(model="mock:served", **asked).json()
    _, *rows = found["choices"][0]["prompt_logprobs"]
    assert rows
    assert {told["rank"] for row in rows for told in row.values()} == {None}


def test_prompt_logprobs_alone_draw_nothing(post):
    found = post(prompt=PREFIX, echo=True, max_tokens=0, prompt_logprobs=2).json()
    (choice,) = found["choices"]
    assert (choice["text"], choice["finish_reason"]) == (PREFIX, "length")
    first, *rows = choice["prompt_logprobs"]
    assert first is None
    assert all(len(row) in (2, 3) and min(one["rank"] for one in row.values()) == 1 for row in rows)
    assert found["usage"]["completion_tokens"] == 0


def test_a_stream_says_what_the_whole_says(post):
    asked = {"prompt": [PREFIX, "A cat"], "n": 2, "temperature": 1, "seed": 3, "logprobs": 2}
    whole = post(**asked).json()["choices"]
    lines = post(**asked, stream=True).text.split("\n\n")
    events = [line.removeprefix("data: ") for line in lines if line]
    assert events.pop() == "[DONE]"
    assert [one["index"] for one in whole] == [0, 1, 2, 3]
    for one in whole:
        mine = [c for e in events for c in json.loads(e)["choices"] if c["index"] == one["index"]]
        assert "".join(c["text"] for c in mine) == one["text"]
        assert [p for c in mine for p in c["logprobs"]["token_logprobs"]] == (
            one["logprobs"]["token_logprobs"]
        )
        assert mine[-1]["finish_reason"] == one["finish_reason"]
    assert whole[0]["text"] != whole[1]["text"]


def test_a_stop_string_ends_a_completion(post):
    text = post(prompt=PREFIX, max_tokens=30).json()["choices"][0]["text"]
    stop = text.split()[3]
    (choice,) = post(prompt=PREFIX, max_tokens=30, stop=stop).json()["choices"]
    assert (choice["text"], choice["finish_reason"]) == (text[: text.index(stop)], "stop")


def test_a_chat_is_asked_where_there_is_a_template(post, chat):
    asked = {"messages": [{"role": "user", "content": "Who?"}], "max_tokens": 4}
    found = post("chat/completions", model=chat, logprobs=True, top_logprobs=2, **asked).json()
    (choice,) = found["choices"]
    tokens = choice["logprobs"]["content"]
    assert found["object"] == "chat.completion"
    assert choice["message"]["role"] == "assistant"
    assert len(tokens) == found["usage"]["completion_tokens"]
    assert all(len(one["top_logprobs"]) == 2 for one in tokens)
    events = post("chat/completions", model=chat, stream=True, **asked).text.split("\n\n")[:-2]
    deltas = [json.loads(e.removeprefix("data: "))["choices"][0]["delta"] for e in events]
    assert "".join(one["content"] for one in deltas) == choice["message"]["content"]
    refused = post("chat/completions", **asked)
    assert (refused.status_code, "no chat template" in refused.text) == (400, True)


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({"prompt": "a", "model": "/etc"}, 404, "not served here"),
        ({"prompt": []}, 400, "from 1 to"),
        ({"prompt": ""}, 200, "choices"),
        ({"prompt": [99_999_999]}, 400, "ids"),
        ({"prompt": [-1]}, 400, "ids"),
        ({"prompt": [[5], []]}, 400, "ids"),
        ({"prompt": {"a": 1}}, 400, "prompt"),
        ({"prompt": "a", "max_tokens": -1}, 400, "max_tokens"),
        ({"prompt": "a", "max_tokens": 100_000}, 400, "At most"),
        ({"prompt": "a", "temperature": -1}, 400, "temperature"),
        ({"prompt": "a", "n": 10_000}, 400, "n:"),
        ({"prompt": "a", "logprobs": 500}, 400, "logprobs"),
        ({"prompt": "a" * 200_000}, 400, "characters"),
        (
            {"prompt": [5] * 5000, "echo": True, "logprobs": 1, "max_tokens": 1},
            400,
            "reads at most",
        ),
        ({"prompt": "a", "stream": True, "prompt_logprobs": 1}, 400, "whole answer"),
        ({"prompt": "\ud800"}, 400, ""),
    ],
)
def test_what_cannot_be_answered_is_an_error_of_openais_form(post, asked, status, said):
    answer = post(**asked)
    assert answer.status_code == status
    assert said in answer.text
    assert (answer.json().get("error", {}).get("code", 200)) == status


def test_too_many_that_wait_are_sent_away(store):
    with store.borrow("base") as lm:
        cards = {"base": Card(lm.vocabulary, lm.context)}
    full = Desk(store, waiting=store.settings.max_waiting)
    with listening(api(full, store.settings, cards)) as address:
        asked = {"model": "base", "prompt": "a"}
        answer = httpx.post(f"{address}/v1/completions", json=asked)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")


def test_what_goes_wrong_inside_is_told_without_its_words(store, monkeypatch):
    desk = Desk(store)
    monkeypatch.setattr(desk, "complete", lambda *given: {}["secret"])
    with store.borrow("base") as lm:
        app = api(desk, store.settings, {"base": Card(lm.vocabulary, lm.context)})
    with listening(app) as address:
        asked = {"model": "base", "prompt": "a"}
        whole = httpx.post(f"{address}/v1/completions", json=asked)
        stream = httpx.post(f"{address}/v1/completions", json=asked | {"stream": True})
    assert whole.status_code == 500
    assert whole.json()["error"]["message"] == "Something went wrong."
    assert "Something went wrong." in stream.text
    assert "secret" not in whole.text + stream.text


def test_what_fails_in_a_stream_is_told_in_it(post):
    text = post(prompt=[5] * 5000, stream=True).text
    assert "reads at most" in text
    assert text.endswith("data: [DONE]\n\n")


class Recorded:
    """A store of one model, which tells when two wait for it."""

    def __init__(self):
        self.turns, self.asked, self.both = Turns(), 0, threading.Event()

    @contextmanager
    def borrow(self, name):
        self.asked += 1
        if self.asked == 2:
            self.both.set()
        with self.turns:
            yield self


def test_each_caller_has_his_turn():
    store, order = Recorded(), []

    async def ask(desk, caller, number):
        def steps(lm):
            assert store.both.wait(60)
            order.append((caller, number))
            yield

        return [step async for step in desk.run(caller, "base", steps)]

    async def all_ask():
        desk = Desk(store)
        await asyncio.gather(*(ask(desk, "many", i) for i in range(3)), ask(desk, "one", 0))

    loops.run(all_ask())
    assert order == [("many", 0), ("one", 0), ("many", 1), ("many", 2)]


def test_callers_texts_are_scored_together(store):
    with store.borrow("base") as lm:
        kind, ids = type(lm), lm.vocabulary.ids(PREFIX + TEXT)
        (alone,) = score(lm, TEXT, prefix=PREFIX, bos="never", top_k=0).tokens[-1:]
    calls, real = [], kind.score

    def counted(self, reads, top_k):
        calls.append(len(reads))
        return real(self, reads, top_k)

    async def all_ask():
        desk = Desk(store)
        asked = (desk.score(f"caller {i}", "base", [Read(ids, 1)], 2) for i in range(6))
        with store.borrow("base"):
            tasks = [asyncio.create_task(one) for one in asked]
            await asyncio.sleep(0)  # each has come by then, and waits for the model
        return await asyncio.gather(*tasks)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "score", counted)
        found = loops.run(all_ask())
    assert calls == [6]
    assert [rows[0][-1].logprob for rows in found] == pytest.approx([alone.logprob] * 6, abs=1e-4)


def test_the_command_serves_behind_the_gate_and_a_key(monkeypatch, capsys):
    apps = []
    monkeypatch.setattr(uvicorn, "run", lambda app, **given: apps.append((app, given)))
    assert main(["serve", "--models", "tiny", "--key", "SERVE_KEY"]) == 2
    assert "SERVE_KEY" in capsys.readouterr().err
    monkeypatch.setenv("SERVE_KEY", "word-1")
    assert main(["serve", "--models", "tiny", "--key", "SERVE_KEY"]) == 0
    ((app, given),) = apps
    assert given["host"] == "127.0.0.1"
    with listening(app) as address:
        url = f"{address}/v1/models"
        right = {"authorization": "Bearer word-1"}
        assert httpx.get(url).status_code == 401
        assert httpx.get(url, headers=right).json()["data"][0]["id"] == "tiny"
        assert httpx.get(url, headers={**right, "host": "evil.example"}).status_code == 421
        deep = "[" * 100 + "]" * 100
        assert httpx.post(f"{address}/v1/completions", content=deep).status_code == 413
    assert main(["serve", "--models", "none"]) == 2


def test_lm_evaluation_harness_gives_on_it_what_it_gives_on_the_folder(address, suite):
    pytest.importorskip("tenacity")
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM
    from lm_eval.models.openai_completions import LocalCompletionsAPI

    folder = str(suite / "base")
    served = LocalCompletionsAPI(
        base_url=f"{address}/v1/completions", model="base", tokenizer=folder, batch_size=4,
        tokenizer_backend="huggingface", add_bos_token=True, max_length=256, num_concurrent=2,
    )  # fmt: skip
    known = HFLM(pretrained=folder, device="cpu", dtype="float32", batch_size=2, add_bos_token=True)
    asked = [(PREFIX, TEXT), ("Once upon a time", " there was"), ("A cat", " sat")]
    rows = [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(asked)]
    found, right = (loops.apart(one.loglikelihood, rows) for one in (served, known))
    assert [a for a, _ in found] == pytest.approx([a for a, _ in right], abs=1e-4)
    assert [b for _, b in found] == [b for _, b in right]


def test_the_openai_client_works_against_it(address, chat):
    openai = pytest.importorskip("openai")
    client = openai.OpenAI(base_url=f"{address}/v1", api_key="none")
    asked = {"model": "base", "prompt": PREFIX, "temperature": 0, "max_tokens": 5}
    whole = client.completions.create(**asked, logprobs=2)
    parts = client.completions.create(**asked, stream=True)
    assert "".join(part.choices[0].text for part in parts) == whole.choices[0].text
    assert len(whole.choices[0].logprobs.tokens) == 5
    assert next(one.id for one in client.models.list()) == "base"
    said = client.chat.completions.create(
        model=chat, messages=[{"role": "user", "content": "Who?"}], max_tokens=4
    )
    assert isinstance(said.choices[0].message.content, str)
    with pytest.raises(openai.NotFoundError, match="not served here"):
        client.completions.create(**{**asked, "model": "other"})
