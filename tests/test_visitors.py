"""Many visitors at once: in turn, apart, refused with a sentence, and forgotten in time."""

import asyncio
import gzip
import json
import random
import re
import threading
import time
from dataclasses import dataclass, field

import httpx
import pytest

from bench.visitor import Page, Visitor
from lmlab.hosting.headers import Headers
from lmlab.hosting.shelf import BYTES, Shelf
from lmlab.lab import Lab
from lmlab.settings import Settings
from lmlab.ui.app import launch
from lmlab.ui.parts.lines import OWN_SHARE, kind_of
from tests.test_hosting import asked, page
from tests.ui.fake import FakeLab


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
class Gated(FakeLab):
    """A fake lab whose scores and completions wait for a gate; notes who was served."""

    gate: threading.Event = field(default_factory=threading.Event)
    order: list[str] = field(default_factory=list)

    def score(self, model, text, prefix="", **given):
        self.order.append(text)
        assert self.gate.wait(30)
        yield from super().score(model, text, prefix, **given)


def ask(address, session, text):
    """Join the line to have a text scored; the answer of the queue."""
    about = Page.read(address)
    event = about.event("likelihood-go", "click")
    body = {
        "data": about.values(event, {"likelihood-text": text}), "fn_index": event["id"],
        "session_hash": session,
    }  # fmt: skip
    return httpx.post(f"{address}/gradio_api/queue/join", json=body, timeout=30)


def until(true, seconds=20.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_kinds_are_those_of_the_pages_handlers(served):
    app, _ = served(FakeLab())
    names = {fn.concurrency_id for fn in app.blocks.fns.values()}
    kinds = {name: kind_of(name) for name in names if not str(name).isdecimal()}
    assert kinds["score"] == "scoring"
    assert kinds["generate"] == kinds["study"] == "generation"
    assert kinds["preview"] == kinds["tuning"] == "quick"
    limits = {name: fn.concurrency_limit for fn in app.blocks.fns.values()
              if kind_of(name := fn.concurrency_id) != "quick"}  # fmt: skip
    # Long work leaves most threads to what is quick.
    assert sum(limits.values()) <= app.blocks.max_threads // 2


def test_visitors_are_served_in_turn(served):
    lab = Gated()
    app, address = served(lab, "likelihood")
    queue = app.blocks._queue
    for i in range(8):
        assert ask(address, "greedy", f"greedy {i}").status_code == 200
        until(lambda i=i: len(lab.order) + queue.waiting("scoring") == i + 1)
    for name in ("one", "two"):
        assert ask(address, name, name).status_code == 200
    assert queue.waiting("scoring") == 8
    lab.gate.set()
    until(lambda: len(lab.order) == 10)
    # Two of the greedy one's were under way; then it is one from each.
    assert {"one", "two"} <= set(lab.order[2:6])
    assert [text for text in lab.order if "greedy" in text] == [f"greedy {i}" for i in range(8)]


def test_a_full_line_says_how_full_and_what_to_do_and_shuts_out_no_other_kind(served):
    lab = Gated(settings=Settings(max_waiting=3))
    app, address = served(lab, "likelihood", "scale")
    answers = []
    for i in range(7):
        answers.append(ask(address, f"visitor{i}", f"text {i}"))
        until(lambda i=i: len(lab.order) + app.blocks._queue.waiting("scoring") >= min(i + 1, 5))
    taken = [one.status_code for one in answers]
    assert taken == [200] * 5 + [429] * 2
    assert "3 requests are waiting already" in answers[-1].json()["detail"]
    assert "Try again" in answers[-1].json()["detail"]
    assert int(answers[-1].headers["retry-after"]) > 0
    about = Page.read(address)

    async def quick():
        async with Visitor(about, random.Random(0)) as visitor:
            await asyncio.wait_for(visitor.do("size"), 20)

    asyncio.run(quick())
    lab.gate.set()


def test_one_visitor_may_wait_for_so_much_at_a_time(served):
    lab = Gated()
    _, address = served(lab, "likelihood")
    answers = [ask(address, "greedy", f"{i}") for i in range(OWN_SHARE + 4)]
    assert {one.status_code for one in answers} == {200, 429}
    assert "of yours" in answers[-1].json()["detail"]
    assert ask(address, "other", "other").status_code == 200
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


def test_what_depends_on_who_asks_is_made_each_time():
    app, made = counting(b"{}", b"application/json")
    layer = Shelf(app)
    for given in ({"path": "/gradio_api/queue/data"}, {"path": "/", "query": b"__theme=dark"},
                  {"path": "/", "method": "HEAD"}, {"path": "/config"},
                  {"path": "/assets/a.js", "headers": [(b"range", b"bytes=0-1")]}):  # fmt: skip
        before = len(made)
        for _ in range(2):
            asked(layer, **given)
        assert len(made) == before + 2, given
    failing, made = counting(b"no", b"text/plain", 404)
    assert [asked(Shelf(failing), "/assets/x.js")[0] for _ in range(2)] == [404, 404]
    hosts = Shelf(app)
    for name in (b"a", b"b", b"a"):
        asked(hosts, "/", headers=[(b"host", name)])
    assert len(hosts._kept) == 2


def test_the_shelf_is_bounded_whoever_asks():
    app, _ = counting(random.Random(0).randbytes(5_000_000))
    layer = Shelf(app)
    for i in range(20):
        asked(layer, "/", headers=[(b"host", str(i).encode())])
    assert sum(one.n_bytes for one in layer._kept.values()) <= BYTES


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

    asyncio.run(everybody())
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

    one, other = asyncio.run(tables())
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

    for text, table in asyncio.run(everybody()):
        word = text.split()[1]
        others = [one.split()[1] for one in texts if one != text]
        assert word in table
        assert not [one for one in others if one in table]
