"""Runs kept in a bucket that is mounted on a Space, whose own disk is empty after each start.

A mounted bucket has no locks, takes files from their beginning to their end, and keeps one only
when it is closed. So runs live on the Space's disk, and each that is over lies in the bucket as one
archive, which the next start unpacks.
"""

import atexit
import logging
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

from lmlab.hosting.space import STORAGE
from lmlab.hosting.sweep import every
from lmlab.runs.jobs import GOING
from lmlab.runs.store import RunFolder, Runs, default_root
from lmlab.settings import Settings

log = logging.getLogger("lmlab")
SECONDS = 60.0  # between two looks at what has changed


class Bucket:
    """The archives of runs in a folder of a bucket."""

    def __init__(self, runs: Runs, folder: Path) -> None:
        self._runs = runs
        self._folder = folder
        self._kept: dict[str, float] = {}  # since when each lies here as it is
        self._failed = ""

    def restore(self) -> list[str]:
        """Unpack what is not on the disk; ids of the runs that came back."""
        found = []
        for file in sorted(self._folder.glob("*.tar")):
            there = self._runs.root / file.stem
            try:
                if not there.exists():
                    self._runs.root.mkdir(parents=True, exist_ok=True)
                    with tarfile.open(file) as packed:
                        packed.extractall(self._runs.root, filter="data")
                    found.append(file.stem)
                self._kept[file.stem] = _changed(there)
            except (OSError, tarfile.TarError) as error:
                log.warning("A run in the bucket cannot be read: %s", type(error).__name__)
        return found

    def save(self) -> None:
        """Keep what is over and has changed; forget what was removed here. What fails, as in a full
        bucket, is said in the log once, stays on the disk and is tried again."""
        here = {one.path.name: one for one in self._runs.all()}
        try:
            for name, run in here.items():
                if self._kept.get(name) != (changed := _changed(run.path)) and _is_over(run):
                    self._pack(run)
                    self._kept[name] = changed
            for name in self._kept.keys() - here.keys():
                (self._folder / f"{name}.tar").unlink(missing_ok=True)
                del self._kept[name]
            self._failed = ""
        except OSError as error:
            if self._failed != (said := error.strerror or type(error).__name__):
                log.warning("Runs stay on this disk alone, the bucket takes none: %s", said)
            self._failed = said

    def _pack(self, run: RunFolder) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / f"{run.path.name}.tar"
        try:
            with file.open("wb") as into, tarfile.open(fileobj=into, mode="w|") as packed:
                packed.add(run.path, run.path.name, filter=_without_locks)
        except OSError:
            file.unlink(missing_ok=True)  # what is half written would be taken for the whole
            raise


def keep(settings: Settings, environment: Mapping[str, str], storage: Path = STORAGE) -> None:
    """Have runs kept in the bucket from now on, if this is a Space with one. Call it before runs
    can be started: what those save while the page ends is kept last."""
    if "SPACE_ID" not in environment or not os.access(storage, os.W_OK):
        return
    bucket = Bucket(Runs(settings.runs_dir or default_root()), storage / "lmlab" / "runs")
    bucket.restore()
    atexit.register(bucket.save)
    every(SECONDS, bucket.save, lambda: True)


def _is_over(run: RunFolder) -> bool:
    return run.state.get("state") not in GOING and not run.is_alive


def _changed(folder: Path) -> float:
    return (folder / "state.json").stat().st_mtime if (folder / "state.json").exists() else 0.0


def _without_locks(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if member.name.endswith("/lock") else member
