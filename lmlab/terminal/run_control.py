"""A run in this terminal: whose it is, how it is ended, and how one goes on."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmlab.errors import InputError

if TYPE_CHECKING:
    from lmlab.runs.store import RunFolder

OWNER = "command line"
ENDING = (
    "\nlmlab: The run ends when the batch, the row or the token at hand is done, and what it "
    "learned is written; Ctrl-C once more ends it at once, with its last checkpoint.\n"
)


@contextmanager
def interruptible() -> Iterator[Any]:
    """Ctrl-C asks the run to end, and says what it waits for; a second one ends it at once."""
    asked: list[str] = []

    def ask(*_: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append("stopped")
        # Not by print: the signal may have come in the middle of one.
        os.write(2, ENDING.encode())

    old = {kind: signal.signal(kind, ask) for kind in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: "stopped" if asked else None
    finally:
        for kind, handler in old.items():
            signal.signal(kind, handler)


def longer(given: dict[str, Any], steps: int) -> tuple[dict[str, Any], int]:
    """The settings without a number of steps that makes a run longer, and that number, else 0."""
    if given.get("steps", 0) <= steps:
        return given, 0
    return {key: value for key, value in given.items() if key != "steps"}, given["steps"]


def named(out: Path | None) -> "RunFolder":
    """The run in --out, to go on with. Raises InputError: none is named."""
    from lmlab.runs.store import RunFolder

    if out is None:
        raise InputError("Which run is to go on?", "Name its folder with --out.")
    return RunFolder(out)


def unfinished(folder: "RunFolder", changed: Sequence[str], more: int = 0) -> "RunFolder":
    """A run that can go on.

    Args:
        changed: what is asked for now and was not then, in words.
        more: the steps that it is to have from now on; 0: as before.

    Raises:
        InputError: something else is asked for, it is under way, or all its steps are made.
    """
    from lmlab.training.checkpoints import step_of

    if changed:
        raise InputError(
            f"The run in ‘{folder.path.name}’ has other settings: {'; '.join(changed)}.",
            "Leave them out to go on with it, or start another run.",
        )
    steps = more or folder.spec.config.steps
    if folder.state.get("state") == "running" and folder.is_alive:
        raise InputError("This run is under way already.")
    if step_of(folder.path) >= steps:
        hint = "More of them are made with --steps."
        raise InputError(f"All {steps:,} steps of this run are made.", hint)
    if more:
        folder.lengthen(more)
    folder.stop_file.unlink(missing_ok=True)
    return folder
