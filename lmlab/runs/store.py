"""All runs below one folder; what was learned, packed. Knows no torch."""

import json
import logging
import math
import os
import re
import secrets
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from lmlab.assets import in_checkout
from lmlab.errors import InputError, disk_error
from lmlab.runs import locks
from lmlab.runs.folder import RunFolder
from lmlab.runs.specs import (
    RunInfo,
    RunSpec,
    State,
    UnreadRunError,
    fingerprint,
    new_pretraining,
    new_spec,
    title_of,
)
from lmlab.text.templates import PromptTemplate
from lmlab.training.card import retold
from lmlab.training.config import FinetuneConfig
from lmlab.training.pretrain_config import PretrainConfig
from lmlab.training.sets import TuningData
from lmlab.training.whole import write_whole

__all__ = [
    "RunFolder", "RunInfo", "RunSpec", "Runs", "State", "UnreadRunError", "archive", "default_root",
    "fingerprint", "new_pretraining", "new_spec", "title_of", "write_whole",
]  # fmt: skip


log = logging.getLogger("lmlab")
ASIDE = "set-aside"  # where damaged runs lie
PAGES = ".pages"  # a lock for each page that has runs here
UNSAVED = ("This run has not saved anything yet.", "Stop it, or wait.")
LEFT = 3600.0  # seconds after which what was never finished is nobody's


@dataclass(frozen=True)
class Runs:
    """All runs below one folder."""

    root: Path

    def new(
        self,
        owner: str,
        model: str,
        data: TuningData,
        template: PromptTemplate | None,
        config: FinetuneConfig,
        adapter: str = "",
    ) -> RunFolder:
        """A new run under an id that nobody can guess."""
        spec = new_spec(secrets.token_hex(8), owner, model, data, template, config, adapter)
        return RunFolder.create(self.root / spec.id, spec, data)

    def new_pretraining(self, owner: str, data: TuningData, config: PretrainConfig) -> RunFolder:
        """The same for a model from nothing; the rows of the data are documents."""
        spec = new_pretraining(secrets.token_hex(8), owner, data, config)
        return RunFolder.create(self.root / spec.id, spec, data)

    def of(self, owner: str, run_id: str) -> RunFolder:
        """An owner's run.

        Raises:
            InputError: there is none of that id, or it is somebody else's.
        """
        who, folder = fingerprint(owner), self.find(run_id)
        if folder is None or folder.spec.owner != who:
            raise InputError("There is no such run of yours.", "It may have been deleted.")
        return folder

    def find(self, run_id: str) -> RunFolder | None:
        """The run of an id, whoever owns it."""
        path = self.root / run_id
        known = _ID.fullmatch(run_id) and (path / "run.json").is_file()
        return RunFolder(path) if known else None

    def all(self) -> Iterable[RunFolder]:
        """Every run that can be read; the others are left out, and the log says why, once."""
        return [folder for _, folder in self._sound()]

    def _sound(self) -> Iterator[tuple[RunSpec, RunFolder]]:
        for path in sorted(self.root.glob("*/run.json")):
            folder = RunFolder(path.parent)
            try:
                yield folder.spec, folder
            except UnreadRunError as error:
                if path.exists():  # it may have been deleted just now
                    _note(path, error.message)

    def owned(self, owner: str) -> list[RunFolder]:
        """An owner's runs, newest first."""
        who = fingerprint(owner)
        kept = [(spec.created, folder) for spec, folder in self._sound() if spec.owner == who]
        return [folder for _, folder in sorted(kept, key=lambda pair: -pair[0])]

    def set_aside(self) -> list[Path]:
        """Move damaged runs out of the way, whole, for whoever wants to look; where they lie now.

        A run that another version wrote, or that cannot be read just now, stays where it is.
        """
        moved = []
        for path in sorted(self.root.glob("*/run.json")):
            folder = RunFolder(path.parent)
            try:
                _ = folder.spec
            except UnreadRunError as error:
                if error.damaged and not folder.is_alive and (to := self._moved(folder)):
                    moved.append(to)
        return moved

    def _moved(self, folder: RunFolder) -> Path | None:
        to = self.root / ASIDE / folder.path.name
        if to.exists():
            to = to.with_name(f"{to.name}-{secrets.token_hex(2)}")
        try:
            to.parent.mkdir(exist_ok=True)
            folder.path.rename(to)
        except OSError as error:
            log.warning("A damaged run cannot be set aside: %s", error.strerror)
            return None
        log.warning("A damaged run was set aside in %s/%s", ASIDE, _short(to.name))
        return to

    def n_bytes(self, owner: str | None = None) -> int:
        """Bytes that runs take on the disk: all of them, or an owner's."""
        if owner is None:
            return size_of(self.root)
        return sum(size_of(folder.path) for folder in self.owned(owner))

    def tidy(self, days: float | None) -> None:
        """Remove runs that nobody has touched for so many days; None keeps all.

        What a start that broke has left is no run, and goes after an hour.
        """
        for path in [*_folders(self.root), *_folders(self.root / ASIDE)]:
            with suppress(OSError, InputError):
                self._tidy(path, days)
        for path in self.root.glob(f"{PAGES}/*.lock"):
            if locks.held(path) is False:
                path.unlink(missing_ok=True)

    def _tidy(self, path: Path, days: float | None) -> None:
        folder = RunFolder(path)
        is_run = (path / "run.json").exists()
        if not is_run and not (path.parent == self.root and _ID.fullmatch(path.name)):
            return  # whatever else lies here is somebody's
        times = (_touched(path / name) for name in ("state.json", "run.json", "."))
        age = time.time() - next((one for one in times if one), 0.0)
        most = LEFT if not is_run else math.inf if days is None else days * 86_400
        if age > most and not folder.is_alive:
            self.delete(folder)
            return
        for part in path.glob(".*.json*.*.*"):  # of a process that died while it wrote
            if time.time() - _touched(part) > LEFT:
                part.unlink(missing_ok=True)

    def delete(self, folder: RunFolder) -> None:
        """Remove a run and all it wrote.

        Raises:
            InputError: it may not be removed.
        """
        try:
            # First what makes it a run, so that a half-deleted one is none.
            (folder.path / "run.json").unlink(missing_ok=True)
        except OSError as error:
            raise disk_error(error) or InputError("This run cannot be removed.") from None
        shutil.rmtree(folder.path, ignore_errors=True)


_ID = re.compile(r"[0-9a-f]{16}")


@lru_cache(maxsize=512)
def _note(path: Path, why: str) -> None:
    """Say once for each run that it is left out; its id opens it, and is not told whole."""
    name = path.parent.name
    log.warning("A run is left out. %s", why.replace(name, _short(name)))


def _short(name: str) -> str:
    return f"{name[:4]}…" if _ID.match(name) else name


def _folders(root: Path) -> list[Path]:
    try:
        return [Path(one.path) for one in os.scandir(root) if one.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _touched(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder; what goes meanwhile counts as nothing."""
    total = 0
    for root, _, files in os.walk(folder):
        for name in files:
            with suppress(OSError):
                total += os.lstat(os.path.join(root, name)).st_size
    return total


def archive(folder: RunFolder) -> Path:
    """A zip of what was learned, its card, settings and log; a file that is the caller's.

    Raises:
        InputError: nothing has been saved yet.
    """
    learned = folder.learned
    if learned is None:
        raise InputError(*UNSAVED)
    name = ""
    try:
        handle, name = tempfile.mkstemp(prefix="lmlab-", suffix=".zip")
        os.close(handle)
        _pack(folder, learned, name)
    except BaseException as error:
        if name:
            Path(name).unlink(missing_ok=True)
        raise disk_error(error) or error from None
    return Path(name)


def _pack(folder: RunFolder, learned: Path, name: str) -> None:
    spec = {key: value for key, value in folder.spec.to_dict().items() if key != "owner"}
    with (
        handed_out(folder, learned) as made,
        zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for file in sorted(made.iterdir()):
            packed.write(file, file.name)
        packed.writestr("run.json", json.dumps(spec, indent=2) + "\n")
        if (folder.path / "metrics.jsonl").exists():
            packed.write(folder.path / "metrics.jsonl", "metrics.jsonl")


@contextmanager
def handed_out(folder: RunFolder, learned: Path, base: str = "") -> Iterator[Path]:
    """A folder of what was learned, in which a shipped base has no path of this machine.

    Args:
        base: an id of the Hub that has the base; adapter and card then name that.
    """
    named = in_checkout(folder.spec.model)
    with tempfile.TemporaryDirectory(prefix="lmlab-") as name:
        made = Path(name)
        for file in learned.iterdir():
            (made / file.name).symlink_to(file.resolve())
        if (file := learned / "adapter_config.json").is_file():
            config = json.loads(file.read_text(encoding="utf-8"))
            if base or Path(str(config.get("base_model_name_or_path"))).is_absolute():
                config["base_model_name_or_path"] = base or named
            (made / file.name).unlink()
            text = json.dumps(config, indent=2, sort_keys=True) + "\n"
            (made / file.name).write_text(text, encoding="utf-8")
        if base and (file := learned / "README.md").is_file():
            card = retold(file.read_text(encoding="utf-8"), named, base, folder.spec.config)
            (made / file.name).unlink()
            (made / file.name).write_text(card, encoding="utf-8")
        yield made


def default_root() -> Path:
    """Where runs are kept unless the settings say otherwise."""
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "lmlab" / "runs"
