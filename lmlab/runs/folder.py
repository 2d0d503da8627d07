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

from lmlab.errors import InputError, disk_error
from lmlab.runs import learned, locks, log
from lmlab.runs.reading import FIGURES, UnreadRunError, known_state, spec_of
from lmlab.runs.rows import PLACES, read_rows, write_rows
from lmlab.runs.specs import RunInfo, RunSpec, State, title_of
from lmlab.training.events import TrainEvent
from lmlab.training.sets import TuningData
from lmlab.training.whole import write_whole


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
            write_rows(path, {"train": data.train, "valid": data.valid})
            folder.set_state("queued")
            # Last, so that whatever holds a run.json is complete.
            write_whole(path / "run.json", json.dumps(spec.to_dict(), indent=2) + "\n")
        except BaseException as error:
            folder._unmake(was_there)
            raise disk_error(error) or error from None
        return folder

    def _unmake(self, keep_folder: bool) -> None:
        """Leave nothing of a start that failed."""
        if not keep_folder:
            shutil.rmtree(self.path, ignore_errors=True)
            return
        for name in ("run.json", "state.json", "train.jsonl", "valid.jsonl", PLACES):
            with suppress(OSError):
                (self.path / name).unlink(missing_ok=True)

    @property
    def spec(self) -> RunSpec:
        """What was asked.

        Raises:
            UnreadRunError: this is no run's folder, its run.json is damaged, or another version of
                lmlab wrote it.
        """
        file = self.path / "run.json"
        try:
            changed = file.stat().st_mtime_ns
            found = _spec(file, changed)
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
        longer = replace(spec, config=replace(spec.config, steps=steps), pretraining=own)
        write_whole(self.path / "run.json", json.dumps(longer.to_dict(), indent=2) + "\n")

    def data(self, spec: RunSpec) -> TuningData:
        """The rows.

        Raises:
            InputError: their file is damaged.
        """
        parts = (read_rows(self.path, "train"), read_rows(self.path, "valid"))
        return TuningData(spec.data, *parts, spec.origin)

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
        log.append(self.path, event)

    def events(self, after: int = 0) -> list[TrainEvent]:
        """The events from number ``after`` on; a line that is not whole yet is left out, and
        ``Lost`` stands for one that cannot be read.
        """
        return log.read(self.path, after)

    def rewind(self, step: int) -> int:
        """Cut the log to what had happened by a step, for going on from there; how many lines of it
        could not be read.
        """
        return log.rewind(self.path, step)

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
    def broken(self) -> InputError | None:
        """What to say where what was learned is damaged."""
        folder = self.learned
        if folder is None or not (file := learned.damaged(folder)):
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
        """What had been learned on the way, by step."""
        root = self.path / "snapshots"
        found = root.iterdir() if root.is_dir() else ()
        return {int(path.name): path for path in sorted(found, key=_number) if _number(path)}

    @property
    def stop_file(self) -> Path:
        """Whose existence asks the run to end."""
        return self.path / "stop"

    def held(self) -> AbstractContextManager[None]:
        """The lock that makes a run one process's alone.

        Raises:
            HeldError: another process trains it.
        """
        return locks.hold(self.lock_file)

    @property
    def lock_file(self) -> Path:
        """What the process that trains holds."""
        return self.path / "lock"

    @property
    def is_alive(self) -> bool:
        """Whether a process that trains it is there."""
        found = locks.held(self.lock_file)
        if found is None:  # no locks on this disk
            state = self.state
            return is_process(state.get("pid"), state.get("born"))
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
        spec, known = self.spec, self.state
        state: State = known.get("state", "interrupted")
        if (state == "running" and not self.is_alive) or (state == "queued" and place is None):
            state = "interrupted"
        broken = self.broken if state in ("done", "stopped") else None
        if broken is not None:
            known = {**known, "message": str(broken)}
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
            model_name=self._model_name(spec),
            pretraining=spec.pretraining,
            damaged=learned.damaged(self.learned) if broken and self.learned else "",
            **{key: known[key] for key in FIGURES if known.get(key) is not None},
        )

    def _model_name(self, spec: RunSpec) -> str:
        if self.learned is None:
            return ""
        return f"{spec.model}+run:{spec.id}" if spec.config.is_adapter else f"run:{spec.id}"


def _number(path: Path) -> int:
    """A snapshot's step; 0 for one that is still being written."""
    return int(path.name) if path.name.isdecimal() else 0


@lru_cache(maxsize=512)
def _spec(file: Path, changed: int) -> RunSpec | tuple[str, str, bool]:
    """What was asked, or why it cannot be read: the same few are asked for many times over, and
    they hardly ever change.
    """
    return spec_of(file.read_bytes(), file.parent.name)


def is_process(pid: Any, born: Any) -> bool:
    """Whether a process is the one that was meant, and not a later one of the same number."""
    try:
        process = psutil.Process(int(pid))
        same = abs(process.create_time() - float(born)) < 1.0
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except (psutil.Error, TypeError, ValueError):
        return False
