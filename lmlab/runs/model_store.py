"""The store of models that knows what runs on this machine have learned: ``run:ID``."""

from lmlab.errors import ModelError
from lmlab.models.places import NO_RUN, Progress
from lmlab.models.refs import RUN, ModelRef
from lmlab.models.store import FolderStore
from lmlab.runs.store import RunFolder, Runs, default_root

__all__ = ["RUN", "ModelRef", "ModelStore", "Progress"]


class ModelStore(FolderStore):
    """Loaded models, least recently used dropped first, within a budget of bytes."""

    @property
    def runs(self) -> Runs:
        """The runs of this machine, which can be used as models: ``run:ID``."""
        return Runs(self.settings.runs_dir or default_root())

    def run(self, name: str) -> RunFolder:
        """A fine-tuning run; its id is known to its owner alone."""
        found = self.runs.find(name.removeprefix(RUN))
        if found is None:
            raise ModelError(*NO_RUN)
        return found
