"""``lmlab prompt`` and ``lmlab evaluate``: what they print, and what they say when they cannot."""

import csv
import io
import json
import sys
from pathlib import Path

import pytest

from lmlab.cli.main import main
from tests.folders import save_chat_model

ROWS = "review,stars\n" + "".join(
    f"the dog {i},{'positive' if i % 2 else 'negative'}\n" for i in range(12)
)
TEMPLATE = "name: mine\nquery: '{{ text }}:'\ntarget: ' {{ y }}'\nanswer: y\nstop: [':']\n"


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("LMLAB_OFFLINE", "1")


@pytest.fixture(scope="module")
def path(folder):
    return str(folder("llama", "bytelevel-bos"))


@pytest.fixture
def table(tmp_path):
    file = tmp_path / "mine.csv"
    file.write_text(ROWS)
    return str(file)


def out(capsys, *arguments: str) -> str:
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


def test_a_prompt_is_shown_completed_and_read(path, capsys, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(TEMPLATE)
    common = ("prompt", "--model", path, "--template", str(file), "--query", "the dog")
    said = json.loads(out(capsys, *common, "--json"))
    assert said["prompt"] == "the dog:"
    assert said["shots"] == 0
    assert "the dog:⟶" in out(capsys, *common, "--show")


def test_examples_come_from_the_set_of_the_template(path, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("river\n"))
    arguments = ("prompt", "--model", path, "--template", "plural-arrow", "--shots", "2", "--json")
    said = json.loads(out(capsys, *arguments))
    assert said["prompt"].endswith("\nriver ->")
    assert said["prompt"].count("->") == 3


def test_labels_come_with_probabilities(path, capsys):
    arguments = ("prompt", "--model", path, "--template", "sentiment-review", "--query", "a dog")
    said = json.loads(out(capsys, *arguments, "--json"))
    assert sum(said["labels"].values()) == pytest.approx(1)
    assert said["answer"] == max(said["labels"], key=said["labels"].get)
    assert "positive\t0." in out(capsys, *arguments)


def test_evaluate_prints_the_documented_json(path, capsys, table):
    arguments = ("evaluate", "--model", path, "--template", "sentiment-good-bad", "--data", table)
    mapped = ("--map", "text=review", "--map", "label=stars", "--shots", "1,0", "--draws", "2")
    printed = json.loads(out(capsys, *arguments, *mapped, "--json"))
    assert set(printed) == {"model", "template", "data", "results"}
    assert printed["data"] == "mine.csv"
    assert [r["shots"] for r in printed["results"]] == [0, 1]
    assert [r["draws"] for r in printed["results"]] == [1, 2]
    keys = {"shots", "draws", "n", "accuracy", "accuracy_low", "accuracy_high", "nll"}
    assert keys <= set(printed["results"][0])
    assert "accuracy" in out(capsys, *arguments, *mapped)


SHORT = """name: short
query: "{{ text }}:"
target: " {{ label }}"
answer: label
labels: {positive: a, negative: b}
decode: {how: label}
"""


def test_what_does_not_fit_the_time_is_said_or_measured_on_demand(path, capsys, table, monkeypatch):
    monkeypatch.setenv("LMLAB_STUDY_SECONDS", "1e-9")
    asked = ("evaluate", "--model", path, "--template", "sentiment-review", "--data", table)
    asked += ("--map", "text=review", "--map", "label=stars")
    said = json.loads(out(capsys, *asked, "--json"))
    (found,) = said["results"]
    assert (found["n"], found["rows"]) == (4, 12)
    assert found["notes"][0].startswith("Measured on 4 of 12 rows; all of them would take about ")
    assert "Measured on 4 of 12 rows" in out(capsys, *asked)
    (whole,) = json.loads(out(capsys, *asked, "--measure", "all", "--json"))["results"]
    assert (whole["n"], "rows" in whole) == (12, False)


def study(capsys, path, *arguments: str) -> dict:
    common = ("evaluate", "--model", path, "--limit", "6", "--json")
    return json.loads(out(capsys, *common, *arguments))


def test_wordings_are_compared(path, capsys):
    printed = study(capsys, path, "--study", "templates", "--template", "plural-arrow")
    assert printed["study"] == "templates"
    names = [result["template"] for result in printed["results"]]
    assert names == ["plural-arrow", "plural-instruction", "plural-question"]
    assert printed["results"][0]["label"] == "An arrow"
    some = ("--template", "plural-arrow", "--template", "plural-question")
    printed = study(capsys, path, "--study", "templates", *some)
    assert len(printed["results"]) == 2
    shown = out(capsys, "evaluate", "--model", path, "--limit", "2", "--study", "templates", *some)
    assert "wording" in shown
    assert "A question" in shown


def test_orders_are_compared(path, capsys, tmp_path):
    file = tmp_path / "short.csv"
    file.write_text(
        "text,label\n" + "".join(f"{c},positive\n{c}{c},negative\n" for c in "abcdefgh")
    )
    template = tmp_path / "short.yaml"
    template.write_text(SHORT)
    wanted = ("--study", "order", "--shots", "3", "--data", str(file), "--template", str(template))
    printed = study(capsys, path, *wanted)
    (result,) = printed["results"]
    assert len(printed["orders"]) == len(result["accuracy_by_draw"]) == result["draws"] == 6
    assert printed["orders"][0] == [1, 2, 3]
    assert len(printed["examples"]) == 3
    assert len(result["nll_by_draw"]) == len(result["accuracy_by_draw_calibrated"]) == 6
    rows = list(csv.DictReader(io.StringIO(out(
        capsys, "evaluate", "--model", path, "--limit", "2", "--csv", *wanted
    ))))  # fmt: skip
    assert {row["draw"] for row in rows} == {str(i) for i in range(1, 7)}
    assert len(rows) == 12


def test_models_are_compared_on_options_that_differ_by_row(path, folder, capsys):
    other = str(folder("gpt2", "bytelevel"))
    wanted = ("--study", "models", "--template", "choice-question", "--model", other)
    printed = study(capsys, path, *wanted, "--way", "per byte")
    assert [result["label"] for result in printed["results"]] == [path, other]
    assert printed["results"][0]["nll"] != printed["results"][1]["nll"]
    ways = {"sum", "per character", "per byte", "minus unconditional"}
    assert all(set(result["accuracy_by_way"]) == ways for result in printed["results"])


def test_a_row_brings_its_options_on_the_command_line(path, capsys):
    given = ("--query", "Who?", "--field", 'options=["Ann", "Bob"]', "--json")
    said = json.loads(out(capsys, "prompt", "--model", path, "--template", "choice-listed", *given))
    assert said["prompt"] == "Question: Who?\nOne of: Ann, Bob\nAnswer:"
    assert set(said["labels"]) == {"Ann", "Bob"}


def test_predictions_as_csv_run_nothing(path, capsys, tmp_path):
    file = tmp_path / "t.jsonl"
    file.write_text(
        '{"singular": "=1+1", "plural": "@x"}\n' * 1 + '{"singular": "a", "plural": "b"}\n'
    )
    arguments = ("evaluate", "--model", path, "--template", "plural-arrow", "--data", str(file))
    rows = list(csv.DictReader(io.StringIO(out(capsys, *arguments, "--csv"))))
    assert rows
    cells = [cell for row in rows for cell in row.values()]
    numbers = {"nll", "n_tokens"}
    assert all(not cell.startswith(("=", "+", "@")) for cell in cells)
    assert numbers <= set(rows[0])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["prompt", "--template", "nope", "--query", "x"], "There are: chat-turns, choice-letters"),
        (["prompt", "--template", "qa-short", "--query", "x", "--field", "y"], "no ‘=’"),
        (["prompt", "--template", "qa-short", "--query", "x", "--shots", "9999"], "shots"),
        (["evaluate", "--template", "qa-short", "--data", "nope"], "no data named"),
        (["evaluate", "--template", "qa-short", "--shots", "a"], "no list of numbers"),
        (["evaluate", "--template", "qa-short", "--shots", ""], "No number of shots"),
        (["evaluate", "--template", "qa-short", "--shots", "65"], "from 0 to 64"),
        (["evaluate", "--template", "qa-short", "--json", "--csv"], "Choose one"),
        (["evaluate", "--template", "qa-short", "--model", "tiny"], "need --study models"),
        (["evaluate", "--template", "qa-short", "--template", "qa-json"], "--study templates"),
        (["evaluate", "--template", "qa-short", "--study", "order"], "at least two examples"),
        (
            ["evaluate", "--template", "qa-short", "--study", "models", "--shots", "0,1"],
            "one number of shots",
        ),
        (["evaluate", "--template", "kind-sentence", "--study", "templates"], "no other wording"),
        (
            ["evaluate", "--template", "qa-short", "--data", "{table}"],
            "column ‘question’ is missing",
        ),
        (["evaluate", "--template", "qa-short", "--data", "{table}", "--map", "question=z"], "‘z’"),
    ],
)
def test_what_is_wrong_is_one_line(arguments, words, path, capsys, table):
    given = [part.replace("{table}", table) for part in arguments]
    assert main([given[0], "--model", path, *given[1:]]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert words in said


@pytest.fixture
def twice(tmp_path) -> Path:
    """Every text twice under another id."""
    lines = [
        json.dumps({"id": i, "text": f"review {i % 20}", "label": "positive"}) for i in range(40)
    ]
    path = tmp_path / "twice.jsonl"
    path.write_text("\n".join(lines))
    return path


def evaluated(capsys, *more: str) -> dict:
    command = ["evaluate", "--model", "tiny", "--template", "sentiment-sentence", "--json"]
    assert main([*command, *more]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_file_is_asked_as_a_whole_without_shots_and_without_twins_with_some(twice, capsys):
    said = evaluated(capsys, "--data", str(twice))
    assert said["results"][0]["n"] == 40
    said = evaluated(capsys, "--data", str(twice), "--shots", "1")
    assert said["results"][0]["n"] == 14
    assert any("20 of 40 rows are twins" in note for note in said["notes"])


def test_examples_come_from_a_second_file(twice, tmp_path, capsys):
    (tmp_path / "more.csv").write_text("text;label\nreview 1;positive\nanother, now;negative\n")
    more = ["--examples", str(tmp_path / "more.csv"), "--shots", "1"]
    said = evaluated(capsys, "--data", str(twice), *more)
    assert said["results"][0]["n"] == 40
    assert any("1 of 2 rows of more.csv" in note for note in said["notes"])


def test_bad_rows_are_skipped_on_request(twice, capsys):
    with twice.open("a") as file:
        file.write('\n{"text": "x", "label":\n{"text": "x", "label": "great"}\n')
    command = ["evaluate", "--model", "tiny", "--template", "sentiment-sentence"]
    assert main([*command, "--data", str(twice)]) == 2
    assert "Line 41 is no valid JSON" in capsys.readouterr().err
    said = evaluated(capsys, "--data", str(twice), "--skip-bad")
    assert said["results"][0]["n"] == 40
    assert any("2 rows were skipped" in note for note in said["notes"])


def test_the_form_is_chosen_and_told(capsys, tmp_path):
    model, table = str(save_chat_model(tmp_path / "chat")), str(tmp_path / "mine.jsonl")
    Path(table).write_text("".join(
        json.dumps({"text": f"the dog {i}", "y": ("good", "bad")[i % 2]}) + "\n" for i in range(12)
    ))  # fmt: skip
    (tmp_path / "mine.yaml").write_text(TEMPLATE)
    wording = ("--model", model, "--template", str(tmp_path / "mine.yaml"))
    asked = ("prompt", *wording, "--query", "the dog")
    for more, form in (((), "chat"), (("--form", "plain"), "plain"), (("--form", "chat"), "chat")):
        said = json.loads(out(capsys, *asked, "--json", *more))
        assert (said["form"], "<|im_start|>" in said["prompt"]) == (form, form == "chat")
        given = ("evaluate", *wording, "--data", table, "--limit", "2", *more)
        assert json.loads(out(capsys, *given, "--json"))["results"][0]["form"] == form
        assert f"{form} form" in out(capsys, *given)


def test_a_chat_form_that_there_is_not_is_said(path, capsys):
    arguments = ("prompt", "--model", path, "--template", "plural-arrow", "--query", "a dog")
    assert main([*arguments, "--form", "chat"]) == 2
    assert "no chat template" in capsys.readouterr().err
