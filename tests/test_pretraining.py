"""Models from nothing: text, tokenizer, levels, the run and what comes of it."""

import json
import math
from dataclasses import replace

import pytest
import torch

import lmlab
from lmlab.errors import InputError
from lmlab.features.pretraining import shipped
from lmlab.features.pretraining.service import Pretraining
from lmlab.features.tuning.service import Tuning
from lmlab.lab import Lab
from lmlab.maths.levels import entropy_of_counts, per_byte, per_token
from lmlab.runs import pretrain_worker, worker
from lmlab.runs.model_store import ModelStore
from lmlab.runs.store import RunFolder, new_pretraining
from lmlab.scoring.score import score
from lmlab.settings import Settings
from lmlab.training import corpus as texts
from lmlab.training.events import (
    Evaluated,
    Finished,
    Levels,
    Sampled,
    Saved,
    Started,
    TrainStep,
    from_dict,
    to_dict,
)
from lmlab.training.pretrain import fresh, matter, pretrain, tokenizer_for, words_of
from lmlab.training.pretrain_config import SIZES, SMALLEST, PretrainConfig
from lmlab.training.tokenizer import END, stream, train_tokenizer, view

OWNER = "a" * 32
TEXT = "".join(
    f"The {who} saw a {what} in the {where}. It was {how}!\n"
    for who in ("dog", "cat", "king")
    for what in ("ball", "hill", "bird", "boat")
    for where in ("garden", "park", "house")
    for how in ("red", "big", "old")
)
QUICK = PretrainConfig(
    layers=1, width=16, heads=2, vocabulary=300, context=16, steps=6, batch_size=4,
    evaluate_every=3, sample_every=3, save_every=2,
)  # fmt: skip


def data(text: str = TEXT):
    return texts.corpus(text, "pasted")


def plain(config: PretrainConfig = QUICK, **more):
    """A run in this process that measures no other model."""
    tokenizer = tokenizer_for(config, data())
    tuned = fresh(config, tokenizer)
    return list(pretrain(tuned, matter(config, tokenizer, data()), config, **more)), tuned


def run_folder(path, config=QUICK):
    return RunFolder.create(path, new_pretraining(path.name, OWNER, data(), config), data())


@pytest.mark.parametrize("size", SIZES)
def test_parameters_are_counted_as_the_model_has_them(size):
    config = PretrainConfig.sized(size, vocabulary=300)
    tokenizer = train_tokenizer([TEXT], 300, config.context)
    assert len(tokenizer) == 300
    assert fresh(config, tokenizer).total == config.parameters
    assert config.size == size


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"layers": 0}, "layers cannot be 0"),
        ({"vocabulary": SMALLEST - 1}, "vocabulary"),
        ({"width": 30}, "cannot be shared"),
        ({"heads": 3}, "cannot be shared"),
        ({"learning_rate": math.nan}, "learning rate cannot be nan"),
        ({"steps": True}, "steps cannot be True"),
        ({"temperature": -1}, "temperature"),
    ],
)
def test_what_cannot_be_is_refused_by_name(changes, said):
    with pytest.raises(InputError, match=said):
        replace(QUICK, **changes)


def test_a_config_survives_json_and_keeps_its_rhythm():
    assert PretrainConfig.from_dict(json.loads(json.dumps(QUICK.to_dict()))) == QUICK
    twice = QUICK.with_steps(12)
    assert (twice.evaluate_every, twice.sample_every, twice.save_every) == (6, 6, 4)
    with pytest.raises(InputError, match="no setting"):
        PretrainConfig.from_dict({"nope": 1})


def test_the_parts_share_nothing_and_lose_nothing():
    documents = [f"document {i} " + "x" * 200 for i in range(40)]
    found = texts.corpus("\n<|endoftext|>\n".join(documents), "many")
    train, valid = texts.texts(found), texts.texts(found, "valid")
    assert len(valid) == 4
    assert sorted(train + valid) == sorted(documents)
    one = texts.corpus(TEXT, "one")
    assert " ".join(texts.texts(one) + texts.texts(one, "valid")).split() == TEXT.split()
    assert 0.06 < sum(map(len, texts.texts(one, "valid"))) / len(TEXT) < 0.14
    lineless = texts.corpus("word " * 1000, "no lines")
    held = texts.texts(lineless, "valid")[0]
    assert held.startswith("word")
    assert len(held) == pytest.approx(500, abs=10)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("short", "too few"),
        ("<|endoftext|>\n" * 1000, "too few"),
        ("x" * 5000 + "\ud800", "surrogate"),
        ("y" * 30_000, "at most 20,000"),
    ],
)
def test_a_text_that_cannot_be_learned_from_is_refused(text, said):
    with pytest.raises(InputError, match=said):
        texts.corpus(text, "x", limit=20_000)


@pytest.mark.parametrize("name", texts.NAMES)
def test_the_texts_that_ship_can_be_learned_from(name):
    found = texts.shipped_corpus(name)
    assert sum(map(len, texts.texts(found))) > 300_000
    assert len(found.valid) >= 10


def test_the_stories_share_nothing_with_general_texts():
    general = {text.strip() for text in _probes()}
    assert general
    stories = texts.shipped_corpus("stories")
    assert not general & {*texts.texts(stories), *texts.texts(stories, "valid")}


def _probes():
    from lmlab.training.sets import probe_texts

    return probe_texts(168)


def test_a_tokenizer_gives_every_text_back_and_is_the_same_again():
    tokenizer = train_tokenizer([TEXT], 320, 16)
    for text in ("The dog!", "naïve 🙂\t\r\n  x", TEXT[:200], "\x00\x7f"):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.decode(ids) == text
    again = train_tokenizer([TEXT], 320, 16)
    assert again.backend_tokenizer.to_str() == tokenizer.backend_tokenizer.to_str()
    assert tokenizer("x")["input_ids"][0] == tokenizer.eos_token_id


def test_a_tokenizer_is_shown_as_it_is():
    tokenizer = train_tokenizer([TEXT], 300, 16)
    shown = view(tokenizer, [TEXT], "The dog 🙂")
    assert (shown.size, shown.n_merges) == (300, 300 - SMALLEST)
    assert shown.n_bytes == len(TEXT.encode())
    assert sum(shown.counts) == shown.n_tokens == len(tokenizer(TEXT)["input_ids"]) - 1
    assert [m.left + m.right for m in shown.merges] == [m.text for m in shown.merges]
    first = shown.frequent[0]
    assert first.count == max(shown.counts)
    assert first.count == tokenizer(TEXT)["input_ids"].count(first.id)
    assert shown.pieces[-1].count == 0  # a byte that the text does not have
    assert shown.uniform == math.log(300)
    bare = view(train_tokenizer([TEXT], SMALLEST, 16), [TEXT], "The")
    assert (bare.n_merges, bare.merges, bare.bytes_per_token) == (0, (), 1.0)


def test_a_small_text_gives_fewer_tokens_than_were_asked_for():
    assert len(train_tokenizer(["ab ab ab"], 1000, 16)) == SMALLEST + 2


def test_levels_by_hand():
    assert entropy_of_counts([3, 1]) == pytest.approx(
        -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    )
    assert entropy_of_counts([7]) == 0.0
    assert per_byte(per_token(1.7, 300, 90), 300, 90) == pytest.approx(1.7)


def test_every_token_but_the_first_is_learned_from_in_one_window():
    tokenizer = tokenizer_for(QUICK, data())
    found = matter(QUICK, tokenizer, data())
    assert found.ids == stream(tokenizer, texts.texts(data()))
    scored = [i for w in found.windows for i in range(w.number + 1, w.number + len(w.ids))]
    assert scored == list(range(1, len(found.ids)))
    assert max(len(w.ids) for w in found.windows) == QUICK.context
    assert {"dog", "garden"} <= found.words


def test_a_run_starts_at_ln_v_and_tells_its_lines():
    events, tuned = plain()
    kinds = [type(event) for event in events]
    assert kinds[:3] == [Started, Levels, Evaluated]
    assert kinds[-1] is Finished
    levels = next(e for e in events if isinstance(e, Levels))
    first = next(e for e in events if isinstance(e, Evaluated))
    assert levels.uniform == math.log(len(tuned.vocabulary.tokenizer))
    assert first.valid_loss == pytest.approx(levels.uniform, abs=0.05)
    assert 0 < levels.unigram < levels.uniform
    assert levels.base is None
    steps = [e for e in events if isinstance(e, TrainStep)]
    assert [s.step for s in steps] == [1, 2, 3, 4, 5, 6]
    assert all(s.tokens == QUICK.batch_size * QUICK.context for s in steps)
    samples = [e for e in events if isinstance(e, Sampled)]
    assert [(s.step, s.index) for s in samples] == [(i, j) for i in (0, 3, 6) for j in (0, 1)]
    assert samples[0].prompt == ""
    for event in events:
        if not isinstance(event, TrainStep):
            assert from_dict(json.loads(json.dumps(to_dict(event)))) == event


def test_the_held_out_loss_is_that_of_every_token_once():
    tokenizer = tokenizer_for(QUICK, data())
    found, tuned = matter(QUICK, tokenizer, data()), fresh(QUICK, tokenizer)
    ids = stream(tokenizer, found.held)
    total = 0.0
    with torch.no_grad():
        for low in range(0, len(ids) - 1, QUICK.context - 1):
            window = torch.tensor([ids[low : low + QUICK.context]])
            logp = tuned.model(window).logits[0, :-1].log_softmax(-1)
            total -= float(logp.gather(1, window[0, 1:, None]).sum())
    events = list(pretrain(tuned, found, replace(QUICK, steps=1)))
    first = next(e for e in events if isinstance(e, Evaluated))
    assert first.valid_loss == pytest.approx(total / (len(ids) - 1), rel=1e-4)


def test_bits_a_byte_are_of_the_text_and_not_of_its_ends():
    """Short documents, so that the end tokens weigh as much as the text does."""
    rows = [tuple({"text": f"dog {i % 7}"} for i in range(n)) for n in (400, 40)]
    short = replace(data(), train=rows[0], valid=rows[1])
    config = replace(QUICK, steps=30, learning_rate=1e-2)
    tokenizer = tokenizer_for(config, short)
    found, tuned = matter(config, tokenizer, short), fresh(config, tokenizer)
    events = list(pretrain(tuned, found, config))
    ids, end = stream(tokenizer, found.held), tokenizer.eos_token_id
    nats, every = 0.0, 0.0
    with torch.no_grad():
        for low in range(0, len(ids) - 1, config.context - 1):
            window = torch.tensor([ids[low : low + config.context]])
            logp = tuned.model(window).logits[0, :-1].log_softmax(-1)
            lost = -logp.gather(1, window[0, 1:, None])[:, 0]
            nats += float(lost[window[0, 1:] != end].sum())
            every += float(lost.sum())
    n_bytes = sum(len(text.encode()) for text in found.held)
    wanted = nats / (math.log(2) * n_bytes)
    last = [e for e in events if isinstance(e, Evaluated)][-1]
    assert last.bits == events[-1].bits == pytest.approx(wanted, rel=1e-4)
    assert last.valid_loss == pytest.approx(every / (len(ids) - 1), rel=1e-4)
    levels = next(e for e in events if isinstance(e, Levels))
    before = per_byte(last.valid_loss, 1, 1) / levels.bytes_per_token
    assert abs(before - wanted) > 0.02 * wanted


def test_the_same_seed_learns_the_same_and_another_does_not():
    losses = [
        [e.loss for e in plain(replace(QUICK, seed=seed))[0] if isinstance(e, TrainStep)]
        for seed in (1, 1, 2)
    ]
    assert losses[0] == losses[1] != losses[2]


def test_it_learns_the_words_of_its_text():
    config = replace(
        QUICK, width=32, context=32, steps=150, batch_size=8, learning_rate=1e-2,
        evaluate_every=0, sample_every=0, save_every=0,
    )  # fmt: skip
    events, _ = plain(config)
    levels = next(e for e in events if isinstance(e, Levels))
    assert events[-1].valid_loss < 0.6 * levels.unigram
    shares = [e.words for e in events if isinstance(e, Sampled) and e.index == 0]
    assert shares[-1] is not None
    assert shares[-1] > 0.9 > (shares[0] or 0.0)


def test_words_are_told_from_signs():
    assert words_of("\"Oh!\" -- she said, 'no'.") == ["oh", "she", "said", "no"]


def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path):
    settings = Settings(device="cpu")
    whole = list(worker.train(run_folder(tmp_path / "whole"), settings))
    folder = run_folder(tmp_path / "killed")
    events = worker.train(folder, settings)
    for event in events:
        if isinstance(event, Saved) and event.step == 4:
            break
    events.close()
    assert folder.info().state == "interrupted"
    rest = list(worker.train(folder, settings))
    assert rest[0].first == 4
    after = [e.loss for e in whole if isinstance(e, TrainStep)][4:]
    assert [e.loss for e in rest if isinstance(e, TrainStep)] == after
    assert sum(isinstance(e, Levels) for e in folder.events()) == 2
    assert rest[-1].valid_loss == whole[-1].valid_loss


def test_what_was_learned_opens_here_and_elsewhere(tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    lab = Lab.open(Settings(device="cpu", runs_dir=tmp_path, offline=True))
    folder = lab.store.runs.new_pretraining(OWNER, data(), QUICK)
    finished = list(worker.train(folder, lab.settings))[-1]
    learned = folder.path / finished.path
    model = AutoModelForCausalLM.from_pretrained(learned)
    tokenizer = AutoTokenizer.from_pretrained(learned)
    assert sum(p.numel() for p in model.parameters()) == QUICK.parameters
    assert (tokenizer.bos_token, tokenizer.eos_token) == (END, END)
    info = lab.service(Pretraining).run(OWNER, folder.path.name)
    assert (info.model_name, info.state) == (f"run:{info.id}", "done")
    with ModelStore(lab.settings).borrow(info.model_name) as lm:
        scored = score(lm, "The dog")
    ids = torch.tensor([tokenizer("The dog")["input_ids"]])
    with torch.no_grad():
        logp = model(ids).logits[0, :-1].log_softmax(-1)
    expected = float(logp.gather(1, ids[0, 1:, None]).sum())
    assert scored.logprob == pytest.approx(expected, rel=1e-4)
    card = (learned / "README.md").read_text("utf-8")
    assert f"{QUICK.parameters:,} parameters" in card
    assert f"| at the end | {finished.valid_loss:.3f} |" in card


def test_the_line_of_the_base_is_the_bases_own_loss(tmp_path):
    settings = Settings(device="cpu")
    folder = run_folder(tmp_path / "run", replace(QUICK, steps=1))
    list(worker.train(folder, settings))
    last = [e for e in folder.events() if isinstance(e, Levels)][-1]
    held = texts.texts(data(), "valid")
    with ModelStore(settings).borrow("base") as lm:
        nats = -sum(score(lm, text).logprob for text in held)
    tokenizer = tokenizer_for(QUICK, data())
    own = sum(len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in held)
    assert (last.base_name, last.base) == ("base", pytest.approx(nats / own, rel=1e-4))


def test_without_a_base_there_is_no_line(monkeypatch):
    monkeypatch.setattr(pretrain_worker, "RIVAL", "nothing like it")
    assert pretrain_worker.measured(["x"], Settings()) is None


@pytest.fixture
def lab(tmp_path) -> Lab:
    return Lab.open(
        Settings(runs_dir=tmp_path, max_pretrain_steps=50, max_parameters=50_000,
                 max_corpus_chars=40_000, max_runs=1)
    )  # fmt: skip


def test_the_page_is_held_to_its_limits(lab, monkeypatch):
    monkeypatch.setattr(type(lab.jobs), "submit", lambda self, folder: None)
    start = lab.service(Pretraining).start
    for config, said in (
        (replace(QUICK, steps=51), "At most 50 steps"),
        (replace(QUICK, width=128), "At most 50,000 parameters"),
    ):
        with pytest.raises(InputError, match=said):
            start(OWNER, data(), config)
    with pytest.raises(InputError, match="at most 40,000"):
        lab.service(Pretraining).own("z " * 30_000, "long")
    with pytest.raises(InputError, match="not UTF-8"):
        lab.service(Pretraining).own(b"\xff\xfa" * 2000, "binary")
    with pytest.raises(InputError, match="no plain text"):
        lab.service(Pretraining).own(b"a\0" * 2000, "binary")
    start(OWNER, data(), QUICK)
    with pytest.raises(InputError, match="You have 1 runs"):
        start(OWNER, data(), QUICK)
    off = Lab.open(lab.settings.model_copy(update={"training": False}))
    with pytest.raises(InputError, match="switched off"):
        off.service(Pretraining).start("b" * 32, data(), QUICK)


def test_runs_are_their_owners_and_of_their_kind(lab):
    folder = lab.store.runs.new_pretraining(OWNER, data(), QUICK)
    assert [info.id for info in lab.service(Pretraining).runs(OWNER)] == [folder.path.name]
    assert lab.service(Tuning).runs(OWNER) == []
    assert lab.service(Pretraining).runs("b" * 32) == []
    with pytest.raises(InputError, match="no such run"):
        lab.service(Pretraining).read("b" * 32, folder.path.name)
    assert RunFolder(folder.path).spec.pretraining == QUICK
    lab.service(Pretraining).delete(OWNER, folder.path.name)
    assert not folder.path.exists()  # and the visitor's text with it


def test_one_queue_for_both_kinds(lab):
    assert lab.jobs is lab.jobs


def test_a_tokenizer_is_trained_once_for_a_text_and_a_size(lab):
    first = lab.service(Pretraining).tokenizer(data(), 300)
    assert lab.service(Pretraining).tokenizer(data(), 300) is first
    assert lab.service(Pretraining).tokenizer(data(), 280).size == 280


def test_the_function_of_a_notebook(tmp_path):
    events = list(lmlab.pretrain(TEXT, replace(QUICK, steps=2), out=tmp_path / "run"))
    assert (tmp_path / "run" / events[-1].path / "model.safetensors").is_file()
    with pytest.raises(InputError, match="other settings: steps"):
        list(lmlab.pretrain(TEXT, QUICK, out=tmp_path / "run"))
    assert isinstance(list(lmlab.pretrain(TEXT, replace(QUICK, steps=1)))[-1], Finished)


def test_the_shipped_curve_is_that_of_the_record():
    story = {
        "config": {"batch_tokens": 8},
        "tokens": 320,
        "phases": [
            {"share": "weight", "windows": 20, "length": 4},
            {"share": "late", "windows": 40, "length": 4},
            {"share": "falling", "windows": 20, "length": 4},
        ],
        "losses": [{"step": 20, "loss": 3.0}, {"step": 40, "loss": 2.0}],
        "held_out_nats": [{"step": 20, "stories": 2.5}, {"step": 40, "stories": 2.0, "wiki": 3.0}],
    }
    drawn = shipped.curve(story)
    lines = {line.name: list(zip(line.x, line.y, strict=True)) for line in drawn.data}
    assert lines["what it reads"] == [(20, 3.0), (40, 2.0)]
    assert lines["stories"] == [(20, 2.5), (40, 2.0)]
    assert lines["encyclopaedia"] == [(40, 3.0)]
    assert [shape.x0 for shape in drawn.layout.shapes] == [10, 30]


def test_without_a_record_there_is_no_shipped_curve(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "models_dir", lambda: tmp_path)
    (tmp_path / "base").mkdir()
    for text in ("", "{}", "[1]"):
        (tmp_path / "base" / "training.json").write_text(text)
        assert shipped.record() is None


def test_checkpoints_stand_in_the_order_of_their_steps(lab):
    names = shipped.checkpoints(lab)
    steps = [int(name.rpartition("-")[2]) for name in names]
    assert len(names) >= 9
    assert steps == sorted(steps)
    assert shipped.completed(names, "../other")["model"] == names[0]
