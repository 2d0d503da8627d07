"""``lmlab merge``: an adapter in its base's weights, told from the adapter beside it by nobody."""

import json

import pytest
import torch
from peft import AutoPeftModelForCausalLM, PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from lmlab.cli.main import main
from tests.test_adapters import KINDS, make

# Each merges in a way of its own, or not at all.
SOME = ("dora", "lora on both ends", "lora and a head", "ia3", "norms", "tokens")
IDS = torch.tensor([[5, 9, 30, 7, 2, 80]])


@pytest.fixture(scope="module")
def base(folder):
    return folder("llama", "bytelevel-bos")


def test_plain_transformers_loads_what_was_merged(base, lora_folder, tmp_path, capsys):
    (lora_folder / "generation_config.json").write_text('{"eos_token_id": [0, 7]}')
    asked = ["merge", "--model", str(base), "--adapter", str(lora_folder)]
    out = tmp_path / "merged"
    assert main([*asked, "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["dtype"] == "float32"
    model = AutoModelForCausalLM.from_pretrained(out)
    with torch.no_grad():
        beside = AutoPeftModelForCausalLM.from_pretrained(lora_folder)(IDS).logits
        alone = AutoModelForCausalLM.from_pretrained(base)(IDS).logits
        merged = model(IDS).logits
    assert torch.allclose(merged, beside, atol=1e-5)
    assert not torch.allclose(merged, alone, atol=1e-3)
    assert model.generation_config.eos_token_id == [0, 7]
    assert AutoTokenizer.from_pretrained(out).encode("the dog") == AutoTokenizer.from_pretrained(
        base
    ).encode("the dog")
    assert not (out / "adapter_config.json").exists()
    assert main([*asked, "--out", str(out)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert main([*asked, "--out", str(tmp_path / "half"), "--dtype", "bfloat16"]) == 0
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "half").dtype == torch.bfloat16
    (lora_folder / "generation_config.json").unlink()


def test_what_cannot_be_merged_gets_a_sentence(base, prompt_folder, tmp_path, capsys):
    out = tmp_path / "merged"
    asked = ["merge", "--model", str(base), "--out", str(out)]
    assert main(asked) == 2
    assert "has no adapter" in capsys.readouterr().err
    assert main([*asked, "--adapter", str(prompt_folder)]) == 2
    assert "is a soft prompt" in capsys.readouterr().err
    beside = make(tmp_path / "beside", base, KINDS["adaption prompt"]())
    assert main([*asked, "--adapter", str(beside)]) == 2
    assert "it changes more than weights" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("kind", SOME)
@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
def test_a_kind_is_merged_right_or_refused(kind, architecture, folder, tmp_path, capsys):
    """Qwen's embeddings and head are one matrix: a change of one of them is none of the other."""
    base = folder(architecture, "bytelevel-bos")
    adapter, out = make(tmp_path / "adapter", base, KINDS[kind]()), tmp_path / "merged"
    status = main(["merge", "--model", str(base), "--adapter", str(adapter), "--out", str(out)])
    said = capsys.readouterr().err
    if status:
        assert "cannot be merged" in said or "answers otherwise" in said
        assert not out.exists()
        return
    with torch.no_grad():
        plain = AutoModelForCausalLM.from_pretrained(base)
        beside = PeftModel.from_pretrained(plain, adapter).eval()(IDS).logits
        merged = AutoModelForCausalLM.from_pretrained(out)(IDS).logits
    assert torch.allclose(merged, beside, atol=1e-3 * float(beside.abs().max()))


def test_gguf_by_the_converter_that_is_there(base, lora_folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    out, file, tools = tmp_path / "merged", tmp_path / "m.gguf", tmp_path / "llama.cpp"
    asked = ["merge", "--model", str(base), "--adapter", str(lora_folder), "--out", str(out)]
    assert main([*asked, "--gguf", str(file)]) == 2
    assert "convert_hf_to_gguf.py, which is not on the PATH" in capsys.readouterr().err
    assert not out.exists()
    tools.mkdir()
    program = tools / "convert_hf_to_gguf.py"
    program.write_text("import sys\nopen(sys.argv[3], 'w').write(sys.argv[1])\n")
    assert main([*asked, "--gguf", str(file), "--llama-cpp", str(tools)]) == 0
    assert file.read_text() == str(out)
    program.write_text("import sys\nsys.exit('No module named gguf')\n")
    more = ["--out", str(tmp_path / "again"), "--gguf", str(tmp_path / "n.gguf")]
    assert main([*asked, *more, "--llama-cpp", str(tools)]) == 2
    assert "made no GGUF file: No module named gguf" in capsys.readouterr().err
