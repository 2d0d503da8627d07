"""Counts from a shape alone against published numbers and against real models without weights."""

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    OPTConfig,
    Qwen2Config,
)

from lmlab.errors import InputError
from lmlab.scale import counts as scale
from lmlab.scale.architectures import from_config
from lmlab.scale.counts import Shape

GPT2 = {
    "124,439,808": (12, 768, 12),
    "354,823,168": (24, 1024, 16),
    "774,030,080": (36, 1280, 20),
    "1,557,611,200": (48, 1600, 25),
}
GPT3 = Shape(96, 12288, 96, 50257, 2048, 4 * 12288)
SMALL = {"hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "vocab_size": 101}
CONFIGS = [
    AutoConfig.for_model("openai-gpt", n_embd=48, n_layer=3, n_head=4, vocab_size=101),
    GPT2Config(n_embd=48, n_layer=3, n_head=4, vocab_size=101),
    GPT2Config(n_embd=48, n_layer=3, n_head=4, n_inner=100, tie_word_embeddings=False),
    LlamaConfig(**SMALL, intermediate_size=90, num_key_value_heads=2),
    LlamaConfig(**SMALL, intermediate_size=90, tie_word_embeddings=True, attention_bias=True),
    LlamaConfig(**SMALL, intermediate_size=90, mlp_bias=True, head_dim=16),
    MistralConfig(**SMALL, intermediate_size=90, num_key_value_heads=2),
    Qwen2Config(**SMALL, intermediate_size=90, num_key_value_heads=4),
    GPTNeoXConfig(**SMALL, intermediate_size=90),
    OPTConfig(**SMALL, ffn_dim=90, word_embed_proj_dim=48),
]


def test_gpt_1_to_3_have_their_published_counts():
    assert scale.parameters(Shape(12, 768, 12, 40478, 512, 3072, final_norm=False)) == 116_534_784
    for published, (layers, width, heads) in GPT2.items():
        shape = Shape(layers, width, heads, 50257, 1024, 4 * width)
        assert f"{scale.parameters(shape):,}" == published
    assert scale.parameters(GPT3) == 174_604_259_328


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.model_type)
def test_a_count_equals_the_model_s_own(config):
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    shape = from_config(model.config.to_dict())
    assert shape is not None
    assert scale.parameters(shape) == model.num_parameters()


def test_an_architecture_that_is_not_known_has_no_shape():
    assert from_config({"model_type": "mamba"}) is None
    assert from_config({}) is None
    opt = OPTConfig(**SMALL, ffn_dim=90, word_embed_proj_dim=24)
    assert from_config(opt.to_dict()) is None


def test_lora_on_gpt_3_has_the_paper_s_counts():
    def added(rank, targets=("q", "v")):
        return sum(matrix.added for matrix in scale.lora(GPT3, rank, targets))

    assert added(1) == added(2, ("q",)) == 4_718_592
    assert added(4) == 18_874_368
    assert added(8) == 37_748_736


def test_memory_follows_the_number_format_and_the_length():
    assert scale.weights_bytes(1000, "bfloat16") == 2000
    gpt2 = Shape(12, 768, 12, 50257, 1024, 3072)
    assert scale.cache_bytes(gpt2, 1024, "float32") == 2 * 12 * 768 * 1024 * 4
    grouped = Shape(12, 768, 12, 50257, 1024, 3072, kv_heads=3)
    assert scale.cache_bytes(grouped, 1024, "float32") == 2 * 12 * 192 * 1024 * 4
    with pytest.raises(InputError, match="no number format"):
        scale.weights_bytes(1, "float8")


def test_training_time_from_rate_and_share():
    flops = scale.training_flops(174_604_259_328, 300 * 10**9)
    assert flops == pytest.approx(3.14e23, rel=1e-2)
    assert scale.training_seconds(flops, 312e12, 0.5) == pytest.approx(2.01e9, rel=1e-2)
    with pytest.raises(InputError):
        scale.training_seconds(flops, 0.0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"layers": 0}, "layers must be"),
        ({"width": 10**9}, "width must be"),
        ({"heads": 5}, "cannot be shared"),
        ({"kv_heads": 5}, "cannot share"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(change, said):
    good = {"layers": 2, "width": 48, "heads": 4, "vocabulary": 100}
    with pytest.raises(InputError, match=said):
        Shape(**{**good, "context": 64, "feed_forward": 96, **change})


@pytest.mark.parametrize(("rank", "targets"), [(0, ("q",)), (13, ("q",)), (1, ("x",))])
def test_lora_that_cannot_be_is_refused(rank, targets):
    with pytest.raises(InputError):
        scale.lora(Shape(2, 12, 2, 100, 64, 48), rank, targets)
