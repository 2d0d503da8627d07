"""No short cut without proof: models of awkward kinds give what each token's own prefix gives."""

import json
import shutil

import pytest
import torch
from transformers import AutoModelForCausalLM

from lmlab.api import load
from lmlab.errors import ModelError
from lmlab.generation.advice import given
from lmlab.generation.complete import generate, iter_sample, prompt_ids, unfold
from lmlab.generation.completions import Completion, Next, Step
from lmlab.generation.config import GenerateConfig
from lmlab.generation.sidebyside import batches, generate_side_by_side
from lmlab.models.backends.transformers import decoding
from lmlab.models.tokens import encode
from lmlab.runs.model_store import ModelRef, ModelStore
from lmlab.scoring.score import score, score_many
from tests import architectures, folders
from tests.right import CLOSE, GREEDY, LONG, TEXT, check_completions, check_scores, right
from tests.test_sidebyside import adapter

LONGROPE = {
    "original_max_position_embeddings": 32,
    "rope_parameters": {
        "rope_type": "longrope",
        "rope_theta": 1e4,
        "original_max_position_embeddings": 32,
        "short_factor": [1.0] * 4,
        "long_factor": [1.5, 3.0, 6.0, 12.0],
    },
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """``made(kind)``: the folder of a small model of that kind."""
    root = tmp_path_factory.mktemp("kinds")

    def make(kind, **changes):
        folder = root / kind
        if not folder.exists():
            architectures.make(kind, **changes).save_pretrained(folder)
            folders.make_tokenizer("bytelevel-bos").save_pretrained(folder)
        return folder

    return make


@pytest.fixture
def pieces(monkeypatch):
    """Prompts are read five tokens at a time."""
    monkeypatch.setattr(decoding, "LEAST", 5)
    monkeypatch.setattr(decoding, "WORK", 0)


@pytest.mark.parametrize("kind", ["openai-gpt", "rwkv", "lfm2", "mamba", "mamba2", "bamba"])
def test_whatever_keeps_its_past_in_another_way_is_right(made, pieces, kind):
    lm = load(str(made(kind)))
    with torch.inference_mode():
        check_scores(lm)
        check_completions(lm)


@pytest.mark.parametrize("kind", ["openai-gpt", "mamba", "lfm2"])
def test_greedy_completions_are_those_of_generate(made, pieces, kind):
    lm = load(str(made(kind)))
    ids = prompt_ids(lm, TEXT)
    found = [step.id for step in generate(lm, TEXT, GREEDY)]
    given = torch.tensor([ids])
    told = lm.model.generate(
        given, attention_mask=torch.ones_like(given), max_new_tokens=len(found), do_sample=False
    )
    assert found == told[0, len(ids) :].tolist()


def test_a_model_without_a_cache_scores_its_own_completion_alike(made):
    lm = load(str(made("openai-gpt")))
    assert not lm.ways.past
    steps = list(generate(lm, TEXT, GREEDY))
    ids = [*prompt_ids(lm, TEXT), *(step.id for step in steps)]
    expected = right(lm.model, ids, len(ids) - len(steps))
    assert [step.logprob for step in steps] == pytest.approx(expected, **CLOSE)
    assert any("anew" in note for note in lm.ways.notes())


@pytest.mark.parametrize("kind", ["xlnet", "xlm", "bert", "camembert"])
def test_what_looks_ahead_is_refused(made, kind):
    changes = {"is_decoder": False} if kind in ("bert", "camembert") else {}
    with pytest.raises(ModelError, match="not a causal language model"):
        load(str(made(kind, **changes)))


def test_a_bert_that_is_a_decoder_may_be_used(made, tmp_path):
    architectures.make("bert", is_decoder=True).save_pretrained(tmp_path)
    folders.make_tokenizer("bytelevel-bos").save_pretrained(tmp_path)
    lm = load(str(tmp_path))
    with torch.inference_mode():
        check_scores(lm)
        check_completions(lm)


def test_rotary_factors_follow_each_texts_own_length(made):
    lm = load(str(made("phi3", **LONGROPE)))
    assert lm.ways.border == 32
    for one in score_many(lm, [TEXT, LONG]):
        ids = encode(lm.vocabulary, one.text).ids
        assert [t.logprob for t in one.tokens] == pytest.approx(right(lm.model, ids), **CLOSE)
    assert len(ids) > 33


def test_rotary_factors_change_where_a_completion_crosses_the_border(made):
    lm = load(str(made("phi3", **LONGROPE)))
    room = 32 - len(prompt_ids(lm, TEXT))
    assert room > 0
    config = GenerateConfig(temperature=1, max_new_tokens=room + 4, seed=1)
    rows: dict[int, list[Step]] = {0: [], 1: []}
    for which, step in iter_sample(lm, TEXT, config, n=2):
        rows[which].append(step)
    for steps in rows.values():
        ids = [*prompt_ids(lm, TEXT), *(step.id for step in steps)]
        expected = right(lm.model, ids, len(ids) - len(steps))
        assert [step.logprob for step in steps] == pytest.approx(expected, **CLOSE)


def test_a_long_prompt_is_read_with_the_factors_of_its_length(made, pieces):
    lm = load(str(made("phi3", **LONGROPE)))
    places = [place for place in unfold(lm, LONG, GREEDY) if isinstance(place, Next)]
    for place in places:
        whole = lm.model(torch.tensor([place.ids]), use_cache=False).logits[0, -1]
        torch.testing.assert_close(torch.tensor(place.logits), whole, atol=2e-3, rtol=1e-3)


def test_end_tokens_are_united(folder, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(folder("llama", "bytelevel-bos"))
    model.generation_config.eos_token_id = [7, 9]
    model.config.eos_token_id = 11
    model.save_pretrained(tmp_path)
    folders.make_tokenizer("bytelevel-bos").save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "generation_config.json").read_text())
    assert saved["eos_token_id"] == [7, 9]
    assert load(str(tmp_path)).ends == {7, 9, 11, 0}


def test_perplexity_of_a_completion_is_bounded():
    def step(logprob):
        return Step(0, 1, "x", "x", logprob, 0.0, 1, 0.0, 0.0, ())

    found = Completion("m", "p", (step(-2000.0),))
    assert found.perplexity == float("inf")
    assert found.to_dict()["perplexity"] is None


def test_the_proof_is_made_once_and_kept(folder, monkeypatch):
    lm = load(str(folder("llama", "bytelevel-bos")))
    list(iter_sample(lm, TEXT, GREEDY, n=2))
    score(lm, TEXT)
    assert lm.ways.shared
    assert lm.ways.notes() == []
    monkeypatch.setattr(type(lm.ways), "_stepped", None)
    monkeypatch.setattr(type(lm.ways), "_shared", None)
    list(iter_sample(lm, TEXT, GREEDY, n=2))


def test_a_cache_that_lies_is_found_out(folder, monkeypatch):
    """Steps that see one token alone, as where a cache is swallowed by ``**kwargs``."""
    from lmlab.models.backends.transformers.body import Body

    lm = load(str(folder("gpt2", "bytelevel-bos")))
    monkeypatch.setattr(
        Body, "over", lambda self, ids, past, **options: (self(ids)[:, -ids.shape[1] :], past)
    )
    assert not lm.ways.past
    with torch.inference_mode():
        check_completions(lm)


def windowed(folder, path, window=16):
    """A Llama whose config names a window, which its plain pass knows nothing of."""
    shutil.copytree(folder("llama", "bytelevel-bos"), path)
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(config | {"sliding_window": window}))
    return path


def test_a_window_that_the_plain_pass_does_not_know_is_found_out(folder, tmp_path, pieces):
    lm = load(str(windowed(folder, tmp_path / "m")))
    with torch.inference_mode():
        check_scores(lm, LONG)
        check_completions(lm, LONG)
        assert any("Beyond 16 tokens" in note for note in lm.notes)
        # A text that begins before the window and ends after it.
        check_completions(lm, TEXT)


def test_adapters_beside_each_other_go_on_beyond_such_a_window(folder, tmp_path):
    base = windowed(folder, tmp_path / "m")
    path = adapter(tmp_path / "a", base, target_modules="all-linear")
    refs = [ModelRef(str(base)), ModelRef(str(base), path)]
    config = GenerateConfig(temperature=1, max_new_tokens=9, seed=5)
    for prompt in (TEXT, LONG):
        with ModelStore().borrow_all(refs) as lms:
            assert len(batches(lms)) == 1
            rows: dict[int, list[int]] = {0: [], 1: []}
            for which, step in generate_side_by_side(lms, prompt, config):
                rows[which].append(step.id)
            for which, lm in enumerate(lms):
                assert rows[which] == [step.id for step in generate(lm, prompt, config)]


def test_a_window_of_the_models_own_is_tried_once_and_when_it_is_reached(made):
    lm = load(str(made("mistral", sliding_window=16)))
    list(generate(lm, "the dog", GenerateConfig(max_new_tokens=2)))
    assert (lm.ways.window, "far" in lm.ways._shown) == (16, False)
    with torch.inference_mode():
        check_completions(lm, LONG)
    assert lm.ways._shown["far"]
    assert lm.ways.notes() == []


def test_a_model_that_is_read_but_does_not_run_is_one_sentence(made):
    folder = made("deepseek_v3")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_key_value_heads": 2}))
    with pytest.raises(ModelError, match="is read, but does not run") as caught:
        load(str(folder))
    assert "config.json" in caught.value.hint


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_key_value_heads": 4}, "The weights of .* other shapes than its config.json"),
        ({"num_attention_heads": 3}, "not a multiple of the number of attention heads"),
        ({"hidden_act": "soft"}, "its config.json names 'soft', which is not known"),
        ({"eos_token_id": "</s>"}, "Field 'eos_token_id' with value '</s>'"),
    ],
)
def test_a_config_that_does_not_fit_is_named(folder, tmp_path, changes, said):
    path = tmp_path / "m"
    shutil.copytree(folder("llama", "bytelevel-bos"), path)
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(config | changes))
    with pytest.raises(ModelError, match=said) as caught:
        load(str(path))
    assert "\n" not in caught.value.message
    assert "config.json" in caught.value.hint


def test_how_a_model_is_run_is_said_with_its_results(made):
    lm = load(str(made("openai-gpt")))
    assert any("reads the text anew" in note for note in given(lm, TEXT).notes)
    lm = load(str(made("phi3", **LONGROPE)))
    assert any("Beyond 32 tokens" in note for note in score(lm, TEXT).notes)
