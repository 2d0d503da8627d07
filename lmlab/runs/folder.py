"""A run's folder: what was asked, what happened, checkpoints, and what was learned.

    RUN/
      run.json        model, data, template and config, as asked
      train.jsonl, valid.jsonl        the rows
      places.json     which rows of their file they were, where that is known
      state.json      queued, running, done, …; rewritten whole
      metrics.jsonl   the events, one a line; only ever added to, but cut at a checkpoint on resume
      checkpoints/STEP/               the newest and the one before: trained weights, the optimiser
      lock            held by the process that trains, for as long as it lives
      stop            asks a run to end, at the next part of its current step
      log.txt         what the libraries said
      snapshots/STEP/                 what had been learned by some steps, as below
      adapter-STEP/ or model-STEP/     what was learned, in the format of PEFT or transformers
      README.md       a model card

Every file but metrics.jsonl appears whole or not at all. Knows no torch.
"""

import json
import shutil
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import psutil
from safetensors import SafetensorError, safe_open

from lmlab.errors import InputError, ModelError, disk_error
from lmlab.runs import locks, records
from lmlab.runs.specs import (
    FIGURES,
    RunInfo,
    RunSpec,
    State,
    UnreadRunError,
    known_state,
    spec_of,
    title_of,
)
from lmlab.training.events import TrainEvent
from lmlab.training.sets import TuningData
from lmlab.training.whole import write_whole

WEIGHTS = ".safetensors"


@dataclass(frozen=True)
class RunFolder:
    """One run on the disk."""

    path: Path

    @classmethod
    def create(cls, path: Path, spec: RunSpec, data: TuningData) -> "RunFolder":
        """A new run's folder.

        Raises:
            InputError: something lies there already.
        """
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise InputError(
                f"‘{path.name}’ is there already.", "Name another folder, or go on with --resume."
            )
        was_there, folder = path.exists(), cls(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            records.write_rows(path, {"train": data.train, "valid": data.valid})
            folder.set_state("queued")
            # Last, so that whatever holds a run.json is complete.
            folder._ask(spec)
        except BaseException as error:
            folder._unmake(was_there)
            raise disk_error(error) or error from None
        return folder

    def _unmake(self, keep_folder: bool) -> None:
        """Leave nothing of a start that failed."""
        if not keep_folder:
            shutil.rmtree(self.path, ignore_errors=True)
            return
        for name in ("run.json", "state.json", "train.jsonl", "valid.jsonl", records.PLACES):
            with suppress(OSError):
                (self.path / name).unlink(missing_ok=True)

    def _ask(self, spec: RunSpec) -> None:
        write_whole(self.path / "run.json", json.dumps(spec.to_dict(), indent=2) + "\n")

    @property
    def spec(self) -> RunSpec:
        """What was asked.

        Raises:
            UnreadRunError: this is no run's folder, its run.json is damaged, or another version of
                lmlab wrote it.
        """
        file = self.path / "run.json"
        try:
            found = spec_of(file, file.stat().st_mtime_ns)
        except OSError:
            raise UnreadRunError(f"‘{self.path.name}’ holds no fine-tuning run.") from None
        if isinstance(found, RunSpec):
            return found
        said, hint, damaged = found
        raise UnreadRunError(said, hint, damaged=damaged)

    def lengthen(self, steps: int) -> None:
        """Have the run make more steps than it was asked for.

        Raises:
            OSError: the disk is full, for instance.
        """
        spec = self.spec
        own = spec.pretraining and replace(spec.pretraining, steps=steps)
        self._ask(replace(spec, config=replace(spec.config, steps=steps), pretraining=own))

    def data(self, spec: RunSpec) -> TuningData:
        """The rows.

        Raises:
            InputError: their file is damaged.
        """
        train, valid = (records.read_rows(self.path, part) for part in ("train", "valid"))
        return TuningData(spec.data, train, valid, spec.origin)

    @property
    def state(self) -> dict[str, Any]:
        """What was last written of how it goes."""
        try:
            return known_state(json.loads((self.path / "state.json").read_text("utf-8")))
        except (OSError, ValueError, RecursionError):
            return {"state": "interrupted"}

    def set_state(self, state: State, **known: Any) -> None:
        """Write how it goes, whole; what is known of it already stays.

        Raises:
            OSError: the disk is full, for instance.
        """
        merged = {**(self.state if (self.path / "state.json").exists() else {}), **known}
        write_whole(self.path / "state.json", json.dumps({**merged, "state": state}))

    def append(self, event: TrainEvent) -> None:
        """Add an event to the log."""
        records.append(self.path, event)

    def events(self, after: int = 0) -> list[TrainEvent]:
        """The events from number ``after`` on; ``Lost`` stands for one that cannot be read."""
        return records.read(self.path, after)

    @property
    def learned(self) -> Path | None:
        """The adapter or the weights, once there are any."""
        found = {
            int(step): path
            for path in (*self.path.glob("adapter-*"), *self.path.glob("model-*"))
            if (step := path.name.partition("-")[2]).isdecimal()
        }
        return found[max(found)] if found else None

    @property
    def base(self) -> str:
        """The model that its adapter belongs to; empty where whole weights are learned."""
        return self.spec.model if self.spec.config.is_adapter else ""

    def kept(self, step: str | None) -> Path:
        """What was learned: in the end, or by a step, as in ``run:ID@STEP``.

        Raises:
            ModelError: nothing was kept of it, or it is damaged.
        """
        if step:
            known = step.isdecimal() and len(step) < 12
            if (found := self.snapshots.get(int(step)) if known else None) is None:
                raise ModelError(f"This fine-tuning run has kept nothing of step {step[:20]}.")
            return found
        if self.learned is None:
            raise ModelError("This fine-tuning run has not saved anything yet.")
        if (broken := self.broken) is not None:
            raise ModelError(broken.message, broken.hint)
        return self.learned

    @property
    def broken(self) -> InputError | None:
        """What to say where what was learned is damaged."""
        if self.learned is None or not (file := damaged(self.learned)):
            return None
        hint = "Nothing else of it is kept."
        if self.has_checkpoint:
            hint = "Its last checkpoint is kept: resume the run, and it is written anew."
        return InputError(f"What this run learned is damaged: {file}.", hint)

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is one to go on from."""
        return any(self.path.glob("checkpoints/[0-9]*/place.json"))

    @property
    def snapshots(self) -> dict[int, Path]:
        """What had been learned on the way, by step; not what is still being written."""
        steps = {path.name: path for path in self.path.glob("snapshots/*")}
        return {step: steps[str(step)] for step in sorted(map(int, filter(str.isdecimal, steps)))}

    @property
    def stop_file(self) -> Path:
        """Whose existence asks the run to end."""
        return self.path / "stop"

    @property
    def lock_file(self) -> Path:
        """What the process that trains holds."""
        return self.path / "lock"

    def held(self) -> AbstractContextManager[None]:
        """The lock that makes a run one process's alone.

        Raises:
            HeldError: another process trains it.
        """
        return locks.hold(self.lock_file)

    @property
    def is_alive(self) -> bool:
        """Whether a process that trains it is there."""
        found = locks.held(self.lock_file)
        if found is None:  # no locks on this disk
            state = self.state
            return locks.is_process(state.get("pid"), state.get("born"))
        return found

    @property
    def holder(self) -> psutil.Process | None:
        """The process that trains it, where that can be told for sure."""
        try:
            process = psutil.Process(int(self.state["pid"]))
            files = {Path(file.path) for file in process.open_files()}
        except (psutil.Error, KeyError, TypeError, ValueError, OSError):
            return None
        return process if self.lock_file.resolve() in files else None

    def info(self, place: int | None = None) -> RunInfo:
        """The run as a list shows it; ``place`` where it waits in a queue."""
        spec, known, learned = self.spec, self.state, self.learned
        state: State = known.get("state", "interrupted")
        if (state == "running" and not self.is_alive) or (state == "queued" and place is None):
            state = "interrupted"
        broken = self.broken if state in ("done", "stopped") else None
        if broken is not None:
            known = {**known, "message": str(broken)}
        name = f"{spec.model}+run:{spec.id}" if spec.config.is_adapter else f"run:{spec.id}"
        return RunInfo(
            id=spec.id,
            title=title_of(spec),
            model=spec.model,
            data=spec.data,
            template=spec.template.name if spec.template else "",
            config=spec.config,
            state=state,
            place=place if state == "queued" else None,
            created=spec.created,
            model_name=name if learned else "",
            pretraining=spec.pretraining,
            damaged=damaged(learned) if broken and learned else "",
            **{key: known[key] for key in FIGURES if known.get(key) is not None},
        )


def damaged(folder: Path) -> str:
    """The first file of what was learned that was cut short or overwritten; empty where all look
    whole. Weights that were changed within their form are not found.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix in (".json", WEIGHTS))
        if not any(path.suffix == WEIGHTS for path in files):
            return "the file of its weights"
        for path in files:
            found = path.stat()
            if not _is_whole(path, found.st_mtime_ns, found.st_size):
                return f"{folder.name}/{path.name}"
    except OSError:
        return folder.name
    return ""


@lru_cache(maxsize=2048)
def _is_whole(path: Path, changed: int, size: int) -> bool:
    """As long as nothing changes, a file is looked at once."""
    try:
        if path.suffix == WEIGHTS:
            with safe_open(path, framework="numpy"):
                return True
        json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, SafetensorError):
        return False
    return True
