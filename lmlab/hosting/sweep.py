"""Forgets what visitors left on the disk once its time is over, also what an earlier process left.

Gradio deletes what it remembers; after a crash it remembers nothing, and it leaves empty folders.
"""

import os
import tempfile
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

LONGEST = 600.0  # seconds between two rounds


def sweep(folder: Path, seconds: float, keep: Collection[str] = ()) -> int:
    """Remove files below a folder that nobody has touched for so long, but for those to ``keep``,
    and empty folders; how many files went."""
    now, gone = time.time(), 0
    for root, folders, files in os.walk(folder, topdown=False):
        for path in (Path(root, name) for name in files):
            try:
                if str(path) not in keep and now - _touched(path) > seconds:
                    path.unlink()
                    gone += 1
            except OSError:
                continue
        for path in (Path(root, name) for name in folders):
            try:
                # A new folder is about to get its file.
                if now - path.lstat().st_mtime > min(seconds, 60.0):
                    path.rmdir()
            except OSError:
                continue
    return gone


def sweep_zips(seconds: float) -> None:
    """Remove archives (``runs.store.archive``) that nobody has fetched for so long."""
    for path in Path(tempfile.gettempdir()).glob("lmlab-*.zip"):
        try:
            if time.time() - _touched(path) > seconds:
                path.unlink()
        except OSError:
            continue


def _touched(path: Path) -> float:
    found = path.lstat()
    return max(found.st_mtime, found.st_ctime)


def every(
    seconds: float, work: Callable[[], object], running: Callable[[], bool]
) -> threading.Thread:
    """Do something now and again, at most ``LONGEST`` apart, in the background, for as long as the
    page runs; what fails is tried again at the next time.
    """

    def go() -> None:
        pause = min(seconds, LONGEST)
        while True:
            # A file may go, or a set of them change, while it is looked at: there is a next time.
            with suppress(OSError, RuntimeError):
                work()
            end = time.monotonic() + pause
            while time.monotonic() < end:
                time.sleep(min(1.0, pause))
                if not running():
                    return

    thread = threading.Thread(target=go, daemon=True, name="lmlab-sweep")
    thread.start()
    return thread
