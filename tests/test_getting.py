"""``lmlab get`` and ``lmlab doctor``, and what pickers offer."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lmlab.assets import models_dir
from lmlab.cli.main import main
from lmlab.lab import Lab
from lmlab.models import hub
from lmlab.models.known import known
from lmlab.parts.pickers import about_models
from lmlab.settings import Settings
from tests.hubserver import Hub, served

TINY = models_dir() / "tiny"
ADAPTER = models_dir() / "adapters" / "qa"
HALF = 300_000  # bytes of the weights of tiny, which has 600,800


@pytest.fixture
def near(tmp_path, monkeypatch):
    """A hub with a model and an adapter, and this machine's cache apart."""
    with served(Hub({"lab/tiny": TINY, "lab/qa": ADAPTER})) as near:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr(hub, "endpoint", lambda: near.address)
        monkeypatch.setattr(hub, "cache_dir", lambda: tmp_path / "cache")
        yield near


def asked(capsys, *words: str) -> tuple[int, dict]:
    """The status of a command, and its JSON."""
    status = main([*words, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_a_model_is_fetched_with_its_size_first(near, capsys):
    assert main(["get", "lab/tiny", "base"]) == 0
    first, embedded, last = capsys.readouterr().out.splitlines()
    assert first == "lab/tiny: 0.00087 GB, 0.00087 GB to come; 0.0012 GB in memory."
    assert embedded == "base: here already, and not from the Hub."
    assert last.startswith("lab/tiny: here, and its sums are right. /")
    status, told = asked(capsys, "get", "lab/tiny")
    assert (status, told["models"][0]["fetched_bytes"]) == (0, 0)
    assert near.files == ["model.safetensors"]


def test_what_would_come_is_said_and_nothing_fetched(near, capsys):
    assert main(["get", "lab/tiny", "--dry-run"]) == 0
    assert "0.00087 GB to come" in capsys.readouterr().out
    assert not [path for path in near.asked if "/resolve/" in path]


def test_one_that_is_missing_keeps_none_of_the_others_back(near, capsys):
    status = main(["get", "lab/none", "lab/tiny", "base+lab/qa", "--json"])
    out, err = capsys.readouterr()
    assert status == 2
    assert "no model named ‘lab/none’" in err
    none, tiny, adapter = json.loads(out)["models"]
    assert "lab/none" in none["error"]
    assert [one["name"] for one in adapter["repositories"]] == ["lab/qa"]
    for one in (tiny, adapter):
        assert one["error"] is None
        assert (Path(one["folders"][0]) / "README.md").exists() is False
        assert one["fetched_bytes"] == one["repositories"][0]["bytes"] > 0


def test_what_is_here_is_enough_without_a_network(near, capsys, monkeypatch):
    main(["get", "lab/tiny"])
    monkeypatch.setattr(hub, "endpoint", lambda: "http://127.0.0.1:9")
    assert main(["get", "lab/tiny"]) == 0
    assert "here already" in capsys.readouterr().out
    assert main(["get", "lab/other"]) == 2
    assert "not on this machine, and the Hub cannot be reached" in capsys.readouterr().err


def test_too_large_a_model_is_refused_with_what_fits(near, capsys, monkeypatch):
    monkeypatch.setenv("LMLAB_MEMORY_GB", "0.0001")
    assert main(["get", "lab/tiny"]) == 2
    assert "needs 0.0012 GB of memory; a model may take 0.0001 GB" in capsys.readouterr().err
    assert not [path for path in near.asked if "/resolve/" in path]


def test_ctrl_c_keeps_what_came(tmp_path):
    import threading

    near = Hub({"lab/tiny": TINY}, cuts=[HALF], held=threading.Event())
    with served(near):
        env = {
            **os.environ, "HF_ENDPOINT": near.address, "HF_HOME": str(tmp_path),
            "HF_HUB_OFFLINE": "0",
        }  # fmt: skip
        command = [sys.executable, "-m", "lmlab", "get", "lab/tiny"]
        # It hears Ctrl-C, also where the tests were started in the background of a shell.
        deaf = signal.signal(signal.SIGINT, signal.default_int_handler)
        begun = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)
        signal.signal(signal.SIGINT, deaf)
        end = time.monotonic() + 120
        while sum(one.stat().st_size for one in tmp_path.rglob("*.part.incomplete")) < HALF - 9000:
            assert time.monotonic() < end
            assert begun.poll() is None
            time.sleep(0.05)
        begun.send_signal(signal.SIGINT)
        _, err = begun.communicate(timeout=120)
        assert begun.returncode == 130
        assert "What came is kept" in err
        (part,) = tmp_path.rglob("*.part.incomplete")
        kept = part.stat().st_size
        assert HALF - 9000 < kept <= HALF
        near.held.set()
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        assert "its sums are right" in done.stdout
        assert near.ranges == [f"bytes={kept}-"]


def test_the_doctor_finds_the_course_ready(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "cache_dir", lambda: tmp_path)
    status, told = asked(capsys, "doctor")
    assert (status, told["ready"]) == (0, True)
    # A model of the Hub that is not here leaves a scene with its stored result.
    assert all(scene["runs"] or scene["stored"] for scene in told["scenes"])
    away = [scene for scene in told["scenes"] if not scene["runs"]]
    assert {one["mend"] for scene in away for one in scene["lacks"]} == {
        "lmlab get HuggingFaceTB/SmolLM2-135M-Instruct"
    }
    models = {one["name"]: one for one in told["models"]}
    assert models["base"]["here"]
    gpt2 = models["openai-community/gpt2"]
    assert (gpt2["here"], gpt2["get"]) == (False, "lmlab get openai-community/gpt2")
    assert {"device", "threads", "memory_free_gb", "disk_free_gb"} <= {*told["machine"]}


def test_the_doctor_says_what_is_missing_and_what_mends_it(near, capsys, tmp_path):
    scene = "title: t\npoint: p\ntab: completion\ninputs: {model: lab/tiny, prompt: a}\nrun: go\n"
    (tmp_path / "scenes").mkdir()
    (tmp_path / "scenes" / "01-own.yaml").write_text(scene)
    place = ["--scenes", str(tmp_path / "scenes")]
    status, told = asked(capsys, "doctor", *place)
    assert status == 1
    assert told["scenes"][0]["lacks"] == [
        {"why": "‘lab/tiny’ is not on this machine.", "mend": "lmlab get lab/tiny"}
    ]
    assert main(["doctor", *place]) == 1
    assert "lmlab get lab/tiny" in capsys.readouterr().out
    # The very command mends it.
    assert main(told["scenes"][0]["lacks"][0]["mend"].split()[1:]) == 0
    capsys.readouterr()
    assert asked(capsys, "doctor", *place)[0] == 0


def test_the_doctor_tells_a_model_that_does_not_fit_as_loading_does(capsys, monkeypatch):
    monkeypatch.setenv("LMLAB_MEMORY_GB", "0.001")
    status, told = asked(capsys, "doctor")
    assert status == 1
    why = "‘base’ needs 0.02 GB of memory; a model may take 0.001 GB here."
    assert why in {one["why"] for scene in told["scenes"] for one in scene["lacks"]}
    assert main(["score", "--text", "a"]) == 2
    assert why in capsys.readouterr().err


def test_the_doctor_tries_models_and_looks_at_the_port(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(hub, "cache_dir", lambda: tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, told = asked(capsys, "doctor", "--try", "--port", str(port))
    assert (status, told["port"]) == (0, {"number": port, "free": False})
    tried = {one["name"]: one["tried"] for one in told["models"]}
    assert tried["tiny"].startswith("perplexity ")
    assert tried["openai-community/gpt2"] == ""


def names(**given) -> list[str]:
    return Lab.open(Settings(**given)).model_names()


def test_pickers_offer_what_is_known_and_what_is_here_first(near, capsys):
    listed = [one.name for one in known()]
    assert [name for name in names() if name in listed] == listed
    near.repos["EleutherAI/pythia-70m"] = TINY
    main(["get", "EleutherAI/pythia-70m", "lab/tiny"])
    found = [name for name in names() if "/" in name and "base-steps" not in name]
    assert found[:2] == ["EleutherAI/pythia-70m", "lab/tiny"]
    assert names(offline=True).count("EleutherAI/pythia-70m") == 1
    assert "openai-community/gpt2" not in names(offline=True)


def test_no_picker_offers_what_the_host_forbids(near, capsys):
    main(["get", "lab/tiny"])
    forbidden = {one.name for one in known()} | {"lab/tiny"}
    assert not forbidden & {*names(allow_hub=False)}
    assert forbidden & {*names(models=("distilbert/*",))} == {"distilbert/distilgpt2"}
    assert "Qwen/Qwen3-0.6B-Base" not in names(public=True)
    # What the host has fetched for himself is nobody's business.
    assert "lab/tiny" not in names(public=True, models=("*",))
    assert "lab/tiny" in names()


def test_pickers_tell_size_licence_and_what_a_model_is_good_for(near):
    told = about_models(Lab.open(Settings(device="cpu")))
    assert '[aria-label="openai-community/gpt2"]::after{content:"0.55 GB to fetch · MIT · ' in told
    assert "gated" in told
    small = about_models(Lab.open(Settings(device="cpu", memory_gb=1.0)))
    assert "too large here: needs 2.4 GB of memory of 1 GB · 1.2 GB to fetch" in small
    assert "Qwen" not in about_models(Lab.open(Settings(public=True)))
