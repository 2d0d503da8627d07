"""A Space made, changed and filled, against a server on this machine that speaks the Hub's
protocol, through all that it may say no to."""

import json
import logging
import os
import random
import tarfile
import time
from functools import partial
from pathlib import Path

import pytest
import torch
import yaml
from huggingface_hub import HfApi
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from bench.visitor import Page, Visitor
from lmlab.cli.main import main
from lmlab.errors import InputError
from lmlab.features.tuning.service import Tuning
from lmlab.hosting import bucket, deploying, hub_offers
from lmlab.hosting.deploying import Plan
from lmlab.hosting.hub_offers import ZERO
from lmlab.hosting.route_filter import Doors
from lmlab.hosting.space import Parcel, parcel
from lmlab.lab import Lab
from lmlab.page.app import launch
from lmlab.runs.store import Runs
from lmlab.runs.worker import train
from lmlab.scoring.score import score
from lmlab.settings import Settings
from lmlab.training.card import origin
from tests import loops
from tests.hubserver import Hub, served
from tests.hubwrites import Written
from tests.test_hosting import asked, page
from tests.tuningbits import DATA, TEMPLATE, quick

ROOT = Path(__file__).parents[1]
TOKEN = "hf_" + "abcdefgh" * 4
FREE = {
    "type": "user", "name": "me", "isPro": False, "canPay": False, "emailVerified": True,
    "orgs": [{"type": "org", "name": "lab", "canPay": True}],
    "auth": {"type": "access_token", "accessToken": {"role": "write"}},
}  # fmt: skip


@pytest.fixture
def hub(monkeypatch):
    """The Hub, the command's client pointed at it; large files go the plain way, without pauses."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with served(Hub(accounts={TOKEN: FREE})) as hub:
        client = lambda: HfApi(endpoint=hub.address, token=os.environ["HF_TOKEN"])  # noqa: E731
        monkeypatch.setattr(deploying, "_client", client)
        yield hub


@pytest.fixture
def checkout(tmp_path) -> Parcel:
    """A small one, with a large file."""
    for name, text in {
        "app.py": "1", "requirements.txt": "torch", "LICENSE": "Apache", "lmlab/lab.py": "2",
        "docs/images/likelihood.png": "3",
        "README.md": (ROOT / "README.md").read_text(encoding="utf-8"),
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "assets/models").mkdir(parents=True)
    (tmp_path / "assets/models/model.safetensors").write_bytes(os.urandom(300_000))
    return parcel(tmp_path)


def test_a_space_is_made_with_all_that_it_needs_and_then_kept_new(hub, checkout, capsys):
    plan = Plan(
        "me/lab", private=True, variables={"LMLAB_TRAINING": "false"},
        secrets={"HF_TOKEN": "hf_of_the_space"}, bucket="me/runs",
    )  # fmt: skip
    address = deploying.deploy(checkout, plan)
    assert address == f"{hub.address}/spaces/me/lab"
    made = hub.written["spaces/me/lab"]
    assert (made.hardware, made.made["sdk"], made.made["visibility"]) == (ZERO, "gradio", "private")
    assert made.variables == {"LMLAB_TRAINING": "false"}
    assert made.secrets == {"HF_TOKEN": "hf_of_the_space"}
    assert hub.buckets == ["me/runs"]
    kept = [(one["type"], one["source"], one["mountPath"]) for one in made.volumes]
    assert kept == [("bucket", "me/runs", "/data")]
    assert set(made.files) == {path for path, _ in checkout.files}
    for path in ("assets/models/model.safetensors", "lmlab/lab.py"):
        assert made.files[path] == (checkout.root / path).read_bytes()
    front = yaml.safe_load(made.files["README.md"].decode().split("---\n")[1])
    assert front["thumbnail"].endswith("/spaces/me/lab/resolve/main/docs/images/likelihood.png")
    said = capsys.readouterr().out
    assert "Account me: free" in said
    assert "hf_of" not in said
    # Again: what is no longer part of the page goes, what somebody put beside it stays.
    made.files |= {"lmlab/old.py": b"", "notes.md": b""}
    made.tags, made.volumes = ["lmlab"], [{"type": "model", "source": "a/b", "mountPath": "/m"}]
    uploads = len(hub.uploads)
    again = Plan("me/lab", hardware="t4-small", variables={"LMLAB_MAX_RUNS": "2"},
                 secrets={"HF_TOKEN": "another"}, bucket="me/runs", rebuild=True)  # fmt: skip
    hub.prices = [{"name": "t4-small", "prettyName": "T4", "cpu": "4", "ram": "15",
                   "ephemeralStorage": "50", "accelerator": None, "unitCostMicroUSD": 400000,
                   "unitCostUSD": 0.4, "unitLabel": "hour"}]  # fmt: skip
    deploying.deploy(checkout, again)
    assert (made.hardware, made.commits, made.restarts) == ("t4-small", 2, ["factory=true"])
    assert made.variables["LMLAB_MAX_RUNS"] == "2"
    assert made.secrets == {"HF_TOKEN": "another"}
    assert [one["mountPath"] for one in made.volumes] == ["/m", "/data"]
    assert "notes.md" in made.files
    assert "lmlab/old.py" not in made.files
    assert len(hub.uploads) == uploads
    assert "T4 $0.4 a hour" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "state", "words", "said"),
    [
        ("create", 402, "Payment required", "paid plan only. Two Spaces with --hardware zero-a10g"),
        ("create", 403, "forbidden", "may not write to ‘me/lab’"),
        ("create", 409, "exists", "‘me/lab’ is taken"),
        ("create", 429, "slow down", "no more requests"),
        ("bucket", 403, "forbidden", "may not write to ‘me/runs’"),
        ("bucket", 403, "Private repository storage limit reached", "storage of the account"),
        ("upload", 403, "Private repository storage limit reached", "storage of the account"),
        ("commit", 413, "too large", "did not take ‘me/lab’ (413)"),
    ],
)
def test_what_the_hub_says_no_to_is_a_sentence(hub, checkout, kind, state, words, said):
    hub.says[kind] = [(state, words)]
    with pytest.raises(InputError) as error:
        deploying.deploy(checkout, Plan("me/lab", bucket="me/runs"))
    assert said in str(error.value)
    assert TOKEN not in str(error.value)
    assert words not in str(error.value)
    assert error.value.__context__ is None
    # Nothing is half there.
    assert hub.written.get("spaces/me/lab", Written({})).files == {}


def test_an_upload_that_is_cut_leaves_the_space_as_it_was_and_goes_on(hub, checkout):
    deploying.deploy(checkout, Plan("me/lab"))
    made = hub.written["spaces/me/lab"]
    made.tags, before = ["lmlab"], dict(made.files)
    (checkout.root / "assets/models/model.safetensors").write_bytes(os.urandom(300_000))
    (checkout.root / "lmlab/lab.py").write_text("new")
    hub.upload_cuts = 9
    with pytest.raises(InputError, match=r"the Hub broke\. The files go in one commit"):
        deploying.deploy(checkout, Plan("me/lab"))
    assert (made.files, made.commits) == (before, 1)
    hub.upload_cuts = 0
    deploying.deploy(checkout, Plan("me/lab"))
    assert made.files["lmlab/lab.py"] == b"new"


@pytest.mark.parametrize(
    ("who", "plan", "said"),
    [
        ({"auth": {"accessToken": {"role": "read"}}}, Plan("me/lab"), "may only read"),
        ({}, Plan("you/lab"), "‘you’ is neither this account nor an organisation"),
        ({}, Plan("me/other"), "another Space already"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_sent(hub, checkout, who, plan, said):
    hub.accounts = {TOKEN: {**FREE, **who}}
    hub.written["spaces/me/other"] = Written({}, tags=["chess"])
    with pytest.raises(InputError, match=said):
        deploying.deploy(checkout, plan)
    assert not [one for one in hub.asked if one.startswith(("POST", "PUT"))]


def test_another_space_becomes_the_page_where_that_is_meant(hub, checkout):
    hub.written["spaces/lab/other"] = Written({}, tags=["chess"])
    deploying.deploy(checkout, Plan("lab/other", replace=True))
    assert "app.py" in hub.written["spaces/lab/other"].files


def test_a_wrong_or_a_missing_token_is_a_sentence(hub, checkout, monkeypatch, capsys):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(InputError, match="knows no valid token"):
        deploying.deploy(checkout, Plan("me/lab"))
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    assert main(["deploy", "--space", "me/lab", "--dry-run"]) == 0
    assert "The Hub was not asked" in capsys.readouterr().out


def test_a_dry_run_says_what_it_costs_asks_and_sends_nothing(hub, capsys, monkeypatch):
    monkeypatch.setenv("THE_SECRET", "unsaid")
    asked = ["deploy", "--space", "lab/x", "--dry-run", "--secret", "THE_SECRET"]
    for hardware, said in (
        ("zero-a10g", "(ZeroGPU): nothing"), ("cpu-basic", "takes a paid plan"),
        ("a10g-small", "$1.00 an hour"), ("new-one", "pricing#spaces"),
    ):  # fmt: skip
        assert main([*asked, "--hardware", hardware]) == 0
        told = capsys.readouterr().out
        assert said in told
        assert hub_offers.AS_OF in told
        assert "Account lab: organisation, may be billed" in told
        assert "unsaid" not in told
    assert not [one for one in hub.asked if one.startswith(("POST", "PUT"))]
    assert main(["deploy", "--space", "lab/x", "--secret", "NOT_SET"]) == 2
    assert "no variable ‘NOT_SET’" in capsys.readouterr().err


def test_the_documents_say_of_the_hub_what_the_command_says():
    document = (ROOT / "docs/hosting.md").read_text(encoding="utf-8")
    table = document.partition("## A Space")[2].partition("\n## ")[0]
    said = [hub_offers.AS_OF, *map(str, hub_offers.MINUTES.values()), ZERO]
    said += [f"{name} | ${price:.2f}" for name, price in list(hub_offers.AN_HOUR.items())[:4]]
    assert [one for one in said if one not in table] == []


# What was tuned


def test_an_adapter_of_a_shipped_base_is_pushed_with_it_and_a_stranger_loads_it(
    hub, tmp_path, monkeypatch
):
    monkeypatch.setattr("lmlab.runs.hub.endpoint", lambda: hub.address)
    settings = Settings(runs_dir=tmp_path / "runs")
    tuning = Lab.open(settings).service(Tuning)
    run = tuning.lab.store.runs.new("0" * 32, "tiny", DATA, TEMPLATE, quick(steps=1))
    list(train(run, settings))
    ask = partial(tuning.push, "0" * 32, run.path.name)
    assert ask("me/mine", TOKEN) == f"{hub.address}/me/mine"
    home = next(name for name in hub.written if name.startswith("models/me/lmlab-tiny-"))
    base, adapter = hub.written[home], hub.written["models/me/mine"]
    assert {base.made["visibility"], adapter.made["visibility"]} == {"private"}
    hub_id = home.removeprefix("models/")
    front = yaml.safe_load(adapter.files["README.md"].decode().split("---\n")[1])
    assert (front["base_model"], front["base_model_relation"]) == (hub_id, "adapter")
    assert {f"base_model:adapter:{hub_id}", "lora", "transformers"} <= set(front["tags"])
    assert b"assets/models" not in b"".join(adapter.files.values())
    for name, one in (("base", base), ("adapter", adapter)):
        for path, data in one.files.items():
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / path).write_bytes(data)
    config = json.loads(adapter.files["adapter_config.json"])
    assert config["base_model_name_or_path"] == hub_id
    there = AutoModelForCausalLM.from_pretrained(tmp_path / "base", dtype=torch.float32)
    there = PeftModel.from_pretrained(there, tmp_path / "adapter").eval()
    ids = AutoTokenizer.from_pretrained(tmp_path / "adapter")("the cat sat", return_tensors="pt")
    rows = there(**ids).logits[0].log_softmax(-1)
    expected = float(rows[:-1].gather(-1, ids.input_ids[0, 1:, None]).sum())
    with tuning.lab.store.borrow(f"run:{run.path.name}") as lm:
        assert score(lm, "the cat sat").logprob == pytest.approx(expected, abs=1e-3)
    # Again, and through all that can go wrong: what was learned stays.
    uploads, commits = len(hub.uploads), base.commits
    ask("me/mine", TOKEN)
    assert len(hub.uploads) == uploads
    assert commits <= base.commits
    hub.upload_cuts, hub.uploads = 99, {}
    with pytest.raises(InputError, match=r"broke\. What was learned is still here"):
        ask("me/mine", TOKEN)
    hub.says["create"] = [(403, "scope")]
    with pytest.raises(InputError, match="may not write to ‘you/"):
        ask("you/mine", TOKEN)
    with pytest.raises(InputError, match="no valid token"):
        ask("me/mine", "hf_wrong")
    assert run.learned is not None


def test_who_signs_in_with_hugging_face_pushes_without_a_token_of_his(hub, tmp_path, monkeypatch):
    pytest.importorskip("itsdangerous", reason="Gradio’s sign-in is not installed")
    given = {"access_token": TOKEN, "scope": "contribute-repos", "userinfo": {
        "name": "Me", "preferred_username": "me", "profile": "", "picture": ""}}  # fmt: skip
    monkeypatch.setattr("gradio.oauth._get_mocked_oauth_info", lambda: given)
    monkeypatch.setattr("lmlab.features.tuning.after.can_sign_in", lambda: True)
    pushed = []
    monkeypatch.setattr(Tuning, "push", lambda self, *told, **how: pushed.append(told) or "there")
    lab = Lab.open(Settings(runs_dir=tmp_path / "runs"))
    app, address, _ = launch(lab, tabs=["tuning"], prevent_thread_lock=True, quiet=True)
    push = {"tuning-owner": "0" * 32, "tuning-repo": "me/mine"}

    async def visit():
        async with Visitor(Page.read(address.rstrip("/")), random.Random(0)) as visitor:
            event = visitor.page.event("tuning-push", "click")
            with pytest.raises(RuntimeError, match="not signed in"):
                await visitor.call(event, push)
            for path in ("/login/huggingface", "/login/callback"):
                answer = await visitor._client.get(path)
                assert answer.status_code == 307
            # It is for https alone; this server is on this machine.
            cookie = answer.headers["set-cookie"].partition(";")[0]
            visitor._client.headers["cookie"] = cookie
            await visitor.call(event, push)
            answer = await visitor._client.get("/logout")
            visitor._client.headers["cookie"] = answer.headers["set-cookie"].partition(";")[0]
            with pytest.raises(RuntimeError, match="not signed in"):
                await visitor.call(event, push)

    try:
        loops.run(visit())
    finally:
        app.blocks.close(verbose=False)
    assert pushed == [("0" * 32, "", "me/mine", TOKEN)]


def test_where_nobody_signs_in_there_is_nowhere_to(tmp_path):
    for signs_in, status in ((False, 404), (True, 200)):
        doors = Doors(page(), signs_in=signs_in)
        for path in ("/login/huggingface", "/login/callback", "/logout"):
            assert asked(doors, path)[0] == status
        assert asked(doors, "/login/other")[0] == 404


def test_a_card_names_a_base_as_peft_does_and_only_ids():
    lora, full = quick(), quick(method="full")
    assert origin("me/x@v1", full)["hub_id"] == "me/x"
    assert "base_model:finetune:me/x" in origin("me/x@v1", full)["tags"]
    for base in ("assets/models/tiny", "/home/me/model", "run:" + "a" * 16, "me/x/y"):
        assert origin(base, lora)["hub_id"] == ""
        assert not [tag for tag in origin(base, lora)["tags"] if "base_model" in tag]


# The bucket


def test_runs_lie_in_the_bucket_and_come_back(tmp_path, monkeypatch, caplog):
    runs, there = Runs(tmp_path / "runs"), tmp_path / "bucket"
    over, going = (runs.new("0" * 32, "tiny", DATA, TEMPLATE, quick()) for _ in range(2))
    over.set_state("done")
    going.set_state("queued")
    (over.path / "lock").touch()
    kept = bucket.Bucket(runs, there)
    kept.save()
    assert [file.name for file in there.iterdir()] == [f"{over.path.name}.tar"]
    with tarfile.open(there / f"{over.path.name}.tar") as packed:
        assert f"{over.path.name}/lock" not in packed.getnames()
    # A start on an empty disk; what is not whole is left alone.
    (there / f"{'a' * 16}.tar").write_bytes(b"half")
    new = Runs(tmp_path / "new")
    fresh = bucket.Bucket(new, there)
    assert fresh.restore() == [over.path.name]
    assert new.of("0" * 32, over.path.name).spec == over.spec
    # A full bucket takes nothing away, and is said once.
    later = new.find(over.path.name)
    os.utime(later.path / "state.json", (time.time() + 9,) * 2)
    with monkeypatch.context() as full, caplog.at_level(logging.WARNING):
        caplog.clear()
        full.setattr(tarfile.TarFile, "add", _full)
        fresh.save()
        fresh.save()
    assert [one.message for one in caplog.records if "bucket takes none" in one.message] != []
    assert len(caplog.records) == 1
    assert later.spec == over.spec
    fresh.save()
    assert (there / f"{over.path.name}.tar").is_file()
    new.delete(later)
    fresh.save()
    assert not (there / f"{over.path.name}.tar").exists()


def _full(*args, **given):
    raise OSError(28, "No space left on device")


def test_only_a_space_with_a_bucket_keeps_runs_there(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(bucket, "every", lambda *given: started.append(given))
    monkeypatch.setattr(bucket.atexit, "register", started.append)
    settings = Settings(runs_dir=tmp_path / "runs")
    bucket.keep(settings, {}, tmp_path)
    bucket.keep(settings, {"SPACE_ID": "me/lab"}, tmp_path / "missing")
    assert started == []
    bucket.keep(settings, {"SPACE_ID": "me/lab"}, tmp_path)
    assert len(started) == 2
