"""What of the Hub's protocol makes and changes repositories: accounts, Spaces, buckets, commits."""

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

PREFIXES = {"": "models", "spaces/": "spaces"}


@dataclass
class Written:
    """A repository that was made here."""

    made: dict[str, Any]  # as it was asked for
    files: dict[str, bytes] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    commits: int = 0
    hardware: str | None = None
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    volumes: list[dict[str, Any]] = field(default_factory=list)
    restarts: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Writes:
    """What can be written to, by whom, and what goes wrong."""

    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)  # token: who it is
    written: dict[str, Written] = field(default_factory=dict)  # ``spaces/owner/name``
    buckets: list[str] = field(default_factory=list)
    uploads: dict[str, bytes] = field(default_factory=dict)  # large files, by their sums
    prices: list[dict[str, Any]] = field(default_factory=list)
    # State and words of the next answers to what is asked: create, bucket, upload, commit, …
    says: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    upload_cuts: int = 0  # how many of the next large files are cut in their middle


class Writing(BaseHTTPRequestHandler):
    """Answers what ``Writes`` tells; mixed into the handler of what is read."""

    hub: Writes
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self._write("POST")

    def do_PUT(self) -> None:
        self._write("PUT")

    def read_written(self, path: str) -> bool:
        """Answer a question about what was made here; whether it was one."""
        hub = self.hub
        if path == "/api/whoami-v2":
            who = hub.accounts.get(self._token())
            self._json(who or {}, 200 if who else 401)
        elif path == "/api/spaces/hardware":
            self._json(hub.prices)
        elif match := re.fullmatch(r"/api/(spaces/.+?)(/runtime|/tree/main)?", path):
            if (one := hub.written.get(match[1])) is None:
                self._json({}, 404, {"X-Error-Code": "RepoNotFound"})
            elif match[2] == "/runtime":
                self._json(self._runtime(one))
            elif match[2]:
                names = [{"type": "file", "path": p, "size": 1, "oid": "0" * 40} for p in one.files]
                self._json(names)
            else:
                name = match[1].removeprefix("spaces/")
                self._json({"id": name, "tags": one.tags, "siblings": [], "private": False})
        else:
            return False
        return True

    def _write(self, method: str) -> None:
        path, size = self.path.split("?")[0], int(self.headers.get("content-length") or 0)
        self.hub.asked.append(f"{method} {path}")
        if path.startswith("/upload/"):
            self._upload(path.rpartition("/")[2], size)
            return
        body = self.rfile.read(size)
        for pattern, answer in (
            (r"/api/validate-yaml", self._valid),
            (r"/api/repos/create", self._create),
            (r"/api/buckets/([^/]+/[^/]+)", self._bucket),
            (r"/api/(?:models|spaces)/[^/]+/[^/]+/preupload/main", self._preupload),
            (r"/(?:spaces/)?[^/]+/[^/]+\.git/info/lfs/objects/batch", self._batch),
            (r"/api/((?:models|spaces)/[^/]+/[^/]+)/commit/main", self._commit),
            (r"/api/(spaces/[^/]+/[^/]+)/(variables|secrets|hardware|volumes|restart)", self._set),
        ):
            if match := re.fullmatch(pattern, path):
                kind = answer.__name__.strip("_")
                if self.hub.says.get(kind):
                    state, words = self.hub.says[kind].pop(0)
                    self._json({"error": words}, state)
                elif self._token() not in self.hub.accounts:
                    self._json({}, 401)
                else:
                    answer(body, *match.groups())
                return
        self._json({}, 404)

    def _valid(self, body: bytes) -> None:
        self._json({"errors": [], "warnings": []})

    def _create(self, body: bytes) -> None:
        asked = json.loads(body)
        name = f"{asked['organization']}/{asked['name']}"
        kind = f"{asked.get('type', 'model')}s/{name}"
        prefix = "spaces/" if kind.startswith("spaces") else ""
        told = {"url": f"{self.hub.address}/{prefix}{name}"}
        if kind in self.hub.written:
            self._json(told, 409)
            return
        made = self.hub.written[kind] = Written(asked, hardware=asked.get("hardware"))
        for key in ("variables", "secrets"):
            getattr(made, key).update({one["key"]: one["value"] for one in asked.get(key) or []})
        made.volumes = asked.get("volumes") or []
        self._json(told)

    def _bucket(self, body: bytes, name: str) -> None:
        self.hub.buckets.append(name)
        self._json({"url": f"{self.hub.address}/buckets/{name}"})

    def _preupload(self, body: bytes) -> None:
        large = [
            one["path"] for one in json.loads(body)["files"] if one["path"].endswith("tensors")
        ]
        self._json({"files": [
            {"path": one["path"], "uploadMode": "lfs" if one["path"] in large else "regular",
             "shouldIgnore": False, "oid": None}
            for one in json.loads(body)["files"]
        ]})  # fmt: skip

    def _batch(self, body: bytes) -> None:
        objects = []
        for one in json.loads(body)["objects"]:
            there = {"upload": {"href": f"{self.hub.address}/upload/{one['oid']}"}}
            more = {} if one["oid"] in self.hub.uploads else {"actions": there}
            objects.append({**one, **more})
        self._json({"transfer": "basic", "objects": objects})

    def _upload(self, name: str, size: int) -> None:
        if self.hub.says.get("upload"):
            state, words = self.hub.says["upload"].pop(0)
            self.rfile.read(size)
            self._json({"error": words}, state)
        elif self.hub.upload_cuts:
            self.hub.upload_cuts -= 1
            self.rfile.read(size // 2)
            self.close_connection = True
            self.connection.close()
        else:
            data = self.rfile.read(size)
            assert hashlib.sha256(data).hexdigest() == name
            self.hub.uploads[name] = data
            self._json({})

    def _commit(self, body: bytes, name: str) -> None:
        found = self.hub.written[name]
        for line in map(json.loads, body.splitlines()):
            value, path = line["value"], line["value"].get("path")
            if line["key"] == "file":
                found.files[path] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                found.files[path] = self.hub.uploads[value["oid"]]
            elif line["key"] == "deletedFile":
                found.files.pop(path, None)
        found.commits += 1
        url = f"{self.hub.address}/{name}/commit/{found.commits:040x}"
        self._json({"commitUrl": url, "commitOid": f"{found.commits:040x}", "success": True})

    def _set(self, body: bytes, name: str, what: str) -> None:
        found, asked = self.hub.written[name], json.loads(body or b"{}")
        if what in ("variables", "secrets"):
            getattr(found, what)[asked["key"]] = asked["value"]
        elif what == "hardware":
            found.hardware = asked["flavor"]
        elif what == "volumes":
            found.volumes = asked["volumes"]
        else:
            found.restarts.append(self.path.partition("?")[2])
        self._json({} if what == "variables" else self._runtime(found))

    def _runtime(self, one: Written) -> dict[str, Any]:
        hardware = {"current": one.hardware, "requested": one.hardware}
        return {"stage": "RUNNING", "hardware": hardware, "volumes": one.volumes}

    def _token(self) -> str:
        return (self.headers.get("authorization") or "").removeprefix("Bearer ")

    def _json(self, value: Any, state: int = 200, told: dict[str, str] | None = None) -> None:
        data = json.dumps(value).encode()
        self.send_response(state)
        for key, text in {**(told or {}), "Content-Length": str(len(data))}.items():
            self.send_header(key, text)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
