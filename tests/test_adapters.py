"""Adapters of many kinds: PEFT's own numbers, or a sentence; the base stays what it was."""

import itertools
import json
import warnings
from pathlib import Path

import peft
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, MixtralConfig

from lmlab.errors import LabError, ModelError
from lmlab.generation.complete import generate
from lmlab.generation.sampling import GenerateConfig
from lmlab.generation.sidebyside import batches, generate_side_by_side
from lmlab.models.backends.transformers import grafts, stacking
from lmlab.models.backends.transformers.adapters import Adapters
from lmlab.models.backends.transformers.loading import inspect, outline
from lmlab.models.backends.transformers.rowadapters import RowAdapter
from lmlab.models.decoding import SharedPrefix
from lmlab.runs.model_store import ModelRef, ModelStore
from lmlab.scoring.comparison import compare
from lmlab.scoring.score import score
from tests import folders

TEXT = "the little dog ran over"
GREEDY = GenerateConfig(temperature=0, max_new_tokens=6, alternatives=0)
SOME = ["q_proj", "v_proj", "down_proj"]
WEIGHTS = "adapter_model.safetensors"


def lora(**options):
    return peft.LoraConfig(**{"r": 4, "target_modules": SOME, "init_lora_weights": False} | options)


KINDS = {
    "lora": lora,
    "lora on embeddings": lambda: lora(target_modules=["embed_tokens", "q_proj"]),
    "lora on both ends": lambda: lora(target_modules=["embed_tokens", "lm_head"]),
    "dora": lambda: lora(use_dora=True),
    "lora and a head": lambda: lora(modules_to_save=["embed_tokens", "lm_head"]),
    "lora and tokens": lambda: lora(trainable_token_indices=list(range(200, 400))),
    "lora on parameters": lambda: lora(target_modules=[], target_parameters=["q_proj.weight"]),
    "adalora": lambda: peft.AdaLoraConfig(init_r=4, target_r=2, total_step=10, target_modules=SOME),
    "ia3": lambda: peft.IA3Config(target_modules=SOME, feedforward_modules=["down_proj"]),
    "loha": lambda: peft.LoHaConfig(r=4, target_modules=SOME, init_weights=False),
    "lokr": lambda: peft.LoKrConfig(r=4, target_modules=SOME, init_weights=False),
    "oft": lambda: peft.OFTConfig(oft_block_size=4, r=0, target_modules=SOME),
    "boft": lambda: peft.BOFTConfig(boft_block_size=4, target_modules=SOME),
    "norms": lambda: peft.LNTuningConfig(target_modules=["input_layernorm", "norm"]),
    "vera": lambda: peft.VeraConfig(r=4, target_modules=["q_proj"], save_projection=False),
    "fourier": lambda: peft.FourierFTConfig(n_frequency=50, target_modules=SOME),
    "hra": lambda: peft.HRAConfig(r=4, target_modules=SOME),
    "vblora": lambda: peft.VBLoRAConfig(
        r=4, num_vectors=16, vector_length=8, target_modules=["q_proj"]
    ),
    "miss": lambda: peft.MissConfig(r=4, target_modules=SOME),
    "randlora": lambda: peft.RandLoraConfig(r=4, target_modules=SOME),
    "road": lambda: peft.RoadConfig(group_size=8, target_modules=["q_proj"]),
    "c3a": lambda: peft.C3AConfig(block_size=8, target_modules=["q_proj"]),
    "delora": lambda: peft.DeloraConfig(r=4, target_modules=SOME),
    "gralora": lambda: peft.GraloraConfig(
        r=8, target_modules=SOME, gralora_k=2, init_weights=False
    ),
    "waveft": lambda: peft.WaveFTConfig(n_frequency=50, target_modules=SOME),
    "tokens": lambda: peft.TrainableTokensConfig(
        token_indices=list(range(200, 400)), target_modules=["embed_tokens"]
    ),
    "shira": lambda: peft.ShiraConfig(r=4, target_modules=SOME),
    "hira": lambda: peft.HiraConfig(r=4, target_modules=SOME),
    "osf": lambda: peft.OSFConfig(target_modules=SOME),
    "psoft": lambda: peft.PsoftConfig(r=4, target_modules=SOME),
    "adaption prompt": lambda: peft.AdaptionPromptConfig(
        task_type="CAUSAL_LM", adapter_len=4, adapter_layers=2
    ),
    "prompt": lambda: peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4),
    "p-tuning": lambda: peft.PromptEncoderConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=4, encoder_hidden_size=16
    ),
}
SENTENCES = {
    "prefix": (
        lambda: peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4),
        "PREFIX_TUNING are not supported",
    ),
    "poly": (
        lambda: peft.PolyConfig(task_type="CAUSAL_LM", r=4, target_modules=SOME),
        "POLY are not supported",
    ),
    "pissa": (lambda: lora(init_lora_weights="pissa"), "changes the base itself"),
    "olora": (lambda: lora(init_lora_weights="olora"), "changes the base itself"),
    "more layers": (lambda: lora(layer_replication=[[0, 2], [1, 2]]), "adds layers to the base"),
    "from a token on": (lambda: lora(alora_invocation_tokens=[5, 6]), "from certain tokens"),
    "from later tokens": (
        lambda: peft.LilyConfig(r=4, target_modules=SOME),
        "what comes later in a text changes",
    ),
    "biases": (lambda: lora(bias="lora_only"), "biases"),
}


def make(folder, base, config):
    """An adapter of any kind that says something else than its base."""
    torch.manual_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = peft.get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter.add_(torch.randn_like(parameter) * 0.3)
        model.save_pretrained(folder)
    return folder


@torch.inference_mode()
def by_peft(base, folder, ids, new=0):
    """PEFT's own log-probabilities [T, V] of what follows each id; greedy ids after them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = AutoModelForCausalLM.from_pretrained(base)
        if folder is not None:
            model = peft.PeftModel.from_pretrained(model, folder).eval()
    written: list[int] = []
    for _ in range(new + 1):
        given = torch.tensor([[*ids, *written]])
        found = model(input_ids=given, use_cache=False).logits[0, -given.shape[1] :]
        written.append(int(found[-1].argmax()))
    return found.log_softmax(-1)[: len(ids)], written[:new]


def total(rows, ids):
    return float(rows[:-1].gather(-1, torch.tensor(ids)[1:, None]).sum())


@pytest.fixture(scope="module")
def base(folder):
    return folder("llama", "bytelevel-bos")


@pytest.fixture(scope="module")
def store():
    """One store for all: adapters of all kinds stand beside one copy of the weights."""
    return ModelStore()


@pytest.fixture(scope="module")
def ids(base, store):
    with store.borrow(str(base)) as lm:
        return lm.tokenizer(TEXT).input_ids


@pytest.fixture(scope="module")
def untouched(base, store):
    with store.borrow(str(base)) as lm:
        return score(lm, TEXT).logprob


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_gives_pefts_numbers(base, store, ids, untouched, tmp_path, kind):
    path = make(tmp_path / "adapter", base, KINDS[kind]())
    rows, written = by_peft(base, path, ids, new=6)
    with store.borrow_all([str(base), ModelRef(str(base), str(path))]) as (plain, lm):
        assert score(lm, TEXT).logprob == pytest.approx(total(rows, ids), abs=1e-3)
        got = [step.id for step in generate(lm, TEXT, GREEDY)]
        assert got == written[: len(got)]
        assert len(got) == 6 or got[-1] in (0,)
        if lm.shares:
            shared = lm.head.logits(SharedPrefix(lm, ids[:3]).rows([ids[3:]])[0])
            torch.testing.assert_close(shared.log_softmax(-1).cpu(), rows[3:], atol=1e-3, rtol=1e-3)
        both = compare(plain, lm, TEXT)
        assert both.second.logprob == pytest.approx(total(rows, ids), abs=1e-3)
        assert both.first.logprob == untouched
        assert score(plain, TEXT).logprob == untouched != score(lm, TEXT).logprob


@pytest.mark.parametrize("kind", list(SENTENCES))
def test_what_cannot_stand_beside_a_shared_base_is_said(
    base, store, untouched, tmp_path, kind, capfd
):
    config, said = SENTENCES[kind]
    path = make(tmp_path / "adapter", base, config())
    capfd.readouterr()
    with pytest.raises(ModelError, match=said), store.borrow(ModelRef(str(base), str(path))):
        pass
    assert capfd.readouterr().err == ""
    with store.borrow(str(base)) as lm:
        assert score(lm, TEXT).logprob == untouched


def test_kinds_take_turns_over_one_base(base, tmp_path):
    kinds = ("lora", "ia3", "lora on embeddings", "prompt", "norms")
    paths = [None, *(str(make(tmp_path / kind, base, KINDS[kind]())) for kind in kinds)]
    refs = [ModelRef(str(base), path) for path in paths]
    found = [[] for _ in refs]
    with ModelStore().borrow_all(refs) as lms:
        for which, step in generate_side_by_side(lms, TEXT, GREEDY):
            found[which].append(step.id)
        assert batches(lms) == [[0, 1], [2], [3], [4], [5]]
        ids = lms[0].tokenizer(TEXT).input_ids
    for path, got in zip(paths, found, strict=True):
        assert got == by_peft(base, path, ids, new=6)[1][: len(got)]


def test_rows_that_are_not_equal_run_by_themselves(base, tmp_path, monkeypatch):
    path = make(tmp_path / "lora", base, lora())
    refs = [ModelRef(str(base)), ModelRef(str(base), str(path), alpha=0.0)]
    with ModelStore().borrow_all(refs) as lms:
        assert batches(lms) == [[0, 1]]
    monkeypatch.setattr(RowAdapter, "add", lambda self, result, x: result)
    monkeypatch.setattr(stacking.StackedDecoder, "_go_lean", lambda *_: None)
    with ModelStore().borrow_all(refs) as lms:
        assert batches(lms) == [[0], [1]]


def rewritten(folder, change, **config):
    """An adapter's folder with other tensors, or other words in its config."""
    tensors = {key: value.clone() for key, value in change(load_file(folder / WEIGHTS)).items()}
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})
    file = folder / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **config}))
    return folder


def renamed(old, new):
    return lambda tensors: {key.replace(old, new): value for key, value in tensors.items()}


PREFIXES = {
    "compiled": renamed("base_model.model.", "base_model.model._orig_mod."),
    "compiled around": renamed("base_model.model.", "_orig_mod.base_model.model."),
    "shared out": renamed("base_model.model.", "module.base_model.model."),
    "sees": renamed("base_model.model.model.", "base_model.model.model.language_model."),
    "sees, older": renamed("base_model.model.model.", "base_model.model.language_model.model."),
    "twice": renamed("base_model.model.", "base_model.model.base_model.model."),
    "bare": renamed("base_model.model.", ""),
    "named": lambda tensors: {
        k.replace(".weight", ".default.weight"): v for k, v in tensors.items()
    },
}


@pytest.mark.parametrize("prefix", list(PREFIXES))
def test_names_of_other_tools_are_understood(base, store, ids, tmp_path, prefix):
    path = make(tmp_path / "adapter", base, lora())
    rows, _ = by_peft(base, path, ids)
    rewritten(path, PREFIXES[prefix])
    with store.borrow(ModelRef(str(base), str(path))) as lm:
        assert score(lm, TEXT).logprob == pytest.approx(total(rows, ids), abs=1e-3)


def test_targets_named_by_another_tool_are_found_by_the_tensors(base, store, ids, tmp_path):
    path = make(tmp_path / "adapter", base, lora())
    rows, _ = by_peft(base, path, ids)
    pattern = r".*language_model.*\.(q_proj|v_proj|down_proj)"
    rewritten(path, PREFIXES["sees"], target_modules=pattern)
    with store.borrow(ModelRef(str(base), str(path))) as lm:
        assert score(lm, TEXT).logprob == pytest.approx(total(rows, ids), abs=1e-3)


def test_a_file_of_an_older_transformers_is_read_as_peft_reads_it(tmp_path):
    """Experts were modules of their own then, and are one tensor now."""
    sizes = folders.CONFIGS["llama"]().to_dict()
    kept = "vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads"
    config = MixtralConfig(
        **{key: sizes[key] for key in kept.split()}, num_key_value_heads=2, num_local_experts=4
    )
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "base")
    folders.make_tokenizer("bytelevel-bos").save_pretrained(tmp_path / "base")
    path = tmp_path / "adapter"
    lora(target_modules=["w1", "w2", "w3"], task_type="CAUSAL_LM").save_pretrained(path)
    tensors = {}
    for layer, expert, (name, wide, out) in itertools.product(
        range(2), range(4), (("w1", 32, 64), ("w3", 32, 64), ("w2", 64, 32))
    ):
        key = f"base_model.model.model.layers.{layer}.block_sparse_moe.experts.{expert}.{name}"
        tensors[f"{key}.lora_A.weight"] = torch.randn(4, wide)
        tensors[f"{key}.lora_B.weight"] = torch.randn(out, 4)
    save_file(tensors, path / WEIGHTS, {"format": "pt"})
    with ModelStore().borrow(ModelRef(str(tmp_path / "base"), str(path))) as lm:
        ids = lm.tokenizer(TEXT).input_ids
        rows, _ = by_peft(tmp_path / "base", path, ids)
        assert score(lm, TEXT).logprob == pytest.approx(total(rows, ids), abs=1e-3)
    plain, _ = by_peft(tmp_path / "base", None, ids)
    assert abs(total(rows, ids) - total(plain, ids)) > 1e-2


def test_what_adapters_take_is_counted_in_or_out(base, tmp_path):
    path = make(tmp_path / "adapter", base, lora())
    other = make(tmp_path / "other", base, KINDS["lora and a head"]())
    fresh = ModelStore()
    with fresh.borrow(str(base)) as lm:
        alone = grafts.bytes_of(lm.model)
    counted = []
    for ref in (ModelRef(str(base), str(path)), ModelRef(str(base), str(other)), str(base)):
        with fresh.borrow(ref) as lm:
            counted.append(grafts.bytes_of(lm.model) + lm.adapters.n_bytes)
    sizes = [sum(t.numel() * 4 for t in load_file(p / WEIGHTS).values()) for p in (path, other)]
    assert counted[0] == alone + sizes[0]
    assert counted[1] == counted[2] == alone + sum(sizes)


MISFITS = {
    "half": (
        lambda t: {k: v for k, v in t.items() if ".layers.1." not in k},
        "6 of 12 tensors are missing, such as ‘model.layers.1.mlp.down_proj.lora_A.weight’",
    ),
    "strange": (renamed("model.layers.", "model.blocks."), "12 of its 12 tensors have no place"),
    "more": (
        lambda t: t | {k.replace("layers.0", "layers.7"): v for k, v in t.items()},
        "tensors have no place in it, such as ‘model.layers.7",
    ),
    "empty": (lambda t: {}, "12 of 12 tensors are missing"),
    "wider": (
        lambda t: {k: torch.cat([v, v]) if "lora_A" in k else v for k, v in t.items()},
        "lora_A.weight’ is 8 × .* and would have to be 4 ×",
    ),
    "of the base": (
        lambda t: t | {"base_model.model.model.norm.weight": torch.zeros(32)},
        "other values of the base’s own ‘model.norm.weight’",
    ),
    "of a longer base": (
        lambda t: t | {"base_model.model.lm_head.weight": torch.zeros(520, 32)},
        "‘lm_head.weight’ is 520 × 32 and would have to be 512 × 32",
    ),
}


@pytest.mark.parametrize("kind", list(MISFITS))
def test_an_adapter_that_does_not_fit_is_not_the_base(
    base, store, untouched, tmp_path, kind, capfd
):
    change, said = MISFITS[kind]
    path = rewritten(make(tmp_path / "adapter", base, lora()), change)
    capfd.readouterr()
    with pytest.raises(ModelError, match=said), store.borrow(ModelRef(str(base), str(path))):
        pass
    assert capfd.readouterr().err == ""
    with store.borrow(str(base)) as lm:
        assert score(lm, TEXT).logprob == untouched


CONFIGS = {
    "no such matrix": ({"target_modules": ["qproj"]}, "does not fit.*qproj"),
    "no such kind": ({"peft_type": "WONDER"}, "WONDER are not supported"),
    "vast": ({"r": 10**9}, "its rank is 1000000000"),
    "no rank": ({"r": 0}, "does not fit"),
    "code": ({"megatron_config": {"a": 1}}, "needs code"),
}


@pytest.mark.parametrize("kind", list(CONFIGS))
def test_a_config_that_cannot_be_is_said(base, store, untouched, tmp_path, kind):
    changes, said = CONFIGS[kind]
    path = rewritten(make(tmp_path / "adapter", base, lora()), dict, **changes)
    with pytest.raises(ModelError, match=said), store.borrow(ModelRef(str(base), str(path))):
        pass
    with store.borrow(str(base)) as lm:
        assert score(lm, TEXT).logprob == untouched


def test_what_an_adapter_adds_is_counted_beside_an_outline(base, tmp_path):
    def counted(path):
        return Adapters(outline(inspect(base, "base"))).count(path)

    for number, make_config in enumerate(KINDS.values()):
        path = make(tmp_path / str(number), base, make_config())
        tensors = load_file(path / WEIGHTS)
        own = [tensor for name, tensor in tensors.items() if ".base_layer." not in name]
        assert counted(path) == sum(tensor.numel() for tensor in own)
    for name, (change, said) in MISFITS.items():
        path = rewritten(make(tmp_path / name, base, lora()), change)
        if name != "of the base":  # its names and shapes are right
            with pytest.raises(ModelError, match=said):
                counted(path)


def changed(tensors, how, which, part):
    """Tensors with one thing done to one of them, or to all that hold a word of its name."""
    keys = sorted(tensors)
    key = keys[which % len(keys)]
    value, words = tensors[key], key.split(".")
    word = words[part % len(words)]
    if how == "rename":
        return renamed(word, f"{word}x")(tensors)
    if how == "drop a word":
        return renamed(f"{word}.", "")(tensors)
    if how == "cut":
        return tensors | {key: value[: max(0, value.shape[0] - 1)]}
    if how == "widen":
        return tensors | {key: torch.cat([value, value[:1]])}
    if how == "empty":
        return tensors | {key: value[:0]}
    if how == "leave out":
        return {k: v for k, v in tensors.items() if k != key}
    if how == "twice":
        return tensors | {f"{key}.copy": value}
    return tensors | {key: value.to(torch.bfloat16)}


WAYS = ("rename", "drop a word", "cut", "widen", "empty", "leave out", "twice", "half")


@pytest.fixture(scope="module")
def shipped(base, tmp_path_factory):
    root = tmp_path_factory.mktemp("whole")
    names = ("lora", "ia3", "prompt", "lora on both ends", "lora and a head")
    return [make(root / name, base, KINDS[name]()) for name in names]


@given(
    kind=st.integers(0, 4), how=st.sampled_from(WAYS), which=st.integers(0, 40),
    part=st.integers(0, 9),
)  # fmt: skip
@settings(
    max_examples=30, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
def test_a_damaged_folder_gives_pefts_numbers_or_a_sentence(
    base, store, ids, untouched, shipped, tmp_path_factory, kind, how, which, part
):
    path = Path(tmp_path_factory.mktemp("damaged"))
    whole = shipped[kind]
    (path / "adapter_config.json").write_bytes((whole / "adapter_config.json").read_bytes())
    tensors = changed(load_file(whole / WEIGHTS), how, which, part)
    save_file({k: v.clone() for k, v in tensors.items()}, path / WEIGHTS, {"format": "pt"})
    said, refused = None, path.name
    try:
        with store.borrow(ModelRef(str(base), str(path))) as lm:
            said = score(lm, TEXT).logprob
            lm.adapters.detach(lm.folder)
    except LabError as error:
        refused = error.message
    assert path.name in refused
    if said is not None:
        rows, _ = by_peft(base, path if how == "half" else whole, ids)
        assert said == pytest.approx(total(rows, ids), abs=1e-3)
    with store.borrow(str(base)) as lm:
        assert score(lm, TEXT).logprob == untouched
