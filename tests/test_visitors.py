"""Many visitors at once: in turn, apart, refused with a sentence, and forgotten in time."""

import ast
import asyncio
import gzip
import json
import os
import pickle
import random
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import httpx
import psutil
import pytest
from starlette.responses import StreamingResponse
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient

import lmlab
from bench.visitor import Page, Visitor
from lmlab.errors import InputError
from lmlab.features.change.drift_service import Drifting
from lmlab.features.change.timemachine_service import TimeMachine
from lmlab.features.data.service import Corpora
from lmlab.features.prompt.service import Prompting
from lmlab.features.prompt.studies import Design
from lmlab.features.scale.service import Scaling
from lmlab.features.tuning.service import Tuning
from lmlab.generation.completions import Step
from lmlab.generation.config import GenerateConfig
from lmlab.hosting import sweep
from lmlab.hosting.headers import Headers
from lmlab.hosting.page_cache import BYTES, Shelf
from lmlab.hosting.zero import SPENT, lent
from lmlab.lab import Lab
from lmlab.models import fair_lock as turns
from lmlab.models.fair_lock import SLICE, Turns, stepwise
from lmlab.page.app import launch
from lmlab.parts.gradio_compat.handlers import alerts
from lmlab.parts.gradio_compat.queue import OWN_SHARE, Iterators, kind_of
from lmlab.progress import Loading, Notice, Progress
from lmlab.runs.store import RunFolder
from lmlab.settings import Settings
from lmlab.text.protocols import Protocol
from lmlab.text.sets import shipped
from lmlab.text.wordings import shipped_template
from lmlab.training import checkpoints
from lmlab.training.events import TrainStep
from tests import loops
from tests.test_hosting import ROOT, asked, page
from tests.tuningbits import DATA, TEMPLATE, quick


@pytest.fixture
def served():
    """``served(lab, *tabs)``: (the page, its address); closed afterwards."""
    opened = []

    def serve(lab, *tabs):
        app, address, _ = launch(lab, tabs=tabs, prevent_thread_lock=True, quiet=True)
        opened.append(app.blocks)
        return app, address.rstrip("/")

    yield serve
    for blocks in opened:
        blocks.close(verbose=False)


@dataclass(frozen=True)
class Gated(Lab):
    """A lab whose scores wait for a gate; notes whose began, in order, and whose ended."""

    gate: threading.Event = field(default_factory=threading.Event)
    order: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def score(self, model, text, prefix="", **given):
        self.order.append(text)
        assert self.gate.wait(120)
        yield from super().score(model, text, prefix, **given)
        self.ended.append(text)


def gated(lab: Lab) -> Gated:
    """The same lab behind a gate."""
    return Gated(lab.store, lab.settings)


def test_a_request_that_is_let_go_of_twice_is_no_error():
    """As Gradio does with one that a visitor stopped."""
    kept = Iterators({"one": object()})
    del kept["one"]
    del kept["one"]
    assert not kept


def ask(address, session, text):
    """Join the line to have a text scored; the answer of the queue."""
    about = Page.read(address)
    event = about.event("likelihood-go", "click")
    body = {
        "data": about.values(event, {"likelihood-text": text}), "fn_index": event["id"],
        "session_hash": session,
    }  # fmt: skip
    return httpx.post(f"{address}/gradio_api/queue/join", json=body, timeout=30)


@contextmanager
def pages(address, *sessions):
    """Pages of these sessions are open: each keeps a connection, as a browser does."""
    with httpx.Client(base_url=address, timeout=60) as client, ExitStack() as held:
        for session in sessions:
            beat = client.stream("GET", f"/gradio_api/heartbeat/{session}")
            held.enter_context(beat).raise_for_status()
        yield


def until(true, seconds=60.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_kinds_are_those_of_the_pages_handlers(served, mock_lab):
    app, _ = served(mock_lab())
    names = {fn.concurrency_id for fn in app.blocks.fns.values()}
    kinds = {name: kind_of(name) for name in names if not str(name).isdecimal()}
    assert kinds["score"] == "scoring"
    assert kinds["generate"] == kinds["study"] == "generation"
    assert kinds["preview"] == kinds["tuning"] == "quick"
    limits = {name: fn.concurrency_limit for fn in app.blocks.fns.values()
              if kind_of(name := fn.concurrency_id) != "quick"}  # fmt: skip
    # Long work leaves most threads to what is quick.
    assert sum(limits.values()) <= app.blocks.max_threads // 2


def test_visitors_are_served_in_turn(served, mock_lab):
    lab = gated(mock_lab())
    app, address = served(lab, "likelihood")
    queue = app.blocks._queue
    with pages(address, "greedy", "one", "two"):
        for i in range(8):
            assert ask(address, "greedy", f"greedy {i}").status_code == 200
            until(lambda i=i: len(lab.order) + queue.waiting("scoring") == i + 1)
        for name in ("one", "two"):
            assert ask(address, name, name).status_code == 200
        # Two of the greedy one's are under way, and the last place was left for who came.
        until(lambda: len(lab.order) == 3)
        assert lab.order[2] in ("one", "two")
        assert queue.waiting("scoring") == 7
        lab.gate.set()
        until(lambda: len(lab.order) == 10)
    # Then it is one from each.
    assert {"one", "two"} <= set(lab.order[2:6])
    # Three at a time: who is noted first of those that start together is chance.
    own = [int(text.split()[1]) for text in lab.order if "greedy" in text]
    assert all(abs(number - place) <= 2 for place, number in enumerate(own))


def test_a_full_line_says_how_full_and_what_to_do_and_shuts_out_no_other_kind(served, mock_lab):
    lab = gated(mock_lab(max_waiting=3))
    app, address = served(lab, "likelihood", "scale")
    answers, queue = [], app.blocks._queue
    with pages(address, *(f"visitor{i}" for i in range(8))):
        for i in range(8):
            answers.append(ask(address, f"visitor{i}", f"text {i}"))
            until(lambda i=i: len(lab.order) + queue.waiting("scoring") >= min(i + 1, 6))
    taken = [one.status_code for one in answers]
    assert taken == [200] * 6 + [429] * 2
    assert "3 requests are waiting already" in answers[-1].json()["detail"]
    assert "Try again" in answers[-1].json()["detail"]
    assert int(answers[-1].headers["retry-after"]) > 0
    about = Page.read(address)

    async def quick():
        async with Visitor(about, random.Random(0)) as visitor:
            await asyncio.wait_for(visitor.do("size"), 20)

    loops.run(quick())
    lab.gate.set()


def test_one_visitor_may_wait_for_so_much_at_a_time(served, mock_lab):
    lab = gated(mock_lab(max_waiting=60))
    _, address = served(lab, "likelihood")
    with pages(address, "greedy", "other"):
        answers = [ask(address, "greedy", f"{i}") for i in range(OWN_SHARE + 4)]
        assert {one.status_code for one in answers} == {200, 429}
        assert "of yours" in answers[-1].json()["detail"]
        assert ask(address, "other", "other").status_code == 200
        # Names that no page has begun are one visitor, however many they are.
        answers = [ask(address, f"made up {i}", f"{i}") for i in range(OWN_SHARE + 4)]
        assert {one.status_code for one in answers} == {200, 429}
        assert ask(address, "other", "other").status_code == 200
    assert ask(address, "x" * 65, "long").status_code == 400
    lab.gate.set()


# The page from memory


def counting(body, kind=b"text/html; charset=utf-8", status=200):
    made = []
    inner = page(body, kind, status)

    async def app(scope, receive, send):
        made.append(scope["path"])
        await inner(scope, receive, send)

    return app, made


GZIP = (b"accept-encoding", b"br, gzip")
HTML = b"<html><script>a()</script>" + b"words " * 1000 + b"<script src=x></script></html>"


@pytest.mark.parametrize("headers", [[], [GZIP]])
def test_the_page_is_made_once_and_each_answer_has_its_own_nonce(headers):
    app, made = counting(HTML)
    layer = Headers(Shelf(app))
    nonces = set()
    for _ in range(3):
        status, told, body = asked(layer, "/", headers=headers)
        if headers:
            assert told["content-encoding"] == "gzip"
            assert len(body) < len(HTML) / 4
        plain = gzip.decompress(body) if headers else body
        nonce = re.search(r"'nonce-([\w-]+)'", told["content-security-policy"])[1]
        assert plain.count(f'<script nonce="{nonce}"'.encode()) == 2
        assert plain.replace(f' nonce="{nonce}"'.encode(), b"") == HTML
        assert (status, int(told["content-length"])) == (200, len(body))
        nonces.add(nonce)
    assert (len(nonces), len(made)) == (3, 1)


def test_another_edition_of_the_page_is_made_once():
    app, made = counting(HTML)
    edition = [1]
    layer = Shelf(app, edition=lambda: edition[0])
    for number, times in ((1, 1), (2, 2), (2, 2)):
        edition[0] = number
        asked(layer, "/")
        asked(layer, "/")
        assert len(made) == times


def test_what_depends_on_who_asks_is_made_each_time():
    app, made = counting(b"{}", b"application/json")
    files = frozenset({f"/assets/{i}.js" for i in range(20)})
    layer = Shelf(app, lambda: files)
    for given in ({"path": "/gradio_api/queue/data"}, {"path": "/config", "query": b"page=x"},
                  {"path": "/", "method": "POST"}, {"path": "/assets/no-such-file.js"},
                  {"path": "/assets/1.js", "headers": [(b"range", b"bytes=0-1")]}):  # fmt: skip
        before = len(made)
        for _ in range(2):
            asked(layer, **given)
        assert len(made) == before + 2, given
    failing, made = counting(b"no", b"text/plain", 404)
    kept = Shelf(failing, lambda: files)
    assert [asked(kept, "/assets/1.js")[0] for _ in range(2)] == [404, 404]
    # The page of a link is the page: its query is read in the browser.
    for given in (
        {},
        {"query": b"__theme=dark"},
        {"headers": [(b"host", b"a")]},
        {"method": "HEAD"},
    ):
        asked(layer, "/", **given)
    assert list(layer._kept) == ["/"]


def test_who_leaves_early_does_not_cut_what_all_others_get():
    whole = b"let a = 1;" * 10_000
    inner = StreamingResponse(iter([whole[:5000], whole[5000:]]), media_type="text/javascript")

    async def leaves():
        return {"type": "http.disconnect"}

    async def nowhere(message):
        pass

    layer = Shelf(inner, lambda: frozenset({"/x.js"}))
    scope = {"type": "http", "method": "GET", "path": "/x.js", "headers": [], "root_path": ""}
    loops.run(layer({**scope, "query_string": b""}, leaves, nowhere))
    assert asked(layer, "/x.js")[2] == whole


def test_a_packed_file_is_never_continued_with_bytes_of_the_plain_one(tmp_path):
    (tmp_path / "big.js").write_bytes(b"let a = 1;\n" * 10_000)
    layer = Shelf(StaticFiles(directory=tmp_path), lambda: frozenset({"/big.js"}))
    with closing(TestClient(layer)) as client:
        told = client.get("/big.js").headers
        assert told["content-encoding"] == "gzip"
        # Only with a strong validator, and where ranges are told, is a cut answer continued
        # (RFC 9110).
        assert "accept-ranges" not in told
        assert told["etag"].startswith('W/"')
        continued = {"range": "bytes=100-", "if-range": told["etag"]}
        assert client.get("/big.js", headers=continued).status_code == 200
        known = client.get("/big.js", headers={"if-none-match": told["etag"]})
        assert known.status_code == 304


def test_the_shelf_is_bounded_and_the_page_stays():
    app, _ = counting(random.Random(0).randbytes(5_000_000))
    names = [f"/assets/{i}.js" for i in range(20)]
    layer = Shelf(app, lambda: frozenset(names))
    for name in ("/", *names):
        asked(layer, name)
    assert sum(one.n_bytes for one in layer._kept.values()) <= BYTES
    assert {"/", names[-1]} <= set(layer._kept)


def test_a_hundred_who_come_at_once_have_it_made_once():
    made, sent = [], []
    inner = page(HTML, b"text/html")

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def slow(scope, receive, send):
        made.append(scope["path"])
        await asyncio.sleep(0.05)
        await inner(scope, receive, send)

    async def send(message):
        sent.append(message["type"])

    layer = Shelf(slow)
    asks = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}

    async def everybody():
        await asyncio.gather(*(layer(dict(asks), receive, send) for _ in range(100)))

    loops.run(everybody())
    assert len(made) == 1
    assert sent.count("http.response.start") == 100
    assert layer._making == {}


# Apart


def test_what_one_visitor_keeps_no_other_gets(served):
    _, address = served(Lab.open(Settings(public=True, offline=True, training=False)), "likelihood")
    about = Page.read(address)

    async def tables():
        found = []
        async with (
            Visitor(about, random.Random(1)) as one,
            Visitor(about, random.Random(2)) as other,
        ):
            for visitor, text in ((one, "Secrets of one."), (other, "Something else.")):
                await visitor.call(about.event("likelihood-go", "click"), {"likelihood-text": text})
            for visitor in (one, other):
                (table,) = await visitor.call(about.event("likelihood-csv", "click"))
                found.append(json.loads(table)["text"])
        return found

    one, other = loops.run(tables())
    assert "cre" in one
    assert "cre" not in other


def test_twenty_visitors_at_once_get_their_own_numbers(served):
    lab = Lab.open(Settings(public=True, offline=True, training=False))
    _, address = served(lab, "likelihood")
    about = Page.read(address)
    texts = [f"The {word} dog ran home." for word in ("old", "red", "big", "sad")]

    async def visit(number):
        text = texts[number % len(texts)]
        async with Visitor(about, random.Random(number)) as visitor:
            await visitor.call(about.event("likelihood-go", "click"), {"likelihood-text": text})
            (table,) = await visitor.call(about.event("likelihood-csv", "click"))
            return text, json.loads(table)["text"]

    async def everybody():
        return await asyncio.gather(*(visit(i) for i in range(20)))

    for text, table in loops.run(everybody()):
        word = text.split()[1]
        others = [one.split()[1] for one in texts if one != text]
        assert word in table
        assert not [one for one in others if one in table]


# Models


def test_weights_go_to_whoever_has_waited_longest():
    lock, order = Turns(), []
    lock.acquire()

    def wait(number):
        with lock:
            order.append(number)

    threads = []
    for i in range(8):
        threads.append(threading.Thread(target=wait, args=(i,)))
        threads[-1].start()
        until(lambda i=i: len(lock._waiting) == i + 1)
    lock.release()
    for thread in threads:
        thread.join(10)
    assert order == list(range(8))
    assert not lock.locked()


def waiting(lock, worked, order, name):
    """A thread that waits for the weights, and notes when it has them."""

    def wait():
        lock.acquire(worked)
        order.append(name)
        lock.release()

    before = len(lock._waiting)
    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    until(lambda: len(lock._waiting) > before)
    return thread


def test_long_work_lets_who_comes_meanwhile_go_first():
    lock, order = Turns(), []
    lock.acquire()
    threads = [waiting(lock, 60, order, "long"), waiting(lock, 0, order, "short")]
    lock.release(aside=True)
    for thread in threads:
        thread.join(10)
    assert order == ["short", "long"]


def test_who_stands_aside_gives_the_weights_to_none_whose_turn_is_not_due():
    lock, order = Turns(), []
    lock.acquire()
    thread = waiting(lock, 60, order, "long")
    lock.release(aside=True)
    assert not lock.locked()
    lock.acquire()
    assert order == []
    lock.release()
    thread.join(10)
    assert order == ["long"]


def test_who_is_due_takes_weights_that_nobody_has():
    lock, order = Turns(), []
    lock.acquire()
    thread = waiting(lock, 1, order, "long")
    lock.release(aside=True)
    assert not lock.locked()
    thread.join(30)
    assert order == ["long"]


def test_a_result_waits_for_no_turn(monkeypatch):
    monkeypatch.setattr(turns, "SLICE", 0)
    lock = Turns()
    events = [Progress(1, 2), Progress(2, 2), "result"]
    with lock:
        steps = stepwise([SimpleNamespace(turns=lock)], events, results=True)
        found = [(step, lock.locked()) for step in steps]
    assert found == [(Progress(1, 2), False), ("result", True)]


def test_a_score_comes_between_the_tokens_of_a_completion(folder, monkeypatch):
    monkeypatch.setattr(turns, "SLICE", 0)
    lab = Lab.open(Settings(offline=True))
    model = str(folder())
    config = GenerateConfig(max_new_tokens=40, seed=3)
    expected = [step for step in lab.complete(model, "the dog", config) if isinstance(step, Step)]
    alone = list(lab.score(model, "the cat"))[-1]
    steps, scores = [], []
    for step in lab.complete(model, "the dog", config):
        if isinstance(step, Step):
            steps.append(step)
            if len(steps) in (3, 20):
                # From another thread, as a visitor's request would; the completion is under way.
                with ThreadPoolExecutor(1) as pool:
                    asked = pool.submit(lambda: list(lab.score(model, "the cat"))[-1])
                    scores.append(asked.result(30))
    assert steps == expected
    assert scores == [alone, alone]


def test_an_adapter_that_others_switch_on_changes_no_completion(folder, lora_folder, monkeypatch):
    monkeypatch.setattr(turns, "SLICE", 0)
    lab = Lab.open(Settings(offline=True))
    base = str(folder("llama", "bytelevel-bos"))
    tuned, config = f"{base}+{lora_folder}", GenerateConfig(max_new_tokens=24, seed=1)
    expected = {
        model: [one for one in lab.complete(model, "the dog", config) if isinstance(one, Step)]
        for model in (base, tuned)
    }
    assert [one.logprob for one in expected[base]] != [one.logprob for one in expected[tuned]]
    runs = {model: lab.complete(model, "the dog", config) for model in (base, tuned)}
    found = {model: [] for model in runs}
    while runs:
        for model, events in list(runs.items()):
            event = next(events, None)
            if event is None:
                del runs[model]
            elif isinstance(event, Step):
                found[model].append(event)
    assert found == expected


def test_a_completion_that_is_left_lets_the_weights_go(folder):
    lab = Lab.open(Settings(offline=True))
    model = str(folder())
    events = lab.complete(model, "the dog", GenerateConfig(max_new_tokens=40))
    for _ in range(4):
        next(events)
    events.close()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: list(lab.score(model, "the cat"))[-1]).result(30).tokens


# Forgotten in time


def test_what_visitors_left_goes_after_its_time_and_nothing_before(tmp_path, monkeypatch):
    old, new, kept = (tmp_path / name / "x.csv" for name in ("old", "new", "kept"))
    for path in (old, new, kept):
        path.parent.mkdir()
        path.write_text("a,b\n")
    outside = tmp_path.parent / "outside.csv"
    outside.write_text("mine")
    (tmp_path / "old" / "link").symlink_to(outside)
    later = time.time() + 100
    monkeypatch.setattr(sweep.time, "time", lambda: later)
    monkeypatch.setattr(sweep, "_touched", lambda p: later if p == new else later - 100)
    assert sweep.sweep(tmp_path, 50, {str(kept)}) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["kept", "new"]
    assert outside.read_text() == "mine"


def test_sixty_short_visits_leave_nothing_behind(served, tmp_path, monkeypatch, mock_lab):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "files"))
    monkeypatch.setattr("lmlab.page.app.SESSIONS", 20)
    real_every = sweep.every
    monkeypatch.setattr(
        "lmlab.page.app.every", lambda s, work, running: real_every(1, work, running)
    )
    monkeypatch.setattr(
        "lmlab.page.app.sweep", lambda folder, seconds, keep: sweep.sweep(folder, 3, keep)
    )
    app, address = served(mock_lab(), "likelihood", "data")
    about, queue = Page.read(address), app.blocks._queue

    async def visit(number):
        async with Visitor(about, random.Random(number)) as visitor:
            await visitor.open()
            await visitor.do("score")
            await visitor.upload()

    async def everybody():
        for start in range(0, 60, 10):
            await asyncio.gather(*(visit(i) for i in range(start, start + 10)))

    loops.run(everybody())
    assert list((tmp_path / "files").rglob("rows.csv"))
    assert len(app.blocks.state_holder.session_data) <= 20
    until(lambda: not [name for *_, names in os.walk(tmp_path / "files") for name in names], 30)
    until(lambda: not queue.event_ids_to_events, 30)
    assert len(queue.event_analytics) == 0
    assert not any(line.queue for line in queue.event_queue_per_concurrency_id.values())
    assert (queue._fair, queue._tickets) == ({}, {})
    assert not app.iterators


# The server dies


# A page that is left alone with two runs of one visitor.
START = """
import time
from dataclasses import replace
from pathlib import Path
from lmlab.features.tuning.service import Tuning
from lmlab.errors import InputError
from lmlab.lab import Lab
from lmlab.settings import Settings
from tests.test_jobs import DATA, ENDLESS, TEMPLATE

settings = Settings(offline=True, runs_dir=Path({runs!r}), train_threads=1)
lab, config = Lab.open(settings), replace(ENDLESS, save_every=5)
ids = [lab.service(Tuning).start("0" * 32, {model!r}, DATA, TEMPLATE, config) for _ in range(2)]
print(*ids, flush=True)
time.sleep(600)
"""


def server(tmp_path, port):
    environment = {
        **os.environ, "LMLAB_OFFLINE": "true", "LMLAB_RUNS_DIR": str(tmp_path / "runs"),
        "TMPDIR": str(tmp_path), "LMLAB_TABS": "tuning", "LMLAB_MAX_JOBS": "1",
    }  # fmt: skip
    command = [sys.executable, "-m", "lmlab.cli.main", "app", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)

    def answers():
        assert process.poll() is None
        with suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{port}/health", timeout=5).json()
        return None

    until(answers, 120)
    return process, answers


def left_behind(tmp_path, folder, steps):
    """A run under way, so many steps on, and one that waits; their page was killed."""
    runs = tmp_path / "runs"
    code = START.format(runs=str(runs), model=str(folder("llama", "bytelevel-bos")))
    starter = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    one, two = (RunFolder(runs / name) for name in starter.stdout.readline().split())
    until(lambda: one.state.get("step", 0) >= steps, 120)
    starter.kill()
    starter.wait()
    return one, two


def test_a_page_that_is_told_to_end_lets_its_run_save(tmp_path, folder):
    one, two = left_behind(tmp_path, folder, 3)
    psutil.Process(one.state["pid"]).kill()
    process, _ = server(tmp_path, 15_860 + os.getpid() % 2000)
    until(lambda: one.is_alive, 120)
    process.terminate()
    assert process.wait(40) == 0
    assert one.state["state"] == "stopped"
    assert one.learned is not None
    assert two.state["state"] == "queued"


def test_runs_survive_the_servers_death(tmp_path, folder):
    """Killed with one run under way and one that waits; then again, the run's process as well."""
    one, two = left_behind(tmp_path, folder, 10)
    # The page is gone: the run goes on, and what waited is told apart from what runs.
    assert one.is_alive
    assert two.state["state"] == "queued"
    port = 17_860 + os.getpid() % 2000
    process, health = server(tmp_path, port)
    try:
        found = health()
        assert (found["runs"], found["waiting_runs"]) == (1, 1)
        # The machine dies: server and run at once.
        process.kill()
        psutil.Process(one.state["pid"]).kill()
        process.wait()
        until(lambda: not one.is_alive)
        kept = checkpoints.step_of(one.path)
        assert kept >= 5
        process, health = server(tmp_path, port)
        until(lambda: one.state["state"] == "running" and one.is_alive, 120)
        until(lambda: [e for e in one.events() if isinstance(e, TrainStep) and e.step > kept], 60)
        # Its owner finds it and can end it, and then it is the turn of the one that waited.
        one.stop_file.touch()
        until(lambda: one.state["state"] == "stopped", 60)
        until(lambda: two.state["state"] == "running", 60)
    finally:
        process.terminate()
        process.wait(30)
        for run in (one, two):
            if run.is_alive:
                psutil.Process(run.state["pid"]).kill()


# A GPU that is lent


@dataclass
class Spaces:
    """What of the package ``spaces`` is used; notes what is asked for."""

    marked: list[str] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    seconds: list[int] = field(default_factory=list)
    refuses: str = ""  # the title of what is raised in the place of a GPU
    takes_back: bool = False  # whether it is raised after the first result

    def GPU(self, duration):  # noqa: N802
        def mark(function):
            self.marked.append(function.__name__)

            def refuse():
                raise type("Error", (Exception,), {"title": self.refuses})

            def run(*args, **given):
                self.ran.append(function.__name__)
                self.seconds.append(duration(*args) if callable(duration) else duration)
                if self.refuses and not self.takes_back:
                    refuse()
                # What goes from one process to another is packed on its way.
                args, given = pickle.loads(pickle.dumps((args, given)))
                found = function(*args, **given)
                if found is None:
                    return None
                return through(found)

            def through(found):
                for event in found:
                    yield pickle.loads(pickle.dumps(event))
                    if self.takes_back and not isinstance(event, Loading):
                        refuse()

            return run

        return mark


@pytest.fixture
def zero(monkeypatch, tmp_path):
    """(a lab on a Space with ZeroGPU, its package)."""
    fake = Spaces()
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setitem(sys.modules, "spaces", fake)
    settings = Settings(offline=True, runs_dir=tmp_path / "runs", max_steps=10_000, gpu_from=0)
    return lent(Lab.open(settings)), fake


def test_work_on_a_lent_gpu_is_marked_at_the_start_and_bounded(zero, folder, monkeypatch):
    lab, fake = zero
    assert fake.marked == ["work", "train_piece"]
    model, plain = str(folder()), Lab.open(lab.settings)
    config = GenerateConfig(max_new_tokens=5)
    for ask in (
        lambda one: list(one.score(model, "the cat"))[-1],
        lambda one: list(one.compare(model, model, "the cat"))[-1],
        lambda one: list(one.complete(model, "the dog", config))[-2],
        lambda one: list(one.side_by_side([model, model], "the dog", config))[-1],
        lambda one: list(one.sample(model, "the dog", config, 2))[-1],
    ):
        assert ask(lab) == ask(plain)
    assert fake.ran == ["work"] * 5
    assert fake.seconds == [15, 15, 10, 10, 10]
    with pytest.raises(InputError, match="characters"):
        list(lab.score(model, "a" * 200_000))
    monkeypatch.delenv("SPACES_ZERO_GPU")
    assert lent(plain) is plain


def test_small_models_stay_on_the_processor_and_so_does_who_has_no_minutes(zero, folder):
    lab, fake = zero
    model, config = str(folder()), GenerateConfig(max_new_tokens=5)
    plain = Lab.open(lab.settings)
    expected = list(plain.score(model, "the cat"))[-1]
    for title, said in (
        (SPENT, "minutes of the lent GPU are spent"),
        ("ZeroGPU x", "No GPU is free now. The"),
    ):
        fake.refuses = title
        events = list(lab.score(model, "the cat"))
        assert events[-1] == expected
        assert [said in one.message for one in events if isinstance(one, Notice)] == [True]
    # What is shown of a completion would be there twice.
    fake.takes_back = True
    stream, got = lab.complete(model, "the dog", config), []
    with pytest.raises(InputError, match="taken back in the middle"):
        got.extend(stream)
    before = len(fake.ran)
    small = lent(Lab.open(lab.settings.model_copy(update={"gpu_from": 100.0})))
    assert list(small.score(model, "the cat"))[-1] == expected
    assert list(small.score("mock:uniform", "the cat"))[-1].tokens
    assert len(fake.ran) == before
    assert not list(small.store.loaded())


def test_what_features_ask_runs_on_a_lent_gpu(zero):
    lab, fake = zero
    plain, model = Lab.open(lab.settings), "tiny"
    template, data = shipped_template("qa-question"), shipped("qa")
    query = data.queries[0]
    design = Design("", model, template, data, Protocol(limit=2))
    for kind, ask in (
        (Prompting, lambda one: [*one.run(model, template, [], query)][-1]),
        (Prompting, lambda one: [*one.study([design])][-1].evaluation.predictions),
        (Prompting, lambda one: [*one.judge(model, "the cat sat", "cat the sat")][-1]),
        (Drifting, lambda one: [*one.measure("tiny", "tiny", rows=2)][-1]),
        (TimeMachine, lambda one: [*one.travel(one.shipped()[:2], "the cat")][-1]),
        (Corpora, lambda one: [*one.inspect(model, "mine", ["the cat", "the dog"])][-1]),
        (Scaling, lambda one: [*one.measure([model], ["stories"], 2)][-1]),
    ):
        before = len(fake.ran)
        assert ask(lab.service(kind)) == ask(plain.service(kind))
        assert len(fake.ran) > before, kind


def test_every_stream_that_borrows_a_model_is_one_of_a_lent_gpu():
    """A method of a service that borrows is marked, or is called by one that is, or asks no more
    than what a model's tokens are."""
    quick, found = {"_vocabulary", "iter_study", "_figures", "_cuts"}, []
    for path in (Path(lmlab.__file__).parent / "features").glob("*/*service.py"):
        for method in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(method, ast.FunctionDef) and "borrow" in ast.unparse(method):
                marks = [ast.unparse(mark).partition("(")[0] for mark in method.decorator_list]
                if "runs_models" not in marks and method.name not in {*quick, "_borrow"}:
                    found.append(f"{path.name}: {method.name}")
    assert found == []


def test_a_run_on_a_lent_gpu_goes_on_in_pieces(zero, folder, monkeypatch):
    lab, fake = zero
    monkeypatch.setattr("lmlab.hosting.zero.PIECE", 1.0)
    config, tuning = quick(steps=400, save_every=5), lab.service(Tuning)
    run = tuning.start("0" * 32, str(folder("llama", "bytelevel-bos")), DATA, TEMPLATE, config)
    # Between two pieces the run looks over for a moment.
    until(lambda: fake.ran.count("train_piece") >= 2, 60)
    tuning.stop("0" * 32, run)
    until(lambda: tuning.run("0" * 32, run).is_over, 60)
    steps = [one.step for one in tuning.read("0" * 32, run) if isinstance(one, TrainStep)]
    assert steps == list(range(1, len(steps) + 1))
    assert fake.ran.count("train_piece") >= 2


def test_a_run_for_which_no_gpu_is_lent_can_be_resumed(zero, folder):
    lab, fake = zero
    fake.refuses, tuning = SPENT, lab.service(Tuning)
    run = tuning.start("0" * 32, str(folder()), DATA, TEMPLATE, quick(steps=4))
    until(lambda: tuning.run("0" * 32, run).is_over, 60)
    info = tuning.run("0" * 32, run)
    assert info.state == "interrupted"
    assert "minutes of the lent GPU are spent" in info.message
    assert info.can_resume


def test_a_forked_process_waits_for_nobody(folder):
    lab = Lab.open(Settings(offline=True))
    model = str(folder())
    list(lab.score(model, "the cat"))
    with lab.store.borrow(model):
        pid = os.fork()
        if not pid:
            lab.store.after_fork()
            signal.alarm(20)
            with lab.store.borrow(model):
                os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_stream_that_is_closed_keeps_nobody_waiting():
    may_end, ended = threading.Event(), threading.Event()

    @alerts
    def work():
        try:
            yield 1
            yield 2
        finally:
            may_end.wait(60)
            ended.set()

    stream = work()
    assert next(stream) == 1
    stream.close()
    assert not ended.is_set()
    may_end.set()
    assert ended.wait(60)


def test_work_that_is_stopped_while_it_stands_aside_leaves_the_page_alive():
    """Closed while others use its model: the event loop must not wait for the model's turn."""
    turns = Turns()
    lm = SimpleNamespace(turns=turns)

    @alerts
    def work():
        with turns:
            yield from stepwise([lm], slow())

    def slow():
        for i in range(3):
            time.sleep(SLICE)
            yield i

    stream = work()
    next(stream)
    turns.acquire()  # another visitor's, while the first one's work stands aside
    began = time.monotonic()
    stream.close()
    assert time.monotonic() - began < 30
    turns.release()
    with turns:  # it was given back
        pass
