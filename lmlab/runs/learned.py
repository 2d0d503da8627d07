"""Whether what a run has learned still lies there whole. Knows no torch."""

import json
from functools import lru_cache
from pathlib import Path

LENGTH = 8  # bytes at the start of a safetensors file: how long its header is
LONGEST = 100_000_000  # bytes of a header


def damaged(folder: Path) -> str:
    """The first file of a folder that was cut short or overwritten; empty where all look whole.

    Looks at the form alone: weights that were changed within it are not found.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix in _LOOKS)
        if not any(path.suffix == ".safetensors" for path in files):
            return "the file of its weights"
        for path in files:
            found = path.stat()
            if not _is_whole(path, found.st_mtime_ns, found.st_size):
                return f"{folder.name}/{path.name}"
    except OSError:
        return folder.name
    return ""


@lru_cache(maxsize=2048)
def _is_whole(path: Path, changed: int, size: int) -> bool:
    """As long as nothing changes, a file is looked at once."""
    try:
        return _LOOKS[path.suffix](path, size)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def _is_json(path: Path, size: int) -> bool:
    json.loads(path.read_text(encoding="utf-8"))
    return True


def _is_safetensors(path: Path, size: int) -> bool:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(LENGTH), "little")
        if length > min(size, LONGEST):
            return False
        header = json.loads(file.read(length))
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    return bool(LENGTH + length + max(ends, default=0) == size)


_LOOKS = {".json": _is_json, ".safetensors": _is_safetensors}
