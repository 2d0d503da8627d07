"""Hub ids, against a server on this machine that speaks the Hub's protocol for one folder."""

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import ClassVar

import pytest

from lmlab.errors import MemoryLimitError, ModelError
from lmlab.models import hub
from lmlab.runs.model_store import ModelStore
from lmlab.scoring.score import score
from lmlab.settings import Settings

COMMIT = "a" * 40


class Hub(BaseHTTPRequestHandler):
    """Answers model_info and file downloads for some repositories."""

    repos: ClassVar[dict[str, Path]] = {}
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.answer(body=True)

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def answer(self, body: bool) -> None:
        self.asked.append(self.path)
        path = self.path.split("?")[0]
        if match := re.fullmatch(r"/api/models/(.+?)(?:/(?:revision|tree)/(.+))?", path):
            return self.info(match[1], match[2], body)
        match = re.fullmatch(r"/(.+?)/resolve/[^/]+/(.+)", path)
        file = match and self.repos.get(match[1], Path("/nowhere")) / match[2]
        if not file or not file.is_file():
            return self.send(404, b"", {"X-Error-Code": "EntryNotFound"}, body)
        data = file.read_bytes()
        etag = hashlib.sha256(data).hexdigest()
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT}
        return self.send(200, data, headers, body)

    def info(self, name: str, revision: str | None, body: bool) -> None:
        folder = self.repos.get(name)
        if folder is None:
            return self.send(404, b"{}", {"X-Error-Code": "RepoNotFound"}, body)
        if revision not in (None, "main", COMMIT):
            return self.send(404, b"{}", {"X-Error-Code": "RevisionNotFound"}, body)
        files = [f for f in sorted(folder.iterdir()) if f.is_file()]
        siblings = [{"rfilename": f.name, "size": f.stat().st_size} for f in files]
        tree = [
            {"type": "file", "path": f.name, "size": f.stat().st_size, "oid": "0" * 40}
            for f in files
        ]
        info = {"id": name, "sha": COMMIT, "siblings": siblings, "tags": [], "private": False}
        value = tree if "/tree/" in self.path else info
        return self.send(200, json.dumps(value).encode(), {}, body)

    def send(self, status: int, data: bytes, headers: dict[str, str], body: bool) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def handler(repos: dict[str, Path], asked: list[str]) -> type[Hub]:
    """A hub of its own for one test."""
    return type("Handler", (Hub,), {"repos": repos, "asked": asked})


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def near_hub(folder, broken, tmp_path, monkeypatch, asked):
    """huggingface_hub pointed at a server here, with a cache of its own."""
    repos = {"lab/llama": folder("llama"), "lab/pickles": broken("pickle_only")}
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(repos, asked))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "endpoint", lambda: address)
    monkeypatch.setattr(hub, "cache_dir", lambda: tmp_path / "cache")
    yield
    server.shutdown()
    server.server_close()


def store(**changed) -> ModelStore:
    return ModelStore(Settings(allow_hub=True, **changed))


def test_a_hub_id_is_fetched_once_and_scored(near_hub, folder, asked):
    lab = store()
    heard: list[str] = []
    with lab.borrow("lab/llama", heard.append) as lm:
        fetched = score(lm, "the little dog")
    with ModelStore().borrow(str(folder("llama"))) as lm:
        here = score(lm, "the little dog")
    assert fetched.logprob == here.logprob
    assert any("Fetching lab/llama" in message for message in heard)
    downloads = [path for path in asked if "/resolve/" in path]
    with store(offline=True).borrow("lab/llama") as lm:
        assert score(lm, "the little dog").logprob == here.logprob
    assert [path for path in asked if "/resolve/" in path] == downloads


def test_a_branch_and_no_branch_are_one_copy(near_hub):
    lab = store()
    for name in ("lab/llama", "lab/llama@main"):
        with lab.borrow(name):
            pass
    assert len(lab.loaded()) == 1


def test_a_download_says_how_far_it_is(tmp_path):
    """What lay there before is no speed."""
    said: Queue[str] = Queue()
    (tmp_path / "one").write_bytes(b"0" * 1_000_000)
    with hub.told("a/b", tmp_path, 4_000_000, said.put, pulse=0.01):
        (tmp_path / "two.incomplete").write_bytes(b"0" * 1_000_000)
        assert said.get(timeout=60).startswith("Fetching a/b: 2 of 4 MB, ")
        (tmp_path / "two.incomplete").write_bytes(b"0" * 3_000_000)
        last = next(one for one in iter(lambda: said.get(timeout=60), "") if "4 of 4 MB" in one)
    assert last.endswith("about 0 s left …")
    with hub.told("a/b", tmp_path / "nowhere", 4, said.put, pulse=1e-3):
        pass


def test_a_revision_that_is_not_there_is_named(near_hub):
    with pytest.raises(ModelError, match="no revision ‘step9’"), store().borrow("lab/llama@step9"):
        pass


def test_a_repository_that_is_not_there(near_hub):
    with pytest.raises(ModelError, match="no model named ‘lab/none’"), store().borrow("lab/none"):
        pass


def test_pickles_are_refused_before_anything_is_fetched(near_hub, asked):
    with pytest.raises(ModelError, match="safetensors"), store().borrow("lab/pickles"):
        pass
    assert not [path for path in asked if "/resolve/" in path]


def test_a_model_over_the_budget_is_refused_before_anything_is_fetched(near_hub, asked):
    with pytest.raises(MemoryLimitError, match="fit"), store(memory_gb=1e-6).borrow("lab/llama"):
        pass
    assert not [path for path in asked if "/resolve/" in path]


def test_no_network_is_said_in_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(hub, "endpoint", lambda: "http://127.0.0.1:9")
    monkeypatch.setattr(hub, "cache_dir", lambda: tmp_path)
    with pytest.raises(ModelError, match="the Hub cannot be reached"), store().borrow("lab/other"):
        pass


def test_the_hub_can_be_switched_off(asked, near_hub):
    lab = ModelStore(Settings(allow_hub=False))
    with (
        pytest.raises(ModelError, match="no model named ‘lab/llama’ here"),
        lab.borrow("lab/llama"),
    ):
        pass
    assert asked == []
