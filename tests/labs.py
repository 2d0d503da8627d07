"""Labs for tests of the page: small models, mocks, training in threads of this process."""

import shutil
import threading
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from lmlab.assets import models_dir
from lmlab.errors import LabError
from lmlab.lab import Lab
from lmlab.runs.jobs import Jobs
from lmlab.runs.model_store import ModelStore
from lmlab.runs.store import RunFolder
from lmlab.runs.worker import train
from lmlab.settings import Settings
from tests import folders

CHAT = "mock:scripted?chat"
MOCKS = ("mock:scripted", "mock:bigram", "mock:uniform", CHAT)
SLOW = "mock:scripted?pause=0.3"


def suite(root: Path) -> Path:
    """Models in a folder: ``base`` is the shipped ``tiny``, ``base-early`` a little off it; an
    adapter."""
    shutil.copytree(models_dir() / "tiny", root / "base")
    shutil.copytree(models_dir() / "tiny", root / "base-early")
    file = root / "base-early" / "model.safetensors"
    generator = torch.Generator().manual_seed(0)
    tensors = {
        name: one + 0.02 * torch.randn(one.shape, generator=generator).to(one.dtype)
        for name, one in load_file(file).items()
    }
    save_file(tensors, file, {"format": "pt"})
    folders.save_lora(root / "adapters" / "german", root / "base")
    return root


def lab_of(models: Path, runs: Path, model: str = MOCKS[0], **settings: Any) -> Lab:
    """A lab over such a folder and the mocks, which trains in threads."""
    names = (*MOCKS, *({model} - {*MOCKS, "base"}))
    asked = Settings(
        **{"offline": True, "runs_dir": runs, "model": model, "models": names, **settings}
    )
    lab = Lab(ModelStore(asked, models=models), asked)
    lab.__dict__["jobs"] = Jobs(asked, lambda folder: Training(folder, lab.settings))
    return lab


def clear(lab: Lab) -> None:
    """Have all runs of a lab end, and forget them."""
    while lab.jobs.counts() != (0, 0):
        for folder in lab.store.runs.all():
            lab.jobs.stop(folder)
        time.sleep(0.05)
    for folder in list(lab.store.runs.all()):
        lab.store.runs.delete(folder)


class Training:
    """A run in a thread of this process."""

    def __init__(self, folder: RunFolder, settings: Settings) -> None:
        self._folder, self._settings, self._status = folder, settings, 0
        self._thread = threading.Thread(target=self._train, daemon=True)
        self._thread.start()

    def _train(self) -> None:
        try:
            for _ in train(self._folder, self._settings):
                pass
        except LabError:
            self._status = 1  # said in the run's state

    def wait(self, timeout: float | None = None) -> int:
        """Until it is over."""
        self._thread.join(timeout)
        return self._status

    def terminate(self) -> None:
        """Ask it to end, as the page does."""
        self._folder.stop_file.touch()

    kill = terminate
