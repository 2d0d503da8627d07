"""A checkpoint: trained weights as safetensors, the optimiser's state, and where the run stands.

A folder appears whole or not at all, and older ones go only after that.
"""

import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from lmlab.errors import LabError

FOLDER = "checkpoints"
_WEIGHTS, _OPTIMISER, _PLACE = "trained.safetensors", "optimiser.pt", "place.json"


@dataclass
class Place:
    """Where a run stands; changed as it goes on.

    Attributes:
        step: that were made.
        seconds: of training.
        losses: of the last steps.
        first: figures of the first evaluation.
        last: figures of the last one.
    """

    step: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    first: dict[str, float | None] = field(default_factory=dict)
    last: dict[str, float | None] = field(default_factory=dict)


class DamagedError(LabError):
    """The trained weights hold not-a-number, and are not saved."""


def save(run: Path, trained: Mapping[str, Any], optimiser: Any, schedule: Any, place: Place) -> str:
    """Write a checkpoint and drop older ones; its path within the run.

    Raises:
        DamagedError: a trained weight is not a number.
        OSError: the disk is full, for instance; the older checkpoint is still there then.
    """
    weights = {name: p.detach().cpu().contiguous() for name, p in trained.items()}
    if not all(bool(torch.isfinite(w).all()) for w in weights.values()):
        raise DamagedError(f"A trained weight is not a number after step {place.step}.")
    root = run / FOLDER
    final = root / str(place.step)
    if final in _all(run):
        return f"{FOLDER}/{place.step}"
    root.mkdir(parents=True, exist_ok=True)
    partial = root / ".partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        save_file(weights, partial / _WEIGHTS)
        state = {"optimiser": optimiser.state_dict(), "schedule": schedule.state_dict()}
        torch.save(state, partial / _OPTIMISER)
        text = json.dumps(_finite(asdict(place)))
        (partial / _PLACE).write_text(text, encoding="utf-8")
        shutil.rmtree(final, ignore_errors=True)
        partial.rename(final)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if isinstance(error, OSError):
            raise
        # safetensors and torch report a full disk in their own ways.
        if "space" in str(error).lower() or "write" in str(error).lower():
            raise OSError(28, "No space left on device") from error
        raise
    for other in _all(run):
        if other != final:
            shutil.rmtree(other, ignore_errors=True)
    return f"{FOLDER}/{place.step}"


def newest(run: Path) -> Path | None:
    """The last whole checkpoint of a run."""
    return max(_all(run), key=lambda path: int(path.name), default=None)


def step_of(run: Path) -> int:
    """The step of the last checkpoint; 0 without one."""
    found = newest(run)
    return int(found.name) if found else 0


def restore_weights(folder: Path, trained: Mapping[str, Any]) -> None:
    """Put a checkpoint's weights back."""
    weights = load_file(folder / _WEIGHTS)
    with torch.no_grad():
        for name, p in trained.items():
            p.copy_(weights[name].to(p.device))


def restore(folder: Path, trained: Mapping[str, Any], optimiser: Any, schedule: Any) -> Place:
    """Put weights, optimiser and schedule back; where the run stood."""
    restore_weights(folder, trained)
    state = torch.load(folder / _OPTIMISER, weights_only=True, map_location="cpu")
    optimiser.load_state_dict(state["optimiser"])
    schedule.load_state_dict(state["schedule"])
    return Place(**json.loads((folder / _PLACE).read_text(encoding="utf-8")))


def _all(run: Path) -> list[Path]:
    root = run / FOLDER
    found = root.iterdir() if root.is_dir() else ()
    return [path for path in found if path.name.isdigit() and (path / _PLACE).is_file()]


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
