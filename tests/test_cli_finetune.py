"""``lmlab finetune`` and ``lmlab runs``."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lmlab.cli.main import main
from lmlab.features.tuning.cli import interruptible
from lmlab.models.backends.transformers.adapters import WEIGHTS
from tests.folders import save_chat_model
from tests.test_adapters import KINDS, make

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


def test_tuning_goes_on_from_an_adapter(asked, rows, tmp_path, capsys):
    """Its settings are the run's, its weights the first step's; resuming needs it no more."""
    for method in (["--method", "lora", "--layers", "1", "--alpha", "6"], ["--method", "prompt"]):
        first, second = (tmp_path / f"{method[1]}{i}" for i in range(2))
        assert main([*asked, *method, "--lr", "0.02", "--out", str(first), "--json"]) == 0
        before = json.loads(capsys.readouterr().out)
        adapter = tmp_path / f"my-{method[1]}"
        (first / "adapter-4").rename(adapter)
        on = [*asked[: asked.index("--steps")], "--adapter", str(adapter), "--steps", "4"]
        on += "--batch 4 --answer-rows 0 --probe-rows 2 --samples 0 --save-every 2".split()
        assert main([*on, "--lr", "1e-9", "--out", str(second), "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert said["valid_loss"] == pytest.approx(before["valid_loss"], abs=1e-5)
        events = _events(second)
        (start,) = (e for e in events if e["event"] == "Evaluated" and e["step"] == 0)
        assert start["valid_loss"] == pytest.approx(before["valid_loss"], abs=1e-5)
        assert start["probe_loss"] == pytest.approx(before["probe_loss"], abs=1e-5)
        spec = json.loads((second / "run.json").read_text())
        assert (spec["adapter"], "+" in spec["model"]) == (str(adapter), False)
        settings = json.loads((second / "adapter-4" / "adapter_config.json").read_text())
        old = json.loads((adapter / "adapter_config.json").read_text())
        same = ("peft_type", "r", "lora_alpha", "num_virtual_tokens", "base_model_name_or_path")
        assert [settings.get(key) for key in same] == [old.get(key) for key in same]
        adapter.rename(tmp_path / "gone")
        shutil.rmtree(second / "checkpoints" / "4")
        assert main(["finetune", "--resume", "--out", str(second)]) == 0
        assert [e["first"] for e in _events(second) if e["event"] == "Started"] == [0, 2]
        (tmp_path / "gone").rename(tmp_path / f"old-{method[1]}")
        capsys.readouterr()


def test_what_cannot_go_on_from_an_adapter_gets_a_sentence(asked, lora_folder, tmp_path, capsys):
    base = ["finetune", "--model", asked[2], "--adapter", str(lora_folder)]
    base += [*asked[3 : asked.index("--rank")], "--out", str(tmp_path / "run")]
    for more, said in (
        (["--rank", "2"], "rank is 4, not 2"),
        (["--method", "prompt"], "method is lora, not prompt"),
        (["--method", "full"], "Merge it first (lmlab merge)"),
        (["--dora"], "dora is False, not True"),
    ):
        assert main([*base, *more]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    other = tmp_path / "other"
    make(other, asked[2], KINDS["lora and a head"]())
    base[4] = str(other)
    assert main(base) == 2
    assert "an adapter with modules_to_save" in capsys.readouterr().err


def test_the_default_rate_says_where_it_comes_from(asked, tmp_path, capsys):
    assert main([*asked, "--out", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().err
    assert "Learning rate 0.003, as suits lora on" in said
    assert main([*asked, "--lr", "0.01", "--out", str(tmp_path / "own")]) == 0
    assert "as suits" not in capsys.readouterr().err


def test_a_finished_run_is_made_longer(asked, tmp_path, capsys):
    """At a constant rate it equals a run that was as long from the start, bit by bit."""
    short, whole = tmp_path / "short", tmp_path / "whole"
    more = ["--schedule", "constant", "--dropout", "0.1"]
    assert main([*asked, *more, "--out", str(short)]) == 0
    on = ["finetune", "--resume", "--out", str(short)]
    assert main([*on, "--steps", "3"]) == 2
    assert "steps is 4, not 3" in capsys.readouterr().err
    assert main(on) == 2
    assert "More of them are made with --steps" in capsys.readouterr().err
    assert main([*on, "--steps", "7"]) == 0
    assert main([*asked, *more, "--steps", "7", "--out", str(whole)]) == 0
    assert _losses(_events(short)) == _losses(_events(whole))
    assert not (short / "adapter-4").exists()
    first, second = (load_file(path / "adapter-7" / WEIGHTS) for path in (short, whole))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert main([*on, "--epochs", "3"]) == 0
    assert json.loads((short / "run.json").read_text())["config"]["steps"] == 9


def test_a_longer_cosine_starts_again_above_zero(asked, tmp_path):
    out = tmp_path / "run"
    assert main([*asked, "--out", str(out)]) == 0
    assert main(["finetune", "--resume", "--steps", "8", "--out", str(out)]) == 0
    rates = [e["learning_rate"] for e in _events(out) if e["event"] == "TrainStep"]
    assert len(rates) == 8
    assert rates[4] > rates[5] > rates[7] > 0


def test_epochs_stand_for_steps(asked, tmp_path, capsys):
    out = tmp_path / "run"
    plain = [*asked[: asked.index("--steps")], *FAST[2:]]
    assert main([*plain, "--epochs", "2", "--out", str(out), "--json"]) == 0
    said = capsys.readouterr()
    assert "2 epochs of 11 rows are 6 steps" in said.err
    assert json.loads(said.out)["steps"] == 6
    assert main([*asked, "--epochs", "2", "--out", str(tmp_path / "both")]) == 2
    assert "Both --steps and --epochs" in capsys.readouterr().err
    assert main([*plain, "--epochs", "0", "--out", str(tmp_path / "none")]) == 2
    assert "above 0" in capsys.readouterr().err


def test_ctrl_c_says_what_it_waits_for(capfd):
    with interruptible() as should_stop:
        assert should_stop() is None
        os.kill(os.getpid(), signal.SIGINT)
        assert should_stop() == "stopped"
        assert "ends when the batch, the row or the token at hand is done" in capfd.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
