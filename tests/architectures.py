"""Every causal architecture of the installed transformers, as a tiny model with random weights.

One set of small sizes serves all: each config takes those of the names that it knows.
"""

import inspect
from typing import Any

import torch
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from tests.folders import VOCABULARY

CONTEXT = 128
LAYERS, WIDTH, HEADS, FEED, EXPERTS = 4, 32, 4, 64, 4
WINDOW = 16  # more than the probe reads, less than the texts of the sweep
# Names that configs use for the same thing.
ALIKE: dict[Any, str] = {
    LAYERS: "num_hidden_layers n_layers n_layer num_layers decoder_layers",
    WIDTH: "hidden_size d_model n_embd n_embed emb_dim embedding_size word_embed_proj_dim "
    "dim_model attention_hidden_size lru_width input_embedding_size output_embedding_size",
    FEED: "intermediate_size ffn_hidden_size d_ff dim_ff decoder_ffn_dim ffn_dim dff n_inner "
    "d_inner mamba_d_ssm feed_forward_size",
    CONTEXT: "max_position_embeddings n_positions n_ctx seq_length max_seq_len",
    WINDOW: "sliding_window sliding_window_size attention_window_size window_size "
    "attention_chunk_size local_attention index_topk index_block_size block_size "
    "local_attn_chunk_length lsh_attn_chunk_length",
}
SIZES: dict[str, Any] = {name: size for size, names in ALIKE.items() for name in names.split()} | {
    "vocab_size": VOCABULARY,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
    "num_attention_heads": HEADS,
    "n_heads": HEADS,
    "n_head": HEADS,
    "num_heads": HEADS,
    "decoder_attention_heads": HEADS,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "d_kv": 8,
    "dim_head": 8,
    "moe_intermediate_size": 16,
    "expert_ffn_hidden_size": 16,
    "shared_expert_intermediate_size": 16,
    "moe_shared_expert_intermediate_size": 16,
    "num_experts": EXPERTS,
    "num_local_experts": EXPERTS,
    "n_routed_experts": EXPERTS,
    "num_experts_per_tok": 2,
    "moe_topk": 2,
    "n_group": 1,
    "topk_group": 1,
    "n_shared_experts": 1,
    "first_k_dense_replace": 1,
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "qk_head_dim": 16,
    "state_size": 8,
    "time_step_rank": 8,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "mamba_n_heads": 8,
    "mamba_d_head": 8,
    "mamba_d_state": 8,
    "mamba_expand": 2,
    "mamba_n_groups": 1,
    "mamba_chunk_size": 16,
    "mamba_dt_rank": 8,
    "n_mamba_heads": 2,
    "mamba_ngroups": 1,
    "mamba_headdim": 16,
    "mamba_head_dim": 16,
    "mamba_num_heads": 4,
    "ssm_state_size": 8,
    "n_groups": 1,
    "chunk_size": 16,
    "adapter_rank": 4,
    "rotary_dim": 4,
    "unpadded_vocab_size": VOCABULARY,
    "use_sliding_window": True,
    "max_window_layers": 2,
    "index_topk_blocks": 2,
}
_HYBRID = ["linear_attention", "full_attention"] * 2
_SLIDING = ["sliding_attention", "full_attention"] * 2
_ROPE = {"rope_type": "default", "rope_theta": 1e4}
_GEMMA = {
    "layer_types": _SLIDING,
    "num_kv_shared_layers": 0,
    "hidden_size_per_layer_input": 8,
    "vocab_size_per_layer_input": VOCABULARY,
}
_GEMMA4 = _GEMMA | {"head_dim": 8, "global_head_dim": 8, "num_global_key_value_heads": 2}
# What is no common size.
OWN: dict[str, dict[str, Any]] = {
    "bailing_hybrid": {"layer_types": _HYBRID},
    "bamba": {"attn_layer_indices": [1, 3]},
    "cohere_compass_text": {
        "rope_parameters": {"full_attention": _ROPE, "sliding_attention": _ROPE}
    },
    "dbrx": {"tie_word_embeddings": False},
    "deepseek_v2": {"num_experts_per_tok": 2},
    "dots1": {"n_routed_experts": EXPERTS, "n_shared_experts": 1, "num_experts_per_tok": 2},
    "gemma3n_text": _GEMMA
    | {"activation_sparsity_pattern": [0.0] * LAYERS, "laurel_rank": 4, "altup_num_inputs": 2},
    "gemma4_text": _GEMMA4,
    "gemma4_unified_text": _GEMMA4,
    "granitemoehybrid": {"layer_types": _HYBRID},
    "gpt_neo": {"attention_types": [[["global", "local"], 2]]},
    "hunyuan_v1_dense": {"head_dim": 8},
    "hunyuan_v1_moe": {"head_dim": 8},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2},
    "lfm2": {"layer_types": ["conv", "full_attention"] * 2},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"] * 2, "num_dense_layers": 1},
    "mamba2": {"num_heads": 8, "head_dim": 8, "expand": 2},
    "kimi_linear": {"layer_types": _HYBRID, "linear_head_dim": 8, "linear_num_heads": 4},
    "moshi": {"depth_decoder_config": None},
    "ministral": {"head_dim": 8},
    "nemotron": {"num_key_value_heads": 2},
    "phi3": {"tie_word_embeddings": False},
    "qwen3_next": {"layer_types": _HYBRID},
    "reformer": {
        "is_decoder": True,
        "attention_head_size": 8,
        "axial_pos_embds_dim": (16, 16),
        "axial_pos_shape": (8, CONTEXT // 8),
        "attn_layers": ["local", "lsh"] * 2,
        "num_buckets": 2,
    },
    "xlm": {"n_langs": 1, "bos_index": 0, "eos_index": 1, "pad_index": 2, "unk_index": 3},
    "xlstm": {"hidden_size": 128, "num_heads": 2},
    "zamba": {
        "layers_block_type": ["mamba", "hybrid"] * 2,
        "attention_hidden_size": 2 * WIDTH,
        "attention_head_dim": 2 * WIDTH // HEADS,
    },
    "zamba2": {"num_hidden_layers": LAYERS, "layers_block_type": ["mamba", "hybrid"] * 2},
    "zaya": {"num_experts_per_tok": 1},
}
# What changes what it said of earlier tokens, and a kind that asks for a language first.
LOOK_AHEAD = (
    "bert big_bird camembert cpmant data2vec-text electra ernie megatron-bert "
    "prophetnet rembert roberta roberta-prelayernorm roc_bert roformer xlm xlm-roberta "
    "xlm-roberta-xl xlnet"
).split()
# These are never skipped: were none made any more, the sweep would say so.
WELL_KNOWN = (
    "bamba bert gemma2 gpt2 gpt_neox lfm2 llama mamba mistral openai-gpt opt phi3 qwen2 qwen3 rwkv"
).split()
DO_NOT_RUN = ("xmod",)
OTHER = "bert-generation emu3 mllama reformer".split()  # no class or config of what continues text
LARGEST = 30_000_000  # numbers; what stays larger keeps its sizes in a part of the config


def names() -> list[str]:
    """The kinds that transformers calls causal."""
    return sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)


def make(kind: str, **changes: Any) -> Any:
    """A model of the kind, its weights far from uniform.

    Raises:
        Exception: of many types, where the kind cannot be made small this way.
    """
    made = CONFIG_MAPPING[kind]
    config = made(**_sizes(made) | OWN.get(kind, {}) | changes)
    with torch.device("meta"):
        size = sum(p.numel() for p in AutoModelForCausalLM.from_config(config).parameters())
    if size > LARGEST:
        raise ValueError(f"{size:,} numbers")
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for weights in model.parameters():
            if weights.ndim > 1:
                weights.mul_(5.0)
    return model.eval()


def _sizes(made: Any) -> dict[str, Any]:
    """Those of the small sizes that a config and its parts know."""
    known = getattr(made, "__dataclass_fields__", None) or inspect.signature(made).parameters
    plain = made()
    sizes = {name: size for name, size in SIZES.items() if name in known and _given(plain, name)}
    if "qk_rope_head_dim" in sizes:
        # Latent attention: one key–value head for each head.
        sizes["num_key_value_heads"] = HEADS
    for name, part in getattr(made, "sub_configs", {}).items():
        if getattr(part, "model_type", ""):
            sizes[name] = _sizes(part)
    return sizes


def _given(config: Any, name: str) -> bool:
    try:
        return getattr(config, name) is not None
    except Exception:
        return False  # some differ from layer to layer
