"""``lmlab pretrain``."""

import json

import pytest

from lmlab.cli.main import main
from tests.test_pretraining import TEXT

FAST = (
    "--layers 1 --width 16 --heads 2 --vocab 300 --context 16 --steps 4 --batch 4 --save-every 1"
).split()


@pytest.fixture(autouse=True)
def own_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("LMLAB_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setenv("LMLAB_DEVICE", "cpu")


@pytest.fixture
def asked(tmp_path) -> list[str]:
    path = tmp_path / "words.txt"
    path.write_text(TEXT)
    return ["pretrain", "--data", str(path), *FAST]


def test_json_says_what_was_done_and_the_model_completes(asked, tmp_path, capsys):
    out = tmp_path / "run"
    assert main([*asked, "--out", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["steps"], said["reason"], said["model"]) == (4, "done", str(out / "model-4"))
    assert said["base"] < said["unigram"] < said["uniform"]
    assert said["valid_loss"] < said["valid_loss_before"]
    assert main(["generate", "--model", said["model"], "--prompt", "The", "--json"]) == 0
    capsys.readouterr()
    assert main([*asked, "--out", str(out)]) == 2
    assert "is there already" in capsys.readouterr().err


def test_the_table_names_the_lines(asked, capsys):
    assert main(asked) == 0
    said = capsys.readouterr().out
    for name in ("before", "after", "ln V", "frequencies", "the shipped base", "bits per byte"):
        assert name in said
    assert main(["runs", "--json"]) == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert (run["title"], run["state"]) == ("1 × 16 from nothing, words.txt", "done")


def test_resume_goes_on_and_refuses_other_settings(asked, tmp_path, capsys):
    out = tmp_path / "run"
    assert main([*asked, "--max-seconds", "1e-9", "--out", str(out)]) == 0
    assert "time limit" in capsys.readouterr().out
    resume = ["pretrain", "--resume", "--out", str(out)]
    assert main([*resume, "--width", "32", "--data", "plays"]) == 2
    told = capsys.readouterr().err
    assert "width is 16, not 32" in told
    assert "data is words.txt, not plays" in told
    assert main(resume) == 0
    assert "4 steps" in capsys.readouterr().out
    assert main(resume) == 2
    assert "All 4 steps" in capsys.readouterr().err


def test_what_cannot_be_leaves_no_folder_behind(asked, tmp_path, capsys):
    out, short = tmp_path / "run", tmp_path / "short.txt"
    short.write_text("too short")
    for more, said in (
        (["--heads", "3"], "cannot be shared"),
        (["--vocab", "10"], "from 257"),
        (["--data", "nowhere"], "no text named"),
        (["--data", str(short)], "too few"),
        (["--size", "huge"], "invalid choice"),
    ):
        if "--size" in more:
            with pytest.raises(SystemExit):
                main([*asked, *more, "--out", str(out)])
        else:
            assert main([*asked, *more, "--out", str(out)]) == 2
        assert said in capsys.readouterr().err
    assert not out.exists()


def test_a_column_of_a_table_is_learned_and_not_its_braces(tmp_path, capsys):
    from lmlab.features.data.cleaning import Cleaning, to_jsonl
    from lmlab.features.data.findings import Inspected, Looked

    texts = [f"The dog number {i} ran over the hill and saw a red ball there." for i in range(50)]
    rows = [{"id": i, "body": text} for i, text in enumerate(texts)]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    (tmp_path / "rows.csv").write_text(
        "id;body\n" + "".join(f"{i};{t}\n" for i, t in enumerate(texts))
    )
    found = tuple(Looked(text, 9, (), "en", 1.0, None, None) for text in texts)
    kept = to_jsonl(Inspected("mine", "base", 0.8, found, 500), Cleaning())
    (tmp_path / "kept.jsonl").write_text(kept)
    for name, more in (("rows.json", ["--column", "body"]), ("rows.csv", []), ("kept.jsonl", [])):
        out = tmp_path / f"run-{name}"
        data = ["--data", str(tmp_path / name), *more]
        assert main(["pretrain", *data, *FAST, "--out", str(out)]) == 0
        learned = [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]
        held = [json.loads(line) for line in (out / "valid.jsonl").read_text().splitlines()]
        assert sorted(row["text"] for row in (*learned, *held)) == sorted(texts)
    capsys.readouterr()
    out = tmp_path / "none"
    data = ["--data", str(tmp_path / "rows.json"), "--column", "no"]
    assert main(["pretrain", *data, *FAST, "--out", str(out)]) == 2
    assert "no column ‘no’" in capsys.readouterr().err
    assert not out.exists()
