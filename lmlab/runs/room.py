"""What a run would take, and whether there is room for it: how long its rows are, roughly, the disk
and the memory. Knows no torch.
"""

import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from lmlab.errors import DiskError, InputError, MemoryLimitError
from lmlab.runs.model_store import ModelStore
from lmlab.runs.processes import PROCESS_BYTES
from lmlab.runs.store import Runs
from lmlab.settings import Settings
from lmlab.text.records import Row
from lmlab.training.sets import TuningData

if TYPE_CHECKING:
    from lmlab.models.tokens import Vocabulary

ROWS_READ = 48  # rows whose length is looked at for an estimate
CHECKED = 3  # of the longest rows: those that must be learnable
# Of a control group: what a container may take, and what it has taken.
_GROUP = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current"))


def check_disk(runs: Runs, owner: str, n_bytes: int, settings: Settings) -> None:
    """Refuse a run that there is no room for.

    Raises:
        DiskError: says what is full: the owner's part, all of it, or the disk.
    """
    own, whole = settings.own_runs_gb * 1e9, settings.runs_gb * 1e9
    if n_bytes > min(own, whole):
        raise DiskError(
            f"This run would take {_gb(n_bytes)} on the disk, and one may take "
            f"{_gb(min(own, whole))} here.",
            "Take LoRA, or a smaller model.",
        )
    if (taken := runs.n_bytes(owner)) + n_bytes > own:
        raise DiskError(
            f"Your runs take {_gb(taken)} of the {_gb(own)} that one visitor's may, and this one "
            f"would take {_gb(n_bytes)}.",
            "Delete some first.",
        )
    if (taken := runs.n_bytes()) + n_bytes > whole:
        raise DiskError(
            f"The runs of all visitors take {_gb(taken)} of {_gb(whole)}, and this one would take "
            f"{_gb(n_bytes)}.",
            "Try again later, or delete runs of yours.",
        )
    if free_disk(runs.root) - n_bytes < settings.free_gb * 1e9:
        raise DiskError(
            f"The disk is full: this run would take {_gb(n_bytes)}, and "
            f"{_gb(free_disk(runs.root))} are free.",
            "Make room and try again.",
        )


def check_most(name: str, value: int, most: int) -> None:
    """Refuse more of something than a setting allows.

    Raises:
        InputError: it is more.
    """
    if value > most:
        raise InputError(f"At most {most:,} {name} are allowed here, not {value:,}.")


def free_disk(folder: Path) -> int:
    """Bytes that are free where a folder lies or would lie."""
    for path in (folder, *folder.absolute().parents):
        with suppress(OSError):
            return shutil.disk_usage(path).free
    return 0


def free_memory() -> int:
    """Bytes that this machine, or its container, could still give."""
    free = int(psutil.virtual_memory().available)
    with suppress(OSError, ValueError):
        most, taken = (int(path.read_text()) for path in _GROUP)
        free = min(free, most - taken)
    return free


def check_memory(need: int, store: ModelStore, hint: str) -> None:
    """Refuse a run that takes more than is set aside for one, or than is free.

    Raises:
        MemoryLimitError: says how much of what.
    """
    if need > store.budget:
        raise MemoryLimitError(
            f"This needs {_gb(need)}, and {_gb(store.budget)} are set aside.", hint
        )
    if need + PROCESS_BYTES > (free := free_memory()):
        raise MemoryLimitError(
            f"This needs {_gb(need + PROCESS_BYTES)} of memory, and {_gb(free)} are free just now.",
            f"{hint.rstrip('.')}, or try again later.",
        )


def _gb(n_bytes: float) -> str:
    """
    >>> _gb(1_234_000_000), _gb(2_400_000)
    ('1.2 GB', '0.0024 GB')
    """
    return f"{n_bytes / 1e9:.2g} GB"


def longest_rows(found: TuningData, n: int) -> list[tuple[int, Row]]:
    """The rows of most characters, with their numbers from 1."""
    rows = found.train
    by_size = sorted(range(len(rows)), key=lambda i: -sum(map(len, rows[i].values())))
    return [(i + 1, rows[i]) for i in by_size[:n]]


def row_tokens(vocabulary: "Vocabulary", found: TuningData) -> tuple[float, list[int]]:
    """Mean length of a row in tokens, from some of them, and the lengths of the longest."""
    rows = found.train[:: max(1, len(found.train) // ROWS_READ)]
    lengths = [_length(vocabulary, row) for row in rows]
    longest = [_length(vocabulary, row) for _, row in longest_rows(found, CHECKED)]
    return sum(lengths) / max(1, len(lengths)), longest


def _length(vocabulary: "Vocabulary", row: Row) -> int:
    return len(vocabulary.ids(" ".join(row.values()))) + 3


def longest_batch(longest: list[int], context: int) -> tuple[int, int]:
    """Width of the longest batch and the positions that carry loss in it: all of them, for want of
    a wording.
    """
    width = max(2, min(max(longest), context))
    return width, width - 1
