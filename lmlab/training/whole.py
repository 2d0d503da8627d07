"""Files and folders that appear whole or not at all, also where the power goes. Knows no torch."""

import os
import threading
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """A text file that appears whole or not at all. Raises OSError: the disk is full, for instance;
    what was there before still is then.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def put_in_place(partial: Path, final: Path) -> None:
    """Let a folder that is written take its name, its files safe on the disk before. Raises
    OSError: the disk is full, for instance.
    """
    for path in partial.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    partial.rename(final)
    with suppress(OSError):  # not every system lets a folder be opened
        handle = os.open(final.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
