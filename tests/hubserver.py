"""A server on this machine that speaks the Hub's protocol for some folders, with faults on demand.

Large files (safetensors) lie in LFS as on the Hub: their sum is SHA-256, and a request for one is
sent on to another host; small ones have git's sum.
"""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lmlab.models.folders import numbers_of
from tests.hubwrites import Writes, Writing

OLD = "v1"  # the revision that all repositories have besides main


@dataclass
class Hub(Writes):
    """What is served, and what goes wrong."""

    repos: dict[str, Path] = field(default_factory=dict)  # as they are today
    old: dict[str, Path] = field(default_factory=dict)  # the same at the revision ``OLD``
    renamed: dict[str, str] = field(default_factory=dict)  # from what to what
    gated: dict[str, int] = field(default_factory=dict)  # with which state each is refused
    asked: list[str] = field(default_factory=list)  # paths that were asked for
    ranges: list[str] = field(default_factory=list)  # of files that were asked for in part
    tokens: list[str] = field(default_factory=list)  # that callers sent the Hub
    strayed: list[str] = field(default_factory=list)  # that they sent where the large files lie
    # Of the next answers with a large file, after how many bytes each is cut.
    cuts: list[int] = field(default_factory=list)
    down: list[int] = field(default_factory=list)  # states of the next answers with a large file
    down_after_cut: bool = False  # whether it is out of order from a cut on
    spoilt: bool = False  # whether bytes of large files are changed on their way
    whole_only: bool = False  # whether a part cannot be asked for
    tells_numbers: bool = True  # whether it has read the heads of safetensors
    held: threading.Event | None = None  # what an answer that was cut waits for
    address: str = ""

    def folder(self, name: str, revision: str) -> Path | None:
        """A repository's files at a revision."""
        found = self.repos.get(name)
        if found is None or revision in ("main", commit(found)):
            return found
        old = self.old.get(name)
        return old if old is not None and revision in (OLD, commit(old)) else None

    @property
    def files(self) -> list[str]:
        """Names of the files that were asked for."""
        return [path.rpartition("/")[2] for path in self.asked if path.startswith("/lfs/")]


def commit(folder: Path) -> str:
    """A commit of its own for every folder."""
    return hashlib.sha1(str(folder).encode()).hexdigest()


@contextmanager
def served(hub: Hub) -> Iterator[Hub]:
    """The hub, answering at its ``address``."""
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub, "protocol_version": "HTTP/1.1"})
    )
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        if hub.held is not None:
            hub.held.set()
        server.shutdown()
        server.server_close()


def _is_large(file: Path) -> bool:
    return file.suffix == ".safetensors"


def _sum(file: Path) -> str:
    data = file.read_bytes()
    if _is_large(file):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class _Handler(Writing):
    hub: Hub

    def do_GET(self) -> None:  # noqa: N802
        self._answer(body=True)

    def do_HEAD(self) -> None:  # noqa: N802
        self._answer(body=False)

    def _answer(self, body: bool) -> None:
        path = self.path.split("?")[0]
        self.hub.asked.append(path)
        if token := self.headers.get("authorization"):
            (self.hub.strayed if path.startswith("/lfs/") else self.hub.tokens).append(token)
        if self.read_written(path):
            return None
        for pattern, answer in (
            (r"/api/models/(.+?)(?:/revision/([^/]+))?", self._info),
            (r"/api/models/(.+?)/tree/([^/]+)", self._tree),
            (r"/lfs/([^/]+/[^/]+)/([^/]+)/(.+)", self._large),
            (r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self._file),
        ):
            if (match := re.fullmatch(pattern, path)) and not ("/tree/" in path) ^ (
                answer == self._tree
            ):
                return answer(body, *match.groups())
        return self._refuse(404, "EntryNotFound")

    def _info(self, body: bool, name: str, revision: str | None) -> None:
        if (folder := self._repo(name, revision or "main")) is None:
            return
        info: dict[str, Any] = {"id": name, "sha": commit(folder), "tags": [], "private": False}
        info["siblings"] = [
            {"rfilename": one["path"], "size": one["size"], "blobId": one["oid"]}
            | ({"lfs": {**one["lfs"], "sha256": one["lfs"]["oid"]}} if "lfs" in one else {})
            for one in self._listed(folder)
        ]
        if self.hub.tells_numbers and (numbers := numbers_of(folder)):
            info["safetensors"] = {"parameters": {"F32": numbers}, "total": numbers}
        self._send(200, json.dumps(info).encode(), {}, body)

    def _tree(self, body: bool, name: str, revision: str) -> None:
        if (folder := self._repo(name, revision)) is not None:
            self._send(200, json.dumps(self._listed(folder)).encode(), {}, body)

    def _listed(self, folder: Path) -> list[dict[str, Any]]:
        found = []
        for file in sorted(one for one in folder.rglob("*") if one.is_file()):
            size, path = file.stat().st_size, file.relative_to(folder).as_posix()
            one = {"type": "file", "path": path, "size": size, "oid": _sum(file)}
            if _is_large(file):
                lfs = {"oid": _sum(file), "size": size, "pointerSize": 134}
                one |= {"oid": "0" * 40, "lfs": lfs}
            found.append(one)
        return found

    def _file(self, body: bool, name: str, revision: str, path: str) -> None:
        if (folder := self._repo(name, revision)) is None:
            return None
        if name in self.hub.gated:
            return self._refuse(self.hub.gated[name], "GatedRepo")
        file = folder / path
        if not file.is_file():
            return self._refuse(404, "EntryNotFound")
        told = {"X-Repo-Commit": commit(folder), "ETag": f'"{_sum(file)}"'}
        if not _is_large(file):
            return self._send(200, file.read_bytes(), told, body)
        told |= {"X-Linked-Etag": told["ETag"], "X-Linked-Size": str(file.stat().st_size)}
        # Another host, as on the Hub; the token must not go there.
        elsewhere = self.hub.address.replace("127.0.0.1", "localhost")
        told["Location"] = f"{elsewhere}/lfs/{name}/{revision}/{path}"
        return self._send(302, b"", told, body)

    def _large(self, body: bool, name: str, revision: str, path: str) -> None:
        folder = self.hub.folder(name, revision)
        assert folder is not None
        if self.hub.down:
            return self._refuse(self.hub.down.pop(0), "")
        data, start, state = (folder / path).read_bytes(), 0, 200
        if (wanted := self.headers.get("range")) and not self.hub.whole_only:
            self.hub.ranges.append(wanted)
            start, state = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]), 206
        told = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        data = data[start:]
        if self.hub.spoilt:
            data = bytes([data[0] ^ 1]) + data[1:]
        cut = self.hub.cuts.pop(0) if self.hub.cuts and body else None
        return self._send(state, data, told, body, cut)

    def _repo(self, name: str, revision: str) -> Path | None:
        """A repository's folder; else the answer is given."""
        if name in self.hub.renamed:
            there = self.path.replace(name, self.hub.renamed[name], 1)
            self._send(307, b"", {"Location": there}, False)
        elif name not in self.hub.repos:
            self._refuse(404, "RepoNotFound")
        elif (folder := self.hub.folder(name, revision)) is None:
            self._refuse(404, "RevisionNotFound")
        else:
            return folder
        return None

    def _refuse(self, state: int, code: str) -> None:
        self._send(state, b"{}", {"X-Error-Code": code} if code else {}, self.command == "GET")

    def _send(
        self, state: int, data: bytes, told: dict[str, str], body: bool, cut: int | None = None
    ) -> None:
        self.send_response(state)
        for key, value in {**told, "Content-Length": str(len(data))}.items():
            self.send_header(key, value)
        self.end_headers()
        if not body:
            return
        self.wfile.write(data if cut is None else data[:cut])
        if cut is not None:
            self.wfile.flush()
            self.hub.down += [503] * 100 if self.hub.down_after_cut else []
            if self.hub.held is not None:
                self.hub.held.wait()
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass
