"""A visitor's table, a large one read in a process of its own: no thread of the page has the
interpreter's lock meanwhile, and what a stranger's file does to its reader it does there.
"""

import os
import pickle
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace

from lmlab.errors import InputError
from lmlab.text.packed import packed
from lmlab.text.parquet import read_any
from lmlab.text.sets import Table

SMALL = 8_000  # bytes of a text that takes less time than another process
LATER = 10  # how far it stands back behind the page's own work, as ``nice`` counts
CPU_SECONDS, MEMORY_BYTES = 60, 4_000_000_000
PATIENCE = 180.0  # seconds on a busy machine


def read_upload(content: bytes, name: str, *, skip: bool = False) -> Table:
    """As ``read_any``; the rows of a large table are made when somebody looks at them.

    Raises:
        InputError: also where reading takes too much time or memory.
    """
    if len(content) <= SMALL and not name.lower().endswith(".parquet"):
        return read_any(content, name, skip=skip)
    path = os.pathsep.join(filter(None, sys.path))
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-s", __file__],
            input=pickle.dumps((content, name, skip)),
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            env={"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        )
    except subprocess.TimeoutExpired:
        raise _too_much(name) from None
    if done.returncode < 0 or b"MemoryError" in done.stderr:
        raise _too_much(name)
    done.check_returncode()
    found = pickle.loads(done.stdout)
    if isinstance(found, InputError):
        raise found
    table: Table = found
    return table


def _too_much(name: str) -> InputError:
    return InputError(f"Reading {name} takes too much time or memory.", "Take a part of it.")


def _answer() -> None:
    """In the other process: from the request on standard input to a table, or what is wrong."""
    _limit()
    content, name, skip = pickle.load(sys.stdin.buffer)
    try:
        table = read_any(content, name, skip=skip)
        found: object = replace(table, rows=packed(table.rows))
    except InputError as error:
        found = error
    pickle.dump(found, sys.stdout.buffer, protocol=5)


def _limit() -> None:
    """Stand back, and stay within bounds, where the system has such."""
    with suppress(ImportError, AttributeError):
        import resource

        os.nice(LATER)
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


if __name__ == "__main__":
    _answer()
