"""The store of models that knows what runs on this machine have learned: ``run:ID``."""

from dataclasses import dataclass
from pathlib import Path

from lmlab.errors import ModelError
from lmlab.models.places import Learned, Progress
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
            raise ModelError("There is no such fine-tuning run.", "It may have been deleted.")
        return found

    def learned(self, name: str) -> Learned:
        """What the run of a name has learned."""
        return RunLearned(self.run(name))


@dataclass(frozen=True)
class RunLearned:
    """What one run has learned, as ``Places`` asks for it."""

    run: RunFolder

    @property
    def base(self) -> str:
        """The model that its adapter belongs to; empty where whole weights were learned."""
        spec = self.run.spec
        return spec.model if spec.config.is_adapter else ""

    def folder(self, step: str | None) -> Path:
        """Where it lies: as it was in the end, or by a step, as in ``run:ID@STEP``."""
        if step:
            kept = self.run.snapshots
            found = kept.get(int(step)) if step.isdecimal() and len(step) < 12 else None
            if found is None:
                raise ModelError(f"This fine-tuning run has kept nothing of step {step[:20]}.")
            return found
        if self.run.learned is None:
            raise ModelError("This fine-tuning run has not saved anything yet.")
        if (broken := self.run.broken) is not None:
            raise ModelError(broken.message, broken.hint)
        return self.run.learned
