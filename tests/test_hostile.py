"""What strangers send: to the library, and straight to a served page past its forms."""

import gzip
import http.server
import json
import math
import os
import shutil
import socket
import struct
import threading
import time
import zipfile
from io import BytesIO
from pathlib import Path

import httpx
import pytest
import torch

from bench.fuzz import Fuzz
from lmlab.errors import InputError, LabError, ModelError
from lmlab.features.tuning.service import Tuning
from lmlab.generation.config import GenerateConfig
from lmlab.lab import Lab
from lmlab.models import hub
from lmlab.page.app import launch
from lmlab.runs.model_store import ModelStore
from lmlab.runs.store import Runs
from lmlab.scoring.scored import Scored
from lmlab.settings import Settings
from lmlab.text.sets import read_table, shipped
from lmlab.text.wordings import shipped_source
from lmlab.training.config import FinetuneConfig
from tests import folders

OWNER = "0" * 32
NUMBERS = (math.nan, math.inf, -math.inf, 1e308, -1, -1e308, 2**70)
PATHS = (
    "../base", "..", "/etc", "base/../../etc", "~", "adapters/../../models/base", "file:///etc",
    "C:\\windows", "base\0", "\\\\host\\share", "models/base", "./base", "runs/x",
    "x" * 300, f"{'x' * 90}/{'y' * 300}", "~nobody-of-this-name", "~nobody-of-this-name/x",
    "qa (α = e)", "a\ud800", "/" + "x" * 4000,
)  # fmt: skip
ADDRESSES = (
    "http://169.254.169.254/latest/meta-data", "https://10.0.0.1/x", "//10.0.0.1/x",
    "localhost:80/x", "127.0.0.1:9", "[::1]/x", "x/y/z", "x?y=http://10.0.0.1",
    "x/y#z", "x/..", "x/y%2f..",
)  # fmt: skip


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Lab:
    """A public page's lab, without training."""
    runs = tmp_path_factory.mktemp("runs")
    return Lab.open(Settings(public=True, offline=True, training=False, runs_dir=runs))


@pytest.fixture(scope="module")
def uploads(tmp_path_factory):
    """Where visitors' files go."""
    before = os.environ.get("GRADIO_TEMP_DIR")
    os.environ["GRADIO_TEMP_DIR"] = str(tmp_path_factory.mktemp("uploads"))
    yield Path(os.environ["GRADIO_TEMP_DIR"])
    os.environ.pop("GRADIO_TEMP_DIR")
    if before:
        os.environ["GRADIO_TEMP_DIR"] = before


@pytest.fixture(scope="module")
def address(lab, uploads):
    """The page over it."""
    app, found, _ = launch(lab, prevent_thread_lock=True, quiet=True)
    yield found.rstrip("/")
    app.blocks.close(verbose=False)


def scored(lab: Lab, *args, **given) -> Scored:
    return next(one for one in lab.score(*args, **given) if isinstance(one, Scored))


# Names


# The others have the form of an id.
@pytest.mark.parametrize("name", [*sorted({*PATHS} - {"models/base", "runs/x"}), *ADDRESSES])
def test_a_model_or_adapter_is_a_name_and_nothing_else(name, monkeypatch):
    monkeypatch.setattr(hub, "fetch", lambda *args: pytest.fail(f"asked the Hub for {args[0]}"))
    store = ModelStore(Settings(allow_local=False))
    for ref in (name, f"base+{name}"):
        with pytest.raises(ModelError), store.borrow(ref):
            pass


@pytest.mark.parametrize("revision", ["../main", "http://10.0.0.1", "a b", "x" * 200, "?x", "-x"])
def test_a_revision_is_a_name_as_well(revision, monkeypatch):
    monkeypatch.setattr(hub, "fetch", lambda *args: pytest.fail("asked the Hub"))
    with pytest.raises(ModelError), ModelStore(Settings()).borrow(f"a/b@{revision}"):
        pass


def test_an_id_that_looks_like_an_address_is_asked_of_the_hub(monkeypatch):
    asked = []

    class Api:
        def __init__(self, endpoint=None, **given):
            asked.append(endpoint)

        def model_info(self, name, **given):
            raise OSError("no network")

    monkeypatch.setattr(hub, "HfApi", Api)
    with pytest.raises(ModelError), ModelStore(Settings()).borrow("10.0.0.1/latest"):
        pass
    assert asked == [hub.endpoint()]
    assert "10.0.0.1" not in hub.endpoint()


@pytest.mark.parametrize("name", [*PATHS, "0" * 15, "0" * 17, "0" * 15 + "G", "0" * 16 + "/.."])
def test_a_run_is_an_id_and_belongs_to_somebody(name, tmp_path, lab):
    (tmp_path / "run.json").write_text("{}")
    runs = Runs(tmp_path / "runs")
    assert runs.find(name) is None
    for ask in (
        lab.service(Tuning).run,
        lab.service(Tuning).archive,
        lab.service(Tuning).delete,
        lab.service(Tuning).stop,
    ):
        with pytest.raises(InputError, match="no such run"):
            ask(OWNER, name)


@pytest.mark.parametrize("name", [*PATHS, "__proto__", "<script>alert(1)</script>"])
def test_sets_and_templates_are_names(name, lab):
    for ask in (
        lab.service(Tuning).dataset,
        shipped,
        shipped_source,
    ):
        with pytest.raises(InputError):
            ask(name)
    with pytest.raises(InputError):
        Lab.open(Settings()).service(Tuning).hub_table(f"{name}/../x")


# Bombs


def zipped() -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("rows.csv", "a,b\n" * 2_000_000)
    return packed.getvalue()


BOMBS = {
    "zip": (zipped, "x.csv"),
    "gzip": (lambda: gzip.compress(b"a,b\n" * 2_000_000), "x.csv"),
    "equal columns": (lambda: b",".join([b"a"] * 20_000) + b"\n1\n", "x.csv"),
    "columns": (lambda: b",".join(b"a%d" % i for i in range(50_000)) + b"\n", "x.csv"),
    "rows": (lambda: b"a,b\n" + b"1,2\n" * 900_000, "x.csv"),
    "one cell": (lambda: b"a,b\n" + b"x" * 4_000_000 + b",1\n", "x.csv"),
    "an open quote": (lambda: b'a,b\n"' + b"x\n" * 1_000_000, "x.csv"),
    "NUL": (lambda: b"a,b\n\0,1\n", "x.csv"),
    "no text": (lambda: b"a,b\n\xff\xfe,1\n", "x.csv"),
    "deep JSON": (lambda: b'{"a": ' + b"[" * 500_000 + b"]" * 500_000 + b"}", "x.jsonl"),
    "a long number": (lambda: b'{"a": ' + b"9" * 1_000_000 + b"}", "x.jsonl"),
    "NaN": (lambda: b'{"a": NaN}', "x.jsonl"),
    "many keys": (lambda: json.dumps({f"k{i}": 1 for i in range(50_000)}).encode(), "x.jsonl"),
    "no Parquet": (lambda: b"PAR1" + b"\xff" * 1000 + b"PAR1", "x.parquet"),
    "a Parquet of no end": (lambda: b"PAR1" + struct.pack("<I", 2**31) + b"PAR1", "x.parquet"),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_table_that_swells_is_refused_in_time(kind, lab):
    make, name = BOMBS[kind]
    content = make()
    began = time.process_time()
    with pytest.raises(InputError):
        lab.service(Tuning).table(content, name)
    assert time.process_time() - began < 5


def test_keys_of_a_prototype_are_names_like_others():
    rows = b'{"__proto__": "a", "constructor": "b", "text": "c"}\n'
    table = read_table(rows, "x.jsonl")
    assert table.columns == ("__proto__", "constructor", "text")
    assert table.rows[0]["__proto__"] == "a"


@pytest.mark.parametrize("kind", ["pickle_only", "remote_code", "index_outside"])
def test_a_model_that_would_run_code_is_refused(kind, broken):
    made = broken(kind)
    with pytest.raises(ModelError), ModelStore(Settings()).borrow(str(made)):
        pass


def test_a_pickled_adapter_is_refused_and_not_opened(folder, lora_folder, tmp_path):
    marker = tmp_path / "ran"

    class Bomb:
        def __reduce__(self):
            return (Path.touch, (marker,))

    bad = tmp_path / "bad"
    shutil.copytree(lora_folder, bad)
    (bad / "adapter_model.safetensors").unlink()
    torch.save({"x": Bomb()}, bad / "adapter_model.bin")
    base = str(folder("llama", "bytelevel-bos"))
    with pytest.raises(LabError), ModelStore(Settings()).borrow(f"{base}+{bad}"):
        pass
    assert not marker.exists()


@pytest.mark.parametrize(
    "header",
    [
        struct.pack("<Q", 2**63),
        struct.pack("<Q", 2**30) + b"{}",
        struct.pack("<Q", 8) + b"[[[[[[[[",
        struct.pack("<Q", 77)
        + b'{"a":{"dtype":"F32","shape":[9999999,9999999],"data_offsets":[0,999999999]}}'.ljust(77),
    ],
)  # fmt: skip
def test_weights_that_lie_about_their_size_are_refused(header, tmp_path):
    bad = folders.save(tmp_path / "model")
    (bad / "model.safetensors").write_bytes(header)
    with pytest.raises(ModelError), ModelStore(Settings()).borrow(str(bad)):
        pass


def test_a_config_that_asks_for_the_world_takes_no_memory(tmp_path):
    bad = folders.save(tmp_path / "model")
    config = json.loads((bad / "config.json").read_text())
    (bad / "config.json").write_text("[" * 200_000)
    with pytest.raises(ModelError), ModelStore(Settings()).borrow(str(bad)):
        pass
    for key, value in (("hidden_size", -1), ("num_hidden_layers", "many"), ("vocab_size", 0)):
        (bad / "config.json").write_text(json.dumps({**config, key: value}))
        with pytest.raises(LabError), ModelStore(Settings()).borrow(str(bad)):
            pass


# Numbers


@pytest.mark.parametrize("value", NUMBERS)
def test_numbers_that_cannot_be_are_sentences(value):
    for name in ("temperature", "top_p", "min_p", "repetition_penalty", "top_k", "seed"):
        with pytest.raises(InputError):
            GenerateConfig(**{name: value})
    for name in ("rank", "alpha", "dropout", "steps", "batch_size", "learning_rate", "warmup"):
        with pytest.raises(InputError):
            FinetuneConfig(**{name: value})


@pytest.mark.parametrize("value", [*(one for one in NUMBERS if one != -1), "1", None, [], {}])
def test_a_dial_turned_too_far_is_a_sentence(value, lab):
    with pytest.raises(InputError):
        list(lab.compare("base", "base+qa", "a", alpha=value))


def test_one_endless_word_is_scored_or_refused(lab):
    assert scored(lab, "tiny", "a" * 4000).n_bytes == 4000
    with pytest.raises(InputError, match="characters"):
        scored(lab, "tiny", "a" * 20_001)


# A served page


def calls(address: str, name: str, values: list) -> tuple[int, str]:
    """(status, the events) of one call of a named function."""
    with httpx.Client(base_url=address, timeout=60) as client:
        body = json.dumps({"data": values})
        headers = {"content-type": "application/json"}
        joined = client.post(f"/gradio_api/call/{name}", content=body, headers=headers)
        if joined.status_code != 200:
            return joined.status_code, joined.text
        event = joined.json()["event_id"]
        return 200, client.get(f"/gradio_api/call/{name}/{event}").text


@pytest.mark.parametrize(
    "values",
    [
        [], ["a"], ["a", "", "base", math.nan],
        ["a", "", "base", 1e308], ["a", "", "base", -1], ["a", "", "base", "5"],
        [{"__proto__": 1}, "", "base", 5], [None, None, None, None], ["a", "", "../base", 5],
        ["a", "", ["base"], 5], ["\ud800", "", "base", 5], ["a", "", "http://10.0.0.1/", 5],
        ["a" * 20_001, "", "base", 5], ["", "", "base", 5],
    ],
)  # fmt: skip
def test_a_call_with_wrong_arguments_fails_without_a_word_of_the_inside(values, address):
    status, said = calls(address, "score", values)
    assert status < 500
    assert "Traceback" not in said
    assert 'File "' not in said
    # One argument is enough: the others have defaults.
    assert status != 200 or values == ["a"] or "event: error" in said


def test_a_script_is_text_to_programs(address):
    text = "<script>alert(1)</script>"
    _, said = calls(address, "score", [text, "", "tiny", 3])
    answer = json.loads(said.split("data: ", 1)[1])[0]
    assert "".join(token["text"] for token in answer["tokens"]) == text


def test_the_page_tells_nothing_of_the_machine(address):
    with httpx.Client(base_url=address) as client:
        for path in ("/", "/config", "/gradio_api/info", "/health", "/nothing"):
            text = client.get(path).text
            for secret in (str(Path(__file__).parents[1]), "site-packages", str(Path.home()) + "/"):
                assert secret not in text, path
    info = httpx.get(f"{address}/gradio_api/info").json()
    assert list(info["named_endpoints"]) == ["/score"]


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../../etc/passwd",
        "%2e%2e/%2e%2e/etc/passwd",
        "http://127.0.0.1:9/x",
        "app.py",
    ],
)
def test_no_file_is_served_but_the_pages_own(path, address):
    answer = httpx.get(f"{address}/gradio_api/file={path}", follow_redirects=False)
    assert answer.status_code in (400, 403, 404, 422)
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    "name", ["../../../x.csv", "/etc/x.csv", "a\0b.csv", "<img>.csv", "." * 300]
)
def test_an_uploads_name_leads_nowhere(name, address, uploads):
    boundary = "xx"
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    )
    body = head.encode() + b"a,b\n1,2\n" + f"\r\n--{boundary}--\r\n".encode()
    headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
    answer = httpx.post(f"{address}/gradio_api/upload", content=body, headers=headers)
    assert answer.status_code < 500
    if answer.status_code == 200:
        for path in answer.json():
            assert Path(path).resolve().is_relative_to(uploads.resolve())


def test_an_upload_is_bounded(address):
    files = {"files": ("x.csv", b"x" * 2_500_000)}
    assert httpx.post(f"{address}/gradio_api/upload", files=files).status_code == 413
    assert httpx.post(f"{address}/gradio_api/upload", content=b"x").status_code < 500


def test_an_upload_that_breaks_off_harms_nobody(address, uploads):
    host, port = address.removeprefix("http://").split(":")
    before = sum(1 for _ in uploads.rglob("*.csv"))
    for _ in range(5):
        with socket.create_connection((host, int(port))) as sock:
            sock.sendall(
                b"POST /gradio_api/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n"
                b"Content-Type: multipart/form-data; boundary=xx\r\n\r\n"
                b'--xx\r\nContent-Disposition: form-data; name="files"; filename="x.csv"\r\n\r\nabc'
            )
    time.sleep(0.5)
    assert httpx.get(f"{address}/health").json()["ready"]
    assert sum(1 for _ in uploads.rglob("*.csv")) == before


@pytest.fixture
def inside():
    """A server of this machine that nobody may reach through the page; the paths it was asked."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"a,b\n1,2\n")

        do_HEAD = do_POST = do_GET  # noqa: N815

        def log_message(self, *args):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, asked
    server.shutdown()
    server.server_close()


def events_with_files(config: dict) -> list[tuple[dict, int]]:
    """(event, place) of every input that takes a file."""
    kinds = {one["id"]: one["type"] for one in config["components"]}
    return [
        (event, place)
        for event in config["dependencies"]
        for place, key in enumerate(event["inputs"])
        if kinds.get(key) == "file"
    ]


def test_a_file_is_none_of_this_machine_and_none_of_another(address, inside, tmp_path):
    port, asked = inside
    own = tmp_path / "secret.csv"
    own.write_text("a,b\nSECRETCELL,2\n")
    with httpx.Client(base_url=address, timeout=60) as client:
        config = client.get("/config").json()
        props = {one["id"]: one["props"] for one in config["components"]}
        found = events_with_files(config)
        assert found
        for number, (event, place) in enumerate(found):
            for path in (str(own), f"http://127.0.0.1:{port}/x.csv", f"http://localhost:{port}/x"):
                values = [props.get(key, {}).get("value") for key in event["inputs"]]
                values[place] = {"path": path, "meta": {"_type": "gradio.FileData"}}
                session = f"s{number}{len(path)}"
                body = {"data": values, "fn_index": event["id"], "session_hash": session}
                assert client.post("/gradio_api/queue/join", json=body).status_code == 200
                said = listened(client, session)
                assert "SECRETCELL" not in said
                assert '"success":false' in said.replace(" ", "")
    assert asked == []


def listened(client: httpx.Client, session: str) -> str:
    """All that an event says until it is over."""
    said = []
    where = {"session_hash": session}
    with client.stream("GET", "/gradio_api/queue/data", params=where) as stream:
        for line in stream.iter_lines():
            said.append(line)
            if "process_completed" in line:
                break
    return "\n".join(said)


def test_bodies_that_are_no_calls_are_refused(address):
    with httpx.Client(base_url=address, timeout=30) as client:
        for path in (
            "queue/join",
            "run/predict",
            "call/score",
            "call/v2/score",
            "component_server",
        ):
            for body in (
                "",
                "{",
                "[]",
                "null",
                "[" * 100_000,
                '{"data": {}}',
                "\0",
                '{"data":1e999}',
            ):
                headers = {"content-type": "application/json"}
                answer = client.post(f"/gradio_api/{path}", content=body, headers=headers)
                assert 400 <= answer.status_code < 500, (path, body[:20], answer.text[:200])
                assert "Traceback" not in answer.text
        huge = client.post("/gradio_api/queue/join", content=b"[" + b"1," * 8_000_001)
        assert huge.status_code == 413


def test_generated_calls_find_no_crack(address, capfd):
    report = Fuzz(address, seed=11).run(20)
    assert report.faults == []
    assert report.calls > 10
    assert report.ends["failed"] + report.statuses[422] > 0
    assert "Traceback" not in capfd.readouterr().err.replace("A handler of the page failed", "")
