"""How the suite is made: plans, hold-outs, splits, resuming, tuning, and what shipped."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from lmlab.lm.tokens import Vocabulary
from lmlab.models.store import ModelRef, ModelStore
from lmlab.settings import Settings
from recipes import batches, formats, heldout, measure, optimisers, pretrain, taskdocs, tune
from recipes.config import ASSETS, SHAPES, Mixture, Part, TrainConfig
from recipes.publish import publish, training
from recipes.sentencetasks import sentence_tasks
from recipes.textio import read_rows
from recipes.tokenizer import train
from recipes.tuneconfig import TUNINGS
from recipes.wordtasks import word_tasks

MODELS = ASSETS / "models"
PARTS = Mixture(
    parts=(Part("a", 0.7, 0.5, 0.2, 1, "", ""), Part("b", 0.3, 0.5, 0.8, 1, "", "")),
)
SIZES = {"a": 5000, "b": 900}
CONFIG = TrainConfig(
    shape="micro",
    tokens=2048,
    batch_tokens=256,
    micro_tokens=128,
    short_window=32,
    window=64,
    save_seconds=0.0,
    valid_every=1000,
    snapshots=3,
)


def test_a_plan_fills_every_step_and_repeats():
    steps = batches.plan(CONFIG, PARTS, SIZES)
    assert steps == batches.plan(CONFIG, PARTS, SIZES)
    assert steps != batches.plan(replace(CONFIG, seed=1), PARTS, SIZES)
    assert len(steps) == CONFIG.steps
    assert all(sum(row.length for row in rows) == CONFIG.batch_tokens for rows in steps)
    assert {row.length for row in steps[0]} == {32}
    assert {row.length for row in steps[-1]} == {64}


def test_no_window_comes_twice_before_all_have_come():
    config = replace(CONFIG, tokens=60_000, long_share=0.0)
    starts = [
        row.start for rows in batches.plan(config, PARTS, SIZES) for row in rows if row.part == "b"
    ]
    epoch = starts[: SIZES["b"] // 32 - 1]
    assert len(set(epoch)) == len(epoch)
    assert len(starts) > len(epoch)


def test_epochs_count_what_was_drawn():
    steps = batches.plan(CONFIG, PARTS, SIZES)
    read = batches.epochs(steps, SIZES)
    assert sum(read[name] * SIZES[name] for name in SIZES) == pytest.approx(2048)


def parts() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: rng.integers(0, 4096, size).astype(np.uint16) for name, size in SIZES.items()}


def test_a_run_that_was_interrupted_goes_on_as_if_it_had_not_been(tmp_path):
    tokenizer = tmp_path / "tokenizer"
    train(["some text to make a vocabulary of"] * 3, 400).save_pretrained(tokenizer)
    steps, ids = batches.plan(CONFIG, PARTS, SIZES), parts()
    whole = pretrain.start(tmp_path / "whole", CONFIG, "float32")
    pretrain.train_run(whole, steps, ids, ids, tokenizer)
    first = pretrain.start(tmp_path / "cut", CONFIG, "float32")
    pretrain.train_run(first, steps[:3], ids, ids, tokenizer)
    second = pretrain.start(tmp_path / "cut", CONFIG, "float32")
    second.restore()
    assert second.step == 3
    pretrain.train_run(second, steps, ids, ids, tokenizer)
    for one, two in zip(whole.model.parameters(), second.model.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-6)
    publish(tmp_path / "whole" / "final", tmp_path / "shipped", "{}")
    shipped = AutoModelForCausalLM.from_pretrained(tmp_path / "shipped", dtype=torch.float32)
    assert shipped.num_parameters() == whole.model.num_parameters()
    assert sorted(p.name for p in (tmp_path / "whole").glob("step-*")) == ["step-0", "step-8"]


def test_a_run_goes_onward_from_the_weights_of_a_finished_one(tmp_path):
    tokenizer = tmp_path / "tokenizer"
    train(["some text to make a vocabulary of"] * 3, 400).save_pretrained(tokenizer)
    config = replace(CONFIG, tokens=512)
    steps, ids = batches.plan(config, PARTS, SIZES), parts()
    first = pretrain.start(tmp_path / config.run, config, "float32")
    pretrain.train_run(first, steps, ids, ids, tokenizer)
    further = replace(config, onward=1, tokens=1024)
    second = pretrain.start(tmp_path / further.run, further, "float32")
    assert (second.folder, second.step) == (tmp_path / "micro-onward-1", 0)
    for one, two in zip(first.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(one, two)
    steps = batches.plan(further, PARTS, SIZES)
    assert {row.length for rows in steps for row in rows} == {64}
    pretrain.train_run(second, steps, ids, ids, tokenizer)
    for run, made, read in ((first, config, 0.25), (second, further, 0.5)):
        written = asdict(made) | {"epochs": {"a": read, "b": read}}
        (run.folder / "config.json").write_text(json.dumps(written))
    story = training([first.folder, second.folder], PARTS)
    assert [row["step"] for row in story["held_out_nats"]] == [2, 6]
    assert [part["epochs"] for part in story["mixture"]] == [0.75, 0.75]
    assert [config["onward"] for config in story["rounds"]] == [0, 1]


def test_a_loss_that_is_no_number_stops_and_keeps_the_checkpoint(tmp_path):
    run = pretrain.start(tmp_path, CONFIG, "float32")
    run.save()
    before = run.checkpoint.read_bytes()
    with torch.no_grad():
        next(run.model.parameters()).fill_(float("nan"))
    with pytest.raises(SystemExit, match="step 0 is not a number"):
        pretrain.train_step(run, batches.plan(CONFIG, PARTS, SIZES)[0], parts())
    assert run.checkpoint.read_bytes() == before


def test_the_schedule_rises_stays_and_falls():
    config = TrainConfig(tokens=4096 * 1000)
    rates = [optimisers.trapezoid(step, config) for step in range(1001)]
    assert rates[0] < rates[10] <= rates[100] == rates[500] == 1.0
    assert rates[800] == pytest.approx(0.5)
    assert rates[1000] == 0.0


@pytest.mark.parametrize("form", Mixture().task_docs.values(), ids=Mixture().task_docs)
def test_training_documents_never_show_what_is_held_out(form):
    docs = taskdocs.documents(3, form)
    generalising = {task.name for task in word_tasks() if task.generalises}
    for doc in (next(docs) for _ in range(1500)):
        assert doc.format not in heldout.FORMATS
        if doc.task in generalising:
            assert not {x.lower() for x in doc.inputs} & heldout.WORDS


def test_composed_layouts_are_many_and_never_one_that_is_held_out():
    rng = Random(0)
    shots = {formats.composed(rng).shot("x", "y") for _ in range(3000)}
    assert len(shots) > 1500
    assert not shots & {layout.shot("x", "y") for layout in formats.HELD_OUT}
    assert not [s for s in shots if "=>" in s or "~" in s or "Target" in s or " / " in s]


def test_invented_layouts_hardly_repeat_and_have_nothing_of_a_held_out_one():
    rng = Random(0)
    shots = [formats.invented(rng, ("word", "other")).shot("x", "y") for _ in range(3000)]
    assert len(set(shots)) > 2700
    assert not set(shots) & {layout.shot("x", "y") for layout in formats.HELD_OUT}
    assert not [s for s in shots for part in formats.KEPT_OUT if part in s.lower()]


def test_every_layout_splits_into_query_and_answer():
    for layout in formats.ALL:
        assert layout.query("x") + layout.answer("x", "y") == layout.shot("x", "y")
        assert not layout.query("x").endswith(" ")


def test_documents_repeat_by_seed():
    one, two = (taskdocs.documents(5, taskdocs.TaskDocConfig()) for _ in range(2))
    assert [next(one) for _ in range(20)] == [next(two) for _ in range(20)]


def test_shots_never_hold_the_query():
    for task in (*word_tasks(), *sentence_tasks()):
        pairs, query = measure.examples(task, 5, Random(1))
        assert len(pairs) == 5
        assert query[0] not in [x for x, _ in pairs]


@pytest.mark.parametrize("folder", sorted((ASSETS / "datasets").iterdir()), ids=lambda p: p.name)
def test_shipped_sets_have_splits_that_never_overlap_and_a_licence(folder: Path):
    assert "icence" in (folder / "README.md").read_text() or folder.name == "probes"
    rows = {file.stem: read_rows(file) for file in folder.glob("*.jsonl")}
    assert all(rows.values())
    if folder.name == "probes":
        return
    keys = {split: {json.dumps(row) for row in found} for split, found in rows.items()}
    assert set(keys) == {"train", "valid", "test"}
    assert not keys["train"] & keys["test"]
    assert not keys["train"] & keys["valid"]
    assert not keys["valid"] & keys["test"]


@pytest.mark.parametrize("tuning", TUNINGS, ids=lambda t: t.name)
def test_the_loss_is_on_the_answer_and_the_end(tuning):
    vocabulary = Vocabulary(AutoTokenizer.from_pretrained(MODELS / "base"))
    row = read_rows(ASSETS / "datasets" / tuning.data / "train.jsonl")[0]
    example = tune.structured(row, tuning.structure, vocabulary)
    _, answer = tuning.structure(row)
    *tokens, end = example.ids[example.n_context :]
    assert b"".join(vocabulary.data(t) for t in tokens).decode() == answer
    assert end == vocabulary.tokenizer.eos_token_id
    assert example.ids[0] == vocabulary.tokenizer.bos_token_id


@pytest.mark.parametrize("method", ["full", "lora", "prompt"])
def test_tuning_lowers_the_loss_and_loads_elsewhere(tmp_path, folder, method):
    base = folder("llama", "bytelevel-bos")
    tuning = replace(TUNINGS[0], method=method, lr=1e-2, epochs=2, batch=4, length=4)
    torch.manual_seed(0)
    examples = [tune.Example((0, 5, 6, 7 + i % 2, 9), 3) for i in range(16)]
    model = tune.prepared(tuning, base)
    before = tune.mean_loss(model, examples, 4)
    resume = tmp_path / "resume.pt"
    next(tune.fit(model, examples, examples, tuning, resume))
    model = tune.prepared(tuning, base)
    losses = list(tune.fit(model, examples, examples, tuning, resume))
    assert len(losses) == 2
    assert losses[-1] < before
    after = losses[-1]
    vocabulary = Vocabulary(AutoTokenizer.from_pretrained(base))
    tune.save(model, vocabulary, tuning, tmp_path / "out")
    fresh = AutoModelForCausalLM.from_pretrained(base if method != "full" else tmp_path / "out")
    if method != "full":
        fresh = PeftModel.from_pretrained(fresh, tmp_path / "out")
    assert tune.mean_loss(fresh.float(), examples, 4) == pytest.approx(after, abs=0.05)


def test_what_ships_is_small():
    sizes = [file.stat().st_size for file in MODELS.rglob("*") if file.is_file()]
    assert max(sizes) <= 10_000_000
    assert sum(sizes) <= 90_000_000


def test_every_shipped_model_loads_without_lmlab():
    for name in ModelStore(Settings(offline=True)).embedded():
        model = AutoModelForCausalLM.from_pretrained(MODELS / name)
        tokenizer = AutoTokenizer.from_pretrained(MODELS / name)
        assert tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id == 0
        assert model.config.vocab_size == SHAPES["base"].vocabulary
        assert model.dtype == torch.bfloat16


def test_every_shipped_adapter_loads_on_the_base_in_both_ways():
    store = ModelStore(Settings(offline=True))
    for name in store.embedded_adapters():
        base = AutoModelForCausalLM.from_pretrained(MODELS / "base")
        PeftModel.from_pretrained(base, MODELS / "adapters" / name)
        with store.borrow(ModelRef("base", name)) as lm:
            assert lm.name == f"base+{name}"


def test_the_cards_hold_the_reports_figures():
    report = json.loads((MODELS / "report.json").read_text())
    card = (MODELS / "base" / "README.md").read_text()
    for value in report["bits_per_byte"]["base"].values():
        assert f"{value:.3f}" in card
