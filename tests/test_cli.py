"""The command line: what it prints, where, and with which exit status."""

import ast
import io
import json
import subprocess
import sys

import pytest

from lmlab.api import load
from lmlab.cli.main import main
from lmlab.scoring.score import score


@pytest.fixture(scope="module")
def path(folder):
    return str(folder("llama", "bytelevel-bos"))


def test_json_holds_what_the_library_gives(path, capsys):
    assert main(["score", "--model", path, "--text", " dog 🙂", "--prefix", "the", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    expected = score(load(path), " dog 🙂", prefix="the").to_dict()
    assert printed == json.loads(json.dumps(expected))
    keys = {"model", "text", "prefix", "tokens", "logprob", "log_perplexity", "perplexity"}
    keys |= {"bits_per_byte", "n_tokens", "n_bytes", "n_unknown"}
    assert keys | {"bos", "moved", "context", "windows", "notes"} == set(printed)
    token = printed["tokens"][0]
    keys = {"id", "text", "start", "end", "logprob", "rank", "entropy", "top"}
    assert set(token) == keys | {"lift_nats", "margin_nats"}
    assert set(token["top"][0]) == {"id", "text", "logprob"}


def test_the_strip_tells_the_figures_and_is_plain_where_there_is_no_terminal(path, capsys):
    assert main(["score", "--model", path, "--text", "the little dog"]) == 0
    out = capsys.readouterr().out
    assert "the little dog" in out
    assert "perplexity" in out
    assert "bits per byte" in out
    assert "\x1b" not in out


def test_a_text_cannot_drive_the_terminal(path, capsys):
    assert main(["score", "--model", path, "--text", "a\x1b]0;title\x07b\x9b31m"]) == 0
    out = capsys.readouterr().out
    assert not {"\x1b", "\x07", "\x9b"} & set(out)


def test_text_comes_from_a_file_or_standard_input(path, capsys, tmp_path, monkeypatch):
    file = tmp_path / "text.txt"
    file.write_bytes("zwei\r\nZeilen ß".encode())
    main(["score", "--model", path, "--file", str(file), "--json"])
    assert json.loads(capsys.readouterr().out)["text"] == "zwei\r\nZeilen ß"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"from a pipe\n")))
    main(["score", "--model", path, "--json", "--top-k", "0"])
    assert json.loads(capsys.readouterr().out)["text"] == "from a pipe\n"


def test_a_byte_order_mark_is_no_text(path, capsys, tmp_path, monkeypatch):
    marked = b"\xef\xbb\xbfthe little dog"
    file = tmp_path / "text.txt"
    file.write_bytes(marked)
    found = []
    for source in (["--text", "the little dog"], ["--file", str(file)], []):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(marked)))
        main(["score", "--model", path, "--json", *source])
        found.append(json.loads(capsys.readouterr().out))
    assert found[0]["text"] == "the little dog"
    assert found[0] == found[1] == found[2]


def test_windows_and_stride_are_passed_on(path, capsys):
    text = "the little dog " * 100
    logprobs = []
    for extra in (["--windows", "disjoint"], ["--windows", "sliding", "--stride", "8"]):
        main(["score", "--model", path, "--text", text, "--json", *extra])
        logprobs.append(json.loads(capsys.readouterr().out)["logprob"])
    assert logprobs[0] != logprobs[1]


def test_an_adapter_changes_the_numbers(path, lora_folder, capsys):
    outputs = []
    for extra in ([], ["--adapter", str(lora_folder)]):
        assert main(["score", "--model", path, "--text", "the dog", "--json", *extra]) == 0
        outputs.append(json.loads(capsys.readouterr().out)["logprob"])
    assert outputs[0] != outputs[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--text", ""],
        ["--model", "no-such-model", "--text", "x"],
        ["--model", "../../etc", "--text", "x"],
        ["--model", "<script>alert(1)</script>", "--text", "x"],
        ["--file", "/no/such/file"],
        ["--text", "x", "--top-k", "-1"],
        ["--text", "x", "--adapter", "no-such-adapter"],
        ["--text", "lone \udcff surrogate"],
    ],
)
def test_what_is_wrong_is_one_line_on_stderr(arguments, path, capsys, monkeypatch):
    monkeypatch.setenv("LMLAB_OFFLINE", "1")
    if "--model" not in arguments:
        arguments = ["--model", path, *arguments]
    assert main(["score", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("lmlab: ")


@pytest.mark.parametrize("arguments", [[], ["score", "--top-k", "x"], ["fly"]])
def test_a_wrong_argument_is_one_line_with_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_file_that_is_not_utf8_is_refused_with_the_byte(path, capsys, tmp_path):
    file = tmp_path / "latin.txt"
    file.write_bytes(b"caf\xe9")
    assert main(["score", "--model", path, "--file", str(file)]) == 2
    assert "byte 4" in capsys.readouterr().err


def test_the_embedded_models_are_listed(capsys):
    assert main(["models"]) == 0
    assert "base" in capsys.readouterr().out.splitlines()
    main(["models", "--json"])
    assert "base" in json.loads(capsys.readouterr().out)["models"]


def test_nothing_but_the_json_reaches_standard_output(path):
    command = [
        sys.executable,
        "-m",
        "lmlab",
        "score",
        "--model",
        path,
        "--text",
        "x",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["n_tokens"] >= 1
    assert done.stderr == ""


def test_a_receipt_is_a_script_and_nothing_else(path, capsys):
    asks = (
        ["score", "--text", "Hi there", "--receipt"],
        ["generate", "--prompt", "Hi", "--max-new-tokens", "3", "--seed", "7", "--receipt"],
        ["compare", "--models", f"{path},{path}", "--text", "Hi there", "--receipt"],
    )
    for asked in asks:
        model = [] if asked[0] == "compare" else ["--model", str(path)]
        assert main([*asked, *model]) == 0
        script = capsys.readouterr().out
        ast.parse(script)
        assert str(path) in script
        assert "lmlab found" in script
    assert main(["generate", "--prompt", "Hi", "--n", "2", "--receipt"]) == 2
    assert "one sample" in capsys.readouterr().err
