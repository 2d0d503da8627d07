"""Completion: equal to transformers' generate, repeatable, and defined at every edge."""

import itertools
import math

import pytest
import torch

from lmlab.api import load
from lmlab.errors import InputError, ModelError
from lmlab.generation.complete import generate, prompt_ids, sample, unfold
from lmlab.generation.completions import Next, Step, collect
from lmlab.generation.sampling import GenerateConfig, beliefs
from lmlab.scoring.score import score
from tests import folders

PROMPT = "the little dog ran over"
GREEDY = GenerateConfig(temperature=0, max_new_tokens=24)


@pytest.fixture(scope="module")
def lm(folder):
    return load(str(folder("llama", "bytelevel-bos")))


def complete(lm, prompt=PROMPT, config=GREEDY, **options):
    return collect(lm.name, prompt, list(generate(lm, prompt, config, **options)))


def by_transformers(lm, prompt, **options):
    """What transformers' own loop adds to the prompt."""
    ids = torch.tensor([prompt_ids(lm, prompt)])
    mask = torch.ones_like(ids)
    out = lm.model.generate(ids, attention_mask=mask, pad_token_id=0, use_cache=True, **options)
    return out[0, ids.shape[1] :].tolist()


@pytest.mark.parametrize("architecture", folders.ARCHITECTURES)
def test_greedy_equals_transformers(folder, architecture):
    lm = load(str(folder(architecture, "bytelevel-bos")))
    expected = by_transformers(lm, PROMPT, do_sample=False, max_new_tokens=24)
    assert list(complete(lm).ids) == expected


@pytest.mark.parametrize("tokenizer", folders.TOKENIZERS)
def test_greedy_equals_transformers_with_every_tokenizer(folder, tokenizer):
    lm = load(str(folder("llama", tokenizer)))
    expected = by_transformers(lm, PROMPT, do_sample=False, max_new_tokens=12)
    assert list(complete(lm).ids)[:12] == expected


def test_greedy_with_a_repetition_penalty_equals_transformers(lm):
    config = GenerateConfig(temperature=0, repetition_penalty=1.5, max_new_tokens=20)
    expected = by_transformers(
        lm, PROMPT, do_sample=False, max_new_tokens=20, repetition_penalty=1.5
    )
    assert list(complete(lm, config=config).ids) == expected


def test_a_soft_prompt_completes_as_peft_does(folder, prompt_folder):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    path = folder("llama", "bytelevel-bos")
    lm = load(f"{path}+{prompt_folder}")
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(path), prompt_folder)
    ids = prompt_ids(lm, PROMPT)
    for step in complete(lm).steps[:8]:
        # The whole sequence read anew each time, with no cache that could go wrong.
        logp = model(input_ids=torch.tensor([ids])).logits[0, -1].log_softmax(-1)
        assert step.id == int(logp.argmax())
        assert step.logprob == pytest.approx(float(logp.max()), abs=1e-4)
        ids.append(step.id)


def test_each_steps_numbers_are_those_of_scoring(lm):
    done = complete(lm, config=GenerateConfig(seed=3, max_new_tokens=12))
    ids = torch.tensor([[*prompt_ids(lm, PROMPT), *done.ids]])
    logp = lm.model(ids).logits[0].float().log_softmax(-1)
    before = ids.shape[1] - len(done.steps) - 1
    for i, step in enumerate(done.steps):
        row = logp[before + i]
        assert step.logprob == pytest.approx(float(row[step.id]), abs=1e-4)
        assert step.rank == int((row > row[step.id]).sum()) + 1
        assert step.entropy == pytest.approx(float(-(row.exp() * row).sum()), abs=1e-3)
        assert step.top[0].logprob == pytest.approx(float(row.max()), abs=1e-4)
    scored = score(lm, done.text, prefix=PROMPT)
    if [t.id for t in scored.tokens] == list(done.ids):
        assert scored.logprob == pytest.approx(done.logprob, abs=1e-3)
    assert done.perplexity == pytest.approx(math.exp(-done.logprob / len(done.steps)))


def test_a_seed_repeats_and_another_does_not(lm):
    runs = [complete(lm, config=GenerateConfig(seed=seed)).ids for seed in (5, 5, 6)]
    assert runs[0] == runs[1] != runs[2]


def test_going_on_from_a_fork_repeats_what_was_drawn_there(lm):
    config = GenerateConfig(seed=5, max_new_tokens=20)
    whole = complete(lm, config=config)
    rest = complete(lm, config=config, start=whole.ids[:7])
    assert rest.ids == whole.ids[7:]
    assert rest.steps[0].index == 7


def test_samples_are_the_runs_of_their_seeds(lm):
    config = GenerateConfig(seed=2, max_new_tokens=10, top_k=20)
    drawn = {i: [] for i in range(3)}
    for which, step in sample(lm, PROMPT, config, n=3):
        drawn[which].append(step.id)
    for i, ids in drawn.items():
        alone = complete(lm, config=GenerateConfig(seed=2 + i, max_new_tokens=10, top_k=20))
        assert tuple(ids) == alone.ids


def test_rows_that_end_early_leave_the_others_alone(lm):
    """Stop strings end some rows before others."""
    runs = [complete(lm, config=GenerateConfig(seed=i, max_new_tokens=16)) for i in range(4)]
    stop = (next(s.text for s in runs[1].steps[2:] if "⟨" not in s.text),)
    config = GenerateConfig(seed=0, max_new_tokens=16, stop=stop)
    drawn = {i: [] for i in range(4)}
    for which, step in sample(lm, PROMPT, config, n=4):
        drawn[which].append(step)
    assert drawn[1][-1].finish == "stop"
    assert len({len(steps) for steps in drawn.values()}) > 1
    for i, run in enumerate(runs):
        assert tuple(s.id for s in drawn[i]) == run.ids[: len(drawn[i])]


def test_the_text_is_what_the_ids_decode_to(lm):
    done = complete(lm, config=GenerateConfig(seed=11, max_new_tokens=40))
    data = b"".join(lm.vocabulary.data(i) for i in done.ids)
    assert done.text == data.decode(errors="replace")


def test_sentencepiece_keeps_its_spaces(folder):
    lm = load(str(folder("llama", "sentencepiece")))
    ids = lm.vocabulary.ids("the dog and the king")
    steps = list(generate(lm, "the dog", GenerateConfig(max_new_tokens=len(ids)), start=ids[:-1]))
    assert all("▁" not in step.shown for step in steps)


@pytest.mark.parametrize("split", [1, 2])
def test_a_stop_string_across_tokens_is_cut_exactly(lm, split):
    whole = complete(lm, config=GenerateConfig(seed=5, max_new_tokens=20))
    data = [lm.vocabulary.data(i).decode(errors="replace") for i in whole.ids]
    at = next(i for i in range(3, 18) if "�" not in "".join(data[i : i + 1 + split]))
    stop = data[at][-1:] + "".join(data[at + 1 : at + split]) + data[at + split][:1]
    done = complete(lm, config=GenerateConfig(seed=5, max_new_tokens=20, stop=(stop,)))
    assert done.text == whole.text.split(stop)[0]
    assert done.finish_reason == "stop"


def test_the_end_token_ends_and_is_not_shown(lm):
    config = GenerateConfig(max_new_tokens=200, seed=1)
    lm.model.generation_config.eos_token_id = list(range(0, 512, 3))
    try:
        done = complete(lm, config=config)
    finally:
        lm.model.generation_config.eos_token_id = 0
    assert done.finish_reason == "end"
    assert done.ids[-1] % 3 == 0
    assert done.steps[-1].shown in ("", "�")


def test_a_model_with_no_end_token_runs_to_the_limit(folder):
    lm = load(str(folder("llama", "no-special")))
    lm.model.generation_config.eos_token_id = None
    done = complete(lm, config=GenerateConfig(max_new_tokens=9))
    assert (len(done.steps), done.finish_reason) == (9, "length")


def test_the_context_is_the_last_limit(lm):
    long = PROMPT * 9
    n = len(prompt_ids(lm, long))
    prompt = long[:]
    while n > lm.context - 3:
        prompt = prompt[:-1]
        n = len(prompt_ids(lm, prompt))
    lm.model.generation_config.eos_token_id = None
    done = complete(lm, prompt, GenerateConfig(max_new_tokens=500))
    lm.model.generation_config.eos_token_id = 0
    # The token drawn from the last position still fits on the page, though not in the model.
    assert n + len(done.steps) == lm.context + 1
    assert done.finish_reason == "context"


def test_a_prompt_too_long_says_by_how_much(lm):
    prompt = "the dog " * 200
    over = len(prompt_ids(lm, prompt)) - lm.context
    with pytest.raises(InputError, match=f"at least {over} tokens"):
        complete(lm, prompt)


def test_an_empty_prompt_starts_from_the_start_token(folder):
    with_bos = load(str(folder("llama", "bytelevel")))
    assert prompt_ids(with_bos, "") == [0]
    assert complete(with_bos, "").steps
    without = load(str(folder("llama", "no-special")))
    with pytest.raises(InputError, match="nothing to start from"):
        complete(without, "")


def test_not_a_number_is_said(nan_folder):
    with pytest.raises(ModelError, match="not-a-number"):
        complete(load(str(nan_folder)))


def test_top_k_beyond_the_vocabulary_keeps_everything(lm):
    configs = [GenerateConfig(seed=4, top_k=k) for k in (0, 10_000_000)]
    assert complete(lm, config=configs[0]).ids == complete(lm, config=configs[1]).ids


def test_alternatives_beyond_the_vocabulary_are_the_vocabulary(lm):
    step = next(generate(lm, PROMPT, GenerateConfig(alternatives=1000)))
    assert len(step.top) == 512
    assert math.fsum(c.probability for c in step.top) == pytest.approx(1, abs=1e-4)


def test_the_uniform_model_is_as_unsure_as_its_vocabulary_is_large(uniform_folder):
    done = complete(load(str(uniform_folder)), config=GenerateConfig(max_new_tokens=5))
    assert done.perplexity == pytest.approx(512, rel=1e-4)
    assert {step.rank for step in done.steps} == {1}


def test_the_beliefs_around_the_steps(lm):
    config = GenerateConfig(seed=5, max_new_tokens=4, top_k=7)
    events = list(unfold(lm, PROMPT, config))
    kinds = [type(event) for event in events]
    assert kinds == [Next, Step] * 4 + [Next]
    whole = complete(lm, config=config)
    assert [e.id for e in events if isinstance(e, Step)] == list(whole.ids)
    for place, step in itertools.pairwise(events):
        if isinstance(place, Next):
            found = beliefs(place, config)
            assert found.top == step.top
            assert (found.entropy, found.entropy_after) == (step.entropy, step.entropy_after)
    again = list(unfold(lm, PROMPT, config, start=whole.ids))
    assert [type(event) for event in again] == [Next]
    assert again[0].ids == (*prompt_ids(lm, PROMPT), *whole.ids)
    assert beliefs(again[0], config).entropy == pytest.approx(
        beliefs(events[-1], config).entropy, abs=1e-4
    )


def test_nothing_is_believed_beyond_the_context(lm):
    start = [5] * (lm.context - len(prompt_ids(lm, PROMPT)) - 1)
    events = list(unfold(lm, PROMPT, GenerateConfig(max_new_tokens=500), start=start))
    assert isinstance(events[-1], Step)
    assert events[-1].finish in ("context", "end")


def test_a_closed_stream_lets_the_weights_go(folder):
    from lmlab.runs.model_store import ModelStore

    store = ModelStore()
    with store.borrow(str(folder("llama", "bytelevel-bos"))) as lm:
        steps = generate(lm, PROMPT)
        next(steps)
        steps.close()
    with store.borrow(str(folder("llama", "bytelevel-bos"))) as lm:
        assert complete(lm).steps


def test_a_sample_is_json_ready(lm):
    import json

    done = complete(lm, config=GenerateConfig(max_new_tokens=3))
    found = json.loads(json.dumps(done.to_dict(), allow_nan=False))
    assert set(found) == {"text", "tokens", "logprob", "perplexity", "finish_reason"}
    assert set(found["tokens"][0]) == {"id", "text", "logprob", "rank", "entropy", "top"}
    assert set(found["tokens"][0]["top"][0]) == {"id", "text", "logprob", "probability"}
