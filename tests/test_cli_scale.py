"""``lmlab scale`` and ``lmlab diff``."""

import ast
import json

import pytest

from lmlab.cli.main import main
from tests.test_sidebyside import adapter

GPT2 = "--layers 12 --width 768 --heads 12 --vocab 50257 --context 1024".split()


def asked(capsys, *arguments):
    assert main([*map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_a_shape_is_counted(capsys):
    found = json.loads(asked(capsys, "scale", *GPT2, "--json"))
    assert found["parameters"] == 124_439_808
    assert sum(part["total"] for part in found["parts"]) == found["parameters"]
    assert found["bytes"]["bfloat16"] == 2 * found["parameters"]
    untied = json.loads(asked(capsys, "scale", *GPT2, "--no-tied", "--json"))
    assert untied["parameters"] - found["parameters"] == 50257 * 768
    said = asked(capsys, "scale", *GPT2)
    assert "124,439,808 parameters" in said
    assert "token embeddings" in said


def test_a_model_is_counted(capsys, folder):
    found = json.loads(asked(capsys, "scale", "--model", folder("llama"), "--json"))
    assert found["shape"]["gated"]
    assert found["parameters"] == sum(part["total"] for part in found["parts"])


def test_an_adapter_is_counted_beside_its_model(capsys):
    for name, count in (("qa", 208_128), ("qa-prompt", 20 * 256)):
        asking = ("scale", "--model", "base", "--adapter", name)
        found = json.loads(asked(capsys, *asking, "--json"))
        assert found["adapter"] == count
        assert f"{count:,} more in the adapter" in asked(capsys, *asking)
    assert json.loads(asked(capsys, "scale", "--model", "base", "--json"))["adapter"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--adapter", "qa"), "stands on a model"),
        (("--model", "tiny", "--adapter", "qa"), "does not fit this model"),
        (("--model", "base", "--adapter", "nothing"), "‘nothing’"),
        ((), "needs --layers"),
        ((*GPT2, "--heads", "5"), "cannot be shared"),
        (("--model", "../nowhere"), "no model named"),
    ],
)
def test_what_cannot_be_counted_is_said(capsys, arguments, said):
    assert main(["scale", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_difference_by_matrix_and_on_a_text(capsys, folder, tmp_path):
    base = folder("llama", "bytelevel-bos")
    tuned = f"{base}+{adapter(tmp_path / 'lora', base)}"
    asking = ("diff", "--base", base, "--tuned", tuned)
    found = json.loads(asked(capsys, *asking, "--text", "the dog", "--json"))
    assert {matrix["rank"] for matrix in found["matrices"]} == {4}
    assert all(matrix["relative"] > 0 for matrix in found["matrices"])
    assert found["text"]["mean_kl"] > 0
    said = asked(capsys, *asking)
    assert "q_proj" in said
    assert "mean KL" not in said
    assert "No matrix differs" in asked(capsys, "diff", "--base", base, "--tuned", base)


def test_lora_is_counted_on_top(capsys):
    found = json.loads(
        asked(capsys, "scale", *GPT2, "--lora-rank", 8, "--lora-targets", "qkv", "--json")
    )
    assert found["lora"]["added"] == 294_912
    assert [one["name"] for one in found["lora"]["matrices"]] == ["qkv"]
    said = asked(capsys, "scale", *GPT2, "--lora-rank", 1)
    assert "36,864 learn at rank 1" in said
    assert json.loads(asked(capsys, "scale", *GPT2, "--json"))["lora"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--lora-rank", "0"), "from 1 to 768"),
        (("--lora-rank", "1", "--lora-targets", "x"), "no matrix"),
        (("--lora-rank", "1", "--lora-targets", " , "), "No matrix gets LoRA"),
    ],
)
def test_lora_that_cannot_be_counted_is_said(capsys, arguments, said):
    assert main(["scale", *GPT2, *arguments]) == 2
    assert said in capsys.readouterr().err


def test_receipts_of_a_count_and_of_a_changed_matrix(capsys):
    assert main(["scale", "--model", "tiny", "--receipt"]) == 0
    script = capsys.readouterr().out
    ast.parse(script)
    assert 'torch.device("meta")' in script
    assert main(["diff", "--tuned", "base+qa", "--receipt"]) == 0
    script = capsys.readouterr().out
    ast.parse(script)
    assert "lmlab found ‖ΔW‖/‖W‖ = " in script
    assert main(["scale", "--layers", "2", "--receipt"]) == 2
    assert "--model" in capsys.readouterr().err
