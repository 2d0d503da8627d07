"""A run's log of events, metrics.jsonl: one a line, only ever added to. A line that cannot be read
costs itself alone. Knows no torch.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from lmlab.training.events import Finished, Lost, Started, TrainEvent, from_dict, to_dict
from lmlab.training.whole import write_whole

NAME = "metrics.jsonl"
DAMAGED = "metrics-damaged.jsonl"


def append(folder: Path, event: TrainEvent) -> None:
    """Add an event.

    Raises:
        OSError: the disk is full, for instance; no half of a line stays then.
    """
    line = json.dumps(to_dict(event), ensure_ascii=False, allow_nan=False) + "\n"
    # Unbuffered: what a full disk refuses is not tried again when the file is closed.
    with (folder / NAME).open("ab", buffering=0) as log:
        data, end = line.encode(), log.tell()
        try:
            written = log.write(data)
            if written < len(data):
                log.write(data[written:])
        except OSError:
            with suppress(OSError):
                log.truncate(end)
            raise


def read(folder: Path, after: int = 0) -> list[TrainEvent]:
    """The events from line ``after`` on, ``Lost`` for one that cannot be read; a last line that is
    not whole yet is left out.
    """
    return [_event(line, after + i + 1) for i, line in enumerate(_lines(folder, after))]


def rewind(folder: Path, step: int) -> int:
    """Cut the log to what had happened by a step; how many lines could not be read.

    Those go into a file of their own, for whoever wants to look.
    """
    lines = list(_lines(folder, 0))
    events = [_event(line, i + 1) for i, line in enumerate(lines)]
    bad = [line for line, event in zip(lines, events, strict=True) if isinstance(event, Lost)]
    if bad:
        write_whole(folder / DAMAGED, "".join(bad))
    kept = [event for event in events if _by(event, step)]
    made = (json.dumps(to_dict(event), ensure_ascii=False) + "\n" for event in kept)
    write_whole(folder / NAME, "".join(made))
    return len(bad)


def _lines(folder: Path, after: int) -> Iterator[str]:
    try:
        # A line ends at \n alone: U+2028 within a text is none.
        with (folder / NAME).open(encoding="utf-8", errors="replace", newline="\n") as log:
            for number, line in enumerate(log):
                if number >= after and line.endswith("\n"):
                    yield line
    except FileNotFoundError:
        return


def _event(line: str, number: int) -> TrainEvent:
    try:
        return from_dict(json.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Lost(number)


def _by(event: TrainEvent, step: int) -> bool:
    if isinstance(event, Started):
        return event.first <= step
    return not isinstance(event, Finished | Lost) and event.step <= step
