"""Runs what a run's folder asks for, in this process: loads a private copy of the base, trains it,
writes every event. ``python -m lmlab.tuning.tunerun`` waits for a folder's name, for a page's jobs.
"""

import errno
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import torch
from transformers import GenerationConfig

from lmlab.errors import InputError, LabError, MemoryLimitError, ModelError
from lmlab.finetuning import checkpoints
from lmlab.finetuning.card import card
from lmlab.finetuning.config import FinetuneConfig
from lmlab.finetuning.ends import stops_of, taught_end
from lmlab.finetuning.events import Finished, Reason, Started, TrainEvent
from lmlab.finetuning.measuring import probes
from lmlab.finetuning.methods import Tuned, prepare, shape_of
from lmlab.finetuning.outlines import Outline
from lmlab.finetuning.sets import TuningData
from lmlab.finetuning.structuring import Material, checked, columns_of, structured
from lmlab.finetuning.training import finetune
from lmlab.lm.model import Weights
from lmlab.models.loading import inspect, load, outline
from lmlab.models.store import ModelRef, ModelStore
from lmlab.models.tokenizers import fitted, read_vocabulary
from lmlab.prompts.templates import PromptTemplate
from lmlab.runs.notes import Notes
from lmlab.runs.store import RunFolder, RunSpec, title_of, write_whole
from lmlab.settings import Settings
from lmlab.tuning import pretrainrun

Stop = Callable[[], Reason | None]


def outline_of(model: str, store: ModelStore) -> Outline:
    """A model's parameters and tokenizer, without its weights."""
    ref = ModelRef.parse(model)
    _refuse_adapter(ref)
    folder = inspect(store.resolve(ref, lambda message: None), ref.name)
    empty = outline(folder)
    vocabulary = fitted(read_vocabulary(folder.path, folder.name), empty, folder.name)
    end = taught_end(vocabulary, _stops(folder.path, empty))
    return Outline(shape_of(empty, model), vocabulary, end)


def _stops(folder: Path, made: Any) -> tuple[int, ...]:
    """The end tokens of a folder's generation config; without one, of the model's own config."""
    file = folder / "generation_config.json"
    try:
        return stops_of(
            GenerationConfig.from_pretrained(folder) if file.is_file() else made.generation_config
        )
    except (OSError, ValueError):
        return ()


def _refuse_adapter(ref: ModelRef) -> None:
    if ref.adapter:
        raise ModelError(
            "A model with an adapter on it cannot be tuned further.",
            f"Start from ‘{ref.name}’, or merge the adapter first.",
        )


def private(model: str, settings: Settings, config: FinetuneConfig) -> Weights:
    """A copy of a model's weights that nobody else uses.

    Weights that learn are kept in float32; a base that only carries an adapter may be in bfloat16.

    Raises:
        ModelError: unknown, unreadable, or a model with an adapter.
    """
    ref = ModelRef.parse(model)
    _refuse_adapter(ref)
    folder = ModelStore(settings).resolve(ref, lambda message: None)
    wide = not config.is_adapter or config.precision in ("float32", "float16")
    dtype = "float32" if wide or settings.dtype == "float16" else settings.dtype
    return load(inspect(folder, ref.name), settings.model_copy(update={"dtype": dtype}))


def material(
    tuned: Tuned, template: PromptTemplate | None, data: TuningData, config: FinetuneConfig
) -> Material:
    """Rows structured and checked, and general texts.

    Raises:
        InputError: a row that lacks a column, or has no token that carries loss.
    """
    data.check(columns_of(template))
    train, valid = (
        list(structured(tuned.vocabulary, template, rows, config, tuned.context, end=tuned.end))
        for rows in (data.train, data.valid)
    )
    checked(train)
    # A held-out row that is too long would stop nothing: it is left out.
    fitting = [example for example in valid if not example.error]
    return Material(train, fitting, probes(tuned, config), template)


def train(
    folder: RunFolder,
    settings: Settings,
    *,
    should_stop: Stop = lambda: None,
    accelerator: Any = None,
) -> Iterator[TrainEvent]:
    """Run a folder from the start, or from its last checkpoint; every event is written, then given.

    Raises:
        LabError: what went wrong, in a sentence that stands in the run's state as well.
    """
    leads = accelerator is None or accelerator.is_main_process
    process = psutil.Process()
    spec = folder.spec
    if leads:
        folder.rewind(checkpoints.step_of(folder.path))
        known = {"pid": process.pid, "born": process.create_time(), "message": "", "reason": ""}
        folder.set_state("running", **known)
    try:
        for event in _events(folder, spec, settings, should_stop, accelerator):
            if leads:
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


def _events(
    folder: RunFolder, spec: RunSpec, settings: Settings, should_stop: Stop, accelerator: Any
) -> Iterator[TrainEvent]:
    """The events, with the run's state kept up to date."""
    stop = _stop(folder, settings, should_stop)
    leads = accelerator is None or accelerator.is_main_process
    note, started = Notes(folder), None
    if spec.pretraining:
        made = pretrainrun.events(folder, spec, settings, stop)
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
    weights = private(spec.model, settings, config)
    if accelerator is not None:
        weights.model.to(accelerator.device)
    tuned = prepare(weights.model, weights.vocabulary, spec.model, config)
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
        text = pretrainrun.card(folder, spec, started, event)
    else:
        template = spec.template.name if spec.template else ""
        text = card(title_of(spec), spec.model, spec.data, template, spec.config, started, event)
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


def said(error: BaseException) -> LabError:
    """What went wrong, as a sentence."""
    if isinstance(error, LabError):
        return error
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return MemoryLimitError(
            "There is not enough memory for this run.",
            "Take smaller batches with more accumulation, shorter rows, or LoRA.",
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return InputError(
            "The disk is full; the last good checkpoint is kept.",
            "Make room and resume the run.",
        )
    if isinstance(error, KeyboardInterrupt):
        return InputError("The run was interrupted.", "It can be resumed.")
    first = str(error).strip().splitlines()[:1]
    return LabError(f"The run failed: {type(error).__name__}: {''.join(first)[:200]}")


def threads_of(settings: Settings) -> int:
    """Torch threads of a run in the background: one core is left to the page."""
    return settings.train_threads or max(1, (os.cpu_count() or 1) - 1)


def main() -> int:
    """Wait for one line of JSON, {"folder", "settings"}, and run that folder."""
    asked: list[str] = []
    signal.signal(signal.SIGTERM, lambda *_: asked.append("stopped"))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    line = sys.stdin.readline()
    if not line.strip():
        return 0
    request = json.loads(line)
    folder, settings = RunFolder(Path(request["folder"])), Settings(**request["settings"])
    with (folder.path / "log.txt").open("ab", buffering=0) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.nice(settings.train_nice)
    torch.set_num_threads(threads_of(settings))
    try:
        for _ in train(folder, settings, should_stop=lambda: "stopped" if asked else None):
            pass
    except LabError:
        import traceback

        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
