"""Names, the store, adapters, and what is refused with which words."""

import threading
import time

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from lmlab.api import load
from lmlab.errors import LabError, MemoryLimitError, ModelError
from lmlab.lm.head import SlicedHead, TiledHead
from lmlab.models import loading
from lmlab.models.store import ModelRef, ModelStore
from lmlab.scoring.score import score
from lmlab.settings import Settings

TEXT = "the little dog ran"


@pytest.fixture
def path(folder):
    return folder("llama", "bytelevel-bos")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("base", ModelRef("base")),
        (" gpt2@main ", ModelRef("gpt2", revision="main")),
        ("base+qa", ModelRef("base", "qa")),
        ("a/b@r+c/d", ModelRef("a/b", "c/d", "r")),
    ],
)
def test_names_are_read_and_written(text, expected):
    assert ModelRef.parse(text) == expected
    assert ModelRef.parse(str(expected)) == expected


def test_a_folder_is_a_name_whatever_its_letters(tmp_path):
    odd = tmp_path / "a+b@c"
    odd.mkdir()
    assert ModelRef.parse(str(odd)) == ModelRef(str(odd))


@pytest.mark.parametrize("text", ["", "   ", "\0", "x" * 5000])
def test_what_is_no_name_is_refused(text):
    with pytest.raises(ModelError):
        ModelRef.parse(text)


@pytest.mark.parametrize(
    "name",
    ["../../etc", "/etc/passwd", "..", "a/b/c", "-x", "a..b", "<script>", "C:\\x", "${x}", "a\nb"],
)
def test_odd_names_name_nothing(name):
    store = ModelStore(Settings(offline=True, allow_local=False))
    with pytest.raises(ModelError), store.borrow(name):
        pass


def test_folders_can_be_switched_off(path):
    store = ModelStore(Settings(offline=True, allow_local=False))
    with pytest.raises(ModelError, match="no model named"), store.borrow(str(path)):
        pass


def test_an_unknown_name_gets_the_closest_known_one():
    store = ModelStore(Settings(offline=True))
    with pytest.raises(ModelError, match="base") as caught, store.borrow("bsae"):
        pass
    assert "Here there are: base" in caught.value.hint


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("pickle_only", "pickles"),
        ("truncated", "damaged or cut short"),
        ("missing_tensor", "incomplete"),
        ("missing_tokenizer", "tokenizer"),
        ("slow_tokenizer", "tokenizer"),
        ("remote_code", "never runs such code"),
        ("encoder", "not a causal language model"),
        ("seq2seq", "not a causal language model"),
        ("invalid_json", "damaged"),
        ("index_outside", "outside its folder"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_reason(broken, kind, words):
    store = ModelStore()
    with pytest.raises(ModelError, match=words), store.borrow(str(broken(kind))):
        pass
    assert store.loaded() == []


def test_a_folder_that_is_no_model(tmp_path):
    with pytest.raises(ModelError, match=r"no config\.json"), ModelStore().borrow(str(tmp_path)):
        pass


def test_many_threads_load_a_model_once(path, monkeypatch):
    loads: list[str] = []
    real = loading.load

    def slow(folder, settings):
        loads.append(folder.name)
        time.sleep(0.1)
        return real(folder, settings)

    monkeypatch.setattr(loading, "load", slow)
    store = ModelStore()
    seen: list[float] = []

    def visit():
        with store.borrow(str(path)) as lm:
            seen.append(score(lm, TEXT).logprob)

    threads = [threading.Thread(target=visit) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1
    assert len(seen) == 6
    assert len(set(seen)) == 1


def test_a_failed_load_reaches_all_who_wait_and_leaves_nothing(path, monkeypatch):
    def fail(folder, settings):
        time.sleep(0.1)
        raise ModelError("no luck")

    monkeypatch.setattr(loading, "load", fail)
    store = ModelStore()
    errors: list[str] = []

    def visit():
        try:
            with store.borrow(str(path)):
                pass
        except LabError as error:
            errors.append(error.message)

    threads = [threading.Thread(target=visit) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == ["no luck"] * 3
    monkeypatch.undo()
    with store.borrow(str(path)) as lm:
        assert score(lm, TEXT).n_tokens


def test_the_lock_may_be_given_back_by_another_thread(path):
    """Each step of a page's generator may run in another thread."""
    store = ModelStore()
    borrowed = store.borrow(str(path))
    borrowed.__enter__()
    thread = threading.Thread(target=borrowed.__exit__, args=(None, None, None))
    thread.start()
    thread.join()
    with store.borrow(str(path)):
        pass


def test_least_recently_used_models_leave_first(folder):
    paths = [str(folder("llama", name)) for name in ("bytelevel-bos", "bytelevel", "sentencepiece")]
    size = load(paths[0]).model.num_parameters() * 4
    store = ModelStore(Settings(memory_gb=size * 2.5 / 1e9))
    for name in (paths[0], paths[1], paths[0], paths[2]):
        with store.borrow(name):
            pass
    assert store.loaded() == [paths[0], paths[2]]


def test_a_model_in_use_is_not_dropped(folder):
    first, second = (str(folder("llama", name)) for name in ("bytelevel-bos", "bytelevel"))
    size = load(first).model.num_parameters() * 4
    store = ModelStore(Settings(memory_gb=size * 1.5 / 1e9))
    with store.borrow(first):
        with pytest.raises(MemoryLimitError, match="in use"), store.borrow(second):
            pass
        assert store.loaded() == [first]
    with store.borrow(second):
        assert store.loaded() == [second]


def test_a_model_over_the_budget_is_refused(path):
    store = ModelStore(Settings(memory_gb=1e-6))
    with pytest.raises(MemoryLimitError, match="set aside"), store.borrow(str(path)):
        pass


def test_running_out_of_memory_while_reading_is_a_sentence(path, monkeypatch):
    def fail(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr(loading.AutoModelForCausalLM, "from_pretrained", fail)
    with pytest.raises(MemoryLimitError, match="not enough memory"), ModelStore().borrow(str(path)):
        pass


def test_an_adapter_equals_peft_and_leaves_the_base_alone(path, lora_folder):
    store = ModelStore()
    with store.borrow(str(path)) as lm:
        before = score(lm, TEXT)
    with store.borrow(ModelRef(str(path), str(lora_folder))) as lm:
        tuned = score(lm, TEXT)
        ids = torch.tensor([[*lm.vocabulary.leading, *lm.vocabulary.ids(TEXT)]])
    with store.borrow(str(path)) as lm:
        assert score(lm, TEXT) == before
    peft = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(path), lora_folder).eval()
    with torch.inference_mode():
        logp = peft(ids).logits[0].log_softmax(-1)[:-1].gather(1, ids[0, 1:, None])
    assert tuned.logprob == pytest.approx(float(logp.sum()), abs=1e-4)
    assert tuned.logprob != pytest.approx(before.logprob, abs=1e-3)
    assert len(store.loaded()) == 1


def test_a_soft_prompt_equals_peft(path, prompt_folder):
    with ModelStore().borrow(ModelRef(str(path), str(prompt_folder))) as lm:
        tuned = score(lm, TEXT)
        plain = load(str(path))
        assert lm.context < plain.context
        ids = torch.tensor([[*lm.vocabulary.leading, *lm.vocabulary.ids(TEXT)]])
    peft = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(path), prompt_folder)
    with torch.inference_mode():
        logits = peft.eval()(ids, attention_mask=torch.ones_like(ids)).logits
    logp = logits[0, -ids.shape[1] :].log_softmax(-1)[:-1].gather(1, ids[0, 1:, None])
    assert tuned.logprob == pytest.approx(float(logp.sum()), abs=1e-4)


def test_an_adapter_of_another_shape_is_refused(path, misfit_folder):
    store = ModelStore()
    with (
        pytest.raises(ModelError, match="does not fit"),
        store.borrow(ModelRef(str(path), str(misfit_folder))),
    ):
        pass
    with store.borrow(str(path)) as lm:
        assert score(lm, TEXT).n_tokens


def test_the_way_to_the_logits_is_chosen_from_the_model(folder):
    assert isinstance(load(str(folder("llama"))).head, TiledHead)
    assert isinstance(load(str(folder("gemma2"))).head, SlicedHead)


def test_a_text_uses_the_whole_context(path):
    lm = load(str(path))
    assert lm.context == lm.model.config.max_position_embeddings
