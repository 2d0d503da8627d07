"""What a run's process does about itself: bounds, its log, sentences for what goes wrong."""

import os
import re
from contextlib import suppress
from pathlib import Path

import psutil
import torch

from lmlab.errors import DiskError, InputError, LabError, MemoryLimitError, disk_error
from lmlab.settings import Settings

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

# What torch says in its own ways when the system gives no more.
_NO_MEMORY = re.compile(r"can't allocate memory|not enough memory|bad_alloc|Cannot allocate memory")


def said(error: BaseException) -> LabError:
    """What went wrong, as a sentence."""
    if isinstance(error, LabError):
        return error
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or _NO_MEMORY.search(str(error)):
        return MemoryLimitError(
            "There is not enough memory for this run.",
            "Take smaller batches with more accumulation, shorter rows, or LoRA.",
        )
    if (full := disk_error(error, "the last good checkpoint is kept")) is not None:
        return DiskError(full.message, f"{full.hint.rstrip('.')}: the run can be resumed.")
    if isinstance(error, KeyboardInterrupt):
        return InputError("The run was interrupted.", "It can be resumed.")
    first = str(error).strip().splitlines()[:1]
    return LabError(f"The run failed: {type(error).__name__}: {''.join(first)[:200]}")


def threads_of(settings: Settings) -> int:
    """Torch threads of a run in the background: one core is left to the page."""
    return settings.train_threads or max(1, (os.cpu_count() or 1) - 1)


def bound_memory(n_bytes: int) -> None:
    """Have the system refuse this process more data than so much on top of what it has.

    What is refused is an error that the run can tell; the page ends a process that goes further
    all the same. A GPU's driver maps far more than it takes: there nothing is bounded.
    """
    if resource is None or torch.cuda.is_available():
        return
    with suppress(OSError, ValueError, AttributeError, psutil.Error):
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        most = int(psutil.Process().memory_info().data) + n_bytes
        if hard == resource.RLIM_INFINITY or most < hard:
            resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def log_into(path: Path) -> None:
    """Have what libraries print go into a file; nowhere, where the disk is full."""
    with suppress(OSError), path.open("ab", buffering=0) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
