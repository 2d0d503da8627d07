"""A lock on a file that the system lets go of when its process ends, however it ends: unlike a
process's number and its time of birth, it can be neither reused nor shifted by a clock.
"""

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from lmlab.errors import InputError

WAIT = 2.0  # seconds; whoever merely looks at a lock stands in its way for an instant
PAUSE = 0.02
_HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


class HeldError(InputError):
    """Somebody else holds the lock."""


def is_process(pid: Any, born: Any) -> bool:
    """Whether a process is the one that was meant, and not a later one of the same number."""
    try:
        process = psutil.Process(int(pid))
        same = abs(process.create_time() - float(born)) < 1.0
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except (psutil.Error, TypeError, ValueError):
        return False


def held(path: Path) -> bool | None:
    """Whether a process holds the lock; None where that cannot be told. Writes nothing."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        return not _take(handle, alone=False)
    except OSError:
        return None
    finally:
        os.close(handle)


@contextmanager
def hold(path: Path, wait: float = WAIT) -> Iterator[None]:
    """Hold the lock.

    Raises:
        HeldError: another process, or another place in this one, holds it.
        OSError: the file cannot be made.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        end = time.monotonic() + wait
        while not _taken(handle):
            if time.monotonic() >= end:
                raise HeldError("This run is under way already.", "Wait until it is over.")
            time.sleep(PAUSE)
        yield
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    """Whether the lock was got; where the disk knows no locks, nobody can be kept out."""
    try:
        return _take(handle, alone=True)
    except OSError:
        return True


def _take(handle: int, alone: bool) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            return False
        raise
    return True
