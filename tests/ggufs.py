"""GGUF files made on the spot: small models of the tests' folders, and their adapters."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file

ALIGNMENT = 32
NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}  # fmt: skip
NORMAL, UNKNOWN, CONTROL, UNUSED, BYTE = 1, 2, 3, 5, 6


def write(file: Path, metadata: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Path:
    """A GGUF file of version 3."""
    head = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(metadata))]
    head += [_string(key) + _value(value) for key, value in metadata.items()]
    data = b""
    for name, array in tensors.items():
        shape = array.shape[::-1]
        head.append(
            _string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(data))
        )
        data += _padded(array.astype(np.float32).tobytes())
    file.write_bytes(_padded(b"".join(head)) + data)
    return file


def model(file: Path, folder: Path, **changed: Any) -> Path:
    """A Llama of the tests' as GGUF; ``changed`` are other metadata, None for one that is left out,
    dots as __."""
    config = json.loads((folder / "config.json").read_text())
    rope = config.get("rope_parameters") or {}
    heads = config["num_attention_heads"]
    metadata: dict[str, Any] = {
        "general.architecture": "llama",
        "general.type": "model",
        "llama.block_count": config["num_hidden_layers"],
        "llama.context_length": config["max_position_embeddings"],
        "llama.embedding_length": config["hidden_size"],
        "llama.feed_forward_length": config["intermediate_size"],
        "llama.attention.head_count": heads,
        "llama.attention.head_count_kv": config["num_key_value_heads"],
        "llama.attention.layer_norm_rms_epsilon": config["rms_norm_eps"],
        "llama.rope.dimension_count": config["hidden_size"] // heads,
        "llama.rope.freq_base": float(rope.get("rope_theta", 10_000.0)),
        "llama.vocab_size": config["vocab_size"],
        **bpe(folder),
    }
    metadata |= {key.replace("__", "."): value for key, value in changed.items()}
    kept = {key: value for key, value in metadata.items() if value is not None}
    return write(file, kept, _tensors(_arrays(folder / "model.safetensors"), config))


def bpe(folder: Path) -> dict[str, Any]:
    """What a GGUF file says of a folder's byte-level tokenizer."""
    told = json.loads((folder / "tokenizer.json").read_text())
    by_id = {i: token for token, i in told["model"]["vocab"].items()}
    special = {one["id"]: one["content"] for one in told["added_tokens"]}
    names = json.loads((folder / "tokenizer_config.json").read_text())
    by_id |= special
    ids = {token: i for i, token in by_id.items()}
    kinds = {i: CONTROL if i in special else NORMAL for i in by_id}
    merges = [m if isinstance(m, str) else " ".join(m) for m in told["model"]["merges"]]
    rows = json.loads((folder / "config.json").read_text())["vocab_size"]
    found: dict[str, Any] = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": [by_id.get(i, f"[PAD{i}]") for i in range(rows)],
        "tokenizer.ggml.token_type": [kinds.get(i, UNUSED) for i in range(rows)],
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.add_bos_token": "TemplateProcessing" in json.dumps(told["post_processor"]),
    }
    for name in ("bos", "eos"):
        if names.get(f"{name}_token"):
            found[f"tokenizer.ggml.{name}_token_id"] = ids[names[f"{name}_token"]]
    if (folder / "chat_template.jinja").is_file():
        found["tokenizer.chat_template"] = (folder / "chat_template.jinja").read_text()
    return found


def sentencepiece(rows: int, words: list[str]) -> dict[str, Any]:
    """What a GGUF file says of a tokenizer of Llama 2's kind, with these words."""
    control, single = ["<s>", "</s>"], [f"<0x{i:02X}>" for i in range(256)]
    tokens = ["<unk>", *control, *single, *words]
    kinds = [UNKNOWN] + [CONTROL] * 2 + [BYTE] * 256 + [NORMAL] * len(words)
    kinds += [UNUSED] * (rows - len(tokens))
    tokens += [f"[PAD{i}]" for i in range(rows - len(tokens))]
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": [-float(i) for i in range(len(tokens))],
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.merges": None,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.ggml.add_space_prefix": True,
    }


def lora(file: Path, adapter: Path, folder: Path, **changed: Any) -> Path:
    """A PEFT adapter of such a Llama as GGUF."""
    config = json.loads((folder / "config.json").read_text())
    told = json.loads((adapter / "adapter_config.json").read_text())
    metadata = {
        "general.architecture": "llama",
        "general.type": "adapter",
        "adapter.type": "lora",
        "adapter.lora.alpha": float(told["lora_alpha"]),
    }
    tensors = {}
    for name, array in _arrays(adapter / "adapter_model.safetensors").items():
        place, _, part = (
            name.removeprefix("base_model.model.").removesuffix(".weight").rpartition(".lora_")
        )
        weight = array
        if part == "B":
            weight = _rotated(place, array, config)
        tensors[f"{_name(place + '.weight')}.lora_{part.lower()}"] = weight
    return write(file, metadata | changed, tensors)


def _arrays(file: Path) -> dict[str, np.ndarray]:
    return {name: tensor.float().numpy() for name, tensor in load_file(file).items()}


def _tensors(weights: Mapping[str, np.ndarray], config: Mapping[str, Any]) -> dict[str, np.ndarray]:
    found = {_name(name): _rotated(name, array, config) for name, array in weights.items()}
    found.setdefault("output.weight", found["token_embd.weight"])
    return found


def _name(name: str) -> str:
    fixed = {
        "model.embed_tokens.weight": "token_embd.weight",
        "model.norm.weight": "output_norm.weight",
        "lm_head.weight": "output.weight",
    }
    if name in fixed:
        return fixed[name]
    _, _, layer, place = name.removesuffix(".weight").split(".", 3)
    return f"blk.{layer}.{NAMES[place]}.weight"


def _rotated(name: str, array: np.ndarray, config: Mapping[str, Any]) -> np.ndarray:
    """llama.cpp turns neighbouring numbers of a Llama together, transformers those half a head
    apart."""
    heads = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}
    key = next((key for part, key in heads.items() if part in name), None)
    if key is None:
        return array
    rows, width = array.shape
    return array.reshape(config[key], 2, -1, width).swapaxes(1, 2).reshape(rows, width)


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _value(value: Any) -> bytes:
    """Its kind and what it is; whole numbers have a sign in lists alone."""
    if isinstance(value, list):
        ints = [isinstance(one, int) for one in value]
        packed = [
            struct.pack("<Ii", 5, x) if i else _value(x) for x, i in zip(value, ints, strict=True)
        ]
        kind = packed[0][:4] if packed else struct.pack("<I", 8)
        items = b"".join(one[4:] for one in packed)
        return struct.pack("<I", 9) + kind + struct.pack("<Q", len(value)) + items
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    return struct.pack("<I", 8) + _string(value)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGNMENT)
