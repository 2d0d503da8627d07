"""Runs what a run's folder asks for, in this process: loads a private copy of the base, or makes a
model from nothing, trains it, writes every event. ``python -m lmlab.runs.worker`` waits for a
folder's name, for a page's jobs.
"""

import json
import math
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
from lmlab.runs import pretrain_worker, sinks
from lmlab.runs.bases import material, ready
from lmlab.runs.confines import bound_memory, log_into, said, threads_of
from lmlab.runs.locks import HeldError
from lmlab.runs.model_store import ModelRef, ModelStore
from lmlab.runs.processes import FULL, HELD
from lmlab.runs.records import DAMAGED, rewind
from lmlab.runs.siblings import alike
from lmlab.runs.specs import FINAL
from lmlab.runs.store import RunFolder, Runs, RunSpec, title_of, write_whole
from lmlab.settings import Settings
from lmlab.training import checkpoints
from lmlab.training.card import card
from lmlab.training.events import (
    Evaluated,
    Finished,
    Reason,
    Sized,
    Started,
    TrainEvent,
    TrainStep,
)
from lmlab.training.finetune import finetune
from lmlab.training.sizing import Budget

Stop = Callable[[], Reason | None]
PULSE = 0.5  # seconds between two notes


def train(
    folder: RunFolder,
    settings: Settings,
    *,
    should_stop: Stop = lambda: None,
    accelerator: Any = None,
) -> Iterator[TrainEvent]:
    """Run a folder from the start, or from its last checkpoint; every event is written, then given.

    Of several processes that share the work, the main one alone writes.

    Raises:
        HeldError: another process trains it.
        LabError: what went wrong, in a sentence that stands in the run's state as well.
    """
    spec = folder.spec
    events = _made(folder, spec, settings, _stop(folder, settings, should_stop), accelerator)
    if accelerator is not None and not accelerator.is_main_process:
        try:
            yield from events
        except Exception as error:
            raise said(error) from error
        return
    with ExitStack() as held:
        try:
            held.enter_context(folder.held())
        except OSError as error:
            raise said(error) from error
        yield from _written(folder, spec, sinks.told(events, spec, settings))


def tried(folder: RunFolder, events: Iterator[TrainEvent]) -> Iterator[TrainEvent]:
    """The events of a new run; its folder is removed where it fails before its first step.

    Raises:
        LabError: what the events raise.
    """
    begun = False
    try:
        for event in events:
            begun = begun or isinstance(event, TrainStep)
            yield event
    except LabError:
        if not begun:
            Runs(folder.path.parent).delete(folder)
        raise


def _written(
    folder: RunFolder, spec: RunSpec, events: Iterator[TrainEvent]
) -> Iterator[TrainEvent]:
    """The events of a run that is this process's own, each written down, the state up to date."""
    try:
        process, notes = psutil.Process(), Notes(folder)
        damaged, started = _taken_up(folder), None
        known = {"pid": process.pid, "born": process.create_time(), "message": "", "reason": ""}
        folder.set_state("running", **known)
        for event in events:
            if isinstance(event, Started):
                event = started = replace(event, warnings=(*damaged, *event.warnings))
            if isinstance(event, Finished) and started:
                _write_card(folder, spec, started, event)
            # First what happened, then the state: who sees a run that is over reads all of it.
            folder.append(event)
            notes.take(event)
            yield event
    except GeneratorExit:
        folder.set_state("interrupted")
        raise
    except BaseException as error:
        told = said(error)
        with suppress(OSError):
            # Where the disk is full, the run counts as interrupted, which is true as well.
            folder.set_state("failed", message=str(told))
        if isinstance(error, Exception):
            raise told from error
        raise


def _taken_up(folder: RunFolder) -> list[str]:
    """Cut the log to where the run goes on; what was damaged, in sentences."""
    found, notes = checkpoints.sound(folder.path)
    lost = rewind(folder.path, int(found.name) if found else 0)
    if lost:
        lines = "1 line" if lost == 1 else f"{lost:,} lines"
        notes.append(
            f"{lines} of the run's log, metrics.jsonl, could not be read and lie in {DAMAGED}; all "
            "others are kept, and the training is not touched by it."
        )
    return notes


def _made(
    folder: RunFolder, spec: RunSpec, settings: Settings, stop: Stop, accelerator: Any
) -> Iterator[TrainEvent]:
    """The events of a run from nothing, or of fine-tuning; a model is loaded on the first one."""
    config, data = spec.config, folder.data(spec)
    if spec.pretraining:
        yield from pretrain_worker.events_of(
            spec.pretraining, data, settings, out=folder.path, should_stop=stop
        )
        return
    # A checkpoint has all that learns: the adapter may have gone by then.
    adapter = "" if checkpoints.newest(folder.path) else spec.adapter
    device = accelerator.device if accelerator is not None else None
    tuned = ready(spec.model, adapter, settings, config, device)
    yield from finetune(
        tuned,
        material(tuned, spec.template, data, config),
        out=folder.path,
        base_name=ModelStore(settings).base_name(ModelRef.parse(spec.model)),
        should_stop=stop,
        accelerator=accelerator,
        budget=Budget(settings.measure_seconds, alike(folder, spec)),
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
        text = pretrain_worker.card(folder, spec.pretraining, started, event)
    else:
        template = spec.template.name if spec.template else ""
        base = in_checkout(spec.model)
        text = card(
            title_of(spec), base, spec.data, template, spec.config, started, event,
            folder.info().measured,
        )  # fmt: skip
    for place in filter(None, (folder.path, folder.learned)):
        write_whole(place / "README.md", text)


class Notes:
    """Keeps a run's state.json up to date with what its events say, twice a second at most."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._known: dict[str, Any] = {}
        self._last = 0.0

    def take(self, event: TrainEvent) -> None:
        """Note what an event says."""
        known = self._known
        match event:
            case Started():
                known |= {"trainable": event.trainable, "total": event.total}
            case Sized():
                known |= {"measured": event.used.valid, "held_out": event.whole.valid}
                self._last = 0.0  # noted at once: the card is written from it
            case TrainStep():
                known |= {"step": event.step, "train_loss": _finite(event.loss)}
                known["seconds"] = known.get("seconds", 0.0) + event.seconds
            case Evaluated():
                names = {"valid_loss": "valid", "probe_loss": "probe", "accuracy": "accuracy"}
                for name, before in names.items():
                    known[name] = _finite(getattr(event, name))
                    if event.step == 0:
                        known[f"{before}_before"] = known[name]
            case Finished():
                known |= {name: getattr(event, name) for name in FINAL}
                known |= {"reason": event.reason, "message": event.message}
                state = {"done": "done", "nan": "failed"}.get(event.reason, "stopped")
                self._folder.set_state(state, **known)  # type: ignore[arg-type]
                return
            case _:
                return
        if time.monotonic() - self._last > PULSE:
            self._folder.set_state("running", **known)
            self._last = time.monotonic()


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


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
