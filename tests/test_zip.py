"""A language model as a zip: every byte comes back, at the price that surprisal says."""

import json
import math
import random
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from tokenizers import Tokenizer, normalizers
from transformers import PreTrainedTokenizerFast

import lmlab
from lmlab.cli.main import main
from lmlab.errors import InputError, ModelError
from lmlab.features.zip import archive, coding, page
from lmlab.features.zip.archive import fingerprint, opened, pack, unpack
from lmlab.features.zip.coder import TOTAL, Decoder, Encoder, needed, settled, shares
from lmlab.features.zip.results import Zipped
from lmlab.features.zip.service import Zipping
from lmlab.lab import Lab
from lmlab.models.tokens import Vocabulary
from lmlab.parts.stream import streamed
from lmlab.settings import Settings

STORY = "Once upon a time, there was a little dog. The cat said hello to the dog. " * 4
ODD = (
    "é e\u0301 \u0301\u0301 😀\U0001f469\u200d\U0001f467 \x00\x01\x1b[31m\x7f\r\n\r\t <s></s> "
    "<unk> שלום 漢字 ﬁ Ａ \ufeff\u200b\u202e \U0001f1e9\U0001f1ea  two  spaces \n\n ÀÉ İ ß "
).encode()
BROKEN = b"\xff\xfe caf\xe9 \xed\xa0\x80 \xf0\x9f\x98 \xc0\x80 end" + bytes(range(256))


def packed(lm, content: bytes) -> tuple[list[coding.Step], bytes]:
    *steps, file = pack(lm, content)
    return steps, file


def unpacked(lm, file: bytes) -> bytes:
    return b"".join(one for one in unpack(lm, *opened(file)) if isinstance(one, bytes))


@pytest.fixture(scope="module")
def bigram():
    return lmlab.load("mock:bigram")


def test_the_coder_gives_back_what_it_was_given_in_as_many_bits_as_shares_say():
    draw = random.Random(0)
    for _ in range(60):
        cuts = sorted(draw.sample(range(1, TOTAL), draw.choice([1, 3, 40])))
        # Shares of 1 and shares of nearly all, whose carries run far.
        parts = [*pairwise([0, *cuts, TOTAL - 1, TOTAL])]
        given = draw.choices(parts, [high - low + 1 for low, high in parts], k=300)
        given += draw.choices(parts, k=draw.choice([0, 20]))
        encoder, out, bits, intervals = Encoder(), 0, 0.0, []
        for low, high in given:
            encoder.put(low, high - low)
            bits += math.log2(TOTAL / (high - low))
            intervals.append(encoder.interval)
            assert out <= settled(*encoder.interval) <= bits + 0.01
            out = settled(*encoder.interval)
        code = encoder.finish()
        assert 8 * len(code) <= bits + 16
        needs = [needed(*one, code) for one in intervals]
        assert all(n >= settled(*one) for n, one in zip(needs, intervals, strict=True))
        assert sorted(needs) == needs
        decoder = Decoder(code)
        for low, high in given:
            assert low <= decoder.find() < high
            decoder.take(low, high - low)


def test_every_token_has_a_share_and_they_are_the_softmax():
    logits = np.array([3.0, -np.inf, 800.0, 799.0, -1e30], np.float32)
    ends, p = shares(logits)
    assert (ends[0], ends[-1], len(ends)) == (0, TOTAL, 7)
    assert np.diff(ends).min() == 1
    assert np.diff(ends)[:5] / TOTAL == pytest.approx(p, abs=1e-8)
    assert p[2] == pytest.approx(1 / (1 + math.exp(-1)))


@pytest.mark.parametrize("content", [ODD, BROKEN, b"x", STORY.encode() + b"\x80", b"\n" * 70])
@pytest.mark.parametrize("tokenizer", ["bytelevel-bos", "sentencepiece", "no-special"])
def test_every_byte_comes_back_whatever_the_tokenizer_loses(folder, tokenizer, content):
    lm = lmlab.load(str(folder("llama", tokenizer)))
    assert b"".join(_given(lm, coding.symbols(lm.vocabulary, lm.width, content))) == content
    _, file = packed(lm, content)
    assert unpacked(lm, file) == content
    assert len(file) <= len(content) + 400


def _given(lm, symbols):
    read = []
    for one in symbols:
        if isinstance(one, bytes):
            yield one
        else:
            read.append(one)
            yield lm.vocabulary.read(read, len(read) - 1)


@pytest.mark.parametrize("normalizer", ["Lowercase", "NFKC", "StripAccents"])
def test_what_a_tokenizer_changes_goes_past_it(folder, normalizer):
    tokenizer = lmlab.load(str(folder())).tokenizer
    core = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    core.normalizer = normalizers.Sequence([normalizers.NFD(), getattr(normalizers, normalizer)()])
    vocabulary = Vocabulary(PreTrainedTokenizerFast(tokenizer_object=core, eos_token="</s>"))
    lm = SimpleNamespace(vocabulary=vocabulary)
    for content in (ODD, "The king, the ÉTÉ and the dog ﬁ.".encode()):
        found = coding.symbols(vocabulary, len(core.get_vocab()), content)
        assert b"".join(_given(lm, found)) == content
    assert {type(one) for one in found} == {int, bytes}


def test_what_no_token_gives_back_is_coded_beside_the_rest(bigram):
    content = (STORY + "\x00").encode() + b"\xff" + STORY.encode()
    steps, file = packed(bigram, content)
    assert [step.symbol for step in steps if isinstance(step.symbol, bytes)] == [b"\xff"]
    assert opened(file)[0].coded
    assert unpacked(bigram, file) == content


@pytest.mark.parametrize("long", [False, True])
def test_a_text_takes_the_bits_that_it_surprises_by(folder, long):
    # A model that knows the text, and one whose context the text is beyond.
    lm = lmlab.load(str(folder("llama", "bytelevel-bos")) if long else "tiny")
    text = STORY
    steps, file = packed(lm, text.encode())
    code = 8 * len(opened(file)[1])
    surprisal = math.fsum(step.bits for step in steps)
    assert abs(code - surprisal) <= 0.001 * surprisal + 64
    scored = lmlab.score(lm, text)
    assert (scored.windowing is not None) == long
    # Batches round otherwise, and the last window of a score has more before it.
    assert surprisal == pytest.approx(-scored.logprob / math.log(2), rel=1e-4 if not long else 2e-2)
    assert unpacked(lm, file) == text.encode()


def test_two_codings_are_the_same_bits(bigram):
    assert packed(bigram, STORY.encode())[1] == packed(bigram, STORY.encode())[1]


def test_another_model_and_other_numbers_are_told_apart(bigram, folder, monkeypatch):
    tiny, file = lmlab.load("tiny"), packed(lmlab.load("tiny"), STORY.encode())[1]
    with pytest.raises(ModelError, match=r"made with .*tokenizer is another in ‘mock:big"):
        unpacked(bigram, file)
    first, second = (lmlab.load(str(folder(name, "bytelevel-bos"))) for name in ("llama", "gpt2"))
    with pytest.raises(ModelError, match="weights are others"):
        unpacked(second, packed(first, STORY.encode())[1])
    monkeypatch.setattr(archive, "_numbers", lambda lm: b"elsewhere")
    with pytest.raises(ModelError, match="numbers come out otherwise here"):
        unpacked(tiny, file)


def test_numbers_that_differ_on_the_way_are_not_given_out_as_right(bigram, monkeypatch):
    _, file = packed(bigram, STORY.encode())
    header, code = opened(file)
    monkeypatch.setattr(coding, "shares", lambda logits: shares(logits + 1e-3 * logits[::-1]))
    monkeypatch.setattr(archive, "fingerprint", lambda lm: header.made)
    with pytest.raises(InputError, match="numbers"):
        list(unpack(bigram, header, code))


def test_a_damaged_or_foreign_file_gets_a_sentence(bigram):
    _, file = packed(bigram, STORY.encode())
    for at in range(len(file)):
        broken = bytes([*file[:at], file[at] ^ 1, *file[at + 1 :]])
        with pytest.raises(InputError, match=r"no file that|damaged"):
            opened(broken)
        with pytest.raises(InputError, match=r"no file that|damaged"):
            opened(file[:at])
    body = archive.MAGIC + bytes([1, 1, 255, 255])
    with pytest.raises(InputError, match="no sense"):
        opened(body + archive.zlib.crc32(body).to_bytes(4))


def test_nothing_and_too_much_are_refused(bigram, monkeypatch):
    with pytest.raises(InputError, match="nothing to zip"):
        list(pack(bigram, b""))
    monkeypatch.setattr(archive, "LARGEST", 10)
    with pytest.raises(InputError, match="at most 10"):
        list(pack(bigram, STORY.encode()))


def test_a_model_without_distributions_is_refused():
    with pytest.raises(ModelError, match="distributions"):
        list(pack(lmlab.load("mock:served"), b"x"))


def test_the_fingerprint_is_the_same_again_and_knows_an_adapter(folder, lora_folder):
    plain = str(folder("llama", "bytelevel-bos"))
    first = fingerprint(lmlab.load(plain))
    assert fingerprint(lmlab.load(plain)) == first
    tuned = fingerprint(lmlab.load(f"{plain}+{lora_folder}"))
    assert tuned.tokens == first.tokens
    assert tuned.weights != first.weights


def test_a_file_becomes_small_and_comes_back(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    content = STORY.encode() * 3
    (tmp_path / "story.txt").write_bytes(content)
    assert main(["zip", "story.txt", "--model", "mock:bigram"]) == 0
    told = capsys.readouterr().err
    assert "are to be expected" in told
    expected = int(told.split("about ")[1].split()[0].replace(",", ""))
    file = tmp_path / "story.txt.lmz"
    assert file.stat().st_size < len(content) / 2
    assert len(opened(file.read_bytes())[1]) == pytest.approx(expected, rel=0.02)
    assert main(["unzip", "story.txt.lmz"]) == 2  # it would write over the text
    assert "already" in capsys.readouterr().err
    asked = ["unzip", "story.txt.lmz", "-o", "again.txt"]
    assert main(asked) == 2  # no model is loaded because a file says so
    assert "made with ‘mock:bigram’" in capsys.readouterr().err
    assert main([*asked, "--model", "mock:uniform"]) == 2
    assert "another" in capsys.readouterr().err
    assert main([*asked, "--model", "mock:bigram"]) == 0
    assert (tmp_path / "again.txt").read_bytes() == content
    assert main(["zip", "none.txt"]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_the_page_shows_the_way_of_every_token_and_the_very_text_again(mock_lab):
    lab, text = mock_lab(), STORY + "<b>\x00"
    handler = streamed(page.zipper(lab), ["view", "figures", "sizes", "far", "kept"])
    rows = list(handler("mock:bigram", text))
    drawn = {}
    for row in rows:
        names = ("status", "stop", "view", "figures", "sizes", "far", "kept")
        drawn |= {k: v for k, v in zip(names, row, strict=True) if isinstance(v, str | Zipped)}
    found = json.loads(drawn["view"])
    assert "".join(step["text"] for step in found["steps"]) == text
    assert "<b>" not in drawn["view"]
    outs, needs = ([step[key] for step in found["steps"]] for key in ("out", "needs"))
    assert outs == sorted(outs)
    assert needs == sorted(needs)
    assert len(found["bits"]) == 8 * len(drawn["kept"].code)
    for step in found["steps"]:
        assert step["part"][1] == pytest.approx(2 ** -step["bits"], rel=0.01)
    assert "The very text" in drawn["far"]
    assert "&lt;b&gt;" in drawn["far"]
    assert "gzip" in drawn["sizes"]
    with pytest.raises(InputError, match="at most"):
        list(page.zipper(lab)("mock:bigram", "a " * 3000))
    with pytest.raises(InputError, match="no text"):
        list(page.zipper(lab)("mock:bigram", ""))


def test_the_receipt_gives_the_bits_and_the_length_again(numbers, real_like):
    found = next(one for one in real_like if isinstance(one, Zipped))
    surprisal, size = numbers(page.receipt(found))
    assert surprisal == pytest.approx(found.surprisal, abs=0.02)
    assert size == pytest.approx(len(found.code), abs=1)


@pytest.fixture
def real_like():
    lab = Lab.open(Settings(offline=True))
    return list(lab.service(Zipping).both_ways("tiny", STORY))
