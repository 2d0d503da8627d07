"""Small models of many kinds, made on the spot in the real folder format; random weights."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer
from transformers import (
    AutoModelForCausalLM,
    BertConfig,
    BertModel,
    Gemma2Config,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    OPTConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    T5Config,
    T5ForConditionalGeneration,
)

VOCABULARY = 512
CONTEXT = 64
TOKENIZERS = ("bytelevel-bos", "bytelevel", "bytelevel-space", "sentencepiece", "no-special")
ARCHITECTURES = ("gpt2", "llama", "qwen2", "gpt_neox", "opt", "gemma2")

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# The same, saying by itself which tokens are the model's own.
MARKED = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['role'] == 'assistant' %}"
    "{% generation %}{{ m['content'] }}<|im_end|>{% endgeneration %}\n{% else %}{{ m['content'] }}"
    "<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% endif %}"
)

SENTENCES = (
    "the little dog ran over the hill and saw a big red ball in the grass\n"
    "and the cat was singing in the garden. Once upon a time, there was a king.\n"
    "ing er in and the\nthe man is here, hello there world. Das Haus ist groß.\n"
)


def _shared() -> dict[str, Any]:
    return {"vocab_size": VOCABULARY, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}


def _llama_like() -> dict[str, Any]:
    return {
        **_shared(),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": CONTEXT,
    }


CONFIGS: dict[str, Callable[[], Any]] = {
    "gpt2": lambda: GPT2Config(**_shared(), n_embd=32, n_layer=2, n_head=4, n_positions=CONTEXT),
    "llama": lambda: LlamaConfig(**_llama_like()),
    "qwen2": lambda: Qwen2Config(**_llama_like(), tie_word_embeddings=True),
    "gpt_neox": lambda: GPTNeoXConfig(
        **_shared(),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT,
    ),
    "opt": lambda: OPTConfig(
        **{**_shared(), "pad_token_id": 1},
        hidden_size=32,
        ffn_dim=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT,
        word_embed_proj_dim=24,
    ),
    "gemma2": lambda: Gemma2Config(**_llama_like(), head_dim=8, sliding_window=CONTEXT),
}


def save(folder: Path, architecture: str = "llama", tokenizer: str = "bytelevel") -> Path:
    """A model of that architecture with that tokenizer."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(CONFIGS[architecture]())
    with torch.no_grad():
        # Untrained models are so close to uniform that a mistake would hardly show.
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(6.0)
    return _write(folder, model, tokenizer)


def _write(folder: Path, model: Any, tokenizer: str) -> Path:
    model.eval().save_pretrained(folder)
    make_tokenizer(tokenizer).save_pretrained(folder)
    return folder


def save_chat_model(
    folder: Path,
    template: str = CHATML,
    *,
    end: str = "<|im_end|>",
    stops: Sequence[str] = ("<|im_end|>",),
) -> Path:
    """A Llama that was made for chats: three signs, of which ``end`` is the tokenizer's end token
    and ``stops`` are those that its generation config names."""
    torch.manual_seed(0)
    tokenizer = make_tokenizer("bytelevel")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.eos_token, tokenizer.bos_token, tokenizer.chat_template = end, None, template
    config = CONFIGS["llama"]()
    config.vocab_size, config.max_position_embeddings = len(tokenizer), 2 * CONTEXT
    ids = tokenizer.convert_tokens_to_ids(list(stops))
    config.eos_token_id = ids[0]
    model = AutoModelForCausalLM.from_config(config)
    model.generation_config.eos_token_id = ids
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_with_head(folder: Path, fill: float) -> Path:
    """A model whose logits are all equal (0) or all not-a-number."""
    model = AutoModelForCausalLM.from_config(CONFIGS["llama"]())
    with torch.no_grad():
        model.get_output_embeddings().weight.fill_(fill)
    return _write(folder, model, "bytelevel-bos")


def make_tokenizer(kind: str) -> PreTrainedTokenizerFast:
    """One of ``TOKENIZERS``, with at most ``VOCABULARY`` tokens."""
    if kind == "sentencepiece":
        return _sentencepiece()
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=kind == "bytelevel-space")
    core.decoder = decoders.ByteLevel()
    special = [] if kind == "no-special" else ["<|endoftext|>"]
    _train(core, VOCABULARY, special, pre_tokenizers.ByteLevel.alphabet())
    if kind == "no-special":
        return PreTrainedTokenizerFast(tokenizer_object=core)
    if kind == "bytelevel-bos":
        core.post_processor = _bos("<|endoftext|>", 0)
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<|endoftext|>", eos_token="<|endoftext|>"
    )


def _sentencepiece() -> PreTrainedTokenizerFast:
    """As Llama 2's: a space before the text, spaces as ▁, unknown characters as bytes."""
    trained = Tokenizer(models.BPE())
    trained.normalizer = normalizers.Replace(" ", "▁")
    _train(trained, VOCABULARY - 256, ["<s>", "</s>", "<unk>"], [])
    model = json.loads(trained.to_str())["model"]
    vocabulary = dict(model["vocab"])
    for byte in range(256):
        vocabulary[f"<0x{byte:02X}>"] = len(vocabulary)
    merges = [tuple(merge) for merge in model["merges"]]
    core = Tokenizer(
        models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    core.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    core.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    core.post_processor = _bos("<s>", 0)
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def _train(core: Tokenizer, size: int, special: list[str], alphabet: list[str]) -> None:
    trainer = BpeTrainer(
        vocab_size=size, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    core.train_from_iterator([SENTENCES] * 4, trainer)


def _bos(token: str, token_id: int) -> Any:
    return processors.TemplateProcessing(single=f"{token} $A", special_tokens=[(token, token_id)])


def save_lora(folder: Path, base: Path, rank: int = 4) -> Path:
    """A LoRA adapter on all linear layers of a base, with a B that is not zero."""
    torch.manual_seed(1)
    config = LoraConfig(r=rank, lora_alpha=8, target_modules="all-linear", init_lora_weights=False)
    get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).save_pretrained(folder)
    return folder


def save_prompt(folder: Path, base: Path, length: int = 5) -> Path:
    """A soft prompt (prompt tuning) for a base."""
    torch.manual_seed(2)
    config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=length)
    get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).save_pretrained(folder)
    return folder


def save_misfit(folder: Path) -> Path:
    """A LoRA adapter made for a wider model."""
    config = CONFIGS["llama"]()
    config.hidden_size, config.head_dim = 64, 16
    base = AutoModelForCausalLM.from_config(config)
    get_peft_model(base, LoraConfig(r=4, target_modules="all-linear")).save_pretrained(folder)
    return folder


def save_broken(folder: Path, kind: str, whole: Path) -> Path:
    """A folder with one thing wrong; ``whole`` is a good one to start from."""
    if kind in ("encoder", "seq2seq"):
        return _write(folder, _other_kind(kind), "bytelevel")
    shutil.copytree(whole, folder)
    BREAKERS[kind](folder)
    return folder


def _other_kind(kind: str) -> Any:
    if kind == "encoder":
        sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
        return BertModel(BertConfig(vocab_size=VOCABULARY, intermediate_size=16, **sizes))
    return T5ForConditionalGeneration(
        T5Config(vocab_size=VOCABULARY, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    )


def _pickle_only(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")


def _truncated(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _missing_tensor(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    del tensors[next(name for name in tensors if "mlp" in name)]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def _missing_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()


def _slow_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    config = json.dumps({"tokenizer_class": "ByT5Tokenizer"})
    (folder / "tokenizer_config.json").write_text(config)


def _remote_code(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "odd", "auto_map": {"AutoModelForCausalLM": "odd.Odd"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "odd.py").write_text("raise SystemExit('code of the model ran')\n")


def _invalid_json(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def _index_outside(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"lm_head.weight": "../other/model.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


BREAKERS: dict[str, Callable[[Path], None]] = {
    "pickle_only": _pickle_only,
    "truncated": _truncated,
    "missing_tensor": _missing_tensor,
    "missing_tokenizer": _missing_tokenizer,
    "slow_tokenizer": _slow_tokenizer,
    "remote_code": _remote_code,
    "invalid_json": _invalid_json,
    "index_outside": _index_outside,
}


def save_multimodal(folder: Path, kind: str) -> Any:
    """A model that reads images too, ``gemma3``, ``llava``, ``internvl`` or ``qwen``; the model."""
    from transformers import CONFIG_MAPPING, AutoModelForImageTextToText

    torch.manual_seed(3)
    text = {**_llama_like(), "head_dim": 8}
    eyes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    eyes |= {"num_attention_heads": 2, "image_size": 28, "patch_size": 14}
    made = {
        "gemma3": ("gemma3", {"model_type": "gemma3_text"}, eyes, {"mm_tokens_per_image": 4}),
        "llava": (
            "llava",
            {"model_type": "llama"},
            {"model_type": "clip_vision_model", **eyes},
            {},
        ),
        "internvl": (
            "internvl",
            {"model_type": "qwen2"},
            {**eyes, "image_size": [28, 28], "patch_size": [14, 14]},
            {},
        ),
        "qwen": (
            "qwen2_5_vl",
            {"rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2]}},
            {"depth": 1, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2,
             "out_hidden_size": 32},
            {},
        ),
    }  # fmt: skip
    name, more, vision, rest = made[kind]
    config = CONFIG_MAPPING[name](text_config={**text, **more}, vision_config=vision, **rest)
    model = AutoModelForImageTextToText.from_config(config)
    _write(folder, model, "bytelevel")
    return model


CHAT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def save_chat(folder: Path, source: Path, template: str = CHAT) -> Path:
    """The model of another folder with a chat template, and rows for its marks."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(source)
    model = AutoModelForCausalLM.from_pretrained(source)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = template
    model.resize_token_embeddings(VOCABULARY + 8, mean_resizing=False)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
