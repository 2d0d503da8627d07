"""What a visitor may ask of the lab: limits, and every odd text a result or a clear error."""

import math

import pytest

from bench.timing import peak_megabytes
from lmlab.api import load
from lmlab.errors import InputError, LabError
from lmlab.generation.completions import Given
from lmlab.generation.config import GenerateConfig
from lmlab.lab import Lab
from lmlab.progress import Loading, Progress
from lmlab.scoring.compared import Compared
from lmlab.scoring.score import ScoreRequest, score, score_many
from lmlab.scoring.scored import Scored
from lmlab.settings import Settings
from tests import folders


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab.open(Settings(offline=True))


def last(steps):
    return [step for step in steps if isinstance(step, Scored)][-1]


def test_the_embedded_base_finds_sense_likelier_than_nonsense(lab):
    sense = "The little girl was very happy. She played with her dog in the garden."
    words = sense.split()
    nonsense = " ".join(words[::-1])
    a, b = (last(lab.score("base", text)) for text in (sense, nonsense))
    assert a.bits_per_byte < 1.3
    assert b.perplexity > 5 * a.perplexity


@pytest.mark.parametrize(
    "text",
    [
        "   ",
        "\n\n",
        "NUL \0 here",
        "🙂👩‍👩‍👧‍👦🏳️‍🌈",
        "السلام عليكم",
        "<script>alert(1)</script><b onclick='x'>",
        "${x} {{x}} {% x %}",
        "<|eos|><|bos|><|question|>",
        "a" * 3000,
        "\u202e\u200b\ufeff",
    ],
)
def test_odd_texts_are_scored_to_the_letter(lab, text):
    scored = last(lab.score("base", text, prefix="So: "))
    assert scored.prefix + scored.text == f"So: {text}"
    assert "".join(scored.text[t.start : t.end] for t in scored.tokens) == scored.text
    assert math.isfinite(scored.perplexity)


@pytest.mark.parametrize(
    ("text", "prefix", "words"),
    [
        ("", "x", "no text"),
        ("x" * 1_000_000, "", "at most 100,000"),
        ("x", "y" * 1_000_000, "at most 100,000"),
        ("é🙂" * 40_000, "", "tokens"),
        ("\ud83d", "", "surrogate"),
    ],
)
def test_what_cannot_be_scored_is_said(lab, text, prefix, words):
    with pytest.raises(InputError, match=words):
        list(lab.score("base", text, prefix))


@pytest.mark.parametrize("name", ["../../etc", "<script>", "", "\0", "no/such/model", "a" * 9999])
def test_no_name_does_harm(name):
    lab = Lab.open(Settings(offline=True, allow_local=False))
    with pytest.raises(LabError):
        list(lab.score(name, "x"))


def test_progress_comes_before_the_result(lab):
    steps = [s for s in lab.score("base", "word " * 2000) if not isinstance(s, Loading)]
    assert isinstance(steps[0], Progress)
    assert isinstance(steps[-1], Scored)
    assert steps[-1].windowing.count > 1


def test_loading_is_told_once():
    fresh = Lab.open(Settings(offline=True))
    told = [s for s in fresh.score("base", "x") if isinstance(s, Loading)]
    assert told == [Loading("Loading base …")]
    assert not [s for s in fresh.score("base", "x") if isinstance(s, Loading)]


def test_a_run_that_is_left_gives_the_model_back(lab):
    steps = lab.score("base", "word " * 3000)
    next(steps)
    steps.close()
    assert last(lab.score("base", "still here")).n_tokens


def test_a_wide_vocabulary_needs_no_wide_memory(tmp_path):
    """2,048 rows of 151,936 float32 would be 1,245 MB."""
    from bench.models import wide_vocabulary

    lm = load(str(wide_vocabulary(tmp_path / "wide")))
    text = "the little dog ran. " * 110
    score(lm, text[:200])
    assert peak_megabytes(lambda: score(lm, text)) < 500


def test_the_folder_of_a_test_is_no_embedded_model(lab, tmp_path):
    folders.save(tmp_path / "mine")
    assert str(tmp_path) not in lab.model_names()
    assert last(lab.score(str(tmp_path / "mine"), "the dog")).n_tokens


@pytest.fixture(scope="module")
def chat(folder, tmp_path_factory):
    source = folder("llama", "bytelevel-bos")
    return str(folders.save_chat(tmp_path_factory.mktemp("chat") / "m", source))


FORM = "<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\n"
TWO = GenerateConfig(max_new_tokens=2, temperature=0)


def test_a_prompt_comes_back_as_the_model_gets_it_with_advice(lab, chat):
    def given(prompt, **more):
        return next(e for e in lab.complete(chat, prompt, TWO, **more) if isinstance(e, Given))

    assert given("Who?", chat=True) == Given(FORM, (), ("<|endoftext|>",))
    assert [one.kind for one in given("the little ").advice] == ["space", "chat"]
    assert given(FORM).advice == ()


def test_the_chat_form_is_the_same_however_it_is_asked_for(lab, chat):
    def texts(events):
        return "".join(e[1].shown for e in events if isinstance(e, tuple))

    plain = [list(lab.sample(chat, FORM, TWO, 1)), list(lab.side_by_side([chat], FORM, TWO))]
    formed = [
        list(lab.sample(chat, "Who?", TWO, 1, chat=True)),
        list(lab.side_by_side([chat], "Who?", TWO, chat=True)),
    ]
    assert [texts(run) for run in plain] == [texts(run) for run in formed]
    # The answer alone: what opens the model's turn is given with its line break.
    scored = last(lab.score(chat, "a dog", "Who?", chat=True))
    with lab.store.borrow(chat) as lm:
        assert [scored] == score_many(lm, [ScoreRequest("a dog", FORM, given=True)])
    assert (scored.prefix, scored.text) == (FORM, "a dog")
    two = [
        e for e in lab.compare(chat, chat, "a dog", "Who?", chat=True) if isinstance(e, Compared)
    ]
    assert two[0].first == scored


@pytest.mark.parametrize("bos", ["<|im_start|>", "the", "never"])
def test_another_start_token_may_be_chosen(lab, chat, bos):
    scored = last(lab.score(chat, "a dog", bos=bos))
    assert scored.context == (() if bos == "never" else (bos,))


@pytest.mark.parametrize("bos", ["no such token", "\ud800", "x" * 10_000])
def test_a_start_token_that_is_none_is_said(lab, chat, bos):
    with pytest.raises(InputError, match=r"no token|surrogate"):
        list(lab.score(chat, "a dog", bos=bos))
