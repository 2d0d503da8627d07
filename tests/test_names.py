"""What models are called: from any directory, whatever signs a name holds, and by strangers."""

import argparse
import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import AutoPeftModelForCausalLM
from transformers import AutoTokenizer

from lmlab.assets import SHIPPED, assets_dir
from lmlab.cli.main import main
from lmlab.errors import InputError
from lmlab.features.tuning.runs_cli import resumed
from lmlab.models.backends.transformers.adapters import WEIGHTS
from lmlab.models.places import Places
from lmlab.models.refs import ModelRef
from lmlab.receipts.script import source_of
from lmlab.runs.model_store import ModelStore
from lmlab.runs.specs import new_spec
from lmlab.runs.store import RunFolder, Runs, archive, handed_out
from lmlab.runs.worker import train
from lmlab.scoring.score import score
from lmlab.settings import Settings
from lmlab.terminal import naming
from lmlab.training.events import Finished
from tests.test_adapters import KINDS, make
from tests.tuningbits import DATA, TEMPLATE, quick

TEXT = "the little dog ran"
SETTINGS = Settings(device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def base(folder):
    return folder("llama", "bytelevel-bos")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["m@1", "a+b", "a+b@c+d", "org/model", "m+x"])
@pytest.mark.parametrize("top", ["", "ad", "a+d@x", "adapters/qa", "adapters/mine"])
def test_folders_are_found_whatever_signs_are_in_their_names(here, base, lora_folder, name, top):
    shutil.copytree(base, here / name)
    (here / "m").mkdir(exist_ok=True)
    ref = ModelRef(name, top or None)
    if top:
        shutil.copytree(lora_folder, here / top)
    parsed = ModelRef.parse(str(ref))
    assert (parsed.name, parsed.adapter, parsed.revision) == (name, top or None, None)
    places = Places(SETTINGS, here / "nothing ships")
    assert places.resolve(parsed, print) == here / name
    if top:
        assert places.resolve_adapter(parsed, print) == here / top
        # An adapter that ships has the same name, but the folder is what is named.
        assert ModelStore(SETTINGS).resolve_adapter(parsed, print) == here / top
    pinned = ModelRef.parse(places.pinned(str(ref)))
    assert pinned == ModelRef(str(here / name), str(here / top) if top else None)
    found = source_of(f"{places.pinned(str(ref))} (α = 0.5)")
    assert (found.model, found.adapter) == (pinned.name, pinned.adapter or "")


def test_names_that_are_no_folder_are_read_as_before(here):
    for text, expected in {
        "base+qa": ModelRef("base", "qa"),
        "+qa": ModelRef("", "qa"),
        "owner/name@v1.0+owner/adapter": ModelRef("owner/name", "owner/adapter", "v1.0"),
        "base+run:0123456789abcdef@12": ModelRef("base", "run:0123456789abcdef@12"),
        "run:0123456789abcdef@12": ModelRef("run:0123456789abcdef", None, "12"),
    }.items():
        assert ModelRef.parse(text) == expected
        assert ModelStore(SETTINGS).pinned(text) == text


def test_the_same_folder_is_one_adapter_from_any_directory(here, base, lora_folder, monkeypatch):
    shutil.copytree(lora_folder, here / "ad")
    store = ModelStore(SETTINGS)
    with store.borrow(ModelRef(str(base), "ad")) as lm:
        first = score(lm, TEXT).logprob
    (here / "sub").mkdir()
    monkeypatch.chdir(here / "sub")
    with store.borrow(ModelRef(str(base), "../ad")) as lm:
        assert score(lm, TEXT).logprob == first
        assert lm.folder == here / "ad"


@pytest.mark.parametrize("changes", [{}, {"method": "prompt", "length": 3}])
def test_a_stranger_finds_an_adapter_s_base_and_tokenizer(here, base, monkeypatch, changes):
    shutil.copytree(base, here / "org+x" / "model")
    store = ModelStore(SETTINGS)
    config = quick(steps=2, **changes)
    spec = new_spec("run", "a test's owner", store.pinned("org+x/model"), DATA, TEMPLATE, config)
    run = RunFolder.create(here / "run", spec, DATA)
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    done = list(train(run, SETTINGS))[-1]
    assert isinstance(done, Finished)
    learned = here / "run" / done.path
    model = AutoPeftModelForCausalLM.from_pretrained(learned)
    tokenizer = AutoTokenizer.from_pretrained(learned)
    with store.borrow(ModelRef(str(here / "org+x" / "model"), str(learned))) as lm:
        assert tokenizer(TEXT).input_ids == lm.tokenizer(TEXT).input_ids
        ids = torch.tensor([lm.tokenizer(TEXT).input_ids])
        rows = model(input_ids=ids).logits[0, -ids.shape[1] :].log_softmax(-1)
        expected = float(rows[:-1].gather(-1, ids[0, 1:, None]).sum())
        assert score(lm, TEXT).logprob == pytest.approx(expected, abs=1e-3)


def test_what_is_handed_out_names_a_shipped_base_by_its_name(here):
    import zipfile

    store = ModelStore(SETTINGS)
    runs = Runs(here / "runs")
    run = runs.new("a test's owner", store.pinned("tiny"), DATA, TEMPLATE, quick(steps=1))
    done = list(train(run, SETTINGS))[-1]
    config = json.loads((run.path / done.path / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(store.folder("tiny"))
    packed = archive(run)
    with zipfile.ZipFile(packed) as opened:
        config = json.loads(opened.read("adapter_config.json"))
        assert {WEIGHTS, "tokenizer.json"} <= set(opened.namelist())
    packed.unlink()
    assert config["base_model_name_or_path"] == "assets/models/tiny"
    card = (run.path / done.path / "README.md").read_text()
    # The Hub takes a card that names one of its own ids as the base, or none.
    assert "base_model:" not in card
    assert "checkout of lmlab, where `assets/models/tiny` is" in card
    assert str(here) not in card
    with handed_out(run, run.learned) as made:
        assert json.loads((made / "adapter_config.json").read_text()) == config
        assert (made / WEIGHTS).read_bytes() == (run.learned / WEIGHTS).read_bytes()


@pytest.mark.parametrize("name", ModelStore(SETTINGS).embedded_adapters())
def test_a_stranger_in_a_checkout_finds_a_shipped_adapter_s_base(monkeypatch, name):
    monkeypatch.chdir(assets_dir().parent)
    folder = f"{SHIPPED}adapters/{name}"
    model = AutoPeftModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    named = json.loads(Path(folder, "adapter_config.json").read_text())["base_model_name_or_path"]
    assert f"\nbase_model: {named}\n" in Path(folder, "README.md").read_text()
    ids = AutoTokenizer.from_pretrained(named)(TEXT, return_tensors="pt").input_ids
    with torch.no_grad():
        rows = model(input_ids=ids).logits[0, -ids.shape[1] :].log_softmax(-1)
    expected = float(rows[:-1].gather(-1, ids[0, 1:, None]).sum())
    with ModelStore(SETTINGS).borrow(f"base+{name}") as lm:
        assert score(lm, TEXT).logprob == pytest.approx(expected, abs=1e-3)


def test_a_hub_base_keeps_its_revision():
    places = Places(SETTINGS, ModelStore()._models)
    assert places.base_name(ModelRef("owner/name", None, "v2")) == "owner/name@v2"
    assert places.base_name(ModelRef("owner/name", "qa")) == "owner/name"


WORDING = 'name: mine\nquery: "Say {{ word }}:"\ntarget: " {{ answer }}"\nanswer: answer\n'


def asked(out, **given):
    settings = {"model": None, "data": None, "template": None} | given
    return argparse.Namespace(out=out, **settings)


def test_resuming_does_not_depend_on_where_files_lie_now(here, base, monkeypatch):
    from lmlab.text.templates import PromptTemplate

    shutil.copytree(base, here / "models" / "m")
    (here / "w.yaml").write_text(WORDING)
    store = ModelStore(SETTINGS)
    spec = new_spec(
        "run", "a test's owner", store.pinned("models/m"), DATA, PromptTemplate.parse(WORDING),
        quick(steps=4),
    )  # fmt: skip
    run = RunFolder.create(here / "run", spec, DATA)
    (here / "again.yml").write_text(WORDING.replace("name: mine", "name: other"))
    (here / "changed.yaml").write_text(WORDING.replace("Say", "Shout"))
    same = [
        {},
        {"template": "w.yaml"}, {"template": "again.yml"}, {"template": "gone.yaml"},
        {"template": "mine"}, {"model": "models/m"}, {"model": "./models/m"},
        {"model": str(here / "models" / "m")}, {"data": "some/where/words"},
    ]  # fmt: skip
    for given in same:
        assert resumed(asked(run.path, **given), {}).path == run.path
    for given in ({"template": "changed.yaml"}, {"template": "qa"}, {"template": "none"},
                  {"model": "base"}, {"data": "other"}):  # fmt: skip
        with pytest.raises(InputError, match="other settings"):
            resumed(asked(run.path, **given), {})
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    for given in ({"model": "models/m"}, {"template": "w.yaml"}):
        assert resumed(asked(run.path, **given), {}).path == run.path
    assert list(train(run, SETTINGS))[-1].reason == "done"


def test_an_adapter_is_named_beside_every_model(here, base, capsys):
    make(here / "a+d", base, KINDS["lora on embeddings"]())
    (here / "rows.jsonl").write_text("".join(json.dumps(dict(row)) + "\n" for row in DATA.train))
    (here / "w.yaml").write_text(WORDING)
    common = ["--model", str(base), "--adapter", "a+d"]
    for command in (
        ["score", "--text", TEXT, "--json"],
        ["generate", "--prompt", TEXT, "--max-new-tokens", "2", "--json"],
        ["prompt", "--template", "w.yaml", "--query", "dog", "--json"],
        ["evaluate", "--template", "w.yaml", "--data", "rows.jsonl", "--limit", "2", "--json"],
    ):
        assert main([*command, *common]) == 0
        assert json.loads(capsys.readouterr().out)["model"] == f"{base}+a+d"
    assert main(["scale", "--json", *common]) == 0
    found = json.loads(capsys.readouterr().out)
    learned = AutoPeftModelForCausalLM.from_pretrained("a+d")
    assert (found["model"], found["adapter"]) == (
        f"{base}+a+d",
        sum(p.numel() for name, p in learned.named_parameters() if "lora_" in name),
    )
    assert main(["finetune", "--template", "w.yaml", "--data", "rows.jsonl", *common]) == 2
    assert "cannot go on from the adapter ‘a+d’" in capsys.readouterr().err


def test_several_models_and_adapters_go_together_or_it_is_said():
    assert naming.asked_models(["base"], ["qa", "sentiment"]) == ["base+qa", "base+sentiment"]
    assert naming.asked_models(["a", "b"], ["c", "d"]) == ["a+c", "b+d"]
    assert naming.asked_models(["a", "b"], []) == ["a", "b"]
    with pytest.raises(InputError, match="2 models and 3 adapters"):
        naming.asked_models(["a", "b"], ["c", "d", "e"])
