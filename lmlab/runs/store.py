"""All runs below one folder; what was learned, packed. Knows no torch."""

import json
import os
import re
import secrets
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lmlab.errors import InputError
from lmlab.finetuning.config import FinetuneConfig
from lmlab.finetuning.sets import TuningData
from lmlab.pretraining.config import PretrainConfig
from lmlab.prompts.templates import PromptTemplate
from lmlab.runs.folder import RunFolder, write_whole
from lmlab.runs.specs import (
    RunInfo,
    RunSpec,
    State,
    fingerprint,
    new_pretraining,
    new_spec,
    title_of,
)

__all__ = [
    "RunFolder",
    "RunInfo",
    "RunSpec",
    "Runs",
    "State",
    "archive",
    "default_root",
    "fingerprint",
    "new_pretraining",
    "new_spec",
    "title_of",
    "write_whole",
]


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
    ) -> RunFolder:
        """A new run under an id that nobody can guess."""
        spec = new_spec(secrets.token_hex(8), owner, model, data, template, config)
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
        """Every run."""
        return [RunFolder(path.parent) for path in sorted(self.root.glob("*/run.json"))]

    def owned(self, owner: str) -> list[RunFolder]:
        """An owner's runs, newest first."""
        who = fingerprint(owner)
        specs = [(one.spec, one) for one in self.all()]
        kept = [(spec.created, folder) for spec, folder in specs if spec.owner == who]
        return [folder for _, folder in sorted(kept, key=lambda pair: -pair[0])]

    def tidy(self, days: float | None) -> None:
        """Remove runs that nobody has touched for so many days; None keeps all."""
        if days is None:
            return
        for folder in self.all():
            age = time.time() - (folder.path / "state.json").stat().st_mtime
            if age > days * 86_400 and not folder.is_alive:
                self.delete(folder)

    def delete(self, folder: RunFolder) -> None:
        """Remove a run and all it wrote."""
        # First what makes it a run, so that a half-deleted one is none.
        (folder.path / "run.json").unlink(missing_ok=True)
        shutil.rmtree(folder.path, ignore_errors=True)


_ID = re.compile(r"[0-9a-f]{16}")


def archive(folder: RunFolder) -> Path:
    """A zip of what was learned, its card, settings and log; a file that is the caller's.

    Raises:
        InputError: nothing has been saved yet.
    """
    learned = folder.learned
    if learned is None:
        raise InputError("This run has not saved anything yet.", "Stop it, or wait.")
    handle, name = tempfile.mkstemp(prefix="lmlab-", suffix=".zip")
    os.close(handle)
    spec = {key: value for key, value in folder.spec.to_dict().items() if key != "owner"}
    with zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(learned.iterdir()):
            if file.name == "adapter_config.json":
                packed.writestr(file.name, _portable(file, str(spec["model"])))
            else:
                packed.write(file, file.name)
        packed.writestr("run.json", json.dumps(spec, indent=2) + "\n")
        if (folder.path / "metrics.jsonl").exists():
            packed.write(folder.path / "metrics.jsonl", "metrics.jsonl")
    return Path(name)


def _portable(file: Path, model: str) -> str:
    """An adapter's config without the path that a shipped base has on this machine."""
    config = json.loads(file.read_text(encoding="utf-8"))
    if Path(str(config.get("base_model_name_or_path"))).is_absolute():
        config["base_model_name_or_path"] = model
    return json.dumps(config, indent=2, sort_keys=True) + "\n"


def default_root() -> Path:
    """Where runs are kept unless the settings say otherwise."""
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "lmlab" / "runs"
