"""What a run may take: memory is known before, bounded while it goes on, and time is asked for
between the parts of a step.
"""

import re
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from lmlab.errors import MemoryLimitError
from lmlab.features.tuning.service import Tuning
from lmlab.runs import confines, processes
from lmlab.runs.processes import End, told, watched
from lmlab.runs.store import Runs
from lmlab.runs.worker import train
from lmlab.settings import Settings
from lmlab.training import batches as counted
from lmlab.training.counting import Load, activation_bytes, roughly
from lmlab.training.events import Finished, HaltedError, TrainStep
from tests.tuningbits import DATA, TEMPLATE, quick, run

OWNER = "owner-one-0000"
FACTOR = 1.5


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_is_known_before_within_a_factor():
    """Some of the cases of ``bench.memory``, which measures many."""
    cases = ("lora all-linear 4×128", "gpt2 6×256 V=4096 prompt  4×128")
    asked = [sys.executable, "-m", "bench.memory", *cases]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    ratios = [float(one) for one in re.findall(r"MB +([\d.]+)  ", done.stdout)]
    assert len(ratios) >= len(cases)
    assert all(1 / FACTOR < ratio < FACTOR for ratio in ratios), done.stdout


def test_long_rows_count(folder, tmp_path, monkeypatch):
    from lmlab.lab import Lab

    lab = Lab.open(Settings(device="cpu", dtype="float32", runs_dir=tmp_path))
    tuning, name = lab.service(Tuning), str(folder("llama", "bytelevel-bos"))
    config = quick(method="full", targets="auto")
    plain = tuning.count(name, config)
    small = tuning.count(name, config, DATA)
    long_rows = replace(DATA, train=(*DATA.train, {"word": "dog " * 30, "answer": "x"}))
    long = tuning.count(name, config, long_rows)
    many = tuning.count(name, replace(config, batch_size=512), long_rows)
    assert plain.activation_bytes == 0
    assert plain.memory_bytes < small.memory_bytes < long.memory_bytes
    assert many.activation_bytes > long.activation_bytes
    # Attention with dropout keeps a table of scores; a guess from sizes alone knows nothing of it.
    outline = tuning.outline(str(folder("gpt2", "bytelevel-bos")))
    kept = [outline.kept(config, 1, width, 1) for width in (16, 32, 64)]
    assert kept[2] - kept[1] > 2 * (kept[1] - kept[0])
    monkeypatch.setattr("lmlab.training.outlines.kept_bytes", lambda *_: 1 / 0)
    guessed = outline.kept(replace(config, length=7), 1, 16, 1)
    assert guessed == roughly(outline.shape)(config, 1, 16, 1)


def test_what_is_too_much_is_refused_before_anything_is_made(folder, tmp_path, monkeypatch):
    from lmlab.lab import Lab

    lab = Lab.open(Settings(device="cpu", dtype="float32", runs_dir=tmp_path, memory_gb=0.1))
    tuning: Tuning = lab.service(Tuning)
    name = str(folder("llama", "bytelevel-bos"))
    rows = tuple({"word": "dog hill " * 10, "answer": f"{i}"} for i in range(600))
    data = replace(DATA, train=rows)
    with pytest.raises(MemoryLimitError, match=r"0\.1 GB are set aside.*smaller batches"):
        tuning.start(OWNER, name, data, TEMPLATE, quick(method="full", batch_size=600))
    assert list(Runs(tmp_path).all()) == []


def test_a_run_is_asked_to_end_between_the_parts_of_a_step(folder, monkeypatch):
    path, seen = folder("llama", "bytelevel-bos"), []
    real = counted.summed_loss

    def summed(*arguments):
        seen.append("forward")
        return real(*arguments)

    monkeypatch.setattr("lmlab.training.loop.summed_loss", summed)
    config = quick(method="full", steps=3, accumulation=4, batch_size=2)

    def stop():
        return "limit" if len(seen) >= 6 else None

    events, model = run(path, config, should_stop=stop)
    assert len(seen) == 6  # the second batch of the second step, and not its way back
    assert [event.step for event in events if isinstance(event, TrainStep)] == [1]
    last = events[-1]
    assert isinstance(last, Finished)
    assert (last.reason, last.step) == ("limit", 1)
    assert "time limit" in last.message
    assert all(p.grad is None for p in model.trained.values())
    assert HaltedError("stopped").reason == "stopped"


def test_a_halted_step_leaves_a_checkpoint_to_go_on_from(folder, tmp_path):
    made = Runs(tmp_path).new(
        OWNER, str(folder("llama", "bytelevel-bos")), DATA, TEMPLATE, quick(accumulation=4)
    )
    asked = iter(range(99))
    settings = Settings(device="cpu", dtype="float32")
    events = list(
        train(made, settings, should_stop=lambda: "stopped" if next(asked) > 20 else None)
    )
    step = events[-1].step
    assert 0 < step < 6
    assert made.has_checkpoint
    assert made.learned.name == f"adapter-{step}"
    assert made.info().can_resume
    rest = list(train(made, settings))
    assert [e.step for e in rest if isinstance(e, TrainStep)] == list(range(step + 1, 7))


def python(code: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


GREEDY = "import signal; x = b'1' * 300_000_000; print('ready', flush=True); signal.pause()"
DEAF = "import signal as s; s.signal(s.SIGTERM, s.SIG_IGN); print('ready', flush=True); s.pause()"


def test_a_process_that_takes_too_much_is_ended():
    end = watched(python(GREEDY), 600, 100_000_000)
    assert end.status == -signal.SIGKILL
    assert re.search(r"took 0\.\d+ GB of memory, more than the 0\.1 GB", end.why)
    assert "Nothing had been saved" in told(end, has_checkpoint=False)


def test_a_process_that_outlives_its_limit_is_ended_with_what_it_had_saved(monkeypatch):
    monkeypatch.setattr(processes, "GRACE", 0.0)
    end = watched(python(DEAF), 0.0, 10**12)
    assert end.status == -signal.SIGKILL
    assert "past its time limit" in end.why
    assert "last checkpoint is kept; it can be resumed" in told(end, has_checkpoint=True)
    assert told(End(processes.FULL), has_checkpoint=True).startswith("The disk is full.")


@pytest.mark.skipif(confines.resource is None, reason="the system has no such bound")
def test_what_the_system_refuses_is_a_sentence():
    code = (
        "import torch; from lmlab.runs.confines import bound_memory, said\n"
        "bound_memory(200_000_000)\n"
        "try: torch.zeros(200_000_000)\n"
        "except Exception as error: print(type(said(error)).__name__, said(error))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("MemoryLimitError There is not enough memory for this run.")


def test_a_load_counts_logits_and_measuring():
    from lmlab.training.shapes import ModelShape, Parameter

    matrix = Parameter("layers.0.up.weight", (64, 32), linear=True)
    shape = ModelShape("m", "k", 32, 50_000, 512, (matrix,), ("up",), False)
    config = quick(method="full", probe_rows=0)
    few, all_ = (activation_bytes(shape, config, Load(8, 256, n), roughly(shape)) for n in (8, 255))
    assert all_ - few > 3 * 4 * 50_000 * 8 * 240
    probed = activation_bytes(
        shape, replace(config, probe_rows=16), Load(8, 256, 8), roughly(shape)
    )
    assert probed > 2 * 4 * 50_000 * 2048
