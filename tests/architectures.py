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
# Names that configs use for the same thing.
ALIKE: dict[Any, str] = {
    LAYERS: "num_hidden_layers n_layers n_layer num_layers decoder_layers",
    WIDTH: "hidden_size d_model n_embd n_embed emb_dim embedding_size word_embed_proj_dim "
    "dim_model attention_hidden_size lru_width input_embedding_size output_embedding_size",
    FEED: "intermediate_size ffn_hidden_size d_ff dim_ff decoder_ffn_dim ffn_dim dff n_inner "
    "d_inner mamba_d_ssm feed_forward_size",
    CONTEXT: "max_position_embeddings n_positions n_ctx seq_length max_seq_len",
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
    "attention_window_size": 64,
    "sliding_window": 64,
    "adapter_rank": 4,
    "rotary_dim": 4,
}
_HYBRID = ["linear_attention", "full_attention"] * 2
# What is no common size.
OWN: dict[str, dict[str, Any]] = {
    "bamba": {"attn_layer_indices": [1, 3]},
    "cohere_compass_text": {"layer_types": ["full_attention"] * LAYERS},
    "dbrx": {"tie_word_embeddings": False},
    "deepseek_v2": {"num_experts_per_tok": 2},
    "gpt_neo": {"attention_types": [[["global", "local"], 2]]},
    "hunyuan_v1_dense": {"head_dim": 8},
    "hunyuan_v1_moe": {"head_dim": 8},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2},
    "lfm2": {"layer_types": ["conv", "full_attention"] * 2},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"] * 2, "num_dense_layers": 1},
    "mamba2": {"num_heads": 8, "head_dim": 8, "expand": 2},
    "kimi_linear": {"linear_head_dim": 8, "linear_num_heads": 4},
    "ministral": {"head_dim": 8},
    "nemotron": {"num_key_value_heads": 2},
    "phi3": {"tie_word_embeddings": False},
    "qwen3_next": {"layer_types": _HYBRID},
    "reformer": {"is_decoder": True},
    "xlm": {"n_langs": 1, "bos_index": 0, "eos_index": 1, "pad_index": 2, "unk_index": 3},
    "zamba2": {"num_hidden_layers": LAYERS, "layers_block_type": ["mamba", "hybrid"] * 2},
    "zaya": {"num_experts_per_tok": 1},
}
# What changes what it said of earlier tokens, and a kind that asks for a language first.
LOOK_AHEAD = (
    "bert bert-generation big_bird camembert cpmant data2vec-text electra ernie megatron-bert "
    "prophetnet rembert roberta roberta-prelayernorm roc_bert roformer xlm xlm-roberta "
    "xlm-roberta-xl xlnet"
).split()
# These are never skipped: were none made any more, the sweep would say so.
WELL_KNOWN = (
    "bamba bert gemma2 gpt2 gpt_neox lfm2 llama mamba mistral openai-gpt opt phi3 qwen2 qwen3 rwkv"
).split()
DO_NOT_RUN = ("xmod",)
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
    known = getattr(made, "__dataclass_fields__", None) or inspect.signature(made).parameters
    plain = made()
    sizes = {n: v for n, v in SIZES.items() if n in known and getattr(plain, n, None) is not None}
    if "qk_rope_head_dim" in sizes:
        # Latent attention: one key–value head for each head.
        sizes["num_key_value_heads"] = HEADS
    config = made(**sizes | OWN.get(kind, {}) | changes)
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
