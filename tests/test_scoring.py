"""Scores against independent references: transformers' loss, hand-written numbers, lm-eval."""

import math

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

from lmlab.api import load
from lmlab.errors import InputError, ModelError
from lmlab.progress import Progress
from lmlab.scoring.score import ScoreRequest, iter_scores, score, score_many
from lmlab.scoring.scored import Scored
from tests.folders import ARCHITECTURES, TOKENIZERS

TEXT = "The little dog ran over the hill. Das Haus ist groß 🙂"


@pytest.fixture(scope="module", params=ARCHITECTURES)
def any_folder(request, folder):
    return folder(request.param)


@pytest.fixture(scope="module")
def lm(folder):
    return load(str(folder("llama", "bytelevel-bos")))


def reference(path, ids: list[int]) -> torch.Tensor:
    """Log-probabilities of ids[1:] by the plain way, in float64."""
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
    with torch.inference_mode():
        logits = model(torch.tensor([ids]), use_cache=False).logits[0].double()
    return logits.log_softmax(-1)[:-1].gather(1, torch.tensor(ids)[1:, None])[:, 0]


def test_equals_the_plain_way_on_every_architecture(any_folder):
    lm = load(str(any_folder))
    scored = score(lm, TEXT)
    lead = list(lm.vocabulary.leading) or [lm.vocabulary.start_id]
    ids = [*lead, *lm.vocabulary.ids(TEXT)]
    expected = reference(any_folder, ids)
    assert [t.logprob for t in scored.tokens] == pytest.approx(expected.tolist(), abs=1e-4)
    assert scored.logprob == pytest.approx(float(expected.sum()), abs=1e-3)


def test_equals_transformers_own_loss(any_folder):
    tokenizer = AutoTokenizer.from_pretrained(any_folder)
    model = AutoModelForCausalLM.from_pretrained(any_folder, dtype=torch.float32).eval()
    ids = torch.tensor(
        [[tokenizer.bos_token_id or 0, *tokenizer.encode(TEXT, add_special_tokens=False)]]
    )
    with torch.inference_mode():
        loss = model(ids, labels=ids).loss.item()
    scored = score(load(str(any_folder)), TEXT)
    assert scored.log_perplexity == pytest.approx(loss, abs=1e-4)


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_every_tokenizer_gives_spans_ranks_and_alternatives(folder, tokenizer):
    scored = score(
        load(str(folder("llama", tokenizer))), TEXT, prefix="Once upon a time, ", top_k=4
    )
    assert "".join(scored.text[t.start : t.end] for t in scored.tokens) == scored.text
    for token in (t for t in scored.tokens if t.logprob is not None):
        assert token.rank >= 1
        assert len(token.top) == 4
        logprobs = [a.logprob for a in token.top]
        assert logprobs == sorted(logprobs, reverse=True)
        if token.rank <= 4:
            assert token.logprob == pytest.approx(logprobs[token.rank - 1], abs=1e-5)
        else:
            assert token.logprob <= logprobs[-1] + 1e-6


def test_uniform_logits_have_the_vocabulary_as_perplexity(uniform_folder):
    lm = load(str(uniform_folder))
    scored = score(lm, TEXT)
    size = lm.model.get_output_embeddings().weight.shape[0]
    assert scored.perplexity == pytest.approx(size, rel=1e-5)
    assert {t.rank for t in scored.tokens} == {1}
    assert scored.tokens[0].entropy == pytest.approx(math.log(size), rel=1e-5)
    n = len(scored.tokens)
    assert scored.bits_per_byte == pytest.approx(n * math.log2(size) / len(TEXT.encode()), rel=1e-5)


def test_a_model_of_nan_is_refused_with_a_sentence(nan_folder):
    with pytest.raises(ModelError, match="not-a-number"):
        score(load(str(nan_folder)), TEXT)


def test_a_batch_equals_one_by_one(any_folder):
    lm = load(str(any_folder))
    texts = ["a", TEXT, "two words", TEXT * 3, "the the the"]
    together = score_many(lm, [ScoreRequest(t, "So: ") for t in texts])
    for text, scored in zip(texts, together, strict=True):
        alone = score(lm, text, prefix="So: ")
        assert scored.text == alone.text
        assert [t.id for t in scored.tokens] == [t.id for t in alone.tokens]
        assert [t.logprob for t in scored.tokens] == pytest.approx(
            [t.logprob for t in alone.tokens], abs=2e-5
        )


def test_text_and_prefix_add_up_to_the_whole(lm):
    whole = score(lm, "the little dog ran away")
    part = score(lm, " ran away", prefix="the little dog")
    assert part.logprob == pytest.approx(
        math.fsum(t.logprob for t in whole.tokens[-len(part.tokens) :]), abs=1e-4
    )


def test_a_prefix_changes_the_score_and_white_space_moves(lm):
    spaced = score(lm, "dog", prefix="the little ")
    tight = score(lm, " dog", prefix="the little")
    assert spaced.text == tight.text == " dog"
    assert spaced.moved == " "
    assert spaced.logprob == pytest.approx(tight.logprob)
    assert spaced.logprob != pytest.approx(score(lm, " dog").logprob)


@pytest.mark.parametrize("mode", ["disjoint", "sliding"])
def test_long_texts_are_scored_once_each_token(lm, mode):
    text = "the little dog ran over the hill and " * 40
    scored = score(lm, text, windows=mode, stride=None if mode == "disjoint" else 16)
    assert scored.windowing is not None
    assert scored.n_tokens == len(lm.vocabulary.ids(text))
    assert "".join(scored.text[t.start : t.end] for t in scored.tokens) == text


def test_windows_score_as_the_plain_way_on_their_own_ids(folder):
    path = folder("llama", "bytelevel-bos")
    lm = load(str(path))
    text = "the little dog ran over the hill and " * 30
    ids = [*lm.vocabulary.leading, *lm.vocabulary.ids(text)]
    scored = score(lm, text, windows="disjoint")
    first = reference(path, ids[: lm.context + 1])
    second = reference(path, ids[lm.context : 2 * lm.context + 1])
    expected = [*first.tolist(), *second.tolist()]
    assert [t.logprob for t in scored.tokens[: len(expected)]] == pytest.approx(expected, abs=1e-4)


def test_a_text_that_fits_is_the_same_in_every_way(lm):
    a, b = score(lm, TEXT, windows="disjoint"), score(lm, TEXT, windows="sliding", stride=3)
    assert a == b


def test_without_bos_or_eos_the_first_token_is_unscored(folder):
    scored = score(load(str(folder("llama", "no-special"))), TEXT)
    assert scored.first_unscored
    assert scored.tokens[0].logprob is None
    assert scored.n_tokens == len(scored.tokens) - 1
    assert scored.n_bytes == len(TEXT.encode()) - len(TEXT[: scored.tokens[0].end].encode())


def test_one_token_with_nothing_before_it_is_a_result_of_nothing(folder):
    lm = load(str(folder("llama", "no-special")))
    scored = score(lm, "a")
    assert scored.n_tokens == 0
    assert math.isnan(scored.perplexity)
    assert scored.to_dict()["perplexity"] is None


def test_top_k_beyond_the_vocabulary_gives_all_of_it(lm):
    scored = score(lm, "dog", top_k=10**6)
    token = scored.tokens[0]
    assert math.fsum(math.exp(a.logprob) for a in token.top) == pytest.approx(1.0, abs=1e-4)
    entropy = -math.fsum(math.exp(a.logprob) * a.logprob for a in token.top)
    assert token.entropy == pytest.approx(entropy, abs=1e-4)
    assert token.rank == 1 + sum(a.logprob > token.logprob + 1e-7 for a in token.top)


def test_top_k_below_zero_is_refused(lm):
    with pytest.raises(InputError, match="top_k"):
        score(lm, "dog", top_k=-1)


def test_progress_ends_at_its_total_before_the_results(lm):
    steps = list(iter_scores(lm, [TEXT * 20, "dog"]))
    progress = [s for s in steps if isinstance(s, Progress)]
    assert progress[-1].done == progress[-1].total
    assert [type(s) for s in steps[len(progress) :]] == [Scored, Scored]


def test_a_text_of_too_many_tokens_is_refused_before_the_model_runs(lm):
    with pytest.raises(InputError, match="at most 5"):
        next(iter_scores(lm, ["many many many words"], max_tokens=5))


def test_the_same_again_gives_the_same_numbers(lm):
    assert score(lm, TEXT) == score(lm, TEXT)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(min_size=1, max_size=60), prefix=st.text(max_size=20))
def test_whatever_the_text_the_sums_hold(lm, text, prefix):
    try:
        scored = score(lm, text, prefix=prefix)
    except InputError:
        assert any("\ud800" <= c <= "\udfff" for c in text + prefix)
        return
    assert "".join(scored.text[t.start : t.end] for t in scored.tokens) == scored.text
    assert scored.log_perplexity >= 0
    assert scored.logprob == pytest.approx(math.fsum(t.logprob or 0 for t in scored.tokens))


@pytest.fixture(scope="module", params=["gpt2", "llama", "gpt_neox"])
def harness(request, folder):
    from lm_eval.models.huggingface import HFLM

    path = folder(request.param)
    return load(str(path)), HFLM(str(path), device="cpu", dtype="float32", batch_size=2)


def test_equals_lm_eval_loglikelihood(harness):
    from lm_eval.api.instance import Instance

    lm, other = harness
    pairs = [("The little dog", " ran away"), ("Das Haus ist ", "groß"), ("2 + 2 =", " 4 🙂")]
    asked = [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(pairs)]
    theirs = other.loglikelihood(asked, disable_tqdm=True)
    for (prefix, text), (logprob, greedy) in zip(pairs, theirs, strict=True):
        ours = score(lm, text, prefix=prefix)
        assert ours.logprob == pytest.approx(logprob, abs=1e-3)
        assert all(t.rank == 1 for t in ours.tokens) == greedy


def test_equals_lm_eval_loglikelihood_rolling(harness):
    from lm_eval.api.instance import Instance

    lm, other = harness
    asked = [Instance("loglikelihood_rolling", {}, (TEXT,), 0)]
    (theirs,) = other.loglikelihood_rolling(asked, disable_tqdm=True)
    assert score(lm, TEXT).logprob == pytest.approx(theirs, abs=1e-3)
