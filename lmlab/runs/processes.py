"""The processes that runs live in: started ahead, asked for a run, watched, ended where they take
more than they may.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import psutil

from lmlab.runs.folder import RunFolder
from lmlab.settings import Settings

# Seconds that a process is given to save and end.
GRACE = 20.0
# Seconds past a run's own limit until its process is asked to end from outside: to load a model,
# measure a last time and write.
LATE = 60.0
LOOK = 0.25  # seconds between two looks at a process
PROCESS_BYTES = 450_000_000  # that a process takes before it holds a model
MOST_BESIDES = 800_000_000  # that it may take besides what is set aside for models
# What a process's status says where it could not write anything down.
FULL, HELD = 74, 75


class Running(Protocol):
    """A run under way: what of ``subprocess.Popen`` is asked of it."""

    def wait(self, timeout: float | None = None) -> int:
        """Until it is over; its status."""

    def terminate(self) -> None:
        """Let it save and end."""

    def kill(self) -> None:
        """End it at once."""


class End(NamedTuple):
    """How a process ended: its status, and why it was made to end, in a sentence."""

    status: int
    why: str = ""


def waiting() -> "subprocess.Popen[str]":
    """A process that imports what training needs and waits for a folder's name."""
    package = str(Path(__file__).parents[2])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "TRANSFORMERS_VERBOSITY": "error",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "lmlab.runs.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        # A Ctrl-C meant for the page lets runs save first; see ``Jobs.close``. Not a session of its
        # own: under Linux's autogroups a run would then get as much of the cores as the page,
        # however nice it is.
        process_group=0,
    )


def ask(process: "subprocess.Popen[str]", folder: RunFolder, settings: Settings, page: str) -> None:
    """Have a waiting process train a run, if it still is that page's."""
    told = {"folder": str(folder.path.resolve()), "settings": settings.model_dump(mode="json")}
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps({**told, "page": page}) + "\n")
        process.stdin.close()
    except BrokenPipeError:
        # It died before it was asked: the watcher tells.
        pass


def watched(process: Running, seconds: float, n_bytes: int) -> End:
    """Wait for a process; one that takes too long or too much memory is ended.

    Args:
        seconds: after which it is asked to end; ``GRACE`` later it is ended.
        n_bytes: of resident memory that it may take.
    """
    began, why, end = time.monotonic(), "", float("inf")
    while True:
        try:
            return End(process.wait(LOOK), why)
        except subprocess.TimeoutExpired:
            now = time.monotonic()
        if now > end:
            process.kill()
            end = float("inf")
        elif not why and now - began > seconds:
            why, end = "It went on past its time limit, and its process was ended.", now + GRACE
            process.terminate()
        elif not why and (taken := _resident(process)) > n_bytes:
            why = (
                f"It took {taken / 1e9:.2g} GB of memory, more than the {n_bytes / 1e9:.2g} GB "
                "that a run may take, and its process was ended."
            )
            process.kill()


def _resident(process: Any) -> int:
    try:
        return int(psutil.Process(process.pid).memory_info().rss)
    except (AttributeError, psutil.Error, TypeError):
        return 0


def told(end: End, has_checkpoint: bool) -> str:
    """What to say of a run whose process ended without a word."""
    kept = "Its last checkpoint is kept; it can be resumed."
    if not has_checkpoint:
        kept = "Nothing had been saved by then."
    if end.why:
        return f"{end.why} {kept}"
    if end.status == FULL:
        return f"The disk is full. {kept} Make room first."
    how = f"was ended by signal {-end.status}" if end.status < 0 else (
        f"ended with status {end.status}")  # fmt: skip
    return f"The run's process {how}, perhaps for want of memory. {kept}"
