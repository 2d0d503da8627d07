"""How the suite is made: plans, hold-outs, splits, resuming, tuning, and what shipped."""

import json
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

import lmlab
from lmlab.models.tokens import Vocabulary
from lmlab.runs.model_store import ModelRef, ModelStore
from lmlab.settings import Settings
from recipes import (
    batches,
    debris,
    fluency,
    formats,
    headed,
    heldout,
    instructions,
    measure,
    optimisers,
    pretrain,
    state,
    taskdocs,
    tune,
    words,
)
from recipes.cards import _mixture, _run
from recipes.commonwords import near_held_out
from recipes.config import ASSETS, SHAPES, Mixture, Part, TrainConfig, corpus_folder
from recipes.publish import publish, training
from recipes.sentencetasks import sentence_tasks
from recipes.taskdocs import SHOWN
from recipes.textio import read_rows, write_rows
from recipes.tokenizer import encode, train
from recipes.tuneconfig import TUNINGS
from recipes.typography import KEPT, typeset
from recipes.wordtasks import word_tasks

MODELS = ASSETS / "models"
PARTS = Mixture(
    parts=(Part("a", 0.7, 0.5, 0.2, 0.1, 1, "", ""), Part("b", 0.3, 0.5, 0.8, 0.9, 1, "", "")),
)
SIZES = {"a": 5000, "b": 900}
CONFIG = TrainConfig(
    shape="micro",
    batch_tokens=256,
    micro_tokens=128,
    window=64,
    warmup=2,
    tasks_from=2,
    fall_from=6,
    fall=1,
    again=1,
    save_seconds=0.0,
    valid_every=1000,
)


def steps_of(config: TrainConfig, count: int) -> list[list[batches.Row]]:
    return list(islice(batches.order(config, PARTS, SIZES), count))


def test_an_order_fills_every_step_and_repeats():
    steps = steps_of(CONFIG, 40)
    assert steps == steps_of(CONFIG, 40)
    assert steps != steps_of(replace(CONFIG, seed=1), 40)
    assert all(sum(row.length for row in rows) == CONFIG.batch_tokens for rows in steps)
    assert {row.length for rows in steps for row in rows} == {CONFIG.window}


def test_what_is_decided_later_moves_nothing_before_it():
    endless = replace(CONFIG, fall_from=None)
    steps = steps_of(endless, 40)
    assert steps_of(replace(endless, fall_from=30), 30) == steps[:30]
    assert steps_of(replace(endless, fall_from=20), 30) != steps[:30]
    assert steps_of(replace(endless, tasks_from=30), 2) == steps[:2]


def test_a_part_that_comes_later_moves_no_other():
    more = replace(PARTS, parts=(*PARTS.parts, Part("c", 0.0, 0.0, 1.0, 1.0, 1, "", "")))
    steps = islice(batches.order(CONFIG, more, SIZES | {"c": 500}), 6)
    assert list(steps) == steps_of(CONFIG, 6)


def test_no_window_comes_twice_before_all_have_come():
    starts = [row.start for rows in steps_of(CONFIG, 40) for row in rows if row.part == "b"]
    epoch = starts[: SIZES["b"] // CONFIG.window - 1]
    assert len(set(epoch)) == len(epoch)
    assert len(starts) > len(epoch)


def test_epochs_count_what_was_drawn():
    read = batches.epochs(steps_of(CONFIG, 8), SIZES)
    assert sum(read[name] * SIZES[name] for name in SIZES) == pytest.approx(8 * 256)


def parts() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: rng.integers(0, 4096, size).astype(np.uint16) for name, size in SIZES.items()}


def trained(run: pretrain.Run, until: int, tokenizer: Path) -> pretrain.Run:
    order = islice(batches.order(run.config, PARTS, SIZES), until)
    ids = parts()
    state.same_parts(ids, run.folder, None)
    pretrain.train_run(run, order, ids, ids, tokenizer)
    return run


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A tokenizer, and a run of eight steps without a break."""
    folder = tmp_path_factory.mktemp("made")
    train(["some text to make a vocabulary of"] * 3, 400).save_pretrained(folder / "tokenizer")
    whole = pretrain.start(folder / "whole", CONFIG, "float32")
    trained(whole, 8, folder / "tokenizer")
    return folder


def weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoint.pt", weights_only=True)["model"]


def test_a_run_that_was_killed_goes_on_as_if_it_had_not_been(tmp_path, made):
    trained(pretrain.start(tmp_path, CONFIG, "float32"), 3, made / "tokenizer")
    pretrain._append(tmp_path / pretrain.CURVE, {"step": 4, "loss": 0.0})
    second = pretrain.start(tmp_path, CONFIG, "float32")
    second.restore()
    assert second.step == 3
    assert read_rows(tmp_path / pretrain.CURVE) == []
    trained(second, 8, made / "tokenizer")
    torch.testing.assert_close(weights(tmp_path), weights(made / "whole"), rtol=0, atol=0)
    final = AutoModelForCausalLM.from_pretrained(tmp_path / "final", dtype=torch.float32)
    assert final.num_parameters() == second.model.num_parameters()
    assert sorted(p.name for p in tmp_path.glob("step-*")) == ["step-0"]
    publish(tmp_path / "final", tmp_path / "shipped", "{}")
    AutoModelForCausalLM.from_pretrained(tmp_path / "shipped")


def test_another_machine_goes_on_from_the_packed_state(tmp_path, made):
    here, there, packed = tmp_path / "here", tmp_path / "there", tmp_path / "state"
    trained(pretrain.start(here, CONFIG, "float32"), 4, made / "tokenizer")
    (here / "step-0").rename(here / "step-512")
    state.pack(here, packed, "micro", made / "tokenizer")
    assert max(file.stat().st_size for file in packed.rglob("*")) <= 10_000_000
    assert (packed / "tokenizer" / "tokenizer.json").exists()
    snapshot = load_file(packed / "step-512.safetensors")
    assert snapshot["model.embed_tokens.weight"].dtype == torch.float8_e4m3fn
    second = pretrain.start(there, CONFIG, "float32")
    second.restore(packed)
    assert second.step == state.step(packed) == 4
    state.same_parts(parts(), there, packed)
    trained(second, 8, made / "tokenizer")
    whole = weights(made / "whole")
    for name, value in weights(there).items():
        assert (value - whole[name]).norm() < 0.03 * whole[name].norm(), name
    further = pretrain.start(there, CONFIG, "float32")
    further.restore(packed)
    assert further.step == 8
    state.pack(there, packed, "micro", made / "tokenizer")
    assert (packed / "step-512.safetensors").exists()


def test_a_state_of_another_shape_or_of_other_parts_is_refused(tmp_path, made):
    packed = tmp_path / "state"
    state.pack(made / "whole", packed, "micro", made / "tokenizer")
    with pytest.raises(SystemExit, match="that of micro, not of tiny"):
        state.unpack(packed, tmp_path, "tiny")
    with pytest.raises(SystemExit, match=r"read so far: a\."):
        state.same_parts(parts() | {"a": parts()["b"]}, tmp_path, packed)


def test_a_corpus_that_is_missing_says_where_to_get_it(tmp_path, monkeypatch):
    monkeypatch.delenv("LMLAB_CORPUS", raising=False)
    with pytest.raises(SystemExit, match="--data or LMLAB_CORPUS, or a Hub data set"):
        corpus_folder(str(tmp_path))
    with pytest.raises(SystemExit, match=r"run recipes\.corpus with --data FOLDER"):
        pretrain.load_parts(tmp_path, PARTS, "train")


def test_what_is_only_shown_carries_no_loss():
    tokenizer = train(["cat Katze dog Hund"] * 3, 400)
    ids = encode(tokenizer, [f"cat: Katze\n{SHOWN}dog: Hund", "dog"])
    silent = ids & batches.SILENT != 0
    plain = [int(i) & ~batches.SILENT for i in ids]
    assert tokenizer.decode(np.array(plain)[silent]) == "<|bos|>cat: Katze\n"
    row = batches.Row("a", 0, len(ids) - 1)
    ((inputs, targets),) = batches.micro_batches([row], {"a": ids}, 1000)
    assert inputs[0].tolist() == plain[:-1]
    kept = targets[0] != batches.IGNORED
    assert targets[0][kept].tolist() == np.array(plain)[1:][~silent[1:]].tolist()


def test_what_ships_says_how_it_was_made(tmp_path, made):
    (tmp_path / "config.json").write_text(json.dumps(asdict(CONFIG)))
    for name in (state.PARTS, pretrain.VALID):
        (tmp_path / name).write_text((made / "whole" / name).read_text())
    (tmp_path / pretrain.CURVE).write_text('{"step": 8, "loss": 8.0}\n')
    story = training(tmp_path, PARTS)
    assert sum(p["epochs"] * SIZES[p["name"]] for p in story["mixture"]) == pytest.approx(2048, 0.1)
    assert [row["step"] for row in story["held_out_nats"]] == [8]
    assert "| part | share | with tasks | falling | again |" in _mixture(story["mixture"])
    assert "from step 6 to 7, and again, from 0.5 of its height, to 8," in _run(story["config"])
    read = [phase["windows"] * phase["length"] for phase in story["phases"]]
    assert sum(read) == story["tokens"] == 8 * CONFIG.batch_tokens


def test_a_loss_that_is_no_number_stops_and_keeps_the_checkpoint(tmp_path):
    run = pretrain.start(tmp_path, CONFIG, "float32")
    run.save()
    before = run.checkpoint.read_bytes()
    with torch.no_grad():
        next(run.model.parameters()).fill_(float("nan"))
    with pytest.raises(SystemExit, match="step 0 is not a number"):
        pretrain.train_step(run, steps_of(CONFIG, 1)[0], parts())
    assert run.checkpoint.read_bytes() == before


def test_the_schedule_rises_stays_and_falls():
    config = TrainConfig(warmup=100, fall_from=600, fall=400, again=300, again_rate=0.4)
    rates = [optimisers.trapezoid(step, config) for step in range(1301)]
    assert rates[0] < rates[10] <= rates[100] == rates[600] == 1.0
    assert rates[800] == pytest.approx(0.5)
    assert rates[999] < 0.01
    assert max(rates[1000:]) == pytest.approx(0.4 * 0.75, abs=0.01)
    assert rates[1300] == 0.0
    assert optimisers.trapezoid(10**6, TrainConfig(fall_from=None)) == 1.0


def test_snapshots_are_even_in_the_logarithm_of_the_step():
    kept = [step for step in range(300) if pretrain.is_snapshot(TrainConfig(), step)]
    assert kept == [0, 8, 16, 32, 64, 128, 256]


def test_kept_signs_are_one_token_each_and_typesetting_uses_no_others():
    tokenizer = train(["plain words, nothing else"] * 50, 600)
    for sign in KEPT:
        assert len(tokenizer(sign, add_special_tokens=False)["input_ids"]) == 1, sign
    quoted = '"It\'s late," he said - "I\'ll go..." And (so) \'tis--'
    found = "".join(typeset(quoted, Random(seed)) for seed in range(40))
    assert "“It’s late,” he said – “I’ll go…”" in found
    assert {sign for sign in found if not sign.isascii()} <= set(KEPT)


def test_debris_is_told_from_text():
    assert debris.found(b"\xc2\xab\xc2") == set()
    assert debris.found(b"\xc2\xc2") == {"bytes"}
    assert debris.found(b"a<|answer|>b", ["<|answer|>"]) == {"special"}
    assert debris.found(b"Q: win\nA: won") == {"label"}
    assert debris.found(b"icy={day} @_ day") == {"signs"}
    assert debris.found(b"sad (happy)\nold (young)\nbig (small)") == {"repeated"}
    for row in read_rows(ASSETS / "datasets" / "probes" / "general.jsonl"):
        if row["kind"] in {"stories", "older prose", "German"}:
            assert debris.found(row["text"][:240].encode()) == set(), row["text"]


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
    shots |= (made_up := {formats.made_up(rng).shot("x", "y") for _ in range(3000)})
    assert len(made_up) > 2500
    assert not shots & {layout.shot("x", "y") for layout in formats.HELD_OUT}
    assert not [s for s in shots if "=>" in s or "~" in s or "Target" in s or " / " in s]


def test_what_begins_a_layout_is_only_shown():
    docs = taskdocs.documents(4, taskdocs.TaskDocConfig())
    for doc in (next(docs) for _ in range(800)):
        shown, told = doc.text.split(SHOWN)
        assert told.strip(), doc
        assert not doc.inputs or doc.inputs[0] in shown


def test_a_heading_is_only_shown_and_every_story_has_one():
    asked = headed.questions(['"Is it cold?" he said. “Where is the little dog now?” she asked.'])
    assert asked == ["Where is the little dog now?"]
    made = list(headed.documents([f"story {i}" for i in range(40)], asked * 2, 0))
    heads, stories = zip(*(text.split(SHOWN) for text in made), strict=True)
    assert list(stories) == [f"story {i}" for i in range(40)]
    assert all(asked[0] in head for head in heads)
    assert sum("<|question|>" in head for head in heads) in range(10, 30)


def test_words_of_the_training_lists_are_no_held_out_ones():
    assert not [w for w in words.common() if near_held_out(w)]
    plural, *_ = (task for task in word_tasks() if task.name == "plural")
    assert len(plural.shown) > 2 * len(plural.training)
    assert not {x for x, _ in plural.shown} & {x for x, _ in plural.unseen}


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


def test_what_is_told_for_the_first_time_stands_in_the_test_split_alone(tmp_path):
    row = {"instruction": "Name a fruit.", "input": "", "output": "A pear."}
    write_rows(tmp_path / "instructions" / "rasbt_1100.jsonl", [row])
    made = instructions.instructions(tmp_path)
    tasks = {split: {row["task"] for row in rows} for split, rows in made.rows.items()}
    assert tasks["test"] >= set(instructions.UNSEEN)
    assert not (tasks["train"] | tasks["valid"]) & set(instructions.UNSEEN)
    assert len(tasks["train"]) > 20
    told = [{row["instruction"] for row in rows} for rows in made.rows.values()]
    assert not told[0] & told[1]
    assert not told[0] & told[2]


def test_a_circle_and_layout_signs_are_no_fluent_text():
    assert fluency.circling("A dog ran home. " * 5) > fluency.CIRCLE
    row = read_rows(ASSETS / "datasets" / "probes" / "general.jsonl")[0]
    assert fluency.circling(row["text"]) < 0.1
    judge = lmlab.load("tiny")
    story, noise = fluency.each(judge, [row["text"][:160], "`paper`^^ «sad» zzq `paper`^^"])
    assert story < fluency.limit(judge) < noise


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
