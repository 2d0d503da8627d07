"""Fine-tuning steps against the libraries' own trainers: same rows, batches, seed and start.

    python -m bench.finetuning [--rounds N] [--steps N] [--only NAME] [--gpu]

The time of a step is the median over a run, and the median over rounds in which every contestant
takes its turn; ratios are to bare forward, backward and step on padded batches.
"""

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from transformers import get_scheduler
from transformers.utils import logging

from bench import models
from bench.timing import peak_megabytes_apart
from bench.trainers import BETAS, Case, Run, item, padded, sft, trainer
from lmlab.assets import models_dir
from lmlab.models.backends.transformers.loading import inspect, load
from lmlab.runs.store import RunFolder
from lmlab.runs.worker import Notes
from lmlab.settings import Settings
from lmlab.text.wordings import shipped_template
from lmlab.training.config import FinetuneConfig
from lmlab.training.events import TrainStep
from lmlab.training.examples import Material, structured
from lmlab.training.finetune import finetune
from lmlab.training.rows import Example
from lmlab.training.sets import shipped_data


def main() -> None:
    """Print one table a case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--cpu", action="store_true", help="processor time, on a busy machine")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--gpu", action="store_true", help="on the CUDA device, in bfloat16")
    arguments = parser.parse_args()
    console = Console(width=120)
    where = torch.cuda.get_device_name() if arguments.gpu else f"{torch.get_num_threads()} threads"
    console.print(f"torch {torch.__version__}, {where}")
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory() as folder:
        for case in _cases(Path(folder), arguments.steps):
            case = replace(
                case,
                clock=time.process_time if arguments.cpu else time.perf_counter,
                device="cuda" if arguments.gpu else "cpu",
            )
            if arguments.only in case.name:
                console.print(_table(case, arguments.rounds))


def _cases(folder: Path, count: int) -> Iterator[Case]:
    config = FinetuneConfig(
        targets="all-linear", rank=8, steps=count, batch_size=8, evaluate_every=0, sample_every=0,
        save_every=0, answer_rows=0, probe_rows=0, samples=0,
    )  # fmt: skip
    ids = torch.randint(3, 4000, (8 * count, 128), generator=torch.Generator().manual_seed(0))
    whole = tuple(_whole(row, i) for i, row in enumerate(ids.tolist()))
    path = models.ten_million(folder / "10 M")
    yield Case("10 M, 8 × 128 tokens, loss on all", path, config, whole)
    path = models.gpt2(folder / "GPT-2")
    yield Case("GPT-2 124 M, 8 × 128 tokens, loss on all", path, config, whole)
    base = models_dir() / "base"
    weights = load(inspect(base, "base"), Settings(device="cpu", dtype="float32"))
    template, rows = shipped_template("qa-tuned"), shipped_data("qa").train[: 16 * count]
    config = replace(config, batch_size=16)
    found = structured(weights.vocabulary, template, rows, config, 512)
    yield Case("base, 16 questions, loss on answers", base, config, tuple(found))


def _whole(ids: Sequence[int], number: int) -> Example:
    return Example(tuple(ids), 1, 1, 0, False, 0, "", "", None, number)


def _table(case: Case, rounds: int) -> Table:
    contestants: dict[str, Callable[[Case], Run]] = {
        "bare forward, backward, step": _bare,
        "lmlab": _lmlab,
        "lmlab, each event written to a run's folder": _written,
        "transformers.Trainer + peft": trainer,
    }
    try:
        from trl import SFTTrainer  # noqa: F401

        contestants["TRL's SFTTrainer + peft"] = sft
    except ImportError:
        pass
    times: dict[str, list[float]] = {name: [] for name in contestants}
    losses: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, run in contestants.items():
            losses[name], stamps = run(case)
            gaps = [b - a for a, b in itertools.pairwise(stamps)]
            times[name].append(statistics.median(gaps[2:]))
    measured = _peak_on_gpu if case.on_gpu else peak_megabytes_apart
    peaks = {name: measured(partial(run, case)) for name, run in contestants.items()}
    table = Table("", "steps a second", "time ratio", "peak MB", "largest gap in loss",
                  title=case.name)  # fmt: skip
    seconds = {name: statistics.median(found) for name, found in times.items()}
    bare = seconds["bare forward, backward, step"]
    for name, found in seconds.items():
        pairs = zip(losses[name], losses["lmlab"], strict=True)
        gap = max(abs(one - other) for one, other in pairs)
        table.add_row(
            name, f"{1 / found:.2f}", f"{found / bare:.2f}", f"{peaks[name]:.0f}", f"{gap:.1e}"
        )
    return table


def _bare(case: Case) -> Run:
    """The least that a straightforward loop does, on batches padded to their longest row."""
    tuned, config = case.tuned(), case.config
    tuned.model.train()
    optimiser: Any = torch.optim.AdamW(
        tuned.trained.values(), lr=config.learning_rate, betas=BETAS, weight_decay=0
    )
    schedule = get_scheduler(
        config.schedule, optimiser, round(config.warmup * config.steps), config.steps
    )
    rows, size = case.in_order(), config.batch_size
    losses, stamps = [], [case.clock()]
    for low in range(0, len(rows), size):
        batch = padded([item(row) for row in rows[low : low + size]])
        batch = {key: value.to(case.device) for key, value in batch.items()}
        with torch.autocast(case.device, torch.bfloat16, enabled=case.on_gpu):
            loss = tuned.model(**batch, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(tuned.trained.values()), config.clip)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        losses.append(float(loss.detach()))
        stamps.append(case.clock())
    return losses, stamps


def _peak_on_gpu(job: Callable[[], object]) -> float:
    """The most that tensors took on the device while a job ran, in MB."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    job()
    return torch.cuda.max_memory_allocated() / 1e6


def _lmlab(case: Case) -> Run:
    losses, stamps = [], [case.clock()]
    for event in finetune(case.tuned(), Material(case.rows)):
        if isinstance(event, TrainStep):
            losses.append(event.loss)
            stamps.append(case.clock())
    return losses, stamps


def _written(case: Case) -> Run:
    """As a page's run: every event goes to the log, and the state is noted twice a second."""
    losses, stamps = [], [case.clock()]
    with tempfile.TemporaryDirectory() as path:
        folder = RunFolder(Path(path))
        notes = Notes(folder)
        for event in finetune(case.tuned(), Material(case.rows)):
            folder.append(event)
            notes.take(event)
            if isinstance(event, TrainStep):
                losses.append(event.loss)
                stamps.append(case.clock())
    return losses, stamps


if __name__ == "__main__":
    main()
