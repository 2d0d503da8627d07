"""Several models from one prompt: equal to separate runs, adapters stacked or not."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer
from transformers import AutoModelForCausalLM

from lmlab.api import load
from lmlab.errors import InputError, ModelError
from lmlab.generation.complete import generate
from lmlab.generation.sampling import GenerateConfig
from lmlab.generation.sidebyside import batches, generate_side_by_side
from lmlab.parts.model_pair import KNOWN, pairs
from lmlab.runs.model_store import ModelRef, ModelStore
from lmlab.scoring.score import score
from tests import folders

PROMPT = "the little dog ran over"
GREEDY = GenerateConfig(temperature=0, max_new_tokens=20)


def adapter(path, base, seed=1, **options):
    """A LoRA adapter that changes what the model says."""
    torch.manual_seed(seed)
    settings = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", **options}
    config = LoraConfig(init_lora_weights=False, **settings)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.mul_(4)
    model.save_pretrained(path)
    return str(path)


def together(refs, config=GREEDY, prompt=PROMPT):
    """Steps of each model, from one call; and which ran in one batch."""
    found = [[] for _ in refs]
    with ModelStore().borrow_all(refs) as lms:
        for which, step in generate_side_by_side(lms, prompt, config):
            found[which].append(step)
        return found, batches(lms)


def apart(refs, config=GREEDY, prompt=PROMPT):
    store, found = ModelStore(), []
    for ref in refs:
        with store.borrow(ref) as lm:
            found.append(list(generate(lm, prompt, config)))
    return found


def assert_equal(one, other):
    for mine, theirs in zip(one, other, strict=True):
        assert [s.id for s in mine] == [s.id for s in theirs]
        assert [s.logprob for s in mine] == pytest.approx([s.logprob for s in theirs], abs=1e-4)
        assert [s.entropy for s in mine] == pytest.approx([s.entropy for s in theirs], abs=1e-3)
        assert [s.finish for s in mine] == [s.finish for s in theirs]


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "opt", "gpt_neox"])
def test_base_and_adapters_in_one_batch_equal_separate_runs(folder, tmp_path, architecture):
    base = folder(architecture, "bytelevel-bos")
    first = adapter(tmp_path / "first", base)
    wide = adapter(tmp_path / "wide", base, seed=2, r=9, use_rslora=True)
    refs = [ModelRef(str(base)), ModelRef(str(base), first), ModelRef(str(base), wide)]
    found, groups = together(refs)
    assert groups == [[0, 1, 2]]
    assert_equal(found, apart(refs))
    assert len({tuple(s.id for s in steps) for steps in found}) == 3


def test_adapters_that_touch_different_layers_share_a_batch(folder, tmp_path):
    base = folder("llama", "bytelevel-bos")
    one = adapter(tmp_path / "q", base, target_modules=["q_proj"])
    two = adapter(tmp_path / "down", base, seed=2, target_modules=["down_proj", "lm_head"])
    refs = [ModelRef(str(base), one), ModelRef(str(base), two), ModelRef(str(base))]
    found, groups = together(refs)
    assert groups == [[0, 1, 2]]
    assert_equal(found, apart(refs))


@pytest.mark.parametrize(
    "options", [{"use_dora": True}, {"modules_to_save": ["lm_head"]}, {"lora_bias": True}]
)
def test_what_is_not_plain_lora_runs_by_itself(folder, tmp_path, options):
    base = folder("llama", "bytelevel-bos")
    plain = adapter(tmp_path / "plain", base)
    other = adapter(tmp_path / "other", base, seed=2, **options)
    refs = [ModelRef(str(base)), ModelRef(str(base), other), ModelRef(str(base), plain)]
    found, groups = together(refs)
    assert groups == [[0, 2], [1]]
    assert_equal(found, apart(refs))


def test_a_soft_prompt_and_another_model_join_in(folder, lora_folder, prompt_folder):
    base, other = folder("llama", "bytelevel-bos"), folder("gpt2", "bytelevel")
    refs = [
        ModelRef(str(base), str(prompt_folder)),
        ModelRef(str(other)),
        ModelRef(str(base), str(lora_folder)),
        ModelRef(str(base)),
    ]
    found, groups = together(refs)
    assert groups == [[0], [1], [2, 3]]
    assert_equal(found, apart(refs))


def test_each_stops_by_itself(folder, tmp_path):
    base = folder("llama", "bytelevel-bos")
    refs = [ModelRef(str(base)), ModelRef(str(base), adapter(tmp_path / "a", base))]
    config = GenerateConfig(seed=3, max_new_tokens=20)
    whole = apart(refs, config)
    stop = next(s.text for s in whole[0][3:] if "⟨" not in s.text)
    stopping = GenerateConfig(seed=3, max_new_tokens=20, stop=(stop,))
    found, _ = together(refs, stopping)
    assert found[0][-1].finish == "stop"
    assert len(found[0]) < len(found[1])
    assert_equal(found, apart(refs, stopping))


def test_weights_are_as_before(folder, tmp_path):
    base = folder("llama", "bytelevel-bos")
    store = ModelStore()
    refs = [ModelRef(str(base)), ModelRef(str(base), adapter(tmp_path / "a", base), alpha=0.3)]
    with store.borrow_all(refs) as lms:
        lms[0].switch_on()
        before = {k: v.clone() for k, v in lms[0].model.state_dict().items()}
        list(generate_side_by_side(lms, PROMPT, GREEDY))
        lms[0].switch_on()
        after = lms[0].model.state_dict()
        assert all(torch.equal(before[k], after[k]) for k in before)
        assert not any("forward" in vars(module) for module in lms[0].model.modules())


@pytest.mark.parametrize("alpha", [-1.0, 0.0, 0.5, 2.0])
def test_alpha_scales_what_the_adapter_adds(folder, tmp_path, alpha):
    from peft import PeftModel

    base = folder("llama", "bytelevel-bos")
    path = adapter(tmp_path / "a", base)
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), path)
    for module in model.modules():
        if isinstance(module, LoraLayer):
            module.scaling["default"] *= alpha
    merged = model.merge_and_unload()
    store = ModelStore()
    with store.borrow(ModelRef(str(base), path, alpha=alpha)) as lm:
        ids = torch.tensor([lm.vocabulary.ids(PROMPT)])
        torch.testing.assert_close(lm.model(ids).logits, merged(ids).logits, atol=1e-3, rtol=1e-4)
    refs = [ModelRef(str(base), path, alpha=alpha), ModelRef(str(base)), ModelRef(str(base), path)]
    assert_equal(together(refs)[0], apart(refs))
    if alpha == 0:
        with store.borrow(str(base)) as lm:
            assert torch.equal(lm.model(ids).logits, lm.model(ids).logits)
        plain, dialled = score(load(str(base)), PROMPT), None
        with store.borrow(ModelRef(str(base), path, alpha=0.0)) as lm:
            dialled = score(lm, PROMPT)
        assert dialled.logprob == pytest.approx(plain.logprob, abs=1e-5)


def test_alpha_comes_back_to_one(folder, tmp_path):
    base = folder("llama", "bytelevel-bos")
    path = adapter(tmp_path / "a", base)
    store, found = ModelStore(), []
    for alpha in (1.0, -0.5, 1.0):
        with store.borrow(ModelRef(str(base), path, alpha=alpha)) as lm:
            found.append(score(lm, PROMPT).logprob)
    assert found[0] == found[2] != found[1]


def test_alpha_without_a_scale_is_said(folder, tmp_path, prompt_folder):
    base = folder("llama", "bytelevel-bos")
    dora = adapter(tmp_path / "dora", base, use_dora=True)
    for path in (dora, str(prompt_folder)):
        with (
            pytest.raises(ModelError, match="no scale"),
            ModelStore().borrow(ModelRef(str(base), path, alpha=0.5)),
        ):
            pass


def test_a_prompt_too_long_for_one_is_said_before_anything_is_drawn(folder):
    refs = [str(folder("llama", "bytelevel-bos"))] * 2
    with pytest.raises(InputError, match="reads at most"):
        together(refs, prompt="the dog " * 100)


def test_many_borrowers_in_any_order_do_not_lock_each_other_out(folder):
    from concurrent.futures import ThreadPoolExecutor

    names = [str(folder("llama", "bytelevel-bos")), str(folder("gpt2", "bytelevel"))]
    store = ModelStore()

    def run(i):
        with store.borrow_all(names if i % 2 else names[::-1]) as lms:
            return [lm.name for lm in lms]

    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(run, range(24), timeout=60))) == 24


def test_folders_of_other_tokenizers_share_a_prompt(folder):
    refs = [str(folder("llama", kind)) for kind in folders.TOKENIZERS[:3]]
    assert_equal(together(refs)[0], apart(refs))


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("adapted", [False, True])
@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_the_lean_step_gives_the_librarys_numbers(
    folder, tmp_path, monkeypatch, rows, adapted, architecture
):
    from lmlab.generation.complete import prompt_ids
    from lmlab.models.backends.transformers import decoding

    base = folder(architecture, "bytelevel-bos")
    ref = ModelRef(str(base), adapter(tmp_path / "a", base) if adapted else None, alpha=0.7)
    with ModelStore().borrow(ref if adapted else str(base)) as lm:
        ids, read = prompt_ids(lm, PROMPT), []
        for lean in (True, False):
            if not lean:
                monkeypatch.setattr(decoding, "KINDS", ())
            decoder = decoding.CachedDecoder(lm, rows)
            logits = [decoder.read(ids)]
            assert (decoder._lean is not None) == lean
            logits += [decoder.feed([5 + i + r for r in range(rows)]) for i in range(9)]
            decoder.keep([rows - 1])
            read.append([*logits, decoder.feed([7])])
        for mine, theirs in zip(*read, strict=True):
            torch.testing.assert_close(mine, theirs, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_a_lean_run_goes_beyond_what_was_set_aside(folder, monkeypatch, architecture):
    from lmlab.models.backends.transformers import decoding
    from lmlab.models.backends.transformers import growing as lean

    monkeypatch.setattr(lean, "ROOM", 3)
    lm = load(str(folder(architecture, "bytelevel-bos")))
    mine = [s.id for s in generate(lm, "the", GREEDY)]
    monkeypatch.setattr(decoding, "KINDS", ())
    assert mine == [s.id for s in generate(lm, "the", GREEDY)]


def test_an_adapter_that_is_let_go_of_leaves_the_base_as_it_was(folder, tmp_path):
    base = folder("llama", "bytelevel-bos")
    one, two = (adapter(tmp_path / name, base, seed) for seed, name in enumerate("ab"))
    store = ModelStore()
    before, first, second = (
        score(load(base if path is None else f"{base}+{path}"), PROMPT).logprob
        for path in (None, one, two)
    )
    for path, expected in ((one, first), (two, second), (one, first)):
        with store.borrow(ModelRef(str(base), path)) as lm:
            assert score(lm, PROMPT).logprob == pytest.approx(expected, rel=1e-5)
            lm.adapters.detach(lm.folder)
            assert not any(isinstance(module, LoraLayer) for module in lm.model.modules())
        with store.borrow(ModelRef(str(base))) as lm:
            assert score(lm, PROMPT).logprob == pytest.approx(before, rel=1e-5)


def test_examples_are_those_whose_models_are_there():
    names = ["base", "base+qa", "base+verse", "qa", "tiny"]
    found = pairs(names, "base")
    assert [pair.name for pair in found] == ["A question", "A story start", "Sizes"]
    assert found[0].models == ("base", "base+qa", "qa")
    assert pairs(["base"], "base")[0].models == ("base", "base")
    assert pairs([*names, *(m for p in KNOWN for m in p.models)], "base")[0].models[0] == "base"
    assert len(pairs([m for p in KNOWN for m in p.models], "base")) == len(KNOWN)
