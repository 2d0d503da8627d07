"""The core of fine-tuning: methods, masks, batches, the training iterator."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from lmlab.errors import InputError
from lmlab.runs.bases import material
from lmlab.text.sets import Table
from lmlab.training import batches, events
from lmlab.training.batches import keeps, mean_loss, summed_loss
from lmlab.training.config import SCHEDULES, FinetuneConfig, steps_of, suited_rank, suited_rate
from lmlab.training.counting import count
from lmlab.training.examples import mask_view, structured
from lmlab.training.loop import Loop
from lmlab.training.methods import shape_of
from lmlab.training.outcomes import scheduled
from lmlab.training.sets import TuningData, reads_of, split_table
from lmlab.training.shapes import lora_targets
from tests.tuningbits import DATA, QUICK, ROWS, TEMPLATE, losses, quick, run, tuned

METHODS = {
    "full": quick(method="full"),
    "norms": quick(method="selective", parts=("norms",)),
    "last layer": quick(method="selective", parts=("-1",)),
    "head": quick(method="selective", parts=("head",)),
    "lora": quick(),
    "lora layers": quick(layers=(0,), targets="auto"),
    "rslora": quick(rslora=True, start="random"),
    "dora": quick(dora=True),
    "prompt": quick(method="prompt", length=5, learning_rate=3e-2),
}
IDS = torch.tensor([[5, 9, 30, 7, 2, 80]])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rank": 0}, "The rank cannot be 0"),
        ({"method": "magic"}, "method cannot be ‘magic’"),
        ({"learning_rate": float("nan")}, "learning rate cannot be nan"),
        ({"steps": 2.5}, "steps cannot be 2.5"),
        ({"batch_size": True}, "batch size cannot be True"),
        ({"dropout": 1.0}, "dropout cannot be 1.0"),
        ({"method": "selective", "parts": ()}, "No part"),
        ({"targets": " "}, "No matrix"),
        ({"layers": ("x",)}, "no layer's number"),
        ({"dora": True, "start": "random"}, "DoRA"),
    ],
)
def test_configs_that_cannot_be_are_refused(changes, said):
    with pytest.raises(InputError, match=said):
        FinetuneConfig(**changes)


def test_a_config_survives_json_and_tells_differences():
    config = FinetuneConfig(layers=(1, -1), parts=("norms", "2"))
    assert FinetuneConfig.from_dict(config.to_dict()) == config
    assert config.difference(quick()).keys() >= {"rank", "steps", "layers"}
    with pytest.raises(InputError, match="no setting ‘ranks’"):
        FinetuneConfig.from_dict({"ranks": 3})


def test_events_survive_json():
    for event in (
        events.Started("r", "lora", 1, 2, 3, 4, 5, 6, 0.5, "cpu", "float32", warnings=("w",)),
        events.TrainStep(1, 2.0, 3.0, 4.0, 5, 6.0),
        events.Evaluated(0, None, 1.5),
        events.Sampled(0, 0, "p", "t", "x", (events.SampleToken(1, "x", -0.5),)),
        events.Finished("stopped", 3, "why", valid_loss=1.0),
    ):
        assert events.from_dict(events.to_dict(event)) == event
    lost = events.from_dict(events.to_dict(events.TrainStep(1, math.nan, 1.0, math.inf, 1, 1.0)))
    assert math.isnan(lost.loss)


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "qwen2", "opt"])
def test_lora_starts_as_the_base_exactly(folder, architecture):
    path = folder(architecture)
    base = AutoModelForCausalLM.from_pretrained(path).eval()
    with torch.inference_mode():
        expected = base(IDS).logits
        zero, random = tuned(path), tuned(path, quick(start="random"))
        assert torch.equal(zero.model.eval()(IDS).logits, expected)
        assert not torch.allclose(random.model.eval()(IDS).logits, expected, atol=1e-3)


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "qwen2", "opt"])
@pytest.mark.parametrize("name", METHODS)
def test_what_is_counted_is_what_is_trained(folder, architecture, name):
    config, path = METHODS[name], folder(architecture)
    shape = shape_of(AutoModelForCausalLM.from_pretrained(path), "base")
    found, model = count(shape, config), tuned(path, config)
    assert found.trainable == model.trainable > 0
    assert found.total == model.total
    assert found.optimiser_bytes == 8 * found.trainable


def test_the_lectures_formula(folder):
    shape = shape_of(AutoModelForCausalLM.from_pretrained(folder("gpt2")), "base")
    (first, *_) = count(shape, quick(targets="auto")).matrices
    assert first.shape == (96, 32)  # c_attn maps 32 to 3 · 32, whichever way it is stored
    assert (first.own, first.trained) == (96 * 32, 4 * (96 + 32))
    assert "4 · (96 + 32) = 512" in first.formula


def test_names_that_match_nothing_are_told(folder):
    shape = shape_of(AutoModelForCausalLM.from_pretrained(folder("gpt2")), "base")
    with pytest.raises(InputError, match=r"‘q_proj’.* c_attn"):
        lora_targets(shape, quick(targets="q_proj"))
    with pytest.raises(InputError, match="no layer 7"):
        lora_targets(shape, quick(layers=(7,)))
    with pytest.raises(InputError, match=r"rank 33 .* 96 × 32"):
        lora_targets(shape, quick(rank=33))
    with pytest.raises(InputError, match="matches ‘nothing’"):
        count(shape, quick(method="selective", parts=("nothing",)))


def test_only_the_chosen_weights_change(folder):
    path = folder("llama", "bytelevel-bos")
    before = {
        n: p.clone() for n, p in AutoModelForCausalLM.from_pretrained(path).named_parameters()
    }
    for parts, expected in ((("norms",), "norm"), (("*.1.mlp.*",), "layers.1.mlp")):
        _, model = run(path, quick(method="selective", parts=parts))
        changed = {n for n, p in model.base.named_parameters() if not torch.equal(p, before[n])}
        assert changed
        assert all(expected in name for name in changed)


def test_the_mask_follows_the_border_of_prompt_and_answer(folder):
    model = tuned(folder("llama", "bytelevel-bos"))
    (example,) = structured(model.vocabulary, TEMPLATE, ROWS[:1], QUICK, 64)
    view = mask_view(model.vocabulary, example, QUICK, len(ROWS))
    carried = "".join(token.text for token in view.tokens if token.loss)
    assert carried == " the dog<|endoftext|>"
    assert [token.kind for token in view.tokens if token.kind in ("start", "end")] == [
        "start",
        "end",
    ]
    assert view.tokens[-1].loss
    assert view.prompt + view.answer == "Say dog: the dog"
    whole = quick(loss_on="all", end_token=False)
    (example,) = structured(model.vocabulary, TEMPLATE, ROWS[:1], whole, 64)
    view = mask_view(model.vocabulary, example, whole, len(ROWS))
    assert [token.loss for token in view.tokens] == [False] + [True] * (len(view.tokens) - 1)
    assert "does not learn to stop" in view.warnings[0]


def test_an_answer_that_is_cut_off_is_told(folder):
    model = tuned(folder("llama", "bytelevel-bos"))
    (whole,) = structured(model.vocabulary, TEMPLATE, ROWS[:1], QUICK, 64)
    short = quick(max_length=len(whole.ids) - 1)
    (cut,) = structured(model.vocabulary, TEMPLATE, ROWS[:1], short, 64)
    view = mask_view(model.vocabulary, cut, short, 1)
    assert "end token with it" in view.warnings[0]
    assert view.n_loss == whole.n_loss - 1
    rows = (*ROWS, {"word": "dog " * 60, "answer": "no"})
    with pytest.raises(InputError, match=r"Row 13 \(‘Say dog .*…’\): no token carries loss"):
        material(model, TEMPLATE, TuningData("long", rows, ()), QUICK)
    with pytest.raises(InputError, match="longer than the model reads"):
        list(structured(model.vocabulary, TEMPLATE, ROWS, quick(max_length=65), 64))


def test_a_tokenizer_without_special_tokens_is_warned_of(folder):
    found, _ = run(folder("llama", "no-special"))
    assert "no end token" in found[0].warnings[0]
    assert found[-1].reason == "done"


def test_rows_that_cannot_be_learned_from_are_named(folder):
    model = tuned(folder("llama", "bytelevel-bos"))
    with pytest.raises(InputError, match=r"3 rows .* too few"):
        material(model, TEMPLATE, TuningData("few", ROWS[:3], ()), QUICK)
    bad = (*ROWS[:9], {"word": "dog", "answer": " "})
    with pytest.raises(InputError, match="row 10 of the training part: column ‘answer’ is empty"):
        material(model, TEMPLATE, TuningData("bad", bad, ()), QUICK)


def test_a_table_is_split_by_seed_without_repeats():
    rows = tuple({"text": str(i % 40)} for i in range(80))
    found = split_table(Table("t", ("text",), rows), reads=reads_of(None), seed=3, held_out=0.25)
    kept = [row["text"] for row in (*found.train, *found.valid)]
    assert sorted(kept, key=int) == [str(i) for i in range(40)]
    assert len(found.valid) == 10
    table = Table("t", ("text",), rows)
    assert found == split_table(table, reads=reads_of(None), seed=3, held_out=0.25)
    with pytest.raises(InputError, match="t, row 81: column ‘text’ is empty"):
        split_table(replace(table, rows=(*rows, {"text": ""})), reads=reads_of(None))


def test_every_row_is_read_once_an_epoch_and_any_step_can_come_first(folder):
    model = tuned(folder("llama", "bytelevel-bos"))
    rows = list(structured(model.vocabulary, TEMPLATE, ROWS, QUICK, 64))
    for number in range(3):
        places = [i for batch in batches.epoch(rows, 5, 7, number) for i in batch]
        assert sorted(places) == list(range(len(rows)))
    assert batches.epoch(rows, 5, 7, 0) != batches.epoch(rows, 5, 7, 1)
    whole = batches.steps(rows, 5, 2, 7)
    expected = [next(whole) for _ in range(9)]
    for first in (1, 4, 8):
        later = batches.steps(rows, 5, 2, 7, first)
        assert [next(later) for _ in range(9 - first)] == expected[first:]


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "opt", "gemma2"])
def test_the_loss_is_that_of_transformers(folder, architecture):
    path = folder(architecture, "bytelevel-bos")
    model = tuned(path, quick(method="full"))
    rows = list(structured(model.vocabulary, TEMPLATE, ROWS[:5], QUICK, 64))
    batch = batches.collate(rows, torch.device("cpu"))
    labels = torch.full_like(batch.ids, batches.MASKED)
    mask = torch.zeros_like(batch.ids)
    for i, row in enumerate(rows):
        labels[i, row.loss_from : len(row.ids)] = torch.tensor(row.ids[row.loss_from :])
        mask[i, : len(row.ids)] = 1
    with torch.inference_mode():
        model.base.eval()
        expected = model.base(input_ids=batch.ids, attention_mask=mask, labels=labels).loss
        for keep in {keeps(model.base), False}:
            found = summed_loss(model.base, batch, 0, keep) / batch.n_loss
            assert float(found) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("name", ["full", "lora", "prompt"])
def test_accumulation_divides_by_the_tokens_of_the_step(folder, name):
    path = folder("llama", "bytelevel-bos")
    steps = []
    for size in (8, 3, 1):
        model = tuned(path, METHODS[name])
        loop = Loop(model, material(model, TEMPLATE, DATA, METHODS[name]), None, lambda: None, None)
        rows = list(loop.material.train[:8])
        event = loop.step([rows[low : low + size] for low in range(0, 8, size)])
        steps.append((event.loss, event.grad_norm))
    for loss, norm in steps[1:]:
        assert loss == pytest.approx(steps[0][0], rel=1e-5)
        assert norm == pytest.approx(steps[0][1], rel=1e-4)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_learns_and_can_be_loaded_elsewhere(folder, name, tmp_path):
    path = folder("llama", "bytelevel-bos")
    config = replace(METHODS[name], steps=12, probe_rows=2, warmup=0.0)
    found, model = run(path, config, out=tmp_path)
    finished = found[-1]
    assert finished.reason == "done"
    assert finished.valid_loss < finished.valid_before - 0.01
    assert finished.forgetting is not None
    base = AutoModelForCausalLM.from_pretrained(path)
    if config.is_adapter:
        again = PeftModel.from_pretrained(base, tmp_path / "adapter-12")
    else:
        again = AutoModelForCausalLM.from_pretrained(tmp_path / "model-12")
    rows = material(model, TEMPLATE, DATA, config).valid
    loss = mean_loss(again.eval(), rows, model.config.soft, True, torch.device("cpu"))
    assert loss == pytest.approx(finished.valid_loss, rel=1e-5)


@pytest.mark.parametrize("name", ["lora", "rslora", "prompt", "full"])
def test_forgetting_is_measured_against_the_untouched_model(folder, name):
    path = folder("llama", "bytelevel-bos")
    config = replace(METHODS[name], probe_rows=3, steps=1)
    found, model = run(path, config)
    base = AutoModelForCausalLM.from_pretrained(path).eval()
    probe = material(model, TEMPLATE, DATA, config).probe
    expected = mean_loss(base, probe, 0, True, torch.device("cpu"))
    assert found[-1].probe_before == pytest.approx(expected, rel=1e-5)


def test_not_a_number_stops_the_run_and_keeps_the_last_good_checkpoint(folder, tmp_path):
    path = folder("llama", "bytelevel-bos")
    good, _ = run(path, quick(method="full", steps=9, save_every=1), out=tmp_path / "good")
    config = quick(method="full", steps=9, save_every=1, learning_rate=1e12, clip=0.0)
    found, model = run(path, config, out=tmp_path / "bad")
    finished = found[-1]
    assert finished.reason == "nan"
    assert "step" in finished.message
    assert finished.step < 9
    assert all(torch.isfinite(p).all() for p in model.trained.values())
    saved = [event.step for event in found if isinstance(event, events.Saved)]
    assert finished.step == max(saved, default=0)
    assert good[-1].step == 9


def test_samples_and_answers_come_from_the_model_in_training(folder):
    path = folder("llama", "bytelevel-bos")
    config = quick(
        method="full", steps=60, learning_rate=1e-2, answer_rows=4, samples=1, warmup=0.0
    )
    found, _ = run(path, config)
    before, after = [e for e in found if isinstance(e, events.Evaluated)]
    assert (before.accuracy, after.accuracy) == (0.0, 1.0)
    samples = [e for e in found if isinstance(e, events.Sampled)]
    assert samples[-1].prompt == "Say dog:"
    assert samples[-1].text == samples[-1].truth == " the dog"
    assert samples[-1].tokens[-1].text == "<|endoftext|>"
    assert samples[0].text != samples[-1].text


def test_the_same_seed_gives_the_same_run(folder):
    path = folder("llama", "bytelevel-bos")
    config = quick(dropout=0.3)
    first, again = (losses(run(path, config)[0]) for _ in range(2))
    other = losses(run(path, quick(dropout=0.3, seed=5))[0])
    assert first == again != other


def test_half_precision_comes_close(folder):
    path = folder("llama", "bytelevel-bos")
    for name in ("full", "lora"):
        config = replace(METHODS[name], steps=2)
        whole = losses(run(path, config)[0])
        half, model = run(path, replace(config, precision="bfloat16"))
        assert losses(half) == pytest.approx(whole, rel=0.1)
        assert losses(half) != whole
        assert all(p.dtype == torch.float32 for p in model.trained.values())


def test_python_tunes_by_name_and_goes_on(folder, tmp_path):
    import lmlab

    path, config = str(folder("llama", "bytelevel-bos")), quick(steps=3)
    plain = list(lmlab.finetune(path, DATA, TEMPLATE, config))
    kept = list(lmlab.finetune(path, DATA, TEMPLATE, config, out=tmp_path / "run"))
    assert losses(plain) == losses(kept)
    with pytest.raises(InputError, match="other settings: rank"):
        list(lmlab.finetune(path, DATA, TEMPLATE, quick(steps=3, rank=2), out=tmp_path / "run"))


def test_plain_text_is_learned_whole(folder):
    path: Path = folder("llama", "bytelevel-bos")
    rows = tuple({"text": f"the little {row['word']} ran over the hill"} for row in ROWS)
    data = TuningData("plain", rows, rows[:2])
    found, _ = run(path, quick(samples=1), data=data, template=None)
    assert found[-1].valid_loss < found[-1].valid_before
    sample = next(e for e in found if isinstance(e, events.Sampled))
    assert (sample.prompt + sample.truth) == rows[0]["text"]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("share", [0.0, 0.34, 1.0])
def test_every_step_has_a_rate_above_zero(schedule, share):
    config = quick(schedule=schedule, warmup=share, steps=9, learning_rate=1e-3)
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
    made, rates = scheduled(optimiser, config), []
    for _ in range(config.steps):
        rates.append(made.get_last_lr()[0])
        optimiser.step()
        made.step()
    assert min(rates) > 0
    assert max(rates) == pytest.approx(1e-3)
    if share == 0.34 and schedule != "constant":
        assert rates[:3] == pytest.approx([1e-3 / 3, 2e-3 / 3, 1e-3])
    if not share:
        assert rates[0] == 1e-3


def test_epochs_are_steps_in_which_each_row_is_read():
    assert steps_of(1, 12, 4, 1) == 3
    assert steps_of(2, 13, 4, 1) == 8
    assert steps_of(1, 13, 4, 2) == 2
    assert steps_of(0.1, 12, 4, 1) == 1
    for epochs in (0, -1, math.nan, math.inf):
        with pytest.raises(InputError, match="above 0"):
            steps_of(epochs, 12, 4, 1)


def test_rate_and_rank_suit_the_size():
    assert [suited_rate("lora", n) for n in (1, 5_000_000)] == [3e-3, 3e-3]
    assert suited_rate("lora", 134_515_008) == 8e-4
    assert suited_rate("full", 7_000_000_000) == 2e-5
    assert [suited_rank(n) for n in (5_000_000, 135_000_000, 7_000_000_000)] == [8, 8, 16]
