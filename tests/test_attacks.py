"""What strangers do to the server itself, on this machine: headers, names, other sites, bodies and
connections."""

import asyncio
import json
import logging
import re
import resource
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack, closing, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import httpx
import psutil
import pytest
import uvicorn

from lmlab.errors import InputError, ModelError
from lmlab.features import features, wordings
from lmlab.features.scale.service import Scaling
from lmlab.features.tuning.service import Tuning
from lmlab.hosting import guests, wire
from lmlab.hosting.bodies import (
    DEEPEST,
    MOST_VALUES,
    SMALL,
    Bodies,
    Counted,
    NoJsonError,
    TooMuchError,
)
from lmlab.hosting.gate import Gate, site_of
from lmlab.hosting.logs import Once
from lmlab.hosting.page_cache import Shelf
from lmlab.lab import Lab
from lmlab.models import hub
from lmlab.page.app import build_page, launch
from lmlab.page.lecture import events, links
from lmlab.page.lecture.filling import Filling
from lmlab.page.lecture.stage import stages
from lmlab.page.scenes.scene import Scene
from lmlab.parts.gradio_compat.server import page_files
from lmlab.receipts.script import source_of
from lmlab.runs.model_store import ModelStore
from lmlab.settings import Settings, read_settings
from tests import loops
from tests.test_hosting import asked, page

EVIL = "evil.example"
JSON = {"content-type": "application/json"}
SAID = {
    "X-Gradio-Server": f"http://{EVIL}", "X-Forwarded-Host": EVIL, "X-Forwarded-Proto": "https",
    "X-Forwarded-Prefix": f"/{EVIL}", "X-Forwarded-For": "6.6.6.6", "Forwarded": f"host={EVIL}",
    "X-Original-Host": EVIL,
}  # fmt: skip


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A public page on this machine, of few tabs."""
    runs = tmp_path_factory.mktemp("runs")
    settings = Settings(public=True, offline=True, runs_dir=runs, max_connections=40)
    app, found, _ = launch(
        Lab.open(settings), tabs=("likelihood", "tuning"), prevent_thread_lock=True, quiet=True
    )
    yield found.rstrip("/")
    app.blocks.close(verbose=False)


class Seen:
    """An app that notes what reaches it, and answers with the name that it was asked for."""

    def __init__(self):
        self.scopes = []

    async def __call__(self, scope, receive, send):
        self.scopes.append(scope)
        name = dict(scope["headers"]).get(b"host", b"")
        body = b"<html>" + scope["scheme"].encode() + b"://" + name + b"/x</html>"
        headers = [(b"content-type", b"text/html")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def through(site, path="/", method="GET", client="127.0.0.1", **headers):
    """(status, the scope that the app was given or None) of one request through a gate."""
    seen = Seen()
    given = {"host": "127.0.0.1:7860", **headers}
    pairs = [(key.replace("_", "-").encode(), value.encode()) for key, value in given.items()]

    async def with_client(scope, receive, send):
        scope = {**scope, "client": (client, 1), "scheme": "http"}
        await Gate(seen, site)(scope, receive, send)

    status = asked(with_client, path, method, pairs)[0]
    return status, seen.scopes[0] if seen.scopes else None


# What a visitor says of himself


def test_what_one_visitor_sends_stands_in_nobody_elses_page(address):
    with httpx.Client(base_url=address, timeout=60) as client:
        for name, value in SAID.items():
            assert EVIL not in client.get("/", headers={name: value}).text, name
            assert EVIL not in client.get("/config", headers={name: value}).text, name
        everything = {**SAID, "Origin": f"http://{EVIL}", "Cookie": "a=b", "Accept-Language": "xx"}
        assert "access-control-allow-origin" not in client.get("/", headers=everything).headers
        text = client.get("/").text
        # Each visitor finds the address that he asked for.
        assert f'"root":"{address}"' in text
        other = address.replace("127.0.0.1", "localhost")
        assert f'"root":"{other}"' in client.get("/", headers={"Host": other[7:]}).text
        assert "page.invalid" not in text
        plain, packed = httpx.Headers({"accept-encoding": "identity"}), {"accept-encoding": "gzip"}
        assert client.get("/", headers=packed).text.count(address) == text.count(address)
        assert client.get("/config", headers=plain).json()["root"] == address


def test_what_is_kept_is_not_pushed_out_by_a_visitor():
    seen = Seen()
    shelf = Shelf(seen, lambda: frozenset({"/assets/x.js"}))

    def ask(path, **given):
        async def app(scope, receive, send):
            await shelf({**scope, "scheme": "http"}, receive, send)

        return asked(app, path, **given)

    for n in range(40):
        headers = [(b"host", b"h%d.example" % n), (b"x-forwarded-host", b"h%d" % n)]
        body = ask("/", headers=headers, query=b"tab=likelihood&n=%d" % n)[2]
        assert body == b"<html>http://h%d.example/x</html>" % n
        ask("/assets/x.js", headers=headers, query=b"%d" % n)
    assert len(seen.scopes) == 2
    assert all(dict(one["headers"]) == {b"host": b"page.invalid"} for one in seen.scopes)
    for n in range(40):
        ask(f"/assets/./{n}/x.js")
        ask(f"/static/{n}")
    assert set(shelf._kept) == {"/", "/assets/x.js"}
    assert {"/theme.css", "/assets/gradio.js"} & page_files()


def test_only_a_proxy_that_the_owner_named_is_believed():
    alone = site_of(Settings(), "127.0.0.1", {})
    said = {
        "x_forwarded_host": EVIL, "x_forwarded_proto": "https", "x_forwarded_for": "6.6.6.6",
        "x_gradio_server": f"http://{EVIL}", "forwarded": "for=6.6.6.6",
    }  # fmt: skip
    status, scope = through(alone, **said)
    assert status == 200
    assert (scope["scheme"], scope["client"][0]) == ("http", "127.0.0.1")
    assert dict(scope["headers"]) == {b"host": b"127.0.0.1:7860"}
    behind = site_of(Settings(proxies="127.0.0.1 10.0.0.0/8", hosts="lab.example"), "127.0.0.1", {})
    said |= {
        "x_forwarded_host": "lab.example",
        "x_forwarded_for": "6.6.6.6, 93.184.215.14:99, 10.1.2.3",
    }
    status, scope = through(behind, **said)
    # The first to be named is what the visitor himself could have sent.
    assert (status, scope["scheme"], scope["client"][0]) == (200, "https", "93.184.215.14")
    assert dict(scope["headers"]) == {b"host": b"lab.example"}
    assert through(behind, **{**said, "x_forwarded_host": EVIL})[0] == 421
    assert through(behind, client="93.184.215.14", **said)[1]["client"][0] == "93.184.215.14"
    with pytest.raises(InputError, match="LMLAB_PROXIES cannot be"):
        read_settings(proxies="nobody.example")


# Names


@pytest.mark.parametrize(
    ("bound", "environment", "hosts", "known", "unknown"),
    [
        (
            "127.0.0.1", {}, "",
            ["127.0.0.1", "localhost:7860", "[::1]:1", "LOCALHOST.", "127.0.0.2"],
            [EVIL, "192.168.1.5", "6.6.6.6", "localhost.evil.example", "", "a b", "[evil]", "a:b"],
        ),
        (
            "0.0.0.0", {}, "",
            # A hall's network, and a container whose host has an address of its own.
            ["192.168.1.5:7860", "10.0.0.7", "[fe80::1]", socket.gethostname(), "localhost"],
            [EVIL, f"{EVIL}:7860", f"{socket.gethostname()}.{EVIL}", "0x7f.1.evil"],
        ),
        ("0.0.0.0", {"SPACE_ID": "me/lab", "SPACE_HOST": "me-lab.hf.space"}, "",
         ["me-lab.hf.space", "10.20.30.40:7860", "localhost"], [EVIL, "hf.space.evil.example"]),
        ("127.0.0.1", {}, "lab.example, https://x.example:444/ *.uni.example",
         ["lab.example:80", "x.example", "a.uni.example"], [EVIL, "uni.example", "xlab.example"]),
        ("192.168.1.5", {}, "", ["192.168.1.5:7860", "127.0.0.1"], [EVIL]),
        ("127.0.0.1", {}, "*", [EVIL], [""]),
    ],
)  # fmt: skip
def test_the_page_answers_to_its_own_names_alone(bound, environment, hosts, known, unknown):
    site = site_of(Settings(hosts=hosts), bound, environment)
    assert [name for name in known if through(site, host=name)[0] != 200] == []
    assert [name for name in unknown if through(site, host=name)[0] != 421] == []


def test_a_space_believes_its_proxy_and_nobody_elses_word():
    site = site_of(Settings(), "0.0.0.0", {"SPACE_ID": "me/lab", "SPACE_HOST": "me-lab.hf.space"})
    said = {
        "host": "me-lab.hf.space", "x_forwarded_proto": "https",
        "x_forwarded_for": "6.6.6.6, 93.184.215.14, 10.1.1.1",
    }  # fmt: skip
    _, scope = through(site, client="10.9.9.9", **said)
    assert (scope["scheme"], scope["client"][0]) == ("https", "93.184.215.14")


def test_a_strangers_name_for_this_machine_is_answered_with_a_sentence(address, caplog):
    with httpx.Client(base_url=address, timeout=60) as client:
        for path in ("/", "/config", "/gradio_api/info", "/assets/index.js"):
            answer = client.get(path, headers={"Host": EVIL})
            assert answer.status_code == 421
            assert f"‘{EVIL}’" in answer.json()["detail"]
            assert "LMLAB_HOSTS" in answer.json()["detail"]
        # A host asks under whatever name it likes.
        assert client.get("/health", headers={"Host": EVIL}).json()["ready"]


# Other sites


@pytest.mark.parametrize(
    "told",
    [
        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
        {"Origin": f"http://{EVIL}"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"},
        {"Origin": f"http://{EVIL}", "Sec-Fetch-Site": "cross-site"},
    ],
)  # fmt: skip
def test_another_site_sends_nothing(told, address):
    call = json.dumps({"data": ["a"], "fn_index": 0, "session_hash": "s"})
    with httpx.Client(base_url=address, timeout=60) as client:
        for path in ("queue/join", "call/score", "component_server", "run/predict", "cancel"):
            # A form of another site sends text without asking.
            for kind in ("application/json", "text/plain"):
                headers = {**told, "content-type": kind}
                answer = client.post(f"/gradio_api/{path}", content=call, headers=headers)
                assert answer.status_code == 403, path
        upload = client.post("/gradio_api/upload", files={"files": ("x.csv", b"a,b")}, headers=told)
        assert upload.status_code == 403
        for path in ("/config", "/gradio_api/info"):
            answer = client.get(path, headers=told)
            assert not [name for name in answer.headers if name.startswith("access-control")]
        asked_first = client.options("/gradio_api/queue/join", headers={
            "Origin": f"http://{EVIL}", "Access-Control-Request-Method": "POST",
        })  # fmt: skip
        assert not [name for name in asked_first.headers if name.startswith("access-control")]


def test_the_page_itself_and_programs_send(address):
    for told in (
        {}, {"Origin": address}, {"Sec-Fetch-Site": "same-origin", "Origin": address},
    ):  # fmt: skip
        files = {"files": ("x.csv", b"a,b")}
        answer = httpx.post(f"{address}/gradio_api/upload", files=files, headers=told, timeout=60)
        assert answer.status_code == 200, told
    lan = site_of(Settings(), "0.0.0.0", {})
    for origin, status in (
        ("http://192.168.1.5:7860", 200), ("http://192.168.1.5", 403),
        ("http://192.168.1.6:7860", 403),
    ):  # fmt: skip
        assert through(lan, "/x", "POST", host="192.168.1.5:7860", origin=origin)[0] == status


# Bodies


def count(text: bytes, size: int, **given) -> int:
    counted = Counted(**given)
    for low in range(0, len(text), size):
        counted.take(text[low : low + size])
    return counted.values


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_values_are_counted_wherever_a_body_is_cut(size):
    tricky = r'["a\"[[[", {"k\\": "\\\\", "[[": [1, 2]}, "ü", "\\"]'.encode()
    json.loads(tricky)
    # Openings, commas and colons outside of texts.
    assert count(tricky, size) == 3 + 5 + 2
    assert count(b'"' + b"[\\n,{" * 1000 + b'"', size) == 0


def test_what_swells_is_refused_while_it_comes_in():
    assert count(b"[" + b"1," * (MOST_VALUES - 2) + b"1]", 999) == MOST_VALUES - 1
    for bad in (b"[" + b"[]," * MOST_VALUES, b"[" * (DEEPEST + 1), b'{"a":' * (DEEPEST + 1)):
        with pytest.raises(TooMuchError):
            count(bad, 999)
    bad = b"[" + b"[]," * MOST_VALUES
    status, told, said = asked(Bodies(page()), "/gradio_api/queue/join", "POST", body=bad)
    assert (status, told["connection"]) == (413, "close")
    assert b"at most 50,000 values" in said
    # What no bound on values sees: texts and ends without anything between them took seconds.
    for bad in (b'["' + b'"' * 99, b'"a" "b"', b"[" + b"]" * 99, b"[[]]]", b"}"):
        for size in (1, 2, 3, 999):
            with pytest.raises(NoJsonError):
                count(bad, size)
    # In UTF-16 half of a letter could pass for a quotation mark.
    for bad in ("[]".encode("utf-16"), "[]".encode("utf-32-le"), b"[\0"):
        with pytest.raises(NoJsonError):
            count(bad, 999)


def test_a_small_call_that_would_become_a_gigabyte_is_refused_at_once(address):
    process = psutil.Process()
    worst, done = [process.memory_info().rss], threading.Event()

    def watch():
        while not done.wait(0.02):
            worst.append(process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    bodies = [
        b'{"fn_index":0,"session_hash":"s","data":[' + b"[]," * 4_900_000 + b"[]]}",
        b'{"data":[' + b'"",' * 4_900_000 + b'""]}',
        b'{"data":[' + b'{"":' * 1_000_000,
    ]
    try:
        for body in bodies:
            for path in ("queue/join", "component_server"):
                where = f"{address}/gradio_api/{path}"
                # The connection is closed while most of it is still to be sent.
                with suppress(httpx.TransportError):
                    answer = httpx.post(where, content=body, headers=JSON, timeout=60)
                    assert answer.status_code == 413
    finally:
        done.set()
        watcher.join()
    # A body takes some 15 MB here and as much in the client; before, 800 MB.
    assert max(worst) - worst[0] < 150_000_000


def test_a_long_text_is_no_many_values(address):
    table = 'a,"b"\t[{}]\n' * 200_000
    body = json.dumps({"data": [table], "session_hash": "s", "fn_index": 0}, ensure_ascii=False)
    where = f"{address}/gradio_api/call/score"
    answer = httpx.post(where, content=body.encode(), headers=JSON, timeout=60)
    assert answer.status_code == 200


def test_calls_are_no_forms(address):
    files = {"data": ("x", b"x"), "component_id": (None, "1"), "session_hash": (None, "s")}
    answer = httpx.post(f"{address}/gradio_api/component_server", files=files, timeout=60)
    assert answer.status_code == 415


@pytest.mark.parametrize("bad", [b'["' + b'"' * 99_999, b"[" + b"]" * 99_999])
def test_what_is_no_json_is_refused_before_its_end(bad, address):
    """The rest is never sent: a megabyte of either took seconds to count."""
    with call(address, 1_000_000) as sock:
        sock.sendall(bad)
        assert sock.recv(99).startswith(b"HTTP/1.1 400")


def test_health_answers_while_large_calls_are_on_their_way(address):
    """All of twenty are here but for a byte; others hear within the time that one takes."""
    text = b'{"data":[' + b'"xx",' * 40_000 + b'"' + b"\\n" * 600_000
    rest = b'"],"session_hash":"s","fn_index":0}'
    with ExitStack() as held:
        socks = [held.enter_context(call(address, len(text + rest))) for _ in range(20)]
        for sock in socks:
            sock.sendall(text)
        assert httpx.get(f"{address}/health", timeout=60).status_code == 200
        for sock in socks:
            sock.sendall(rest)
        assert httpx.get(f"{address}/health", timeout=60).status_code == 200
        answers = [sock.recv(12) for sock in socks]
    assert set(answers) == {b"HTTP/1.1 200"}


@contextmanager
def call(address, length):
    """A connection on which a call's headers have been sent."""
    host, port = address.removeprefix("http://").split(":")
    path = "/gradio_api/queue/join"
    with socket.create_connection((host, int(port)), 60) as sock:
        said = f"Host: {host}:{port}\r\nContent-Type: application/json\r\nContent-Length: {length}"
        sock.sendall(f"POST {path} HTTP/1.1\r\n{said}\r\n\r\n".encode())
        yield sock


def test_large_calls_are_read_one_by_one_with_others_in_between():
    log, done = [], asyncio.Event()

    async def app(scope, receive, send):
        assert len((await receive())["body"]) == scope["state"]["body_bytes"]
        log.append("large")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await done.wait()  # reading is over once there is an answer

    async def sent():
        return {"type": "http.request", "body": b'"' + b"x" * SMALL + b'"'}

    async def gone(message):
        pass

    async def all_at_once():
        bodies = Bodies(app)
        scope = {"type": "http", "path": "/gradio_api/queue/join", "method": "POST"}
        tasks = [asyncio.ensure_future(bodies({**scope}, sent, gone)) for _ in range(3)]
        while log.count("large") < 3:
            log.append("other")
            await asyncio.sleep(0)
        done.set()
        await asyncio.gather(*tasks)

    loops.run(asyncio.wait_for(all_at_once(), 60))
    at = [place for place, one in enumerate(log) if one == "large"]
    assert min(later - one for one, later in pairwise(at)) > 1


def test_large_calls_come_in_a_few_at_a_time():
    bodies = Bodies(page(), held=1_000_000)
    piece = b'"' + b"x" * 300_000
    first, second, third = loops.run(_together(bodies, piece))
    assert (first, second, third) == (None, 503, None)
    assert asked(bodies, "/gradio_api/queue/join", "POST", body=piece + b'"')[0] == 200
    assert bodies._held == Counter()


async def _together(bodies, piece):
    """The answers to three calls that stay half sent: two of one address, then another's."""
    statuses = []
    tasks = []
    for client in ("1.1.1.1", "1.1.1.1", "2.2.2.2"):
        found = []
        pieces = [piece]

        async def receive(pieces=pieces):
            if pieces:
                return {"type": "http.request", "body": pieces.pop(), "more_body": True}
            return await asyncio.Event().wait()

        async def send(message, found=found):
            found.append(message)

        scope = {
            "type": "http", "path": "/gradio_api/queue/join", "method": "POST", "headers": [],
            "client": (client, 1),
        }  # fmt: skip
        tasks.append(asyncio.ensure_future(bodies(scope, receive, send)))
        await asyncio.sleep(0)
        statuses.append(found[0]["status"] if found else None)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return statuses


# Connections


@pytest.fixture
def server():
    """``server(app, most)``: the port of a server that bounds its connections."""
    stops = []

    def start(app, most=1000):
        config = wire.careful_config(app, most, host="127.0.0.1", port=0, log_level="critical")
        one = uvicorn.Server(config)
        thread = threading.Thread(target=one.run, daemon=True)
        thread.start()
        while not one.started:
            time.sleep(0.01)
        stops.append((one, thread))
        return one.servers[0].sockets[0].getsockname()[1]

    yield start
    for one, thread in stops:
        one.should_exit = one.force_exit = True
        thread.join(10)


def is_cut(sock: socket.socket) -> bool:
    """Whether the server ends a connection, which it does within a minute or not at all."""
    sock.settimeout(60)
    try:
        while sock.recv(65_536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-a:", b"POST / HTTP/1.1\r\nHost: x\r\n"
     b"Content-Length: 1000\r\n\r\n{", b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n"],
)  # fmt: skip
def test_a_request_that_does_not_come_in_is_cut(sent, server, monkeypatch):
    monkeypatch.setattr(wire, "HEADERS_SECONDS", 0.2)
    monkeypatch.setattr(wire, "BODY_SECONDS", 0.2)
    with closing(socket.create_connection(("127.0.0.1", server(page())))) as sock:
        sock.sendall(sent)
        assert is_cut(sock)


def test_an_answer_that_nobody_takes_is_cut(server, monkeypatch):
    monkeypatch.setattr(wire, "SENDING_SECONDS", 0.2)
    ended = threading.Event()

    async def endless(scope, receive, send):
        if scope["type"] == "lifespan":
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while (await asyncio.wait_for(_polled(receive), 0.001)) is None:
            body = {"type": "http.response.body", "body": b"x" * 65_536, "more_body": True}
            await send(body)
        ended.set()

    with closing(socket.create_connection(("127.0.0.1", server(endless)))) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert ended.wait(60)


async def _polled(receive):
    """What came, where something did: that the visitor has gone."""
    task = asyncio.ensure_future(receive())
    with suppress(TimeoutError):
        return await asyncio.wait_for(asyncio.shield(task), 0.0005)
    task.cancel()
    return None


def test_a_slow_sender_who_goes_on_is_heard(server, monkeypatch):
    monkeypatch.setattr(wire, "BODY_SECONDS", 0.5)
    monkeypatch.setattr(wire, "RATE", 0.1)  # ten seconds for each byte
    with closing(socket.create_connection(("127.0.0.1", server(page())))) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n12345678")
        time.sleep(0.7)
        sock.sendall(b"9")
        sock.settimeout(60)
        assert sock.recv(100).startswith(b"HTTP/1.1 200")


def test_half_open_requests_do_not_shut_the_page(address):
    host, port = address.removeprefix("http://").split(":")
    held = []
    try:
        for _ in range(150):
            sock = socket.create_connection((host, int(port)), timeout=30)
            sock.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-a: ")
            held.append(sock)
        for _ in range(3):
            assert httpx.get(f"{address}/health", timeout=60).json()["ready"]
    finally:
        for sock in held:
            sock.close()


def names(made) -> list[int]:
    return [i for i, one in enumerate(made) if one.was_cut]


def test_whoever_holds_most_gives_way_and_a_class_does_not():
    # SimpleNamespace cannot be a key.
    class One(SimpleNamespace):
        __hash__ = object.__hash__

        def cut(self):
            self.was_cut = True

    def some(n, address, is_idle):
        return [One(address=address, is_idle=is_idle, was_cut=False) for _ in range(n)]

    crowd = wire.Crowd(10)
    hall, flood = some(4, "10.0.0.1", False), some(9, "6.6.6.6", True)
    for one in (*hall, *flood):
        crowd.add(one)
    assert names(hall) == []
    assert names(flood) == [0, 1, 2]
    # Alone, a class behind one address has all the room; those who are answered stay.
    crowd = wire.Crowd(10)
    hall = [*some(8, "10.0.0.1", False), *some(5, "10.0.0.1", True)]
    for one in hall:
        crowd.add(one)
    assert names(hall) == [8, 9, 10]
    for one in hall:
        crowd.drop(one)
        crowd.drop(one)
    assert crowd._n == 0
    assert not crowd._by


def test_neighbours_of_one_network_count_as_one():
    assert guests.place("2001:db8::5") == guests.place("2001:db8:0:0:9::1")
    assert guests.place("10.0.0.1") == "10.0.0.1"


def test_descriptors_are_raised_and_the_room_fits_in_them():
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}));"
        "from lmlab.hosting import wire; n = wire.descriptors();"
        "print(n, wire.room(2000, n), wire.backlog(n))"
    )
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for soft, most, room in ((256, min(hard, 4096), 2000), (256, 700, 700 - 128 - wire.BESIDES)):
        command = [sys.executable, "-c", code.format(soft=soft, hard=most)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found, fits, waiting = map(int, done.stdout.split())
        assert found == most
        assert fits == room
        assert fits + waiting < found


# The log


def test_a_thing_is_said_once_a_minute():
    once, log = Once(times=3), logging.getLogger("lmlab.once")

    def said(at, form, *args, **extra):
        record = log.makeRecord("asyncio", logging.ERROR, "x.py", 1, form, args, None, extra=extra)
        record.created = at
        return record.getMessage() if once.filter(record) else None

    assert said(0.0, "socket %d", 1) == "socket 1"
    assert [said(1.0 + n / 1000, "socket %d", n) for n in range(5000)] == [None] * 5000
    assert said(2.0, "another") == "another"
    assert said(61.0, "socket %d", 7) == "socket 7 (and 5,000 times before)"
    # A line that names its request is looked for by that: a few are kept.
    kept = [said(70.0, "A request failed", request="a") for _ in range(9)]
    assert len([one for one in kept if one]) == 3
    lines = [said(71.0, "request", request="a", status=200) for _ in range(9)]
    assert None not in lines
    for n in range(1000):
        said(80.0, f"form {n}")
    assert len(once._said) <= 300


# Models that others name


@pytest.fixture
def asked_hub(monkeypatch):
    """What of huggingface_hub was called, and with which token; nothing is reached."""
    found = []

    class Api:
        def __init__(self, endpoint=None, token=None):
            found.append(("api", token))

        def model_info(self, name, **given):
            files = [
                SimpleNamespace(rfilename="model.safetensors", size=1, lfs=None, blob_id="0" * 40)
            ]
            return SimpleNamespace(siblings=files, id=name, sha="0" * 40, safetensors=None)

        def dataset_info(self, name, **given):
            files = [SimpleNamespace(rfilename="default/train/0.parquet", size=1)]
            return SimpleNamespace(siblings=files)

    def fetched(kind):
        def call(*args, token=None, **given):
            found.append((kind, token))
            raise OSError("no network")

        return call

    monkeypatch.setattr("lmlab.models.hub.HfApi", Api)
    monkeypatch.setattr("lmlab.runs.hub.HfApi", Api)
    monkeypatch.setattr("lmlab.models.hub.build_hf_headers", fetched("headers"))
    monkeypatch.setattr("lmlab.models.hub.snapshot_download", fetched("cache"))
    monkeypatch.setattr("lmlab.runs.hub.hf_hub_download", fetched("data"))
    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", fetched("config"))
    return found


@pytest.mark.parametrize(
    ("lab", "token"),
    [
        (lambda: Lab.open(Settings()), False),
        (lambda: Lab.open(Settings(hub_token=True)), None),
        (lambda: Lab.open(Settings(public=True, models="*", allow_datasets=True)), False),
        # A command's: whoever names a model there is its owner.
        (Lab.open, None),
    ],
)
def test_a_pages_visitors_do_not_use_the_token_that_is_stored(lab, token, asked_hub):
    lab = lab()
    with pytest.raises(ModelError), lab.store.borrow("evil/x"):
        pass
    with pytest.raises(ModelError):
        lab.service(Scaling).shape("evil/x")
    with pytest.raises(InputError):
        lab.service(Tuning).hub_table("evil/x")
    kinds = {kind for kind, _ in asked_hub}
    assert {"api", "headers", "config", "data"} <= kinds
    # A look into the cache sends nothing.
    assert {used for kind, used in asked_hub if kind != "cache"} == {token}


def looks(monkeypatch) -> list[str]:
    """The folders that are looked for, from here on."""
    looked = []
    real = Path.is_dir

    def is_dir(self, *args, **given):
        looked.append(str(self))
        return real(self, *args, **given)

    monkeypatch.setattr(Path, "is_dir", is_dir)
    return looked


def test_a_share_of_another_machine_is_not_looked_at(monkeypatch):
    looked = looks(monkeypatch)
    monkeypatch.setattr(hub, "fetch", lambda *args: pytest.fail("asked the Hub"))
    for share in (
        r"\\host\share",
        "//host/share",
        r"\/host/share",
        r" \\?\UNC\host\x",
        "smb://h/x",
    ):
        store = ModelStore(Settings())
        for name in (share, f"base+{share}"):
            with pytest.raises(ModelError), store.borrow(name):
                pass
        with pytest.raises(ModelError):
            Lab.open(Settings()).service(Scaling).shape(share)
    # ‘base+’ before it makes it a path of here.
    assert [one for one in looked if re.match(r"[\\/ ]+.*host|smb:", one)] == []


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """``filled(query, **more)``: (a link's updates by control, what the lecture bar is told)."""
    lab = Lab.open(Settings(runs_dir=tmp_path_factory.mktemp("runs")))
    blocks = build_page(lab)
    filling = Filling(lab, stages(blocks), wordings(features()))

    def fill(query, name="likelihood", own=(), course=(), scene="", **more):
        stage = filling.stages[name]
        asked_for = SimpleNamespace(query=query, name=scene, **more)
        known = [getattr(one, "value", None) for one in filling.inputs(name)]
        *updates, mail = events.filler(filling, stage, course)(own, asked_for, *known)
        keys = list(stage.controls)
        found = dict(zip(keys, updates[len(stage.leds) :][: len(keys)], strict=True))
        return {k: v for k, v in found.items() if not is_skip(v)}, json.loads(mail)

    return fill


def is_skip(value) -> bool:
    return isinstance(value, dict) and set(value) == {"__type__"}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("tab=likelihood&model=evil/x&text=a", "‘evil/x’ from huggingface.co"),
        ("tab=likelihood&second=evil/x&text=a", "‘evil/x’ from huggingface.co"),
        ("tab=likelihood&model=base%2Bevil/x&text=a", "‘evil/x’ from huggingface.co"),
        ("tab=likelihood&model=evil/x%2Bevil/y", "‘evil/x’ from huggingface.co and ‘evil/y’"),
        ("tab=likelihood&model=/net/evil/x&text=a", "the folder ‘/net/evil/x’"),
        ("tab=change&base=evil/x", "‘evil/x’ from"),
        ("tab=tuning&model=evil/x", "‘evil/x’ from"),
        ("tab=compare&model-3=evil/x", "‘evil/x’ from"),
        ("tab=scale&shape-of=evil/x", "‘evil/x’ from"),
        ("tab=scale&models=base&models=evil/x", "‘evil/x’ from"),
    ],
)
def test_a_link_to_a_model_that_is_not_here_waits(query, said, filled, asked_hub, monkeypatch):
    looked = looks(monkeypatch)
    monkeypatch.setattr("lmlab.models.places._is_fetched", lambda name: False)
    tab = query.split("&")[0].removeprefix("tab=")
    updates, mail = filled(query, tab)
    assert said in mail["wants"]
    assert mail["run"] is None
    assert mail["query"] == query
    assert "evil" not in str(updates)
    assert ("text" in updates) == ("text=" in query)
    assert [one for one in looked if "evil" in one] == []
    assert asked_hub == []


def test_a_link_runs_once_its_model_is_agreed_on_or_here(filled, tmp_path, monkeypatch):
    updates, mail = filled("tab=likelihood&model=evil/x&text=a", agreed=True)
    assert (updates["model"], updates["text"], mail["run"]) == ("evil/x", "a", "go")
    assert "wants" not in mail
    for here in ("tiny", "base%2Bqa", "base%2Badapters/qa", "run:0123456789abcdef"):
        updates, mail = filled(f"tab=likelihood&model={here}&text=a")
        assert "model" in updates
        assert (mail["run"], "wants" in mail) == ("go", False)
    monkeypatch.setattr("lmlab.models.hub.cache_dir", lambda: tmp_path)
    (tmp_path / "models--me--mine").mkdir()
    assert filled("tab=likelihood&model=me/mine&text=a")[1]["run"] == "go"
    # Another revision of it would be fetched.
    assert filled("tab=likelihood&model=me/mine@other&text=a")[1]["run"] is None


def test_a_scene_that_somebody_sent_waits_as_well(filled):
    scene = Scene(
        name="own", title="t", part="p", point="p", tab="likelihood", run="go",
        inputs={"model": "evil/x", "text": "a"},
    )  # fmt: skip
    updates, mail = filled("", own=(scene,), scene="own")
    assert (mail["run"], mail["wants"]) == (None, "‘evil/x’ from huggingface.co")
    assert set(updates) == {"text"}
    assert filled("", own=(scene,), scene="own", agreed=True)[1]["run"] == "go"
    # Those of the page's owner say as well what fetches it ahead.
    updates, mail = filled("", course=(scene,), scene="own")
    assert (mail["run"], mail["wants"]) == (None, "‘evil/x’ from huggingface.co")
    assert mail["lacks"] == "‘evil/x’ is not on this machine: ‘lmlab get evil/x’ fetches it."
    assert set(updates) == {"text"}
    here = scene.model_copy(update={"inputs": {"model": "tiny", "text": "a"}})
    assert filled("", course=(here,), scene="own")[1]["run"] == "go"


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
def test_half_a_character_in_a_link_is_a_sentence(text, filled):
    for query in (f"tab=likelihood&text={text}", "tab=likelihood&text=%ED%A0%80"):
        with pytest.raises(InputError, match="damaged"):
            links.read(query)
    stage = SimpleNamespace(name="x", controls={"text": SimpleNamespace(value="")})
    with pytest.raises(InputError, match="Half a character"):
        links.query(stage, [text])


def test_a_factor_that_is_no_number_is_a_name():
    found = source_of("base+qa (α = e)")
    assert (found.alpha, found.adapter) == (1.0, "qa (α = e)")
    assert source_of("base+qa (α = -1e-05)").alpha == -1e-05
