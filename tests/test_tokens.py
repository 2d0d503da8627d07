"""Spans, borders and display, on every kind of tokenizer."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from lmlab.errors import InputError
from lmlab.models.tokens import Vocabulary, encode, show, tile
from tests.folders import TOKENIZERS

TEXTS = [
    "The little dog ran.",
    " leading and trailing  ",
    "emoji 🙂👩‍👩‍👧 split, naïve Straße, السلام عليكم",
    "line\nbreaks\r\n\ttabs",
    "NUL \0 and <script>alert('x')</script>",
    "   ",
    "\n",
    "🙂",
]


@pytest.fixture(scope="module", params=TOKENIZERS)
def vocabulary(request, folder):
    return Vocabulary(AutoTokenizer.from_pretrained(folder("llama", request.param)))


@pytest.mark.parametrize("text", TEXTS)
def test_spans_tile_the_text(vocabulary, text):
    encoded = encode(vocabulary, text)
    position = 0
    for start, end in encoded.spans:
        assert start == position
        assert end >= start
        position = end
    assert position == len(encoded.text)
    assert encoded.text == text


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(prefix=st.text(max_size=30), text=st.text(min_size=1, max_size=40))
def test_prefix_and_text_are_kept_to_the_letter(vocabulary, prefix, text):
    if any("\ud800" <= char <= "\udfff" for char in prefix + text):
        with pytest.raises(InputError, match="surrogate"):
            encode(vocabulary, text, prefix)
        return
    encoded = encode(vocabulary, text, prefix)
    assert encoded.prefix + encoded.text == prefix + text
    assert encoded.moved + text == encoded.text
    assert "".join(encoded.text[a:b] for a, b in encoded.spans) == encoded.text
    assert len(encoded.ids) == encoded.n_context + len(encoded.spans)


def test_the_context_is_what_the_tokenizer_adds(vocabulary):
    tokenizer = vocabulary.tokenizer
    encoded = encode(vocabulary, " world", "hello there")
    assert list(encoded.ids) == tokenizer("hello there world")["input_ids"]
    assert encoded.lead == vocabulary.leading


def test_without_a_prefix_the_context_is_bos_else_eos_else_nothing(vocabulary):
    tokenizer = vocabulary.tokenizer
    expected = next(
        ([i] for i in (tokenizer.bos_token_id, tokenizer.eos_token_id) if i is not None), []
    )
    encoded = encode(vocabulary, "hello")
    assert list(encoded.ids[: encoded.n_context]) == expected


@pytest.mark.parametrize("white", [" ", "\n", " \t "])
def test_white_space_at_the_end_of_the_prefix_is_scored_with_the_text(vocabulary, white):
    encoded = encode(vocabulary, "dog", f"the little{white}")
    assert encoded.text.endswith(f"{white}dog")
    assert encoded.prefix + encoded.text == f"the little{white}dog"


def test_a_token_that_straddles_the_border_belongs_to_the_text(folder):
    vocabulary = Vocabulary(AutoTokenizer.from_pretrained(folder("llama", TOKENIZERS[0])))
    whole = next(
        word for word in ("the", "and", "ing", "er", "in") if len(vocabulary.ids(word)) == 1
    )
    encoded = encode(vocabulary, whole[-1], f"x\n{whole[:-1]}")
    ids = vocabulary.ids(f"x\n{whole}")
    if len(ids) == len(vocabulary.ids("x\n")) + 1:
        assert encoded.moved == whole[:-1]
    assert list(encoded.ids[-len(ids) :]) == ids


def test_one_bos_and_no_more(vocabulary):
    bos = vocabulary.tokenizer.bos_token
    if bos is None:
        pytest.skip("this tokenizer has no BOS to repeat")
    encoded = encode(vocabulary, f"{bos}hello", bos="tokenizer")
    assert list(encoded.ids).count(vocabulary.tokenizer.bos_token_id) == 1


def test_never_means_never(vocabulary):
    encoded = encode(vocabulary, "hello", "and then ", bos="never")
    assert encoded.lead == ()
    assert list(encoded.ids) == vocabulary.ids("and then hello")


def test_always_needs_a_token_to_begin_with(vocabulary):
    if vocabulary.start_id is None:
        with pytest.raises(InputError, match="no start or end token"):
            encode(vocabulary, "hello", "and", bos="always")
    else:
        assert encode(vocabulary, "hello", "and", bos="always").ids[0] == vocabulary.start_id


def test_bytes_of_the_tokens_are_the_bytes_of_the_text(vocabulary):
    text = "Straße 🙂 naïve\n"
    data = b"".join(vocabulary.data(i) for i in vocabulary.ids(text))
    # Some tokenizers put a space in front of the text; none may lose or change a byte.
    assert data.removeprefix(b" ") == text.encode()


def test_a_part_of_a_character_shows_as_its_bytes(vocabulary):
    ids = vocabulary.ids("🙂")
    shown = [vocabulary.text(i) for i in ids if vocabulary.is_partial(i)]
    assert all("⟨" in text and "�" not in text for text in shown)


def test_an_unknown_id_has_a_name(vocabulary):
    assert vocabulary.text(10**6) == "⟨#1000000⟩"
    assert vocabulary.data(10**6) == b""


def test_lone_surrogates_are_refused_with_their_place(vocabulary):
    with pytest.raises(InputError, match="Character 4 is half of a surrogate pair"):
        encode(vocabulary, "abc\ud83d")


def test_an_empty_text_is_refused(vocabulary):
    with pytest.raises(InputError, match="no text"):
        encode(vocabulary, "", "something")


@pytest.mark.parametrize(
    ("offsets", "length", "expected"),
    [
        ([(0, 3), (3, 5)], 5, [(0, 3), (3, 5)]),
        ([(0, 3), (4, 6)], 6, [(0, 3), (3, 6)]),
        ([(0, 1), (0, 1), (0, 1)], 1, [(0, 0), (0, 0), (0, 1)]),
        ([(0, 0), (0, 2)], 3, [(0, 0), (0, 3)]),
        ([(2, 4)], 7, [(0, 7)]),
    ],
)
def test_offsets_become_tiles(offsets, length, expected):
    assert tile(offsets, length) == expected


def test_bytes_that_are_no_character_are_written_in_hex():
    assert show(b"a\xf0\x9f") == "a⟨F0 9F⟩"
    assert show("ß".encode()) == "ß"
