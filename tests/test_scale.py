"""Counts from a shape alone against published numbers and against real models without weights; the
builder and the table that show them.
"""

from dataclasses import replace

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
from lmlab.features.scale import builder_page, form, table_page, views
from lmlab.features.scale import counts as scale
from lmlab.features.scale.architectures import from_config
from lmlab.features.scale.counts import Shape
from lmlab.features.scale.published import LLAMA, PUBLISHED, row_of

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


def test_one_fused_matrix_has_the_count_of_gpt_2_s_c_attn():
    gpt2 = Shape(12, 768, 12, 50257, 1024, 3072)
    (fused,) = scale.lora(gpt2, 8, ("qkv",))
    assert (fused.d, fused.k, fused.added) == (2304, 768, 294_912)
    assert scale.lora(gpt2, 8, ("q", "q")) == scale.lora(gpt2, 8, ("q",))
    with pytest.raises(InputError, match="holds q, k and v"):
        scale.lora(gpt2, 8, ("qkv", "v"))


def test_training_memory_is_sixteen_bytes_a_parameter():
    assert scale.training_bytes(10, "float32") == scale.training_bytes(10, "bfloat16") == 160
    assert scale.training_bytes(10, "int4") is None


@pytest.mark.parametrize("name", ["kv_heads", "head_width", "extra_positions"])
def test_a_negative_size_is_refused(name):
    with pytest.raises(InputError, match="from 0 to"):
        Shape(2, 48, 4, 100, 64, 96, **{name: -2})


def test_the_published_rows_have_the_published_counts():
    exact = {row.name: row.exact for row in PUBLISHED}
    assert exact == {
        "GPT-1": 116_534_784,
        "GPT-2 small": 124_439_808,
        "GPT-2 medium": 354_823_168,
        "GPT-2 large": 774_030_080,
        "GPT-2 XL": 1_557_611_200,
        "GPT-3": 174_604_259_328,
        "GPT-4": None,
    }
    assert LLAMA.exact == 6_738_415_616
    assert all(row.source and row.why and row.opened for row in PUBLISHED)


def test_gpt_2_s_labels_are_counts_with_gpt_1_s_vocabulary():
    rows = [row for row in PUBLISHED if row.name.startswith("GPT-2")]
    found = [
        f"{scale.parameters(replace(row.shape, vocabulary=PUBLISHED[0].vocabulary)) / 1e6:.0f}M"
        for row in rows
    ]
    assert found == [row.nominal for row in rows] == ["117M", "345M", "762M", "1542M"]


def test_gpt_3_s_training_is_what_its_paper_says():
    row = next(row for row in PUBLISHED if row.name == "GPT-3")
    assert scale.training_flops(row.exact, row.tokens) == pytest.approx(3.14e23, rel=2e-3)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.model_type)
def test_the_builder_s_form_gives_every_shape_back(config):
    shape = from_config(config.to_dict())
    assert form.shape_of(tuple(form.values_of(shape))) == shape


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("layers", None, "‘layers L’ is empty"),
        ("layers", 1.5, "whole number"),
        ("width", float("nan"), "not a number"),
        ("heads", "<b>", "not a number"),
        ("heads", 7, "cannot be shared by 7 heads"),
        ("vocabulary", 1e300, "too large"),
        ("vocabulary", float("inf"), "too large"),
        ("context", 0, "context must be from 1"),
        ("feed_forward", 10**9, "feed-forward must be from 1"),
        ("kv_heads", -1, "key-value heads must be from 0"),
    ],
)
def test_a_shape_that_cannot_be_is_a_sentence_and_nothing_more(key, value, said):
    values = form.values_of(LLAMA.shape)
    values[form.KEYS.index(key)] = value
    found = builder_page.counted(*values, *form.PLANS.values())
    figures, curve = found.pop("figures"), found.pop("curve")
    assert not curve.data
    assert said in figures
    assert "<b>" not in figures
    assert set(found.values()) == {views.WAITS}


def test_the_builder_shows_the_numbers_of_gpt_3():
    found = builder_page.counted(*form.values_of(GPT3), *form.PLANS.values())
    figures, parts, memory, cache, training, lora, curve = found.values()
    assert "174,604,259,328" in figures
    assert "the shape of GPT-3" in figures
    assert "115,964,116,992" in parts
    assert "2.79 TB" in memory
    assert "4.72 MB" in cache
    assert list(curve.data[0].y) == [0, 2 * 96 * 12288 * 2 * 2048]
    assert "3.14·10²³" in training
    assert "29 days" in training
    assert "4,718,592" in lora
    assert "the 4.7 M of the LoRA paper" in lora


def test_a_plan_that_cannot_be_leaves_the_rest_alone():
    values = form.values_of(Shape(2, 12, 2, 100, 64, 48))
    plans = [*form.PLANS.values()]
    good = [*builder_page.counted(*values, *plans[:-2], 4, ["q"]).values()]
    bad = [*builder_page.counted(*values, "float8", 1, 2048, 0, 312, 1, 40, 64, ["q"]).values()]
    assert not bad.pop().data
    assert good[:3] == bad[:3]
    assert [("lm-problem" in one) for one in bad] == [False] * 3 + [True] * 3
    assert "no number format" in bad[3]
    assert "must be above 0" in bad[4]
    assert "from 1 to 12" in bad[5]
    none = builder_page.counted(*values, *plans[:-1], [])
    assert "No matrix gets LoRA" in none["lora"]


def test_a_preset_brings_its_context_and_its_tokens():
    found = builder_page.filled(
        LLAMA, None, ["float16", 1, 9, 300, 312, 1000, 40, 1, ["q", "gate"]]
    )
    kept = [found[key] for key in ("ratio", "dtype", "batch", "length", "tokens")]
    assert kept == [2.6875, "float16", 1, 4096, 2000]
    assert form.shape_of(tuple(found[key] for key in form.KEYS)) == LLAMA.shape
    plain = builder_page.filled(
        PUBLISHED[1], None, ["float16", 1, 9, 7, 312, 1, 40, 1, ["q", "gate"]]
    )
    assert plain["tokens"] == 7
    assert plain["targets"] == ["q"]


def test_an_unknown_size_is_one_cell_that_says_so():
    shown = table_page.table(PUBLISHED, [])
    assert shown.count("not published") == 2
    assert 'colspan="4">not published' in shown
    assert shown.count("○</span> no") == 4
    assert "OpenAI’s own README" in shown
    hostile = row_of("<img src=x>", LLAMA.shape, data="<b>", why="<i>")
    here = table_page.table(PUBLISHED, [hostile], [("<s>", "no <u>")])
    assert not any(tag in here for tag in ("<img", "<b>", "<i>", "<s>", "<u>"))


def test_tables_are_safe_in_a_spreadsheet():
    hostile = row_of("=HYPERLINK(1)", LLAMA.shape)
    lines = table_page.rows_csv([PUBLISHED[0], PUBLISHED[-1], hostile]).splitlines()
    assert lines[1].startswith("GPT-1,2018,12,768,12,40478,512,117M,116534784,")
    assert lines[2].startswith("GPT-4,2023,,,,,8192,,,")
    assert lines[3].startswith("'=HYPERLINK(1),")
    assert "6738415616" in lines[3]
    parts = table_page.parts_csv(scale.parts(GPT3)).splitlines()
    assert sum(int(line.rpartition(",")[2]) for line in parts[1:]) == scale.parameters(GPT3)
