"""Settings that hold below the page, what is said to the outside, what a Space is sent."""

import json
import logging
import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from lmlab.cli.main import main
from lmlab.deployment import constraints
from lmlab.errors import InputError, MemoryLimitError, ModelError
from lmlab.features.tuning.service import Tuning
from lmlab.hosting import logs, space
from lmlab.hosting.headers import SPACES, Headers
from lmlab.hosting.health import Counted, Health, Vitals, exposition, public_name, vitals
from lmlab.hosting.logs import RequestLog
from lmlab.hosting.middleware import layers
from lmlab.hosting.page_cache import Shelf
from lmlab.hosting.route_filter import Doors
from lmlab.lab import Lab
from lmlab.models.hub import Repo
from lmlab.models.wanted import HubFile
from lmlab.runs.model_store import ModelStore
from lmlab.settings import PUBLIC, Settings, read_settings
from lmlab.text.wordings import shipped_template
from tests import loops
from tools import audit

ROOT = Path(__file__).parent.parent
TOKEN = "hf_" + "q" * 30


def asked(app, path="/", method="GET", headers=(), body=b"", query=b"", chunks=None):
    """(status, headers, body) of one request to an ASGI app."""
    sent = []
    pieces = list(chunks or [body])

    async def receive():
        piece = pieces.pop(0) if pieces else b""
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "path": path, "method": method, "headers": list(headers),
        "query_string": query, "root_path": "",
    }  # fmt: skip
    loops.run(app(scope, receive, send))
    start = sent[0]
    answered = b"".join(one.get("body", b"") for one in sent[1:])
    found = {key.decode().lower(): value.decode() for key, value in start["headers"]}
    return start["status"], found, answered


def page(body=b"hello", kind=b"text/plain", status=200):
    """An app that reads all it is sent and answers one thing."""

    async def app(scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


async def broken(scope, receive, send):
    raise KeyError("what the visitor typed")


# Settings


def test_a_public_page_starts_from_less_and_what_is_said_holds(monkeypatch):
    assert Settings().may_fetch("anyone/anything")
    public = Settings(public=True)
    assert {name: getattr(public, name) for name in PUBLIC} == dict(PUBLIC)
    assert public.may_fetch("openai-community/gpt2")
    assert not public.may_fetch("anyone/anything")
    monkeypatch.setenv("LMLAB_PUBLIC", "1")
    monkeypatch.setenv("LMLAB_MODELS", "EleutherAI/pythia-*, me/mine")
    monkeypatch.setenv("LMLAB_ALLOW_LOCAL", "true")
    said = read_settings(max_steps="700")
    assert (said.allow_local, said.max_steps, said.max_rank) == (True, 700, PUBLIC["max_rank"])
    assert said.models == ("EleutherAI/pythia-*", "me/mine")
    assert said.listed == ["me/mine"]
    assert Settings(**said.model_dump(mode="json")) == said
    # A question mark in the name of a backend's model stands for itself.
    mocks = Settings(models=("mock:scripted?chat",))
    assert (mocks.listed, mocks.any_model) == (["mock:scripted?chat"], False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_steps", "many"), ("memory_gb", "nan"), ("memory_gb", "-1"), ("public", "perhaps"),
        ("max_upload_mb", "1e9"), ("device", "toaster"), ("logs", "xml"),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_be_is_a_sentence(name, value, monkeypatch):
    monkeypatch.setenv(f"LMLAB_{name.upper()}", value)
    with pytest.raises(InputError, match=f"LMLAB_{name.upper()} cannot be"):
        read_settings()


def test_every_setting_has_a_flag(capsys):
    with pytest.raises(SystemExit):
        main(["app", "--help"])
    told = capsys.readouterr().out
    flags = [f"--{name.replace('_', '-')}" for name in Settings.model_fields]
    assert not [flag for flag in flags if flag not in told]
    assert main(["app", "--max-steps", "x"]) == 2
    assert "LMLAB_MAX_STEPS" in capsys.readouterr().err


def test_the_store_keeps_to_the_list_and_to_the_size(folder, monkeypatch):
    store = ModelStore(Settings(public=True))
    for name in ("anyone/anything", "base+anyone/anything"):
        with pytest.raises(ModelError, match="not among the models"), store.borrow(name):
            pass
    path = str(folder())
    roomy = ModelStore(Settings(max_model_gb=1.0))
    with roomy.borrow(path) as lm:
        assert lm.context
    tight = ModelStore(Settings(max_model_gb=1e-6))
    with pytest.raises(MemoryLimitError, match="a model may take"), tight.borrow(path):
        pass
    # What is fetched is bounded by the same number before it is fetched.
    seen = []
    monkeypatch.setattr("lmlab.models.hub.fetch", lambda *args: seen.append(args[2]) or Path(path))
    with roomy.borrow("openai-community/gpt2"):
        pass
    (check,) = seen
    file = HubFile("model.safetensors", 600_000_000, "")
    repo = Repo("openai-community/gpt2", "", None, "", (file,), None)
    check(repo)
    # Half as many bytes for a number there as here.
    with pytest.raises(MemoryLimitError, match=r"needs 1\.2 GB of memory; a model may take 1 GB"):
        check(replace(repo, numbers=300_000_000))


def test_no_training_means_none_by_any_way(tmp_path):
    lab = Lab.open(Settings(training=False, offline=True, runs_dir=tmp_path))
    data = lab.service(Tuning).dataset("qa")
    owner = "0" * 32
    from lmlab.training.config import FinetuneConfig

    config = FinetuneConfig(steps=1)
    with pytest.raises(InputError, match="switched off"):
        lab.service(Tuning).start(owner, "base", data, shipped_template("qa-tuned"), config)
    with pytest.raises(InputError, match="switched off"):
        lab.service(Tuning).resume(owner, "0" * 16)
    lab.service(Tuning).warm()
    assert lab.jobs.counts() == (0, 0)
    assert list(tmp_path.iterdir()) == []


def test_data_sets_of_the_hub_can_be_shut():
    with pytest.raises(InputError, match="not asked here"):
        Lab.open(Settings(allow_datasets=False)).service(Tuning).hub_table("me/mine")


# Headers


def test_only_the_pages_own_scripts_carry_the_nonce():
    html = b'<html><script>a()</script><script type="module" src="x"></script><scripty></html>'
    status, headers, body = asked(Headers(Shelf(page(html, b"text/html"))))
    nonce = re.search(r"'nonce-([\w-]{16,})'", headers["content-security-policy"])[1]
    assert body.count(f'<script nonce="{nonce}"'.encode()) == 2
    assert b"<scripty>" in body
    assert int(headers["content-length"]) == len(body)
    assert status == 200
    again = asked(Headers(Shelf(page(html, b"text/html"))))[1]["content-security-policy"]
    assert nonce not in again
    scripts = re.search(r"script-src ([^;]*)", headers["content-security-policy"])[1]
    assert "unsafe-inline" not in scripts
    assert "http" not in scripts


def test_nobody_frames_the_page_but_those_who_may():
    _, alone, _ = asked(Headers(page()))
    assert "frame-ancestors 'none'" in alone["content-security-policy"]
    assert alone["x-frame-options"] == "DENY"
    _, framed, _ = asked(Headers(page(), SPACES))
    assert "frame-ancestors https://huggingface.co" in framed["content-security-policy"]
    assert "x-frame-options" not in framed
    lab = Lab.open(Settings(framed_by="https://course.example"))
    for on_space, sites in ((False, ["https://course.example"]), (True, SPACES)):
        (one,) = [one for one in layers(lab, lambda: 0, on_space) if one.cls is Headers]
        assert set(sites) <= set(one.kwargs["framed_by"])


# Doors


@pytest.mark.parametrize(
    "path",
    [
        "/monitoring", "/monitoring/summary", "/gradio_api/deep_link", "/gradio_api//deep_link",
        "/gradio_api/vibe-code/", "/gradio_api/proxy=http://10.0.0.1/", "/gradio_api/run/score",
        "/gradio_api/api/score", "/gradio_api/run-history/records", "/openapi.json", "/login",
        "/gradio_api/process_recording", "/gradio_api/dev/reload", "/gradio_api/token",
        "/gradio_api/file=http://93.184.215.14/x", "/gradio_api/file/http://93.184.215.14/x",
        "/gradio_api/file=//host/share", "/gradio_api/file=\\\\host\\share", "/gradio_api/file=x",
        "/gradio_api/file=/a/../../etc/passwd", "/gradio_api/whatever-comes-next", "/whatever",
        "/assets/../x", "/assets//x", "/assets/./x", "http://10.0.0.1/", "//10.0.0.1/",
    ],
)  # fmt: skip
def test_what_the_page_does_not_use_is_shut(path):
    for method in ("GET", "POST", "HEAD", "PUT", "OPTIONS"):
        assert asked(Doors(page()), path, method)[0] == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"), ("HEAD", "/"), ("GET", "/config"), ("GET", "/assets/index.js"),
        ("GET", "/gradio_api/file=/tmp/lmlab-0/run.zip"), ("GET", "/gradio_api/file=C:\\t\\x.csv"),
        ("GET", "/gradio_api/heartbeat/ab12"), ("GET", "/gradio_api/call/score/abc"),
        ("POST", "/gradio_api/queue/join"), ("POST", "/gradio_api/call/score"),
        ("POST", "/gradio_api/component_server"), ("POST", "/gradio_api/upload"),
    ],
)  # fmt: skip
def test_what_the_page_uses_is_open(method, path):
    assert asked(Doors(page()), path, method)[0] == 200
    assert asked(Doors(page()), "/", query=b"deep_link=abc")[0] == 404


def test_what_is_sent_is_bounded_whatever_it_says_of_itself():
    doors = Doors(page(), upload_bytes=100)
    path = "/gradio_api/upload"
    assert asked(doors, path, "POST", body=b"x" * 100)[0] == 200
    assert asked(doors, path, "POST", chunks=[b"x" * 60, b"x" * 60])[0] == 413
    for length in (b"101", b"9" * 40, b"-1", b"1e3"):
        assert asked(doors, path, "POST", [(b"content-length", length)])[0] == 413
    assert asked(Doors(page(), uploads=False), path, "POST")[0] == 403
    assert asked(doors, "/gradio_api/queue/join", "POST", body=b"x" * 5000)[0] == 200


def test_a_call_that_breaks_the_server_says_its_number_and_nothing_else():
    app = RequestLog(Doors(broken))
    status, headers, body = asked(app, "/gradio_api/queue/join", "POST")
    assert status == 400
    assert headers["x-request-id"] in json.loads(body)["detail"]
    assert b"typed" not in body
    assert asked(app, "/")[0] == 500


# Health


def test_health_names_what_is_loaded_and_no_folder(folder):
    lab = Lab.open(Settings(offline=True))
    with lab.store.borrow("tiny"), lab.store.borrow(str(folder())):
        found = vitals(lab, lambda: 3)
    assert sorted(found.models) == ["a folder", "tiny"]
    assert (found.ready, found.queue, found.runs, found.waiting_runs) == (True, 3, 0, 0)
    assert found.memory_bytes > 50_000_000
    assert public_name("/data/lmlab/runs/0123456789abcdef/full-10", {}) == "a fine-tuned model"


def test_health_and_metrics_answer_before_anything_else():
    found = Vitals(True, "1", ("base",), 2, 1, 4, 1000)
    app = Health(page(status=418), lambda: found, metrics=True)
    status, headers, body = asked(app, "/health")
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body)["models"] == ["base"]
    asked(app, "/x")
    told = asked(app, "/metrics")[2].decode()
    assert 'lmlab_requests_total{status="418"} 1' in told
    assert "lmlab_runs_waiting 4" in told
    assert asked(Health(page(status=404), lambda: found), "/metrics")[0] == 404
    for line in exposition(found, Counted()).splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) .+|\w+(\{status="\d+"\})? [\d.]+', line)


# Logs


@pytest.fixture
def written():
    """``written(settings)``: a stream that the log goes to; put back afterwards."""
    log = logging.getLogger("lmlab")
    before = (list(log.handlers), log.level, log.propagate)
    stream = StringIO()

    def start(**settings):
        logs.start(Settings(**settings), stream)
        return stream

    yield start
    log.handlers[:], log.level, log.propagate = before


def test_a_line_of_the_log_is_json_with_the_requests_id(written):
    stream = written(logs="json")
    headers = asked(RequestLog(page()), "/gradio_api/call/score/SESSION", query=b"text=private")[1]
    (line,) = map(json.loads, stream.getvalue().splitlines())
    assert line["request"] == headers["x-request-id"]
    assert (line["method"], line["status"]) == ("GET", 200)
    assert "private" not in str(line)
    assert "SESSION" not in str(line)


@pytest.mark.parametrize("form", ["plain", "json"])
@pytest.mark.parametrize("debug", [False, True])
def test_secrets_stand_in_no_line(form, debug, written, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "an-odd-token-of-the-host")
    stream = written(logs=form, debug=debug)
    log = logging.getLogger("lmlab")
    try:
        raise ValueError(f"refused {TOKEN} for what was typed")
    except ValueError:
        log.exception("with %s and an-odd-token-of-the-host", TOKEN)
    told = stream.getvalue()
    assert TOKEN not in told
    assert "an-odd-token-of-the-host" not in told
    assert "ValueError" in told
    assert ("Traceback" in told) == debug
    assert ("what was typed" in told) == debug


def test_a_visitors_token_is_in_no_error(monkeypatch):
    from lmlab.runs import hub as hubruns

    class Refusing:
        def __init__(self, **given):
            raise RuntimeError(f"bad credentials: {given}")

    monkeypatch.setattr(hubruns, "HfApi", Refusing)
    with pytest.raises(InputError) as error:
        hubruns.push(ROOT, "me/mine", TOKEN, True)
    found, text = error.value, ""
    while found is not None:
        text, found = text + str(found), found.__cause__ or found.__context__
    assert TOKEN not in text


# Space


def test_a_space_is_sent_the_page_and_nothing_else():
    what = space.parcel(ROOT)
    paths = [path for path, _ in what.files]
    assert {"app.py", "README.md", "requirements.txt", "lmlab/lab.py"} <= set(paths)
    assert "assets/models/base/model.safetensors" in paths
    assert not [p for p in paths if p.startswith(("tests/", "bench/", ".")) or "__pycache__" in p]
    assert max(size for _, size in what.files) < 10_000_000
    assert what.n_bytes == sum((ROOT / path).stat().st_size for path in paths)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--space", "../x"], ["--space", "no-owner"], ["--space", "a/b", "--set", "PATH=/x"],
        ["--space", "a/b", "--set", "LMLAB_MODEL"], ["--space", "a/b", "--from", "/nowhere"],
    ],
)  # fmt: skip
def test_what_cannot_be_deployed_is_a_sentence(arguments, capsys):
    assert main(["deploy", *arguments, "--dry-run"]) == 2
    assert capsys.readouterr().err.startswith("lmlab: ")


# Image


def test_the_image_is_made_by_the_readmes_steps():
    docker = (ROOT / "Dockerfile").read_text()
    steps = (ROOT / "README.md").read_text()
    runs = re.findall(r"^RUN (\S.*)$", docker, re.MULTILINE)[:3]
    assert runs[0] == "python3 -m venv .venv"
    for step in (runs[0], runs[2]):
        assert re.search(rf"^{re.escape(step)}\s", steps, re.MULTILINE), step
    # The README has this one for any Python: `pip` instead of the environment's own.
    assert runs[1].removeprefix(".venv/bin/") in steps
    assert re.search(r"^FROM python:3\.\d+\.\d+-slim-\w+$", docker, re.MULTILINE)
    user = re.search(r"^USER (\w+)$", docker, re.MULTILINE)
    assert user[1] not in ("root", "0")
    assert docker.index("USER ") < docker.index("\nCMD ")
    assert "/health" in re.search(r"^HEALTHCHECK .*?\n.*$", docker, re.MULTILINE)[0]
    assert ".venv/bin/lmlab app" in docker
    assert "LMLAB_PUBLIC=true" in docker
    written = re.findall(r"(?:HOME|TMPDIR|HF_HOME|LMLAB_RUNS_DIR)=(\S+)", docker)
    assert written
    assert all(place.startswith("/data") for place in written)


def test_the_builder_is_sent_what_is_copied():
    docker = (ROOT / "Dockerfile").read_text()
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"}
    copied = {one for line in re.findall(r"^COPY (.*) \S+$", docker, re.M) for one in line.split()}
    assert copied == kept
    assert all((ROOT / name).exists() for name in copied)


def test_the_pinned_versions_are_within_the_projects_bounds():
    from packaging.requirements import Requirement

    pinned = dict(audit.pins((ROOT / "constraints.txt").read_text()))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for line in project["dependencies"]:
        wanted = Requirement(line)
        assert {"<", "=="} & {one.operator for one in wanted.specifier}, f"{line} has no bound"
        name = wanted.name.lower().replace("_", "-")
        assert wanted.specifier.contains(pinned[name]), f"{line}: run `make constraints`"
    made = constraints(ROOT / "pyproject.toml")
    assert re.search(r"^torch==[\d.]+$", made, re.MULTILINE)


def test_the_audit_fails_on_what_is_known_and_says_when_it_could_not_ask(tmp_path, capsys):
    file = tmp_path / "constraints.txt"
    file.write_text("# pins\ngood==1.0\nbad==2.0\n")

    def ask(query):
        names = [one["package"]["name"] for one in query["queries"]]
        return {"results": [{"vulns": [{"id": "GHSA-x"}]} if n == "bad" else {} for n in names]}

    assert audit.main(str(file), ask) == 1
    assert "bad 2.0: GHSA-x" in capsys.readouterr().out
    file.write_text("good==1.0\n")
    assert audit.main(str(file), ask) == 0

    def unreachable(query):
        raise OSError("no route")

    assert audit.main(str(file), unreachable) == 0
    assert "not audited" in capsys.readouterr().out


def test_the_hosted_entry_is_public_unless_said_otherwise():
    code = "import app; s = app.settings; print(s.public, s.allow_local, s.model, 'torch' in {m})"
    for told, expected in (({}, "True False"), ({"LMLAB_PUBLIC": "false"}, "False True")):
        done = subprocess.run(
            [sys.executable, "-c", code.replace("{m}", "__import__('sys').modules")],
            cwd=ROOT, capture_output=True, text=True, check=True,
            env={"PATH": "/usr/bin", "HOME": "/tmp", "SPACE_ID": "me/lab", **told},
        )  # fmt: skip
        assert done.stdout.strip() == f"{expected} base False"
