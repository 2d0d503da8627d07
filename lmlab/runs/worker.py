"""Runs what a run's folder asks for, in this process: loads a private copy of the base, trains it,
writes every event. ``python -m lmlab.runs.worker`` waits for a folder's name, for a page's jobs.
"""

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import torch

from lmlab.assets import in_checkout
from lmlab.errors import DiskError, LabError, disk_error
from lmlab.runs import pretrain_worker
from lmlab.runs.bases import material, outline_of, private, ready
from lmlab.runs.confines import bound_memory, log_into, said, threads_of
from lmlab.runs.locks import HeldError
from lmlab.runs.log import DAMAGED
from lmlab.runs.model_store import ModelRef, ModelStore
from lmlab.runs.notes import Notes
from lmlab.runs.processes import FULL, HELD
from lmlab.runs.store import RunFolder, RunSpec, title_of, write_whole
from lmlab.settings import Settings
from lmlab.training import checkpoints
from lmlab.training.card import card
from lmlab.training.events import Finished, Reason, Started, TrainEvent
from lmlab.training.finetune import finetune

__all__ = ["main", "material", "outline_of", "private", "train"]

Stop = Callable[[], Reason | None]


def train(
    folder: RunFolder,
    settings: Settings,
    *,
    should_stop: Stop = lambda: None,
    accelerator: Any = None,
) -> Iterator[TrainEvent]:
    """Run a folder from the start, or from its last checkpoint; every event is written, then given.

    Raises:
        HeldError: another process trains it.
        LabError: what went wrong, in a sentence that stands in the run's state as well.
    """
    leads = accelerator is None or accelerator.is_main_process
    spec = folder.spec
    with ExitStack() as held:
        if leads:
            try:
                held.enter_context(folder.held())
            except OSError as error:
                raise said(error) from error
        yield from _told(folder, spec, settings, should_stop, accelerator, leads)


def _told(
    folder: RunFolder,
    spec: RunSpec,
    settings: Settings,
    should_stop: Stop,
    accelerator: Any,
    leads: bool,
) -> Iterator[TrainEvent]:
    """The events of a run that is this process's own, each written down."""
    try:
        if leads:
            process = psutil.Process()
            notes = _taken_up(folder)
            known = {"pid": process.pid, "born": process.create_time(), "message": "", "reason": ""}
            folder.set_state("running", **known)
        for event in _events(folder, spec, settings, should_stop, accelerator):
            if leads:
                if notes and isinstance(event, Started):
                    event = replace(event, warnings=(*notes, *event.warnings))
                folder.append(event)
            yield event
    except GeneratorExit:
        if leads:
            folder.set_state("interrupted")
        raise
    except BaseException as error:
        told = said(error)
        if leads:
            _failed(folder, told)
        if isinstance(error, Exception):
            raise told from error
        raise


def _taken_up(folder: RunFolder) -> list[str]:
    """Cut the log to where the run goes on; what was damaged, in sentences."""
    found, notes = checkpoints.sound(folder.path)
    lost = folder.rewind(int(found.name) if found else 0)
    if lost:
        lines = "1 line" if lost == 1 else f"{lost:,} lines"
        notes.append(
            f"{lines} of the run's log, metrics.jsonl, could not be read and lie in {DAMAGED}; all "
            "others are kept, and the training is not touched by it."
        )
    return notes


def _events(
    folder: RunFolder, spec: RunSpec, settings: Settings, should_stop: Stop, accelerator: Any
) -> Iterator[TrainEvent]:
    """The events, with the run's state kept up to date."""
    stop = _stop(folder, settings, should_stop)
    leads = accelerator is None or accelerator.is_main_process
    note, started = Notes(folder), None
    if spec.pretraining:
        made = pretrain_worker.events(folder, spec, settings, stop)
    else:
        made = _finetuned(folder, spec, settings, stop, accelerator)
    for event in made:
        started = event if isinstance(event, Started) else started
        if leads and isinstance(event, Finished) and started:
            _write_card(folder, spec, started, event)
        if leads:
            note.take(event)
        yield event


def _finetuned(
    folder: RunFolder, spec: RunSpec, settings: Settings, should_stop: Stop, accelerator: Any
) -> Iterator[TrainEvent]:
    config = spec.config
    # A checkpoint has all that learns: the adapter may have gone by then.
    adapter = "" if checkpoints.newest(folder.path) else spec.adapter
    device = accelerator.device if accelerator is not None else None
    tuned = ready(spec.model, adapter, settings, config, device)
    return finetune(
        tuned,
        material(tuned, spec.template, folder.data(spec), config),
        out=folder.path,
        base_name=ModelStore(settings).base_name(ModelRef.parse(spec.model)),
        should_stop=should_stop,
        accelerator=accelerator,
    )


def _stop(folder: RunFolder, settings: Settings, should_stop: Stop) -> Stop:
    began = time.monotonic()

    def ask() -> Reason | None:
        if folder.stop_file.exists():
            return "stopped"
        if time.monotonic() - began > settings.max_train_seconds:
            return "limit"
        return should_stop()

    return ask


def _write_card(folder: RunFolder, spec: RunSpec, started: Started, event: Finished) -> None:
    if spec.pretraining:
        text = pretrain_worker.card(folder, spec, started, event)
    else:
        template = spec.template.name if spec.template else ""
        base = in_checkout(spec.model)
        text = card(title_of(spec), base, spec.data, template, spec.config, started, event)
    write_whole(folder.path / "README.md", text)
    learned = folder.learned
    if learned is not None:
        write_whole(learned / "README.md", text)


def _failed(folder: RunFolder, error: LabError) -> None:
    try:
        folder.set_state("failed", message=str(error))
    except OSError:
        # The disk is full: the run then counts as interrupted, which is true as well.
        return


def main() -> int:
    """Wait for one line of JSON, {"folder", "settings", "page"}, and run that folder; a status.

    ``page``: whose run it has to be; empty does not ask.
    """
    asked: list[str] = []
    signal.signal(signal.SIGTERM, lambda *_: asked.append("stopped"))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    line = sys.stdin.readline()
    if not line.strip():
        return 0
    request = json.loads(line)
    folder, settings = RunFolder(Path(request["folder"])), Settings(**request["settings"])
    page = request.get("page")
    if page and folder.state.get("page") != page:
        return HELD
    try:
        log_into(folder.path / "log.txt")
        os.nice(settings.train_nice)
        torch.set_num_threads(threads_of(settings))
        bound_memory(ModelStore(settings).budget)
        for _ in train(folder, settings, should_stop=lambda: "stopped" if asked else None):
            pass
    except HeldError:
        return HELD
    except (LabError, OSError) as error:
        with suppress(OSError):
            traceback.print_exc()
        return FULL if isinstance(error, DiskError) or disk_error(error) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
