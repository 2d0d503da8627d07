"""Two models on one text: divergences against full tables, alignment on characters."""

import itertools
import json
import math
import shutil

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import processors
from transformers import AutoModelForCausalLM, AutoTokenizer

from lmlab.errors import InputError
from lmlab.generation.completions import Beliefs, Candidate
from lmlab.generation.sampling import choose
from lmlab.maths.metrics import divergences
from lmlab.parts import shift_strip
from lmlab.runs.model_store import ModelRef, ModelStore
from lmlab.scoring import comparison
from lmlab.scoring.compared import Compared
from lmlab.scoring.comparison import compare
from lmlab.scoring.score import score
from lmlab.scoring.scored import Scored
from lmlab.scoring.tokens import TokenScore
from tests.test_sidebyside import adapter

TEXT = "the little dog ran over the hill 🙂 and saw a big red ball"


@pytest.fixture(scope="module")
def refs(folder, tmp_path_factory):
    base = folder("llama", "bytelevel-bos")
    path = adapter(tmp_path_factory.mktemp("compared") / "a", base, target_modules="all-linear")
    return [ModelRef(str(base)), ModelRef(str(base), path)]


def found(refs, text=TEXT, **options):
    with ModelStore().borrow_all(refs) as lms:
        return compare(*lms, text, **options)


def table(ref, text=TEXT):
    """Every log-probability of every position, the way that memory does not bound."""
    with ModelStore().borrow(ref) as lm:
        ids = torch.tensor([[*lm.vocabulary.leading, *lm.vocabulary.ids(text)]])
        return lm.model(ids).logits[0, :-1].double().log_softmax(-1)


def test_divergences_equal_those_of_full_tables(refs, monkeypatch):
    monkeypatch.setattr(comparison, "TABLE", 512 * 5)  # five rows a block
    result = found(refs)
    p, q = table(refs[0]), table(refs[1])
    forward = (p.exp() * (p - q)).sum(-1) / math.log(2)
    backward = (q.exp() * (q - p)).sum(-1) / math.log(2)
    torch.testing.assert_close(torch.tensor(result.kl).double(), forward, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        torch.tensor(result.kl_reverse).double(), backward, atol=1e-4, rtol=1e-4
    )
    assert result.mean_kl == pytest.approx(
        (float(forward.mean()), float(backward.mean())), abs=1e-4
    )


def test_hand_written_divergences():
    p, q = torch.tensor([[0.5, 0.5, 0.0]]), torch.tensor([[0.25, 0.75, 0.0]])
    forward, backward = divergences(p.log(), q.log())
    assert float(forward) == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(2 / 3), rel=1e-5)
    assert float(backward) == pytest.approx(0.25 * math.log(0.5) + 0.75 * math.log(1.5), rel=1e-5)
    same = divergences(p.log(), p.log())
    assert [float(x) for x in same] == [0, 0]


def test_the_scorings_are_those_of_score(refs):
    result = found(refs, prefix="Once upon")
    for ref, mine in zip(refs, (result.first, result.second), strict=True):
        with ModelStore().borrow(ref) as lm:
            assert score(lm, TEXT, prefix="Once upon").to_dict() == mine.to_dict()
    pairs = zip(result.first.tokens, result.second.tokens, result.differences, strict=True)
    for a, b, d in pairs:
        assert d == pytest.approx((b.logprob - a.logprob) / math.log(2))


def test_a_model_does_not_differ_from_itself(refs):
    result = found([refs[1], refs[1]])
    assert set(result.differences) == {0.0}
    assert max(result.kl) == pytest.approx(0, abs=1e-6)


def test_the_more_alpha_the_further_from_the_base(refs):
    base, tuned = refs
    means = []
    for alpha in (0.0, 0.25, 1.0):
        ref = ModelRef(tuned.name, tuned.adapter, alpha=alpha)
        means.append(found([base, ref]).mean_kl[0])
    assert means[0] == pytest.approx(0, abs=1e-5)
    assert means[0] < means[1] < means[2]


def test_long_texts_are_cut_into_windows(refs):
    result = found(refs, "the little dog ran. " * 30)
    assert result.first.windowing is not None
    assert len(result.kl) == len(result.first.tokens) == len(result.differences)


def test_what_moved_most_comes_first(refs):
    result = found(refs)
    for by, values in (("kl", result.kl), ("difference", result.differences)):
        order = result.moved(by, 5)
        sizes = [abs(values[i]) for i in order]
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[0] == max(map(abs, values))


def test_an_unscored_first_token_has_no_divergence(folder):
    base = str(folder("llama", "no-special"))
    result = found([base, base])
    assert result.kl[0] is None
    assert result.differences[0] is None
    assert len(result.kl) == len(result.first.tokens)


@pytest.mark.parametrize("other", ["bytelevel", "bytelevel-space", "sentencepiece", "no-special"])
def test_other_tokens_are_aligned_on_characters(folder, other):
    text = TEXT + " groß日本"
    result = found([folder("llama", "bytelevel-bos").as_posix(), str(folder("gpt2", other))], text)
    pieces = result.segments
    assert "".join(piece.text for piece in pieces) == text
    if result.same_tokens:
        return
    assert result.moved() == []
    for which, scored in enumerate((result.first, result.second)):
        bits = [(piece.first, piece.second)[which] for piece in pieces]
        total = -scored.logprob / math.log(2)
        assert math.fsum(b for b in bits if b is not None) == pytest.approx(total)
        assert sum(piece.counts[which] for piece in pieces) == len(scored.tokens)


def tokens(cuts, text):
    places = sorted({0, len(text), *(c for c in cuts if c < len(text))})
    return tuple(
        TokenScore(i, text[a:b], a, b, -float(i + 1), 1, 0.0)
        for i, (a, b) in enumerate(itertools.pairwise(places))
    )


@given(st.lists(st.integers(0, 30)), st.lists(st.integers(0, 30)))
def test_pieces_end_where_tokens_of_both_end(one, two):
    text = "abcdefghijklmnopqrstuvwxyz"
    first, second = (Scored("m", text, "", tokens(cuts, text)) for cuts in (one, two))
    pieces = Compared(first, second).segments
    assert "".join(piece.text for piece in pieces) == text
    ends = [{t.end for t in s.tokens} for s in (first, second)]
    assert len(pieces) == len(ends[0] & ends[1])


def test_an_empty_text_is_said(refs):
    with pytest.raises(InputError, match="no text"):
        found(refs, "")


def test_it_is_json_ready_and_drawable(refs, folder):
    result = found(refs)
    value = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert value["same_tokens"] is True
    assert len(value["positions"]) == len(result.kl)
    drawn = json.loads(shift_strip.compared(result, name="n"))
    assert len(drawn["runs"][0]["kl"]) == len(drawn["runs"][1]["texts"])
    apart = found([refs[0], str(folder("gpt2", "sentencepiece"))])
    json.dumps(apart.to_dict(), allow_nan=False)
    pieces = json.loads(shift_strip.compared(apart))
    assert pieces["pieces"] is True
    assert "".join(pieces["runs"][1]["texts"]) == TEXT
    assert "bits per byte" in " ".join(pieces["notes"])


def test_what_is_hardly_possible_does_not_look_cut_off(refs):
    step = choose(
        Beliefs((Candidate(1, "a", -0.1, 1 - 2e-9), Candidate(2, "b", -9.0, 2e-9)), 0.1, 0.0, 2, 9),
        0,
        0,
    )
    lines = shift_strip.flowing("n", "m", "p", [step, step]).splitlines()
    assert json.loads(lines[1])[5][1][2] == 2e-9
    assert len(lines) == 3
    assert shift_strip.flowing("n", "m", "p", [step, step]).startswith(
        shift_strip.flowing("n", "m", "p", [step])
    )


def other_tokenizer(folder, path, change, model=None):
    """The small Llama with its tokenizer changed."""
    source = folder("llama", "bytelevel-bos")
    shutil.copytree(source, path)
    tokenizer = AutoTokenizer.from_pretrained(source)
    change(tokenizer)
    tokenizer.save_pretrained(path)
    if model is not None:
        made = AutoModelForCausalLM.from_pretrained(source)
        model(made)
        made.save_pretrained(path)
    return path


def padding(tokenizer):
    tokenizer.backend_tokenizer.enable_padding(length=20, pad_id=0, pad_token="<|endoftext|>")


def truncation(tokenizer):
    tokenizer.backend_tokenizer.enable_truncation(5)


def no_start(tokenizer):
    tokenizer.backend_tokenizer.post_processor = processors.ByteLevel()


def one_more(tokenizer):
    tokenizer.add_special_tokens({"pad_token": "<|pad|>"})


@pytest.mark.parametrize("change", [padding, truncation, no_start, one_more])
def test_the_same_tokens_in_another_file_are_the_same_vocabulary(folder, tmp_path, change):
    path = other_tokenizer(folder, tmp_path / "m", change)
    refs = [ModelRef(str(folder("llama", "bytelevel-bos"))), ModelRef(str(path))]
    result = found(refs, prefix="and the")
    assert result.same_tokens
    assert result.mean_kl == (0, 0)
    assert set(result.differences) == {0}
    assert any("begin a text differently" in note for note in result.notes) == (change is no_start)


def test_resized_embeddings_are_compared_over_what_both_have(folder, tmp_path):
    path = other_tokenizer(
        folder, tmp_path / "m", one_more, lambda model: model.resize_token_embeddings(576)
    )
    for refs in (
        [folder("llama", "bytelevel-bos"), path],
        [path, folder("llama", "bytelevel-bos")],
    ):
        result = found([ModelRef(str(ref)) for ref in refs])
        assert result.mean_kl == pytest.approx((0, 0), abs=1e-6)
        assert "tokens that both models have" in result.notes[0]
        assert result.to_dict()["notes"] == list(result.notes)


def test_the_same_names_under_other_ids_are_other_vocabularies(folder, tmp_path):
    result = found(
        [ModelRef(str(folder("llama", kind))) for kind in ("bytelevel-bos", "sentencepiece")]
    )
    assert not result.same_tokens
