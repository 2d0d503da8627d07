"""Agreement with the truth, against numbers worked out by hand."""

import math

import pytest

from lmlab.maths import agreement
from lmlab.maths.agreement import (
    brier,
    confusion,
    exact_match,
    macro_f1,
    reliability,
    softmax,
    token_f1,
)
from lmlab.text.choosing import Blank, best, mean_shares, scored


@pytest.mark.parametrize(
    ("answer", "truth", "same"),
    [
        ("The garden.", "the garden", True),
        ("  “a  green\tbag” ", "A green bag", True),
        ("ＡＢＣ", "abc", True),
        ("Straße", "STRASSE", True),
        ("the garden", "garden", False),
        ("", "x", False),
        ("...", "", True),
    ],
)
def test_exact_match(answer, truth, same):
    assert exact_match(answer, truth) is same


def test_token_f1_counts_repeated_words():
    assert token_f1("a a b", "a b b") == pytest.approx(2 / 3)
    assert token_f1("x", "y") == 0
    assert token_f1("", "") == 1
    assert token_f1("", "y") == 0


def test_confusion_and_macro_f1():
    truths, answers = ["a", "a", "b", "b"], ["a", "b", "b", None]
    assert confusion(truths, answers, ["a", "b"]) == [[1, 1], [0, 1]]
    # a: 2·1/(2+1); b: 2·1/(2+2)
    assert macro_f1(truths, answers, ["a", "b", "c"]) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert math.isnan(macro_f1([], [], ["a"]))


def test_reliability_and_its_error():
    bins = reliability([0.95, 0.85, 0.9, 1.0], [True, False, True, True])
    assert [(b.count, b.accuracy) for b in bins] == [(1, 0.0), (3, 1.0)]
    expected = (0.85 + 3 * (1 - (0.95 + 0.9 + 1.0) / 3)) / 4
    assert agreement.calibration_error(bins) == pytest.approx(expected)


def test_brier():
    assert brier([[0.8, 0.2], [0.4, 0.6]], [0, 0]) == pytest.approx((0.08 + 0.72) / 2)


def test_softmax_is_safe():
    assert softmax([-1000.0, -1000.0]) == (0.5, 0.5)
    assert softmax([0.0, -math.inf]) == (1.0, 0.0)
    assert softmax([-math.inf, -math.inf]) == (0.5, 0.5)


def test_bootstrap_covers_the_mean_and_keeps_draws_together():
    found = agreement.bootstrap([[1.0]] * 50 + [[0.0]] * 50)
    assert found.mean == 0.5
    assert found.low == pytest.approx(0.4, abs=0.03)
    assert found.high == pytest.approx(0.6, abs=0.03)
    again = agreement.bootstrap([[1.0] * 9] * 50 + [[0.0] * 9] * 50)
    assert again == found
    assert agreement.bootstrap([[1.0]] * 5).low == 1.0
    assert math.isnan(agreement.bootstrap([]).mean)


def test_spread():
    assert agreement.spread([0.4, 0.6]) == pytest.approx(math.sqrt(0.02))
    assert agreement.spread([0.4]) == 0


def test_ways_of_choosing_differ_as_they_should():
    blank = Blank(unconditional=(-1.0, -6.0), content_free=mean_shares([[-1.0, -3.0]]))
    ways = scored([-4.0, -5.0], [" ok", " ganz gut"], blank)
    chosen = {way: best(scores, ["a", "b"]) for way, scores in ways.items()}
    assert chosen == {
        "sum": "a",
        "per character": "b",
        "per byte": "b",
        "minus unconditional": "b",
        "calibrated": "b",
    }
    assert ways["per character"] == (-2.0, -0.625)
    assert ways["minus unconditional"] == (-3.0, 1.0)
    share = math.exp(-1) / (math.exp(-1) + math.exp(-3))
    assert ways["calibrated"][0] == pytest.approx(-4 - math.log(share))
    assert set(scored([0.0, 0.0], ["ä", "bb"], Blank())) == {"sum", "per character", "per byte"}
    assert scored([-4.0, -4.0], ["ä", "bb"], Blank())["per byte"] == (-2.0, -2.0)
