"""The rows that a run learns and holds out, as files of its folder, with where they stood before.

Files: train.jsonl and valid.jsonl; places.json where the rows came from a file.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from lmlab.errors import InputError
from lmlab.text.records import Place, Row, place_of, restored, stored
from lmlab.training.whole import write_whole

PLACES = "places.json"


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
