"""GGUF models as llama.cpp runs them, small ones in 32 bits, against the folders that they were
made of: needs llama-cpp-python.
"""

import pytest

pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed: make real says how")

from pathlib import Path

from lmlab.errors import InputError, ModelError
from lmlab.generation.answering import complete
from lmlab.generation.complete import generate, sample
from lmlab.generation.config import GenerateConfig
from lmlab.lab import Lab
from lmlab.models.model import LM, Read
from lmlab.models.refs import ModelRef
from lmlab.models.tokens import encode
from lmlab.runs.model_store import ModelStore
from lmlab.scoring.comparison import compare
from lmlab.scoring.likelihoods import likelihoods
from lmlab.scoring.score import score, score_many
from lmlab.settings import Settings
from tests import ggufs

pytestmark = pytest.mark.real

TEXT = "Once upon a time, there was a king. Das Haus ist groß 🙂."
GREEDY = GenerateConfig(max_new_tokens=24, temperature=0)
WORDS = ["▁", "a", "b", "c", "ab", "▁a", "▁ab", "abc", "▁abc"]


@pytest.fixture(scope="module")
def store() -> ModelStore:
    return ModelStore(Settings(offline=True, device="cpu"))


@pytest.fixture(scope="module")
def base(folder) -> Path:
    return folder("llama", "bytelevel-bos")


@pytest.fixture(scope="module")
def file(base, tmp_path_factory) -> Path:
    return ggufs.model(tmp_path_factory.mktemp("gguf") / "small.gguf", base)


@pytest.fixture
def lm(store, file) -> LM:
    with store.borrow(f"gguf:{file}") as found:
        yield found


@pytest.fixture
def pair(store, file, base):
    with store.borrow_all([f"gguf:{file}", str(base)]) as found:
        yield found


def same(one, other, places: float = 2e-3) -> None:
    assert [t.id for t in one.tokens] == [t.id for t in other.tokens]
    assert [t.text for t in one.tokens] == [t.text for t in other.tokens]
    for mine, theirs in zip(one.tokens, other.tokens, strict=True):
        assert (mine.start, mine.end) == (theirs.start, theirs.end)
        if theirs.logprob is None:
            assert mine.logprob is None
            continue
        assert mine.logprob == pytest.approx(theirs.logprob, abs=places)
        assert mine.entropy == pytest.approx(theirs.entropy, abs=places)
        assert abs(mine.rank - theirs.rank) <= 1


def test_a_text_is_scored_as_by_transformers(pair):
    mine, theirs = pair
    same(score(mine, TEXT), score(theirs, TEXT))
    same(score(mine, " man is here", prefix="the "), score(theirs, " man is here", prefix="the "))
    same(score(mine, TEXT * 8), score(theirs, TEXT * 8))
    assert mine.gives >= {"ranks", "entropy", "distributions", "adapters", "text"}
    assert not mine.gives & {"weights", "training"}


def test_what_a_text_is_read_beside_changes_nothing(lm):
    texts = [TEXT, "the", "ing er in and the", TEXT[::-1], "a king"]
    assert lm.shares
    together = score_many(lm, texts)
    for text, found in zip(texts, together, strict=True):
        assert score(lm, text).tokens == found.tokens


def test_rows_and_statistics_are_of_the_same_logits(lm):
    ids = encode(lm.vocabulary, TEXT).ids
    whole = lm.rows([ids[:-1]])[0].log_softmax(-1)
    stats = lm.score([Read(ids, 5)], 3)
    assert stats.logprob.tolist() == pytest.approx(
        [float(whole[i - 1, ids[i]]) for i in range(5, len(ids))], abs=1e-4
    )


def test_completions_are_those_of_transformers(pair):
    mine, theirs = pair
    # Keys and values are kept in 16 bits: later on two tokens may be too near each other.
    short = GenerateConfig(max_new_tokens=12, temperature=0)
    steps = [list(generate(lm, "the dog", short)) for lm in (mine, theirs)]
    assert [step.id for step in steps[0]] == [step.id for step in steps[1]]
    for one, other in zip(*steps, strict=True):
        assert one.logprob == pytest.approx(other.logprob, abs=5e-3)
        assert one.entropy == pytest.approx(other.entropy, abs=5e-3)


def test_rows_that_go_on_together_are_each_as_alone(lm):
    config = GenerateConfig(max_new_tokens=20, temperature=1.0, seed=5)
    apart = [
        [s.id for s in generate(lm, "the", GenerateConfig(max_new_tokens=20, seed=5 + i))]
        for i in range(3)
    ]
    together: list[list[int]] = [[], [], []]
    for which, step in sample(lm, "the", config, n=3):
        together[which].append(step.id)
    assert together == apart


def test_a_context_grows_and_keeps_what_was_read(store, base, tmp_path):
    long = ggufs.model(tmp_path / "long.gguf", base, llama__context_length=2048)
    with store.borrow(f"gguf:{long}") as lm:
        ids = (encode(lm.vocabulary, TEXT).ids * 40)[:700]
        small, roomy = lm.decoder(), lm.decoder()
        small.read(ids[:20])
        lm.engine.idle = lm.session(2000, 1)
        roomy.read(ids[:20])
        assert small._session.cells < len(ids) < roomy._session.cells
        for token in ids[20:]:
            assert small.feed([token]).equal(roomy.feed([token]))
        assert small._session.cells >= len(ids)


def test_one_whose_turn_others_take_goes_on_as_before(lm):
    going, other = generate(lm, "the dog", GREEDY), generate(lm, "a king", GREEDY)
    alone = [[s.id for s in generate(lm, text, GREEDY)] for text in ("the dog", "a king")]
    mixed: list[list[int]] = [[], []]
    for first, second in zip(going, other, strict=False):
        mixed[0].append(first.id)
        mixed[1].append(second.id)
        score(lm, TEXT)
    shared = min(map(len, mixed))
    assert [ids[:shared] for ids in mixed] == [ids[:shared] for ids in alone]


def test_two_models_are_compared_token_by_token(pair):
    found = compare(*pair, TEXT)
    assert found.kl is not None
    assert max(kl for kl in found.kl if kl is not None) < 1e-3


def test_prompts_that_begin_alike_are_answered_as_by_transformers(pair):
    shots = "the man is here, hello there world. ing er in and the "
    answers = ["red ball", "king", "the little dog ran over"]
    found, written = [], []
    for lm in pair:
        items = [encode(lm.vocabulary, answer, shots) for answer in answers]
        parts = likelihoods(lm, items, share=True)
        found.append({i: one for part in parts for i, one in part.items()})
        prompts = [[*items[0].ids[:20], i] for i in (260, 300, 301)]
        config = GenerateConfig(max_new_tokens=6, temperature=0)
        texts = complete(lm, prompts, config, share=True)
        written.append({i: one for part in texts for i, one in part.items()})
    for i in range(len(answers)):
        assert found[0][i].logprob == pytest.approx(found[1][i].logprob, abs=5e-3)
        assert found[0][i].n_tokens == found[1][i].n_tokens
    assert written[0] == written[1]


def test_an_adapter_as_gguf_changes_what_peft_changes(store, file, base, lora_folder, tmp_path):
    adapter = ggufs.lora(tmp_path / "lora.gguf", lora_folder, base)
    names = [f"gguf:{file}+{adapter}", f"{base}+{lora_folder}", f"gguf:{file}"]
    with store.borrow_all(names) as (mine, theirs, plain):
        same(score(mine, TEXT), score(theirs, TEXT))
        changed = [t.logprob for t in score(mine, TEXT).tokens]
        assert changed != [t.logprob for t in score(plain, TEXT).tokens]
    half = ModelRef(f"gguf:{file}", str(adapter), alpha=0.5)
    with store.borrow_all([half, ModelRef(str(base), str(lora_folder), alpha=0.5)]) as lms:
        same(*(score(lm, TEXT) for lm in lms))


def test_what_is_no_adapter_is_said(store, file, lora_folder, tmp_path, base):
    for name, said in (
        (f"gguf:{file}+{lora_folder}", "is no GGUF file"),
        (f"gguf:{file}+{file}", "is a model, not an adapter"),
        (f"gguf:{file}+{tmp_path}/none.gguf", "There is no file"),
    ):
        with pytest.raises(ModelError, match=said), store.borrow(name):
            pass
    other = ggufs.lora(tmp_path / "o.gguf", lora_folder, base, **{"general.architecture": "gpt2"})
    with pytest.raises(ModelError, match="cannot be used"), store.borrow(f"gguf:{file}+{other}"):
        pass


def test_llama_cpp_says_why_it_refuses_a_file(store, base, tmp_path, capfd):
    for changed, said in (
        ({"general__architecture": "quux"}, "unknown model architecture: 'quux'"),
        ({"tokenizer__ggml__pre": "quux"}, "unknown pre-tokenizer type: 'quux'"),
        ({"llama__feed_forward_length": 96}, "has wrong shape"),
        ({"llama__block_count": 3}, "tensor 'blk.2.attn_norm.weight' not found"),
    ):
        bad = ggufs.model(tmp_path / "bad.gguf", base, **changed)
        with pytest.raises(ModelError, match=said), store.borrow(f"gguf:{bad}"):
            pass
    assert capfd.readouterr() == ("", "")


def test_a_tokenizer_of_spaces_and_bytes_keeps_the_conventions(store, base, tmp_path):
    told = {k.replace(".", "__"): v for k, v in ggufs.sentencepiece(512, WORDS).items()}
    made = ggufs.model(tmp_path / "spm.gguf", base, **told)
    with store.borrow(f"gguf:{made}") as lm:
        vocabulary = lm.vocabulary
        assert vocabulary.leading == (1,)
        found = score(lm, "abc ab é")
        assert [t.text for t in found.tokens][:2] == ["abc", " ab"]
        assert "".join(found.text[t.start : t.end] for t in found.tokens) == "abc ab é"
        assert found.context == ("<s>",)
        parts = encode(vocabulary, "ab", "abc ")
        assert (parts.prefix, parts.text, parts.moved) == ("abc", " ab", " ")
        assert vocabulary.data(vocabulary.ids("é")[-1]) == "é".encode()[-1:]
        assert sum(vocabulary.is_partial(i) for i in vocabulary.ids("é")) == 2
        assert lm.tokenizer.decode(vocabulary.ids("abc ab")) == "abc ab"
        assert vocabulary.ids("abc</s>")[-1] == 2
        assert vocabulary.spelling.unknown_id is None


def test_one_start_is_put_before_a_text(lm):
    ids = encode(lm.vocabulary, "the dog", bos="always").ids
    assert encode(lm.vocabulary, "<|endoftext|>the dog", bos="always").ids == ids
    assert ids[0] == lm.vocabulary.start_id
    with pytest.raises(InputError, match="no token ‘nothing of the kind’"):
        encode(lm.vocabulary, "the dog", bos="nothing of the kind")


def test_not_a_number_is_said(store, nan_folder, tmp_path):
    bad = ggufs.model(tmp_path / "nan.gguf", nan_folder)
    with pytest.raises(ModelError, match="gives not-a-number"), store.borrow(str(bad)) as lm:
        score(lm, TEXT)


def test_a_page_scores_and_completes_with_it(file):
    lab = Lab.open(Settings(offline=True, device="cpu"))
    assert list(lab.score(str(file), TEXT))[-1].perplexity > 1
    steps = list(lab.complete(f"gguf:{file}", "the dog", GREEDY))
    assert steps
