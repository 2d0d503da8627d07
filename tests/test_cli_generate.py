"""``lmlab generate`` and ``lmlab compare``: what they print, where, and with which exit status."""

import json
import subprocess
import sys

import pytest

import lmlab
from lmlab.cli.main import main
from tests.test_sidebyside import adapter


@pytest.fixture(scope="module")
def path(folder):
    return str(folder("llama", "bytelevel-bos"))


@pytest.fixture(scope="module")
def lora(path, tmp_path_factory):
    return adapter(tmp_path_factory.mktemp("cli") / "a", path)


def output(capsys, *arguments):
    assert main([str(a) for a in arguments]) == 0
    return capsys.readouterr().out


def test_json_holds_what_the_library_gives(path, capsys):
    flags = ["--temperature", "0.8", "--top-k", "50", "--top-p", "0.9", "--min-p", "0.01"]
    flags += ["--repetition-penalty", "1.1", "--seed", "4", "--max-new-tokens", "7"]
    out = output(
        capsys, "generate", "--model", path, "--prompt", "the dog", *flags, "--n", 3, "--json"
    )
    printed = json.loads(out)
    config = lmlab.GenerateConfig(
        temperature=0.8, top_k=50, top_p=0.9, min_p=0.01, repetition_penalty=1.1, seed=4,
        max_new_tokens=7,
    )  # fmt: skip
    expected = lmlab.complete(path, "the dog", config, n=3)
    assert printed == {
        "model": path,
        "prompt": "the dog",
        "bos": ["<|endoftext|>"],
        "context": 64,
        "notes": [],
        "samples": json.loads(json.dumps([done.to_dict() for done in expected])),
    }
    sample = printed["samples"][0]
    assert set(sample) == {"text", "tokens", "logprob", "perplexity", "finish_reason"}
    assert {"id", "text", "logprob", "rank", "entropy", "top"} == set(sample["tokens"][0])


def test_each_line_is_a_sample(path, capsys):
    flags = ["--max-new-tokens", "3", "--n", "4", "--jsonl"]
    out = output(capsys, "generate", "--model", path, "--prompt", "the", *flags)
    lines = [json.loads(line) for line in out.splitlines()]
    assert sorted(line["sample"] for line in lines) == [0, 1, 2, 3]
    assert all(line["prompt"] == "the" and len(line["tokens"]) <= 3 for line in lines)


def test_the_text_alone_reaches_standard_output(path, capsys):
    flags = ["--model", path, "--prompt", "the dog", "--max-new-tokens", "9", "--temperature", "0"]
    assert main(["generate", *flags]) == 0
    captured = capsys.readouterr()
    (done,) = lmlab.complete(path, "the dog", lmlab.GenerateConfig(max_new_tokens=9, temperature=0))
    from lmlab.terminal.listing import visible_text

    assert captured.out == visible_text(done.text) + "\n"
    assert "perplexity" in captured.err


def test_stop_strings_end_it(path, capsys):
    whole = json.loads(
        output(capsys, "generate", "--model", path, "--prompt", "the dog", "--json")
    )["samples"][0]
    stop = next(t["text"] for t in whole["tokens"][2:] if "⟨" not in t["text"])
    flags = ["--stop", "never in there", "--stop", stop, "--json"]
    out = output(capsys, "generate", "--model", path, "--prompt", "the dog", *flags)
    sample = json.loads(out)["samples"][0]
    assert sample["finish_reason"] == "stop"
    assert sample["text"] == whole["text"].split(stop)[0]


def test_models_side_by_side(path, lora, capsys):
    models = f"{path},{path}+{lora}"
    flags = ["--prompt", "the dog", "--max-new-tokens", "6"]
    printed = json.loads(output(capsys, "compare", "--models", models, *flags, "--json"))
    config = lmlab.GenerateConfig(temperature=0, max_new_tokens=6)
    expected = lmlab.side_by_side(models.split(","), "the dog", config)
    assert [one["text"] for one in printed["completions"]] == [one.text for one in expected]
    out = output(capsys, "compare", "--models", models, *flags)
    assert "perplexity" in out


def test_a_text_under_three_models(path, lora, folder, capsys):
    other = str(folder("gpt2", "sentencepiece"))
    models = f"{path},{path}+{lora},{other}"
    flags = ["--text", "the little dog ran", "--json"]
    printed = json.loads(output(capsys, "compare", "--models", models, *flags))
    first, second = printed["comparisons"]
    expected = lmlab.compare(path, f"{path}+{lora}", "the little dog ran")
    assert first["mean_kl"] == pytest.approx(expected.mean_kl[0])
    assert (first["same_tokens"], second["same_tokens"]) == (True, False)
    out = output(capsys, "compare", "--models", models, "--text", "the little dog ran")
    assert "KL(1‖2)" in out
    assert "different tokens" in out


def test_alpha_zero_is_the_base(path, lora, capsys):
    models = f"{path},{path}+{lora}"
    flags = ["--text", "the little dog ran", "--alpha", "0", "--json"]
    printed = json.loads(output(capsys, "compare", "--models", models, *flags))
    assert printed["comparisons"][0]["mean_kl"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    "arguments",
    [
        ["generate", "--prompt", "x", "--temperature", "-1"],
        ["generate", "--prompt", "x", "--top-p", "2"],
        ["generate", "--prompt", "x", "--n", "0"],
        ["generate", "--prompt", "x", "--max-new-tokens", "0"],
        ["generate", "--prompt", "x", "--seed", "-3"],
        ["generate", "--prompt", "x", "--stop", ""],
        ["generate", "--prompt", "the dog " * 100],
        ["generate", "--prompt", "lone \udcff surrogate"],
        ["compare", "--models", "one", "--prompt", "x"],
        ["compare", "--models", "HERE,no-such-model", "--prompt", "x"],
        ["compare", "--models", "HERE,HERE", "--text", ""],
    ],
)
def test_what_is_wrong_is_one_line_on_stderr(arguments, path, capsys, monkeypatch):
    monkeypatch.setenv("LMLAB_OFFLINE", "1")
    arguments = [argument.replace("HERE", path) for argument in arguments]
    if arguments[0] == "generate":
        arguments += ["--model", path]
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("lmlab: ")


def test_nothing_else_is_said(path, lora):
    command = [
        sys.executable,
        "-m",
        "lmlab",
        "generate",
        "--model",
        path,
        "--adapter",
        lora,
    ]
    command += ["--prompt", "x", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["samples"]
    assert done.stderr == ""


def test_the_python_names_are_there(path):
    steps = list(lmlab.generate(path, "the", lmlab.GenerateConfig(max_new_tokens=2)))
    assert all(isinstance(step, lmlab.Step) for step in steps)
    (done,) = lmlab.complete(path, "the", lmlab.GenerateConfig(max_new_tokens=2))
    assert isinstance(done, lmlab.Completion)
    assert isinstance(lmlab.compare(path, path, "the dog"), lmlab.Compared)
