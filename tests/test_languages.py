"""Sentences in tokens: counted as the tokenizers count, and what they lose is told."""

import json
import shutil

import pytest
from tokenizers import Tokenizer

from lmlab.cli.main import main
from lmlab.errors import InputError, ModelError
from lmlab.features.languages import views
from lmlab.features.languages.counted import BYTES, lines, parse, rows_of, shipped
from lmlab.features.languages.service import Languages
from lmlab.lab import Lab
from lmlab.models.tokenizers import FILE
from lmlab.progress import Loading, Progress
from lmlab.settings import Settings

HOSTILE = '<img src=x onerror="alert(1)"> ${x} {{ 1 }} =cmd() 🙂'


def counted(lab, tokenizers, text, model=""):
    events = lab.service(Languages).count(tokenizers, parse(text), model)
    return [event for event in events if not isinstance(event, Loading | Progress)]


def test_the_shipped_sentences_are_ten_and_read_back():
    assert len(shipped()) == 10
    assert dict(parse(lines(shipped()))) == dict(shipped())


def test_counts_are_the_tokenizers_own_and_the_first_sentence_is_the_price(folder):
    path = folder("llama", "bytelevel-bos")
    own = Tokenizer.from_file(str(path / FILE))
    found, plain = counted(Lab.open(), [str(path), BYTES], lines(shipped()))
    assert (found.context, found.size) == (64, own.get_vocab_size())
    counts = [len(own.encode(text, add_special_tokens=False).ids) for text in shipped().values()]
    assert [row.tokens for row in found.rows] == counts
    assert [found.price(row) for row in found.rows] == [n / counts[0] for n in counts]
    assert [found.share(row) for row in found.rows] == [n / 64 for n in counts]
    for row in plain.rows:
        assert (row.tokens, row.bytes_per_token) == (len(row.text.encode()), 1)
        assert plain.share(row) is None


def test_what_a_tokenizer_does_not_have_is_told(folder, tmp_path):
    from tokenizers import models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"[UNK]": 0, "cat": 1}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    shutil.copytree(folder("llama", "bytelevel-bos"), tmp_path / "m")
    (tmp_path / "m" / FILE).unlink()
    made = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]")
    made.save_pretrained(tmp_path / "m")
    (found,) = counted(Lab.open(), [str(tmp_path / "m")], "a: cat\nb: cat dog")
    assert [row.unknown for row in found.rows] == [0, 1]
    assert "1 unknown" in views.table([found])


def test_bits_per_byte_are_those_of_the_scored_sentences():
    lab = Lab.open(Settings(offline=True))
    found = counted(lab, ["tiny", BYTES], "a: The cat sat.\nb: Der Hund.", "tiny")
    for row in found[1].rows:
        *_, scored = lab.score("tiny", row.text)
        assert row.bits_per_byte == pytest.approx(scored.bits_per_byte, abs=1e-4)
    assert [r.bits_per_byte for r in found[0].rows] == [r.bits_per_byte for r in found[1].rows]


def test_hostile_text_stays_text(folder):
    found = counted(Lab.open(), [str(folder()), BYTES], f"<b>x</b>: {HOSTILE}\n=1+1: {HOSTILE}")
    drawn = views.table(found)
    assert "<img" not in drawn
    assert "<b>x" not in drawn
    assert "<b>" not in str(views.prices(found).data[0].x)
    assert "\n=1" not in views.to_csv(found).replace(",", "\n").replace("'=1", "")
    assert views.receipt(found).count("onerror") == 2


@pytest.mark.parametrize(
    ("tokenizers", "text", "error", "said"),
    [
        ([], "a: b", InputError, "Choose from 1 to 6"),
        ([BYTES], " \n ", InputError, "no sentence"),
        ([BYTES], "German:", InputError, "no sentence"),
        ([BYTES], "a: b\n" * 41, InputError, "at most 40"),
        ([BYTES], "a: " + "x" * 1_000_000, InputError, "at most"),
        (["no/such"], "a: b", ModelError, "no/such"),
        (["mock:bigram"], "a: b", ModelError, "mock:bigram"),
        (["../../etc"], "a: b", ModelError, "etc"),
    ],
)
def test_what_cannot_be_counted_is_told(tokenizers, text, error, said):
    with pytest.raises(error, match=said):
        counted(Lab.open(Settings(offline=True)), tokenizers, text)


def test_the_command_prints_what_the_page_counts(folder, capsys):
    words = [
        "languages",
        "--tokenizer",
        str(folder()),
        "--text",
        "a: the cat",
        "--text",
        "b: le chat",
    ]
    assert main([*words, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert rows == rows_of(counted(Lab.open(), [str(folder())], "a: the cat\nb: le chat"))
    assert main(words) == 0
    assert "price" in capsys.readouterr().out


def test_the_receipt_counts_again(numbers):
    (found,) = counted(Lab.open(), ["base"], lines(shipped()))
    again = numbers(views.receipt([found]))
    wanted = [one for row in found.rows for one in (row.bytes_per_token, found.price(row))]
    assert again == pytest.approx(wanted, abs=1e-5)
