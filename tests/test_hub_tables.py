"""Data sets of the Hub by name and revision, against a server on this machine."""

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lmlab.cli.main import main
from lmlab.errors import InputError
from lmlab.runs import hub
from lmlab.runs.hub import HubSet, hub_table

COMMITS = {"main": "a" * 40, "refs/convert/parquet": "b" * 40, "v1": "c" * 40, "c" * 40: "c" * 40}


def packed(rows: list[dict[str, str]]) -> bytes:
    import io

    import pyarrow as pa
    from pyarrow.parquet import write_table

    file = io.BytesIO()
    write_table(pa.Table.from_pylist(rows), file)
    return file.getvalue()


def rows(what: str) -> list[dict[str, str]]:
    return [{"question": f"{what} {i}", "answer": f"a {i}"} for i in range(20)]


@pytest.fixture(scope="module")
def files() -> dict[tuple[str, str], dict[str, bytes]]:
    """{(data set, revision): its files}."""
    lines = "\n".join(map(json.dumps, rows("v1"))).encode()
    return {
        ("lab/set", "refs/convert/parquet"): {
            "default/train/0000.parquet": packed(rows("new")),
            "other/train/0000.parquet": packed(rows("other")),
        },
        ("lab/set", "main"): {"data/train-00000-of-00001.parquet": packed(rows("main"))},
        ("lab/set", "v1"): {"README.md": b"", "train.jsonl": lines, "data/test.csv": b"a;b\n1;2\n"},
        ("lab/bare", "main"): {"rows.json": json.dumps(rows("bare")).encode()},
    }


@pytest.fixture
def near_hub(files, tmp_path, monkeypatch):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(body=True)

        def do_HEAD(self):
            self.answer(body=False)

        def answer(self, body: bool) -> None:
            path = self.path.split("?")[0].replace("%2F", "/")
            info = re.fullmatch(r"/api/datasets/(\w+/\w+)(?:/revision/(.+))?", path)
            file = re.fullmatch(
                r"/datasets/(\w+/\w+)/resolve/(refs/convert/parquet|[^/]+)/(.+)", path
            )
            repo, revision = (info or file)[1], (info or file)[2] or "main"
            found = files.get((repo, revision))
            if found is None or (file and file[3] not in found):
                return self.send(404, b"{}", {"X-Error-Code": "RevisionNotFound"}, body)
            commit = COMMITS[revision]
            if file:
                data = found[file[3]]
                headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": commit}
                return self.send(200, data, headers, body)
            siblings = [{"rfilename": name, "size": len(data)} for name, data in found.items()]
            value = {"id": repo, "sha": commit, "siblings": siblings, "tags": [], "private": False}
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

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "endpoint", lambda: f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(hub, "cache_dir", lambda: tmp_path / "cache")
    yield
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("lab/set", "new 0"),
        ("lab/set:other", "other 0"),
        ("lab/set@main", "main 0"),
        ("lab/set@v1", "v1 0"),
        ("lab/bare", "bare 0"),
    ],
)
def test_a_set_is_read_by_name_and_revision(near_hub, name, first):
    table = hub_table(HubSet.parse(name), "train", 10_000)
    assert (len(table.rows), table.rows[0]["question"]) == (20, first)
    assert table.name == name.partition(":")[0]


def test_what_the_hub_does_not_have_is_said(near_hub):
    assert hub_table(HubSet.parse("lab/set@v1"), "test", 10).rows[0]["b"] == "2"
    for name, split, said in (
        ("lab/set@v9", "train", "‘lab/set@v9’ cannot be had"),
        ("lab/none", "train", "cannot be had"),
        ("lab/set@v1", "validation", "There are: test, train"),
        ("lab/set:none", "train", "There are: default/train, other/train"),
        ("lab/set@../x", "train", "no revision"),
        ("no name", "train", "no name"),
    ):
        with pytest.raises(InputError, match=said):
            hub_table(HubSet.parse(name), split, 10)


def test_a_command_evaluates_a_set_of_the_hub(near_hub, capsys):
    asked = ["--data", "hub:lab/set@v1", "--split", "train", "--limit", "4", "--json"]
    assert main(["evaluate", "--model", "tiny", "--template", "qa-question", *asked]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["data"], said["results"][0]["n"]) == ("lab/set@v1", 4)
