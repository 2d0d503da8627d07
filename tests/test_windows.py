"""Windows score each position exactly once and never read more than the limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmlab.errors import InputError
from lmlab.models.windows import Window, plan

MODES = ("disjoint", "sliding")


def scored(windows: list[Window]) -> list[int]:
    return [position for w in windows for position in range(w.low, w.high)]


@given(
    n_context=st.integers(1, 40),
    extra=st.integers(1, 300),
    limit=st.integers(2, 64),
    mode=st.sampled_from(MODES),
    stride=st.one_of(st.none(), st.integers(1, 64)),
)
def test_every_position_is_scored_once(n_context, extra, limit, mode, stride):
    if stride is not None and stride > limit:
        stride = limit
    n = n_context + extra
    windows = plan(n_context, n, limit, mode, stride)
    assert scored(windows) == list(range(n_context, n))
    for w in windows:
        assert 0 <= w.start < w.low < w.high
        assert w.length <= limit


def test_what_fits_is_one_window_in_both_modes():
    assert plan(1, 65, 64, "disjoint", None) == plan(1, 65, 64, "sliding", 7) == [Window(0, 1, 65)]


def test_disjoint_windows_are_preceded_by_the_one_token_before():
    assert plan(1, 20, 8, "disjoint", None) == [
        Window(0, 1, 9),
        Window(8, 9, 17),
        Window(16, 17, 20),
    ]


def test_sliding_windows_keep_limit_minus_stride_of_context():
    assert plan(1, 15, 8, "sliding", 4) == [
        Window(0, 1, 9),
        Window(4, 9, 13),
        Window(6, 13, 15),
    ]


def test_a_prefix_longer_than_the_context_is_cut_from_the_left():
    (first, *_) = plan(100, 110, 8, "sliding", 4)
    assert (first.start, first.low) == (96, 100)


@pytest.mark.parametrize("stride", [0, -1, 9])
def test_a_stride_out_of_range_is_refused(stride):
    with pytest.raises(InputError, match="between 1 and 8"):
        plan(1, 100, 8, "sliding", stride)
