"""A checkpoint: trained weights as safetensors, the optimiser's state, and where the run stands.

A folder appears whole or not at all; the one before it stays, for the day that the newest turns out
to be damaged, and older ones go only after that.
"""

import shutil
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter
from safetensors.torch import load_file, save_file

from lmlab.errors import InputError
from lmlab.training.events import HaltedError
from lmlab.training.sizing import Size
from lmlab.training.whole import whole_folder

FOLDER = "checkpoints"
KEPT = 2
DAMAGED = "damaged-"
CHUNK = 1 << 20
_WEIGHTS, _OPTIMISER, _PLACE = "trained.safetensors", "optimiser.pt", "place.json"


@dataclass
class Place:
    """Where a run stands; changed as it goes on."""

    step: int = 0  # that were made
    seconds: float = 0.0  # of training
    losses: list[float] = field(default_factory=list)  # of the last steps
    first: dict[str, float | None] = field(default_factory=dict)  # figures of the first evaluation
    last: dict[str, float | None] = field(default_factory=dict)  # figures of the last one
    # what is measured after this step and is not yet: ``evaluation``, ``samples``
    owed: list[str] = field(default_factory=list)
    size: Size | None = None  # of what is measured; None: of all
    sums: dict[str, int] = field(default_factory=dict)  # of the files, by name; none in old ones

    @classmethod
    def read(cls, folder: Path) -> "Place":
        """That of a checkpoint. Raises OSError, ValueError: it is damaged."""
        return _PLACES.validate_json((folder / _PLACE).read_bytes())

    def write(self, folder: Path) -> None:
        """Put it into a checkpoint; what is not finite becomes null."""
        (folder / _PLACE).write_bytes(_PLACES.dump_json(self))


_PLACES = TypeAdapter(Place)


def save(
    run: Path, trained: Mapping[str, Any], optimiser: Any, schedule: Any, place: Place
) -> None:
    """Write a checkpoint and drop all but the one before.

    Raises:
        HaltedError: a trained weight is not a number; nothing is saved.
        OSError: the disk is full, for instance; the older checkpoint is still there then.
    """
    weights = {name: p.detach().cpu().contiguous() for name, p in trained.items()}
    if not all(bool(torch.isfinite(w).all()) for w in weights.values()):
        raise HaltedError("nan", f"A trained weight is not a number after step {place.step}.")
    root = run / FOLDER
    final = root / str(place.step)
    if final in _all(run) and Place.read(final).owed == place.owed:
        return
    try:
        with whole_folder(final, root / ".partial") as partial:
            save_file(weights, partial / _WEIGHTS)
            state = {"optimiser": optimiser.state_dict(), "schedule": schedule.state_dict()}
            torch.save(state, partial / _OPTIMISER)
            sums = {name: _sum(partial / name) for name in (_WEIGHTS, _OPTIMISER)}
            replace(place, sums=sums).write(partial)
    except Exception as error:
        # safetensors and torch report a full disk in their own ways.
        told = str(error).lower()
        if not isinstance(error, OSError) and ("space" in told or "write" in told):
            raise OSError(28, "No space left on device") from error
        raise
    older = sorted(_all(run), key=_step)[:-KEPT]
    for other in (*older, *root.glob(f"{DAMAGED}*")):
        shutil.rmtree(other, ignore_errors=True)


def newest(run: Path) -> Path | None:
    """The last whole checkpoint of a run."""
    return max(_all(run), key=_step, default=None)


def sound(run: Path) -> tuple[Path | None, list[str]]:
    """The last checkpoint that is as it was written; damaged ones are put out of the way.

    Returns:
        Its folder, None where there is none; and for each damaged one a sentence that names the
        file and says from where the run goes on.
    """
    bad: list[tuple[Path, str]] = []
    found: Path | None = None
    for folder in sorted(_all(run), key=_step, reverse=True):
        if not (file := _damaged(folder)):
            found = folder
            break
        bad.append((folder, file))
    since = f"the run goes on from that of step {found.name}" if found else "the run starts anew"
    said = []
    for path, file in bad:
        where = f"{FOLDER}/{path.name}/{file}"
        said.append(f"The checkpoint of step {path.name} is damaged ({where}); {since}.")
        aside = path.with_name(f"{DAMAGED}{path.name}")
        shutil.rmtree(aside, ignore_errors=True)
        with suppress(OSError):  # another process of the same run may have been first
            path.rename(aside)
    return found, said


def step_of(run: Path) -> int:
    """The step of the last checkpoint; 0 without one."""
    found = newest(run)
    return int(found.name) if found else 0


def restore_weights(folder: Path, trained: Mapping[str, Any]) -> None:
    """Put a checkpoint's weights back. Raises InputError: they are those of another model or
    method.
    """
    weights = load_file(folder / _WEIGHTS)
    shapes = {name: w.shape for name, w in weights.items()}
    if shapes != {name: p.shape for name, p in trained.items()}:
        raise InputError(
            f"The checkpoint of step {folder.name} does not fit the model: one of the two has "
            "changed.",
            "Start a new run, or put back the model that this one was started with.",
        )
    with torch.no_grad():
        for name, p in trained.items():
            p.copy_(weights[name].to(p.device))


def restore(folder: Path, trained: Mapping[str, Any], optimiser: Any, schedule: Any) -> Place:
    """Put weights, optimiser and schedule back; where the run stood."""
    restore_weights(folder, trained)
    state = torch.load(folder / _OPTIMISER, weights_only=True, map_location="cpu")
    optimiser.load_state_dict(state["optimiser"])
    schedule.load_state_dict(state["schedule"])
    return Place.read(folder)


def _damaged(folder: Path) -> str:
    """The file of a checkpoint that is not as it was written; empty where all are."""
    try:
        place = Place.read(folder)
    except (OSError, ValueError):
        return _PLACE
    if place.step != int(folder.name):
        return _PLACE
    for name in (_WEIGHTS, _OPTIMISER):
        whole = False
        with suppress(OSError):
            # One that an earlier version wrote has no sums: it is read instead.
            file, sum_ = folder / name, place.sums.get(name)
            whole = _sum(file) == sum_ if place.sums else _reads(file)
        if not whole:
            return name
    return ""


def _sum(file: Path) -> int:
    """CRC-32 of a file: told from chance damage, not from a forger."""
    found = 0
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK):
            found = zlib.crc32(chunk, found)
    return found


def _reads(file: Path) -> bool:
    try:
        if file.name == _WEIGHTS:
            load_file(file)
        else:
            torch.load(file, weights_only=True, map_location="cpu")
    except Exception:
        return False
    return True


def _step(path: Path) -> int:
    return int(path.name)


def _all(run: Path) -> list[Path]:
    root = run / FOLDER
    found = root.iterdir() if root.is_dir() else ()
    return [path for path in found if path.name.isdecimal() and (path / _PLACE).is_file()]
