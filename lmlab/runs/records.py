"""What lies in a run's folder line by line: its log of events, metrics.jsonl, only ever added to;
and the rows that it learns and holds out, train.jsonl and valid.jsonl, with places.json where they
came from a file. A line of the log that cannot be read costs itself alone. Knows no torch.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from lmlab.errors import InputError
from lmlab.text.records import Place, Row, place_of, restored, stored
from lmlab.training.events import Finished, Lost, Started, TrainEvent, from_dict, to_dict
from lmlab.training.whole import write_whole

LOG = "metrics.jsonl"
DAMAGED = "metrics-damaged.jsonl"
PLACES = "places.json"


def append(folder: Path, event: TrainEvent) -> None:
    """Add an event.

    Raises:
        OSError: the disk is full, for instance; no half of a line stays then.
    """
    line = json.dumps(to_dict(event), ensure_ascii=False, allow_nan=False) + "\n"
    # Unbuffered: what a full disk refuses is not tried again when the file is closed.
    with (folder / LOG).open("ab", buffering=0) as log:
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
    write_whole(folder / LOG, "".join(made))
    return len(bad)


def _lines(folder: Path, after: int) -> Iterator[str]:
    try:
        # A line ends at \n alone: U+2028 within a text is none.
        with (folder / LOG).open(encoding="utf-8", errors="replace", newline="\n") as log:
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


def write_rows(folder: Path, parts: Mapping[str, Sequence[Row]]) -> None:
    """Write each part's rows, and their places where these are known."""
    for part, rows in parts.items():
        lines = "".join(json.dumps(stored(row), ensure_ascii=False) + "\n" for row in rows)
        write_whole(folder / f"{part}.jsonl", lines)
    places = {part: [place_of(row) for row in rows] for part, rows in parts.items()}
    if any(map(any, places.values())):
        write_whole(folder / PLACES, json.dumps(places))


def read_rows(folder: Path, part: str) -> tuple[Row, ...]:
    """The rows of a part.

    Raises:
        InputError: a file is damaged.
    """
    try:
        text = (folder / f"{part}.jsonl").read_text(encoding="utf-8")
        rows = [json.loads(line) for line in text.split("\n") if line]
        places = _places(folder, part, len(rows))
        return tuple(restored(row, place) for row, place in zip(rows, places, strict=True))
    except (OSError, ValueError, RecursionError, TypeError, KeyError, AttributeError):
        raise InputError(
            f"The file {part}.jsonl of this run, or {PLACES}, is damaged.",
            "What was learned by then is kept; to go on, start a new run on the same rows.",
        ) from None


def _places(folder: Path, part: str, count: int) -> list[Place | None]:
    try:
        known = json.loads((folder / PLACES).read_text(encoding="utf-8"))[part]
    except FileNotFoundError:
        return [None] * count
    return [Place(*place) if place else None for place in known]
