"""Keeps a run's state.json up to date with what its events say. Knows no torch."""

import math
import time
from typing import Any

from lmlab.runs.specs import FINAL
from lmlab.runs.store import RunFolder
from lmlab.training.events import Evaluated, Finished, Started, TrainEvent, TrainStep

# Seconds between two notes.
PULSE = 0.5


class Notes:
    """Keeps a run's state.json up to date, twice a second at most."""

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
            case TrainStep():
                known |= {"step": event.step, "train_loss": _finite(event.loss)}
                known["seconds"] = known.get("seconds", 0.0) + event.seconds
            case Evaluated():
                self._evaluated(event)
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

    def _evaluated(self, event: Evaluated) -> None:
        known = self._known
        figures = {
            "valid": event.valid_loss,
            "probe": event.probe_loss,
            "accuracy": event.accuracy,
        }
        for name, value in figures.items():
            after = "accuracy" if name == "accuracy" else f"{name}_loss"
            known[after] = _finite(value)
            if event.step == 0:
                known[f"{name}_before"] = _finite(value)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
