"""Names, the store, adapters, and what is refused with which words."""

import shutil
import threading
import time
import weakref
from types import SimpleNamespace

import psutil
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from lmlab.api import load
from lmlab.errors import LabError, MemoryLimitError, ModelError
from lmlab.models.backends.transformers import loading
from lmlab.models.head import SlicedHead, TiledHead
from lmlab.runs.model_store import ModelRef, ModelStore
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


@pytest.mark.parametrize("text", ["", "   ", "\0", "x" * 5000, None, ["base"], 5, {"a": 1}])
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
    with pytest.raises(MemoryLimitError, match="a model may take"), store.borrow(str(path)):
        pass


def test_two_that_load_at_once_share_the_budget(folder, monkeypatch):
    """What is on its way counts: both would fit alone."""
    first, second = (str(folder("llama", name)) for name in ("bytelevel-bos", "bytelevel"))
    size = load(first).model.num_parameters() * 4
    store, real = ModelStore(Settings(memory_gb=size * 1.5 / 1e9)), loading.load
    refused = []

    def meanwhile(folder, settings):
        monkeypatch.setattr(loading, "load", real)
        with pytest.raises(MemoryLimitError, match="in use"), store.borrow(second):
            pass
        refused.append(second)
        return real(folder, settings)

    monkeypatch.setattr(loading, "load", meanwhile)
    with store.borrow(first):
        pass
    assert refused == [second]
    with store.borrow(second):
        assert store.loaded() == [second]


def test_what_is_dropped_is_gone(folder, lora_folder):
    first, second = (str(folder("llama", name)) for name in ("bytelevel-bos", "bytelevel"))
    size = load(first).model.num_parameters() * 4
    store = ModelStore(Settings(memory_gb=size * 1.8 / 1e9))
    with store.borrow(ModelRef(first, str(lora_folder))) as lm:
        dropped = weakref.ref(lm.model)
    del lm
    with store.borrow(second):
        assert dropped() is None


def test_a_model_larger_than_what_the_machine_has_left_is_refused(path, monkeypatch):
    store = ModelStore(Settings(memory_gb=1))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1000))
    with pytest.raises(MemoryLimitError, match="left"), store.borrow(str(path)):
        pass


@pytest.mark.parametrize("name", ["base@anything", "{folder}@main", "base@x+qa"])
def test_what_lies_here_has_no_revisions(name, path):
    """Each spelling loaded a copy of its own."""
    store = ModelStore()
    with pytest.raises(ModelError, match="no revisions"), store.borrow(name.format(folder=path)):
        pass
    assert store.loaded() == []


def test_one_folder_is_one_copy_whatever_it_is_called(path, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(path)
    store = ModelStore()
    with store.borrow(str(path)) as one:
        model = one.model
    for name in (f"{path}/", f"{path}/../{path.name}", str(link)):
        with store.borrow(name) as lm:
            assert lm.model is model
    assert len(store.loaded()) == 1


def adapters_of(lora_folder, tmp_path, n):
    return [shutil.copytree(lora_folder, tmp_path / f"adapter{i}") for i in range(n)]


def test_adapters_stay_within_the_budget(path, lora_folder, tmp_path):
    """They were attached for good, and nobody counted them."""
    size = load(str(path)).model.num_parameters() * 4
    own = (lora_folder / "adapter_model.safetensors").stat().st_size
    budget = size + 5.5 * own
    store = ModelStore(Settings(memory_gb=budget / 1e9))
    folders_ = adapters_of(lora_folder, tmp_path, 8)
    with store.borrow(str(path)) as lm:
        plain = score(lm, TEXT)
    scores = []
    for adapter in [*folders_, folders_[0]]:
        with store.borrow(ModelRef(str(path), str(adapter))) as lm:
            scores.append(score(lm, TEXT).logprob)
            held = sum(t.numel() * t.element_size() for t in lm.model.parameters())
            assert held <= budget
    assert len(set(scores)) == 1
    with store.borrow(str(path)) as lm:
        assert score(lm, TEXT) == plain
    assert 0 < sum(one in lm.adapters for one in folders_) < 8


def test_an_adapter_in_use_is_not_dropped(path, lora_folder, tmp_path):
    size = load(str(path)).model.num_parameters() * 4
    own = (lora_folder / "adapter_model.safetensors").stat().st_size
    store = ModelStore(Settings(memory_gb=(size + 2.5 * own) / 1e9))
    first, second = adapters_of(lora_folder, tmp_path, 2)
    refs = [ModelRef(str(path), str(one)) for one in (first, second)]
    with pytest.raises(MemoryLimitError, match="in use"), store.borrow_all(refs):
        pass
    with store.borrow(refs[1]) as lm:
        assert second in lm.adapters
        assert first not in lm.adapters


def test_an_outline_changes_nothing_for_other_threads(monkeypatch):
    """The embedded models' configs say bfloat16, which transformers makes everybody's default."""
    seen, real = [], torch.set_default_dtype
    monkeypatch.setattr(torch, "set_default_dtype", lambda kind: seen.append(kind) or real(kind))
    store = ModelStore()
    shape = loading.outline(loading.inspect(store.folder("base"), "base"))
    assert shape.num_parameters() > 1_000_000
    assert set(seen) <= {torch.float32}


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
