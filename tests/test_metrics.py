"""The mathematics, against distributions written by hand and plain float64 formulas."""

import math

import pytest
import torch

from lmlab.maths.metrics import corpus_log_perplexity, row_stats
from lmlab.models.head import SlicedHead, TiledHead


def test_a_distribution_written_by_hand():
    p = torch.tensor([[0.5, 0.25, 0.125, 0.125]])
    stats = row_stats(p.log() + 3.0, torch.tensor([1]), top_k=2)
    assert stats.logprob.item() == pytest.approx(math.log(0.25))
    assert stats.rank.item() == 2
    assert stats.entropy.item() == pytest.approx(1.75 * math.log(2))
    assert stats.top_ids.tolist() == [[0, 1]]
    assert stats.top_logprobs.tolist()[0] == pytest.approx([math.log(0.5), math.log(0.25)])


def test_tied_tokens_share_the_better_rank():
    stats = row_stats(torch.zeros(1, 7), torch.tensor([6]), top_k=3)
    assert stats.rank.item() == 1
    assert stats.entropy.item() == pytest.approx(math.log(7))


def test_an_impossible_token_adds_nothing_to_the_entropy():
    logits = torch.tensor([[0.0, 0.0, -math.inf]])
    stats = row_stats(logits, torch.tensor([2]), top_k=3)
    assert stats.entropy.item() == pytest.approx(math.log(2))
    assert stats.logprob.item() == -math.inf
    assert stats.rank.item() == 3


@pytest.mark.parametrize("rows", [1, 15, 16, 513, 1100])
@pytest.mark.parametrize("vocabulary", [5, 64, 300, 2048, 5001])
@pytest.mark.parametrize("biased", [False, True])
def test_the_tiled_head_equals_the_full_table(rows, vocabulary, biased):
    generator = torch.Generator().manual_seed(rows * vocabulary)
    hidden = torch.randn(rows, 24, generator=generator)
    weight = torch.randn(vocabulary, 24, generator=generator)
    bias = torch.randn(vocabulary, generator=generator) if biased else None
    targets = torch.randint(vocabulary, (rows,), generator=generator)
    logits = hidden.double() @ weight.double().t() + (0 if bias is None else bias.double())
    logp = logits.log_softmax(-1)
    expected = logp.gather(1, targets[:, None])[:, 0]
    top = logp.topk(min(10, vocabulary))
    for head in (
        TiledHead(weight, bias),
        SlicedHead(lambda h: h @ weight.t() + (bias if biased else 0), vocabulary),
    ):
        stats = head.stats(hidden, targets, 10)
        torch.testing.assert_close(stats.logprob.double(), expected, atol=2e-5, rtol=1e-5)
        torch.testing.assert_close(
            stats.entropy.double(), torch.special.entr(logp.exp()).sum(-1), atol=2e-5, rtol=1e-4
        )
        torch.testing.assert_close(stats.top_logprobs.double(), top.values, atol=2e-5, rtol=1e-5)
        assert (stats.top_ids == top.indices).float().mean() > 0.999
        ranks = (logp > expected[:, None]).sum(-1) + 1
        # Rounding can swap two tokens that are equal to seven digits.
        assert (stats.rank - ranks).abs().max() <= 1


def test_the_head_takes_its_weights_kind_whatever_torchs_default_is():
    """Another thread that outlines a model changes the default: buffers were then bfloat16, and a
    score that ran beside it failed.
    """
    weight, hidden = torch.randn(5000, 24), torch.randn(40, 24)
    targets = torch.arange(40)
    expected = TiledHead(weight).stats(hidden, targets, 3)
    try:
        torch.set_default_dtype(torch.bfloat16)
        found = TiledHead(weight).stats(hidden, targets, 3)
    finally:
        torch.set_default_dtype(torch.float32)
    for name in ("logprob", "rank", "entropy", "top_ids", "top_logprobs"):
        assert torch.equal(getattr(found, name), getattr(expected, name))
        assert getattr(found, name).dtype == getattr(expected, name).dtype


def test_large_logits_do_not_overflow():
    weight = torch.eye(4) * 300
    hidden = torch.tensor([[1.0, 0.0, 0.0, 0.0]]) * 300
    stats = TiledHead(weight).stats(hidden, torch.tensor([0]), 4)
    assert stats.logprob.item() == 0.0
    assert stats.entropy.item() == pytest.approx(0.0, abs=1e-6)


def test_no_alternatives_are_kept_when_none_are_asked_for():
    stats = TiledHead(torch.randn(100, 8)).stats(torch.randn(3, 8), torch.tensor([1, 2, 3]), 0)
    assert stats.top_ids.shape == (3, 0)


def test_a_corpus_is_weighed_by_its_tokens():
    assert corpus_log_perplexity([-10.0, -2.0], [5, 1]) == pytest.approx(2.0)
    assert corpus_log_perplexity([-10.0, -2.0], [5, 1]) != pytest.approx((10 / 5 + 2 / 1) / 2 + 1)
