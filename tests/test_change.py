"""What fine-tuning changed in the weights, and the rank knife."""

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from lmlab.errors import InputError, ModelError
from lmlab.features.change.changes import MatrixChange
from lmlab.features.change.drift import iter_drift
from lmlab.features.change.rank_knife import iter_knife
from lmlab.features.change.weight_change import deltas, iter_changes, weight_spectrum
from lmlab.maths import spectra
from lmlab.runs.model_store import ModelRef, ModelStore
from lmlab.scoring.comparison import compare
from lmlab.scoring.score import ScoreRequest, score
from tests.test_sidebyside import adapter

TASK, GENERAL = ["the little dog ran", "a cat sat"], ["over the hill and far away"]


def together(refs):
    return ModelStore().borrow_all([ModelRef(*map(str, ref)) for ref in refs])


def nudged(path, base):
    """A full fine-tune: every parameter moved a little."""
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_pretrained(base)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    model.save_pretrained(path)
    AutoTokenizer.from_pretrained(base).save_pretrained(path)
    return path


def test_a_product_s_decomposition_is_that_of_the_whole_matrix():
    torch.manual_seed(0)
    v, u = torch.randn(30, 4), torch.randn(4, 20)
    thin, whole = spectra.of_product(v, u), spectra.of_matrix(v @ u)
    assert len(thin.s) == 4
    torch.testing.assert_close(thin.s, whole.s[:4], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(thin.kept(4), v @ u, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(thin.kept(2), whole.kept(2), rtol=1e-3, atol=1e-3)
    rest = np.linalg.norm((v @ u - thin.kept(2)).numpy())
    assert rest == pytest.approx(float((thin.s[2:] ** 2).sum() ** 0.5), rel=1e-4)


def test_ranks_of_nothing_and_of_one():
    def ranks(*values):
        one = MatrixChange("x", None, "x", (3, 3), 1.0, 1.0, values)
        return one.effective_rank, one.stable_rank

    assert ranks() == ranks(0.0) == (0.0, 0.0)
    assert ranks(5.0) == ranks(1.0, 0.0) == pytest.approx((1.0, 1.0))
    assert ranks(2.0, 2.0, 2.0) == pytest.approx((3.0, 3.0))
    assert ranks(4.0, 2.0)[1] == 1.25
    assert MatrixChange("x", None, "x", (2, 2), 0.0, 0.0).relative == 0.0
    assert MatrixChange("x", None, "x", (2, 2), 0.0, 1.0).relative == float("inf")


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gpt_neox"])
def test_an_adapter_s_change_is_its_product(folder, tmp_path, architecture):
    base = folder(architecture, "bytelevel-bos")
    path = adapter(tmp_path / "lora", base)
    with together([(base,), (base, path)]) as (one, two):
        found = list(iter_changes(one, two))
        two.switch_on()
        merged = two.adapters.peft.merge_and_unload()
    before = AutoModelForCausalLM.from_pretrained(base).requires_grad_(False)
    before, after = dict(before.named_parameters()), dict(merged.named_parameters())
    assert found
    for change in found:
        delta = (after[f"{change.name}.weight"] - before[f"{change.name}.weight"]).detach()
        assert change.change == pytest.approx(float(delta.norm()), rel=1e-3)
        assert change.norm == pytest.approx(float(before[f"{change.name}.weight"].norm()), rel=1e-4)
        assert change.rank == len(change.singular_values) == 4
        assert 1 <= change.stable_rank <= change.effective_rank + 1e-6 <= 4 + 2e-6
        assert change.layer is not None or "head" in change.name or "embed_out" in change.name


def test_a_full_fine_tune_s_change_is_the_difference(folder, tmp_path):
    base = folder("llama", "bytelevel-bos")
    tuned = nudged(tmp_path / "tuned", base)
    with together([(base,), (tuned,)]) as (one, two):
        found = {change.name: change for change in iter_changes(one, two)}
        whole = {delta.name: delta for delta in deltas(one, two)}
        name = next(n for n in found if n.endswith("q_proj"))
        spectrum = weight_spectrum(whole[f"{name}.weight"])
    before = dict(AutoModelForCausalLM.from_pretrained(base).named_parameters())
    after = dict(AutoModelForCausalLM.from_pretrained(tuned).named_parameters())
    assert len(found) == len(before)
    for name, parameter in before.items():
        change = found[name.removesuffix(".weight")]
        expected = float((after[name] - parameter).norm())
        assert change.change == pytest.approx(expected, rel=1e-3)
        assert bool(change.singular_values) == (parameter.dim() == 2)
    assert spectrum == tuple(sorted(spectrum, reverse=True))


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
@pytest.mark.parametrize("kind", ["lora", "full"])
def test_the_knife_at_its_ends_is_the_base_and_the_tuned_model(
    folder, tmp_path, architecture, kind
):
    base = folder(architecture, "bytelevel-bos")
    if kind == "lora":
        other = (base, adapter(tmp_path / "lora", base))
    else:
        other = (nudged(tmp_path / "tuned", base),)
    with together([(base,), other]) as (one, two):
        weights = {n: p.clone() for n, p in one.model.named_parameters()}
        points = list(iter_knife(one, two, TASK, GENERAL))
        for point, lm in ((points[0], one), (points[-1], two)):
            expected = score(lm, GENERAL[0], top_k=0)
            assert point.general == pytest.approx(expected.log_perplexity, abs=1e-4)
            assert point.general_bits == pytest.approx(expected.bits_per_byte, abs=1e-4)
        for name, parameter in one.model.named_parameters():
            assert torch.equal(parameter, weights[name])
    assert points[0].k == 0
    assert points[-1].k == (4 if kind == "lora" else points[-1].k)
    assert len({round(point.task, 5) for point in points}) > 2


def test_an_adapter_beside_a_tied_head_leaves_the_embeddings_alone(folder, tmp_path):
    base = folder("gpt2", "bytelevel-bos")
    path = adapter(tmp_path / "head", base, target_modules=["lm_head"])
    with together([(base,), (base, path)]) as (one, two):
        points = list(iter_knife(one, two, TASK, GENERAL, ranks=[0, 4]))
        expected = score(two, GENERAL[0], top_k=0).log_perplexity
    assert points[1].general == pytest.approx(expected, abs=1e-4)


def test_what_has_no_change_of_weights_is_said(folder, tmp_path, prompt_folder):
    base = folder("llama", "bytelevel-bos")
    with together([(base,), (folder("gpt2", "bytelevel-bos"),)]) as (one, two):
        with pytest.raises(ModelError, match="same matrices"):
            list(iter_changes(one, two))
        with pytest.raises(InputError, match="needs a text"):
            list(iter_knife(one, one, [], GENERAL))
    with (
        together([(base,), (base, prompt_folder)]) as (one, two),
        pytest.raises(ModelError, match="learned prompt"),
    ):
        list(iter_changes(one, two))
    dora = adapter(tmp_path / "dora", base, use_dora=True)
    with (
        together([(base,), (base, dora)]) as (one, two),
        pytest.raises(ModelError, match="more than add"),
    ):
        list(iter_changes(one, two))
    with together([(base,)]) as (one,):
        assert list(iter_changes(one, one)) == []


def test_drift_is_the_mean_divergence_of_the_texts(folder, tmp_path):
    base = folder("llama", "bytelevel-bos")
    path = adapter(tmp_path / "lora", base)
    texts = {
        "task": [ScoreRequest("the little dog ran", "given"), ScoreRequest("a cat")],
        "general": [ScoreRequest("over the hill and far away")],
    }
    with together([(base,), (base, path)]) as (one, two):
        task, general = iter_drift(one, two, texts)
        apart = [compare(one, two, r.text, prefix=r.prefix) for r in texts["task"]]
        none = next(iter_drift(one, one, texts))
    values = [[kl for kl in c.kl_reverse if kl is not None] for c in apart]
    assert task.kl == pytest.approx(np.mean([np.mean(v) for v in values]), rel=1e-5)
    assert task.kl_low <= task.kl <= task.kl_high
    assert (task.n_texts, task.n_tokens) == (2, sum(map(len, values)))
    bits = sum(-c.second.logprob for c in apart) / np.log(2)
    assert task.after == pytest.approx(bits / sum(c.second.n_bytes for c in apart))
    assert general.kl_low == general.kl_high == pytest.approx(general.kl)
    assert general.forgetting == pytest.approx(general.after - general.before)
    assert none.kl == pytest.approx(0.0, abs=1e-6)
    assert none.forgetting == pytest.approx(0.0, abs=1e-9)


def test_drift_between_models_that_cannot_be_compared_is_refused(folder):
    texts = {"general": [ScoreRequest("the hill")]}
    with together([(folder("llama", "bytelevel-bos"),), (folder("llama", "sentencepiece"),)]) as (
        a,
        b,
    ):
        with pytest.raises(InputError, match="different tokens"):
            list(iter_drift(a, b, texts))
        with pytest.raises(InputError, match="no text of the kind"):
            list(iter_drift(a, a, {"empty": []}))
