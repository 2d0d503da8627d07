"""The sampling controls on hand-written distributions."""

import math

import pytest
import torch

from lmlab.errors import InputError
from lmlab.generation.sampling import GenerateConfig, beliefs, choose, draw, keep, warp

P = torch.tensor([0.5, 0.25, 0.15, 0.1])
NOTHING = torch.tensor([], dtype=torch.long)


def after(seen=NOTHING, **controls):
    return warp(P.log()[None], seen[None], GenerateConfig(**controls))[0]


@pytest.mark.parametrize(
    ("controls", "expected"),
    [
        ({}, [0.5, 0.25, 0.15, 0.1]),
        ({"temperature": 0}, [1, 0, 0, 0]),
        ({"temperature": 0.5}, [0.25 / 0.345, 0.0625 / 0.345, 0.0225 / 0.345, 0.01 / 0.345]),
        ({"top_k": 2}, [2 / 3, 1 / 3, 0, 0]),
        ({"top_k": 1000}, [0.5, 0.25, 0.15, 0.1]),
        ({"top_p": 0.7}, [2 / 3, 1 / 3, 0, 0]),
        ({"top_p": 0.8}, [5 / 9, 2.5 / 9, 1.5 / 9, 0]),
        ({"top_p": 0.0}, [1, 0, 0, 0]),
        ({"min_p": 0.4}, [2 / 3, 1 / 3, 0, 0]),
        ({"min_p": 1.0}, [1, 0, 0, 0]),
        ({"top_k": 3, "min_p": 0.4}, [2 / 3, 1 / 3, 0, 0]),
        # The temperature is applied first: at 2 the fractions are roots, .2/.4472 = .447 < .5.
        ({"temperature": 2, "min_p": 0.5}, [0.4142 / 0.9428, 0.2929 / 0.9428, 0.2357 / 0.9428, 0]),
    ],
)
def test_the_controls_make_of_it_what_they_should(controls, expected):
    if "temperature" in controls and "min_p" in controls:
        roots = P.sqrt() / P.sqrt().sum()
        kept = torch.where(roots >= 0.5 * roots.max(), roots, 0.0)
        expected = (kept / kept.sum()).tolist()
    torch.testing.assert_close(after(**controls), torch.tensor(expected).float())


def test_the_repetition_penalty_lowers_what_has_occurred():
    # Negative logits are multiplied: ln .5 · 2 = ln .25.
    found = after(torch.tensor([0, 0]), repetition_penalty=2.0)
    torch.testing.assert_close(found, torch.tensor([0.25, 0.25, 0.15, 0.1]) / 0.75)
    greedy = after(torch.tensor([0]), temperature=0, repetition_penalty=3.0)
    assert greedy.argmax() == 1


def test_a_tiny_temperature_is_no_overflow():
    logits = torch.tensor([[300.0, 299.0, -300.0]])
    found = warp(logits, NOTHING[None], GenerateConfig(temperature=1e-30))
    assert found.tolist() == [[1, 0, 0]]


def test_draws_follow_the_distribution():
    generator, counts = torch.Generator(), torch.zeros(4)
    for seed in range(4000):
        generator.manual_seed(seed * 1_000_003)
        counts[draw(P, generator, greedy=False)] += 1
    expected = 4000 * P
    chi2 = float(((counts - expected) ** 2 / expected).sum())
    assert chi2 < 16.3  # 0.1 % of honest draws lie beyond, with three degrees of freedom


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -1},
        {"temperature": math.nan},
        {"top_p": 1.1},
        {"min_p": -0.1},
        {"max_new_tokens": 0},
        {"top_k": -1},
        {"seed": -1},
        {"repetition_penalty": 0},
        {"stop": ("",)},
        {"alternatives": -1},
    ],
)
def test_what_is_out_of_range_is_said(wrong):
    with pytest.raises(InputError):
        GenerateConfig(**wrong)


class Words:
    def text(self, token):
        return f"w{token}"

    def reader(self, ids):
        return self.text


def test_the_controls_act_on_kept_logits_alone():
    place = keep([7], P.log() + 3, frozenset({3}), Words())
    plain = beliefs(place, GenerateConfig())
    assert [c.text for c in plain.top] == ["w0", "w1", "w2", "w3"]
    assert math.exp(plain.top[1].logprob) == pytest.approx(0.25, rel=1e-5)
    assert plain.entropy == pytest.approx(-sum(p * math.log(p) for p in P.tolist()), rel=1e-5)
    assert plain.kept == 4
    cut = beliefs(place, GenerateConfig(top_k=2, alternatives=3))
    assert [round(c.probability, 5) for c in cut.top] == [0.66667, 0.33333, 0]
    assert (cut.kept, cut.size, cut.entropy) == (2, 4, plain.entropy)
    assert cut.entropy_after == pytest.approx(math.log(3) - 2 / 3 * math.log(2), rel=1e-5)


def test_a_token_taken_by_hand_has_its_own_numbers():
    place = beliefs(keep([7], P.log(), frozenset(), Words()), GenerateConfig(top_k=2))
    step = choose(place, 2, index=5)
    assert (step.index, step.id, step.text, step.rank, step.probability) == (5, 2, "w2", 3, 0.0)
    assert step.logprob == pytest.approx(math.log(0.15), rel=1e-5)
