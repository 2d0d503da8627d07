"""``lmlab finetune`` and ``lmlab runs``."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lmlab.cli.main import main
from tests.folders import save_chat_model

FAST = "--steps 4 --batch 4 --rank 2 --answer-rows 0 --probe-rows 2 --samples 0".split()


@pytest.fixture(autouse=True)
def own_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("LMLAB_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setenv("LMLAB_DEVICE", "cpu")


@pytest.fixture
def rows(tmp_path) -> Path:
    path = tmp_path / "words.csv"
    words = "dog cat hill ball grass king garden world man red big time".split()
    lines = [f"{word},the {word}" for word in words]
    path.write_text("asked,said\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture
def asked(folder, rows) -> list[str]:
    return [
        *("finetune", "--model", str(folder("llama", "bytelevel-bos"))),
        *("--data", str(rows), "--map", "question=asked", "--map", "answer=said"),
        *("--template", "qa-question", *FAST),
    ]


def test_json_says_what_was_done(asked, tmp_path, capsys):
    out = tmp_path / "run"
    assert main([*asked, "--out", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    keys = "run steps trainable total train_loss valid_loss probe_loss_before probe_loss seconds"
    assert {*keys.split(), "adapter"} <= set(said)
    assert (said["run"], said["adapter"], said["steps"]) == (str(out), str(out / "adapter-4"), 4)
    assert (out / "adapter-4" / "adapter_model.safetensors").is_file()
    assert main([*asked, "--out", str(out)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert main(["runs", str(tmp_path), "--json"]) == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert (run["state"], run["step"]) == ("done", 4)


def test_resume_refuses_other_settings_and_names_them(asked, tmp_path, capsys):
    out = tmp_path / "run"
    assert main([*asked, "--save-every", "1", "--max-seconds", "1e-9", "--out", str(out)]) == 0
    assert "time limit" in capsys.readouterr().out
    resume = ["finetune", "--resume", "--out", str(out)]
    assert main([*resume, "--rank", "8", "--model", "base"]) == 2
    told = capsys.readouterr().err
    assert "rank is 2, not 8" in told
    assert "not base" in told
    assert main(resume) == 0
    assert "4 steps" in capsys.readouterr().out
    assert main(resume) == 2
    assert "All 4 steps" in capsys.readouterr().err
    assert main(["finetune", "--resume", "--out", str(tmp_path)]) == 2
    assert "holds no fine-tuning run" in capsys.readouterr().err


def test_what_cannot_be_leaves_no_folder_behind(asked, tmp_path, capsys):
    out = tmp_path / "run"
    for more, said in (
        (["--targets", "nope"], "q_proj, k_proj"),
        (["--rank", "0"], "rank cannot be 0"),
        (["--rank", "300"], "Take at most 16"),
        (["--data", "nowhere"], "no data named"),
        (["--map", "x"], "has no ‘=’"),
        (["--template", "nope"], "no template named"),
        (["--method", "selective", "--parts", "biases"], "matches ‘biases’"),
    ):
        assert main([*asked, *more, "--out", str(out)]) == 2
        assert said in capsys.readouterr().err
    assert not out.exists()


def test_a_rate_far_too_high_is_told(asked, tmp_path, capsys):
    out = tmp_path / "run"
    more = ["--method", "full", "--lr", "1e12", "--clip", "0", "--steps", "12", "--json"]
    assert main([*asked, *more, "--out", str(out)]) == 2
    found = capsys.readouterr()
    assert json.loads(found.out)["reason"] == "nan"
    assert "Not-a-number came up in step" in found.err


def test_two_processes_do_the_work_of_one(asked, tmp_path, capsys):
    alone, together = tmp_path / "alone", tmp_path / "together"
    more = ["--accumulation", "2", "--batch", "3", "--json"]
    assert main([*asked, *more, "--out", str(alone)]) == 0
    capsys.readouterr()
    launch = [*("-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2")]
    launch += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    launch += ["--main_process_port", str(20_000 + os.getpid() % 20_000), "-m", "lmlab"]
    done = subprocess.run(
        [sys.executable, *launch, *asked, *more, "--out", str(together)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.strip().splitlines()[-1])
    assert said["steps"] == 4
    first, second = (_events(path) for path in (alone, together))
    assert second[0]["processes"] == 2
    assert _losses(second) == pytest.approx(_losses(first), rel=1e-4)
    assert second[-1]["valid_loss"] == pytest.approx(first[-1]["valid_loss"], rel=1e-4)


def _events(path: Path) -> list[dict]:
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


def _losses(events: list[dict]) -> list[float]:
    return [event["loss"] for event in events if event["event"] == "TrainStep"]


def tuned_on(folder, data: Path, out: Path, *more: str) -> int:
    command = ["finetune", "--model", str(folder("llama", "bytelevel-bos")), "--data", str(data)]
    return main([*command, *FAST, "--out", str(out), *more])


def test_instructions_and_chats_find_their_wording(folder, tmp_path, capsys):
    said = [{"instruction": f"Say {i}.", "input": "", "output": f"It is {i}."} for i in range(12)]
    answer = {"role": "assistant", "content": "So."}
    chats = [{"messages": [{"role": "user", "content": f"Say {i}."}, answer]} for i in range(12)]
    for name, rows, wording in (
        ("alpaca.json", said, "instruction-alpaca"),
        ("chats.json", chats, "chat-turns"),
    ):
        data, out = tmp_path / name, tmp_path / wording
        data.write_text(json.dumps(rows))
        assert tuned_on(folder, data, out) == 0
        spec = json.loads((out / "run.json").read_text())
        assert (spec["template"]["name"], spec["data"]) == (wording, name)
        places = json.loads((out / "places.json").read_text())
        rows = [row for part in places.values() for row, _ in part]
        assert sorted(rows) == list(range(1, 13))


def test_a_failed_start_leaves_no_folder_and_names_the_row_of_the_file(folder, tmp_path, capsys):
    rows = [{"question": f"q {i}", "answer": "a"} for i in range(20)]
    rows[11]["question"] = "so long " * 400
    data, out = tmp_path / "rows.jsonl", tmp_path / "run"
    data.write_text("\n\n" + "\n".join(map(json.dumps, rows)))
    asked = ["--template", "qa-question"]
    assert tuned_on(folder, data, out, *asked) == 2
    assert "Row 12 (line 14) (‘Question: so long" in capsys.readouterr().err
    assert not out.exists()
    assert tuned_on(folder, data, out, *asked, "--skip-bad", "--json") == 0
    said = capsys.readouterr()
    assert "1 row was skipped: Row 12 (line 14)" in said.err
    assert json.loads(said.out)["rows"] == 17


def test_rows_of_a_second_file_are_held_out(folder, tmp_path, capsys):
    data, held = tmp_path / "rows.csv", tmp_path / "held.csv"
    data.write_text("question;answer\n" + "".join(f"q {i};a {i}\n" for i in range(20)))
    held.write_text("question,answer\n" + "".join(f"q {i},a {i}\n" for i in range(16, 24)))
    out = tmp_path / "run"
    more = ["--template", "qa-question", "--valid", str(held), "--json"]
    assert tuned_on(folder, data, out, *more) == 0
    said = capsys.readouterr()
    assert "4 of 20 rows stand in held.csv as well" in said.err
    assert (json.loads(said.out)["rows"], json.loads(said.out)["held_out"]) == (16, 8)


def test_the_form_of_a_run_is_asked_for_and_told(rows, tmp_path, capsys):
    """It follows the template where nobody says otherwise."""
    model, wording = save_chat_model(tmp_path / "chat"), tmp_path / "mine.yaml"
    text = "name: mine\nquery: '{{ asked }}:'\ntarget: ' {{ said }}'\nanswer: said\n"
    wording.write_text(text)
    given = ["finetune", "--model", str(model), "--data", str(rows), "--template", str(wording)]
    given += [*FAST, "--json"]
    for name, form, more in (("a", "plain", ()), ("b", "chat", ("--form", "chat"))):
        assert main([*given, "--out", str(tmp_path / name), *more]) == 0
        told = capsys.readouterr()
        assert json.loads(told.out)["form"] == form
        assert ("asked in the plain form afterwards" in told.err) == (form == "plain")
        raw = json.loads((tmp_path / name / "run.json").read_text())
        assert raw["config"]["form"] == form
    wording.write_text(f"{text}form: chat\n")
    assert main([*given, "--out", str(tmp_path / "c")]) == 0
    assert json.loads(capsys.readouterr().out)["form"] == "chat"
    assert main([*given, "--out", str(tmp_path / "d"), "--form", "plain"]) == 0
    assert json.loads(capsys.readouterr().out)["form"] == "plain"


def test_a_model_without_a_chat_template_is_not_tuned_in_chat_form(asked, tmp_path, capsys):
    assert main([*asked, "--out", str(tmp_path / "run"), "--form", "chat"]) == 2
    assert "no chat template" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
