"""From bytes to readable text: whole characters, stop strings cut exactly."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmlab.generation.streams import TextStream


def read(parts, stops=()):
    stream = TextStream(stops)
    shown = [stream.feed(part) for part in parts]
    return shown, stream.finish(), stream.stopped


def test_half_characters_wait():
    shown, rest, _ = read([b"a\xf0\x9f", b"\x99", b"\x82b"])
    assert shown == ["a", "", "🙂b"]
    assert rest == ""


def test_what_never_becomes_a_character_is_marked_at_the_end():
    shown, rest, _ = read([b"a\xf0\x9f"])
    assert (shown, rest) == (["a"], "�")


@pytest.mark.parametrize(
    ("parts", "stops", "text"),
    [
        ([b"one #", b"#", b"# two"], ("###",), "one "),
        ([b"one ##", b" two"], ("###",), "one ## two"),
        ([b"aab", b"aac"], ("aabaac",), ""),
        ([b"ab", b"abc"], ("abc",), "ab"),
        ([b"x\n", b"\ny"], ("\n\n", "y"), "x"),
        ([b"abcdef"], ("cd", "bc"), "a"),
        ([b"gr\xc3", b"\xb6\xc3", b"\x9fe"], ("öß",), "gr"),
    ],
)
def test_stop_strings_are_cut_wherever_they_fall(parts, stops, text):
    shown, rest, _ = read(parts, stops)
    assert "".join(shown) + rest == text


@given(st.text(max_size=40), st.lists(st.integers(0, 200), max_size=12), st.text(min_size=1))
def test_cutting_does_not_depend_on_where_tokens_end(text, cuts, stop):
    data = text.encode()
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    parts = [data[a:b] for a, b in itertools.pairwise(places)]
    shown, rest, stopped = read(parts, (stop,))
    assert "".join(shown) + rest == text.split(stop)[0]
    assert stopped == (stop in text)
