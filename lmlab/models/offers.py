"""Which models of the Hub are offered here, and what fits into this machine's memory."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from lmlab.errors import MemoryLimitError
from lmlab.models.backends import scheme
from lmlab.models.folders import continues
from lmlab.models.known import known
from lmlab.settings import Settings

if TYPE_CHECKING:
    from lmlab.models.hub import Repo

MOST_NAMED = 3  # models that a sentence names


GPUS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # one of them is there where Linux has a GPU


class Offers:
    """What the settings leave of the models that there are."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def budget(self) -> int:
        """Bytes that loaded models may take together."""
        gigabytes = self.settings.memory_gb
        return int(gigabytes * 1e9) if gigabytes else psutil.virtual_memory().total // 2

    @property
    def largest(self) -> int:
        """Bytes that one model may take."""
        gigabytes = self.settings.max_model_gb
        return min(self.budget, int(gigabytes * 1e9)) if gigabytes else self.budget

    def need(self, repo: "Repo") -> int:
        """Bytes that the weights of a repository will take in memory, as loading counts them."""
        if repo.numbers is None:
            return repo.weights
        from lmlab.models.devices import width_of

        return repo.numbers * width_of(self.settings)

    def check_fits(self, need: int, name: str) -> None:
        """Refuse what takes more bytes of memory than a model may.

        Raises:
            MemoryLimitError: with what would fit.
        """
        if need > self.largest:
            hint = self.fitting(self.largest)
            which = "MAX_MODEL" if self.settings.max_model_gb else "MEMORY"
            if not self.settings.public:
                hint += f" Or raise LMLAB_{which}_GB."
            raise MemoryLimitError(
                f"‘{name}’ needs {need / 1e9:.2g} GB of memory; a model may take "
                f"{self.largest / 1e9:.2g} GB here.",
                hint,
            )

    def fitting(self, room: int) -> str:
        """Which models would fit into so many bytes, in a sentence: the largest ones."""
        from lmlab.models.devices import width_of

        width = width_of(self.settings)
        sizes = {one.name: one.memory(width) for one in known()}
        fit = [name for name in self.on_hub() if sizes.get(name, room + 1) <= room]
        best = sorted(fit, key=lambda name: -sizes[name])[:MOST_NAMED]
        said = ", ".join(f"{name} ({sizes[name] / 1e9:.2g} GB)" for name in best)
        return f"These fit: {said}." if said else "Choose a smaller model, such as ‘tiny’."

    @property
    def least_width(self) -> int:
        """Bytes that a number of the weights takes in memory at least; asks no torch."""
        settings = self.settings
        if settings.dtype != "auto":
            return 4 if settings.dtype == "float32" else 2
        none = sys.platform == "darwin" or (
            sys.platform == "linux" and not any(Path(one).exists() for one in GPUS)
        )
        return 4 if settings.device in ("cpu", "mps") or (settings.device == "auto" and none) else 2

    def on_hub(self) -> list[str]:
        """Models of the Hub that are offered here, those first that are on this machine: what the
        settings list one by one, what is worth knowing (``known``), and, unless strangers are let
        in, what was fetched; each only where it may be.
        """
        from lmlab.models.hub import fetched, snapshot_of

        settings = self.settings
        names = [name for name in settings.listed if not scheme(name)]
        names += [one.name for one in known()]
        if not settings.public and settings.any_model:
            names += [name for name in fetched() if continues(snapshot_of(name))]
        names = [name for name in dict.fromkeys(names) if settings.may_fetch(name)]
        here = [name for name in names if snapshot_of(name)]
        return here + [name for name in names if name not in here and not settings.offline]
