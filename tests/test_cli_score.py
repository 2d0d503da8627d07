"""``lmlab score`` on many texts, by words, with another start, as a chat, in another context."""

import io
import json
import math
import sys

import pytest
from transformers import MambaConfig, MambaForCausalLM

import lmlab
from lmlab.cli.main import main
from lmlab.models.backends.transformers.model import context_of
from lmlab.scoring.scored import Scored
from lmlab.scoring.tokens import TokenScore
from lmlab.scoring.words import words
from tests import folders


@pytest.fixture(scope="module")
def path(folder):
    return str(folder("llama", "bytelevel-bos"))


@pytest.fixture(scope="module")
def chat(folder, tmp_path_factory):
    source = folder("llama", "bytelevel-bos")
    return str(folders.save_chat(tmp_path_factory.mktemp("chat") / "m", source))


def output(capsys, *arguments):
    assert main([str(one) for one in arguments]) == 0
    return capsys.readouterr()


def test_many_texts_come_back_with_their_own_fields(path, capsys, tmp_path):
    rows = [
        {"id": 7, "text": f"the little dog ran {i}", "prefix": "Once" * (i % 2), "more": {"a": [i]}}
        for i in range(20)
    ]
    file = tmp_path / "texts.jsonl"
    lines = "\n\n".join(json.dumps(row) for row in rows)
    file.write_bytes(b"\xef\xbb\xbf" + lines.encode())
    out = output(capsys, "score", "--model", path, "--jsonl", file).out
    found = [json.loads(line) for line in out.splitlines()]
    assert [{name: one[name] for name in rows[0]} for one in found] == rows
    requests = [lmlab.ScoreRequest(row["text"], row["prefix"]) for row in rows]
    expected = [one.logprob for one in lmlab.score_many(path, requests)]
    assert [one["logprob"] for one in found] == pytest.approx(expected, rel=1e-5)
    assert "top" not in found[0]["tokens"][0]


def test_each_text_is_written_before_the_next_ones_are_read(path, monkeypatch, tmp_path):
    file = tmp_path / "texts.jsonl"
    file.write_text("\n".join(json.dumps({"text": f"the dog {i}"}) for i in range(40)))
    written, sizes = [], []
    from lmlab.features.likelihood import cli as command

    plain = command._scored
    monkeypatch.setattr(command, "write_json", written.append)

    def watched(*given):
        sizes.append(len(written))
        return plain(*given)

    monkeypatch.setattr(command, "_scored", watched)
    assert main(["score", "--model", path, "--jsonl", str(file)]) == 0
    assert sizes == [0, 16, 32]
    assert len(written) == 40


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "Line 2 is no JSON object"),
        ('["a"]', "Line 2 is no JSON object"),
        ('{"prefix": "a"}', "Line 2: text, and prefix"),
        ('{"text": "a", "prefix": 3}', "Line 2: text, and prefix"),
        ('{"text": ""}', "Line 2 has no text"),
        ('{"text": "a", "logprob": 3}', "Line 2: the field ‘logprob’"),
        ('{"text": "a\\ud800"}', "Line 2: Character 2 is half of a surrogate pair"),
    ],
)
def test_a_line_that_cannot_be_scored_is_named(path, capsys, monkeypatch, line, said):
    data = f'{{"text": "the dog"}}\n{line}\n'.encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert main(["score", "--model", path, "--jsonl", "-"]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_words_sum_the_surprisals_of_their_tokens(path, capsys):
    arguments = ("score", "--model", path, "--text", "the little dog, 🙂 ran\n", "--words")
    value = json.loads(output(capsys, *arguments, "--json").out)
    assert [one["word"] for one in value["words"]] == ["the", "little", "dog,", "🙂", "ran"]
    total = math.fsum(one["surprisal"] for one in value["words"])
    assert total == pytest.approx(-value["logprob"] / math.log(2))
    assert sum(one["n_tokens"] for one in value["words"]) == value["n_tokens"]
    lines = output(capsys, *arguments).out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["the", "little", "dog,", "🙂", "ran"]


def test_the_end_tokens_share_comes_on_request(path, capsys):
    arguments = ("score", "--model", path, "--text", "the dog", "--words", "--json")
    plain = json.loads(output(capsys, *arguments).out)
    ended = json.loads(output(capsys, *arguments, "--end").out)
    for one, other in zip(ended["words"], plain["words"], strict=False):
        assert one == other | {"surprisal": pytest.approx(other["surprisal"])}
    assert ended["words"][-1]["word"] == "<|endoftext|>"
    share = ended["words"][-1]["surprisal"] * math.log(2)
    assert ended["logprob"] == pytest.approx(plain["logprob"] - share)


def tokens(*pieces):
    """A scored text of tokens given as characters and ln p; an empty one holds part of the next."""
    found, at = [], 0
    for i, (piece, logprob) in enumerate(pieces):
        found.append(TokenScore(i, piece or "⟨F0⟩", at, at + len(piece), logprob, 1, 0.0))
        at += len(piece)
    return Scored("m", "".join(piece for piece, _ in pieces), "", tuple(found))


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([("the", -1), (" do", -2), ("g", -4)], [("the", -1, 1), ("dog", -6, 2)]),
        ([("a", -1), (" ", -2), ("", -4), ("🙂", -8)], [("a", -1, 1), ("🙂", -14, 3)]),
        ([("", -1), ("🙂", -2), ("", -4), ("🙂", -8)], [("🙂🙂", -15, 4)]),
        ([("a b", -1), (" c", -2)], [("a b", -1, 1), ("c", -2, 1)]),
        ([("a", None), (" b", -1)], [("a", None, 1), ("b", -1, 1)]),
        ([(" ", -1), ("a", -2), ("\n", -4)], [("a", -7, 3)]),
        ([("a", -1), ("\n", -2), ("\n", -3), ("b", -4)], [("a", -1, 1), ("b", -9, 3)]),
    ],
)
def test_what_belongs_to_a_word(pieces, expected):
    found = words(tokens(*pieces))
    assert [(one.text, one.logprob, one.n_tokens) for one in found] == expected


def test_the_start_token_is_said_and_can_be_chosen(path, capsys):
    arguments = ("score", "--model", path, "--text", "the little dog")
    assert "<|endoftext|>" in output(capsys, *arguments).out
    value = json.loads(output(capsys, *arguments, "--bos", "and", "--json").out)
    assert value["bos"] == ["and"]
    given = lmlab.score(path, "the little dog", prefix="and", bos="never")
    assert value["logprob"] == pytest.approx(given.logprob)
    assert main(["score", "--model", path, "--text", "x", "--bos", "the dog ran"]) == 2
    assert "no token ‘the dog ran’" in capsys.readouterr().err


def test_a_smaller_context_repeats_figures_of_smaller_models(path, capsys):
    text = "the little dog " * 60
    arguments = ("score", "--model", path, "--text", text, "--json", "--windows", "disjoint")
    value = json.loads(output(capsys, *arguments, "--context", 16).out)
    assert value["context"] == 16
    assert value["windows"]["count"] == math.ceil(value["n_tokens"] / 16)
    whole = json.loads(output(capsys, *arguments).out)
    assert whole["context"] == folders.CONTEXT
    assert whole["logprob"] != value["logprob"]
    assert main(["score", "--model", path, "--text", "x", "--context", "65"]) == 2
    assert "from 1 to 64" in capsys.readouterr().err


def test_a_recurrent_model_is_not_cut():
    config = MambaConfig(vocab_size=64, hidden_size=16, num_hidden_layers=1, state_size=4)
    assert context_of(MambaForCausalLM(config)) > 100_000


def test_the_json_says_what_was_moved_and_how_it_was_cut(path, capsys):
    arguments = ("score", "--model", path, "--text", "dog", "--prefix", "the ", "--json")
    value = json.loads(output(capsys, *arguments).out)
    assert (value["moved"], value["windows"], value["bos"]) == (" ", None, ["<|endoftext|>"])


def test_an_answer_is_scored_in_the_chat_form(chat, capsys):
    arguments = ("score", "--model", chat, "--text", "a dog", "--prefix", "What ran?", "--json")
    value = json.loads(output(capsys, *arguments, "--chat").out)
    form = "<|im_start|>user\nWhat ran?<|im_end|>\n<|im_start|>assistant\n"
    assert (value["prefix"], value["text"], value["moved"]) == (form, "a dog", "")
    asked = lmlab.ScoreRequest("a dog", form, given=True)
    assert value["logprob"] == pytest.approx(lmlab.score_many(chat, [asked])[0].logprob)
    assert value["logprob"] == pytest.approx(
        lmlab.score(chat, "a dog", prefix="What ran?", chat=True).logprob
    )


def test_a_chat_is_asked_in_its_own_form(chat, path, capsys):
    arguments = ("generate", "--model", chat, "--max-new-tokens", 3, "--json", "--prompt")
    said = output(capsys, *arguments, "What ran?", "--chat")
    form = "<|im_start|>user\nWhat ran?<|im_end|>\n<|im_start|>assistant\n"
    value = json.loads(said.out)
    assert (value["prompt"], value["bos"], said.err) == (form, ["<|endoftext|>"], "")
    config = lmlab.GenerateConfig(max_new_tokens=3)
    assert value["samples"][0]["text"] == lmlab.complete(chat, form, config)[0].text
    assert "chat template" in output(capsys, *arguments, "What ran?").err
    assert output(capsys, *arguments, form).err == ""
    assert main(["generate", "--model", path, "--prompt", "x", "--chat"]) == 2
    assert "no chat template" in capsys.readouterr().err


def test_two_models_are_compared_in_the_chat_form(chat, capsys):
    models = ("compare", "--models", f"{chat},{chat}", "--json", "--chat")
    value = json.loads(output(capsys, *models, "--text", "a dog", "--prefix", "What ran?").out)
    assert value["comparisons"][0]["mean_kl"] == 0
    assert value["comparisons"][0]["scored"][0]["prefix"].startswith("<|im_start|>user\nWhat ran?")
    value = json.loads(output(capsys, *models, "--prompt", "What", "--max-new-tokens", 2).out)
    assert value["completions"][0]["prompt"].startswith("<|im_start|>user\nWhat")


def test_a_prompt_that_ends_in_white_space_is_said(path, capsys):
    arguments = ("generate", "--model", path, "--max-new-tokens", 2, "--prompt")
    assert "ends in white space" in output(capsys, *arguments, "the little ").err
    assert "white space" not in output(capsys, *arguments, "the little").err


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ '' }}", "gives nothing"),
        ("<|im_start|>x", "leaves the question out"),
        ("{{ raise_exception('roles must alternate') }}", "roles must alternate"),
        ("{% if %}", "cannot be applied"),
    ],
)
def test_a_template_that_cannot_be_used_is_one_sentence(folder, tmp_path, capsys, template, said):
    source = folder("llama", "bytelevel-bos")
    path = folders.save_chat(tmp_path / "m", source, template)
    assert main(["generate", "--model", str(path), "--prompt", "x", "--chat"]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "chat_template.jinja" in err
    assert err.count("\n") == 1
