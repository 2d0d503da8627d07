"""A run's folder: what was asked, what happened, checkpoints, and what was learned.

    RUN/
      run.json        model, data, template and config, as asked
      train.jsonl, valid.jsonl        the rows
      places.json     which rows of their file they were, where that is known
      state.json      queued, running, done, …; rewritten whole
      metrics.jsonl   the events, one a line; only ever added to, but cut at a checkpoint on resume
      checkpoints/STEP/               the newest alone: trained weights and the optimiser
      stop            asks a run to end after its current step
      log.txt         what the libraries said
  snapshots/STEP/                 what had been learned by some steps, as below
      adapter-STEP/ or model-STEP/     what was learned, in the format of PEFT or transformers
      README.md       a model card

Every file but metrics.jsonl appears whole or not at all. Knows no torch.
"""

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import psutil

from lmlab.data.records import Place, Row, place_of, restored, stored
from lmlab.errors import InputError
from lmlab.finetuning.events import Finished, Started, TrainEvent, from_dict, to_dict
from lmlab.finetuning.sets import TuningData
from lmlab.runs.specs import FINAL, RunInfo, RunSpec, State, title_of

_FIGURES = (*FINAL, "trainable", "total", "reason", "message")


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
        path.mkdir(parents=True, exist_ok=True)
        folder = cls(path)
        parts = (("train", data.train), ("valid", data.valid))
        for part, rows in parts:
            lines = "".join(json.dumps(stored(row), ensure_ascii=False) + "\n" for row in rows)
            write_whole(path / f"{part}.jsonl", lines)
        places = {part: [place_of(row) for row in rows] for part, rows in parts}
        if any(map(any, places.values())):
            write_whole(path / "places.json", json.dumps(places))
        folder.set_state("queued")
        # Last, so that whatever holds a run.json is complete.
        write_whole(path / "run.json", json.dumps(spec.to_dict(), indent=2) + "\n")
        return folder

    @property
    def spec(self) -> RunSpec:
        """What was asked.

        Raises:
            InputError: this is no run's folder.
        """
        try:
            file = self.path / "run.json"
            return _spec(file, file.stat().st_mtime_ns)
        except (OSError, ValueError, KeyError, TypeError):
            raise InputError(f"‘{self.path.name}’ holds no fine-tuning run.") from None

    def data(self, spec: RunSpec) -> TuningData:
        """The rows."""
        parts = (self._rows("train"), self._rows("valid"))
        return TuningData(spec.data, *parts, spec.origin)

    def _rows(self, part: str) -> tuple[Row, ...]:
        text = (self.path / f"{part}.jsonl").read_text(encoding="utf-8")
        rows = [json.loads(line) for line in text.split("\n") if line]
        try:
            known = json.loads((self.path / "places.json").read_text(encoding="utf-8"))[part]
        except FileNotFoundError:
            known = [None] * len(rows)
        places = [Place(*place) if place else None for place in known]
        return tuple(restored(row, place) for row, place in zip(rows, places, strict=True))

    @property
    def state(self) -> dict[str, Any]:
        """What was last written of how it goes."""
        try:
            found: dict[str, Any] = json.loads((self.path / "state.json").read_text("utf-8"))
        except (OSError, ValueError):
            return {"state": "interrupted"}
        return found

    def set_state(self, state: State, **known: Any) -> None:
        """Write how it goes, whole; what is known of it already stays."""
        merged = {**(self.state if (self.path / "state.json").exists() else {}), **known}
        write_whole(self.path / "state.json", json.dumps({**merged, "state": state}))

    def append(self, event: TrainEvent) -> None:
        """Add an event to the log."""
        with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(to_dict(event), ensure_ascii=False, allow_nan=False) + "\n")

    def events(self, after: int = 0) -> list[TrainEvent]:
        """The events from number ``after`` on; a line that is not whole yet is left out."""
        return [from_dict(json.loads(line)) for line in self._lines(after)]

    def _lines(self, after: int = 0) -> Iterator[str]:
        try:
            with (self.path / "metrics.jsonl").open(encoding="utf-8") as log:
                for number, line in enumerate(log):
                    if number >= after and line.endswith("\n"):
                        yield line
        except FileNotFoundError:
            return

    def rewind(self, step: int) -> None:
        """Cut the log to what had happened by a step, for going on from there."""
        kept = [event for event in self.events() if _by(event, step)]
        lines = (json.dumps(to_dict(event), ensure_ascii=False) + "\n" for event in kept)
        write_whole(self.path / "metrics.jsonl", "".join(lines))

    @property
    def learned(self) -> Path | None:
        """The adapter or the weights, once there are any."""
        found = [*self.path.glob("adapter-*"), *self.path.glob("model-*")]
        return max(found, key=lambda path: int(path.name.partition("-")[2]), default=None)

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

    @property
    def is_alive(self) -> bool:
        """Whether the process that last said it runs this is still there."""
        state = self.state
        return is_process(state.get("pid"), state.get("born"))

    def info(self, place: int | None = None) -> RunInfo:
        """The run as a list shows it; ``place`` where it waits in a queue."""
        spec, known = self.spec, self.state
        state: State = known.get("state", "interrupted")
        if (state == "running" and not self.is_alive) or (state == "queued" and place is None):
            state = "interrupted"
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
            **{key: known[key] for key in _FIGURES if known.get(key) is not None},
        )

    def _model_name(self, spec: RunSpec) -> str:
        if self.learned is None:
            return ""
        return f"{spec.model}+run:{spec.id}" if spec.config.is_adapter else f"run:{spec.id}"


def _number(path: Path) -> int:
    """A snapshot's step; 0 for one that is still being written."""
    return int(path.name) if path.name.isdecimal() else 0


@lru_cache(maxsize=512)
def _spec(file: Path, changed: int) -> RunSpec:
    """A page asks for the same few many times over, and they never change."""
    return RunSpec.from_dict(json.loads(file.read_text(encoding="utf-8")))


def write_whole(path: Path, text: str) -> None:
    """A text file that appears whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def is_process(pid: Any, born: Any) -> bool:
    """Whether a process is the one that was meant, and not a later one of the same number."""
    try:
        process = psutil.Process(int(pid))
        same = abs(process.create_time() - float(born)) < 1.0
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except (psutil.Error, TypeError, ValueError):
        return False


def _by(event: TrainEvent, step: int) -> bool:
    if isinstance(event, Started):
        return event.first <= step
    return not isinstance(event, Finished) and event.step <= step
