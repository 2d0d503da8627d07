"""A run's folder: what was asked, what happened, checkpoints, and what was learned.

    RUN/
      run.json        model, data, template and config, as asked
      train.jsonl, valid.jsonl        the rows
      state.json      queued, running, done, …; rewritten whole
      metrics.jsonl   the events, one a line; only ever added to, but cut at a checkpoint on resume
      checkpoints/STEP/               the newest alone: trained weights and the optimiser
      adapter/ or model/              what was learned, in the format of PEFT or transformers
      README.md       a model card

Every file but metrics.jsonl appears whole or not at all. Knows no torch.
"""

from dataclasses import dataclass
from typing import Literal

from lmlab.finetuning.config import FinetuneConfig

State = Literal["queued", "running", "done", "stopped", "failed", "interrupted"]


@dataclass(frozen=True)
class RunInfo:
    """One run as a list shows it.

    Attributes:
        id: letters and digits; whoever knows it can use the model, so only its owner is told.
        title: model, data and method in a few words.
        model: the base, by name.
        data: name of the set.
        template: name of the template; empty where rows are plain text.
        config: the settings.
        state: ``interrupted`` is a run whose process is gone; it can be resumed, and so can a
            stopped one that has not made all its steps.
        place: in the queue: 0 is the next to run; None where it does not wait.
        created: seconds since 1970.
        step: last step that is known of.
        trainable: parameters that learn; 0 before the start.
        total: of the model.
        train_loss, valid_loss, valid_before, probe_loss, probe_before, accuracy, accuracy_before:
            as in ``events.Finished``, of what has been measured so far.
        seconds: of training so far.
        reason: why it ended, as in ``events.Finished``; empty before.
        message: what went wrong, in a sentence.
        model_name: to be used wherever a model is named (``base+run:ID``, ``run:ID``); empty while
            nothing has been saved.
    """

    id: str
    title: str
    model: str
    data: str
    template: str
    config: FinetuneConfig
    state: State
    place: int | None = None
    created: float = 0.0
    step: int = 0
    trainable: int = 0
    total: int = 0
    train_loss: float | None = None
    valid_loss: float | None = None
    valid_before: float | None = None
    probe_loss: float | None = None
    probe_before: float | None = None
    accuracy: float | None = None
    accuracy_before: float | None = None
    seconds: float = 0.0
    reason: str = ""
    message: str = ""
    model_name: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen unless it is resumed."""
        return self.state not in ("queued", "running")

    @property
    def can_resume(self) -> bool:
        """Whether there are steps left to make."""
        return self.is_over and self.step < self.config.steps

    @property
    def forgetting(self) -> float | None:
        """Loss on general text, now minus before."""
        if self.probe_loss is None or self.probe_before is None:
            return None
        return self.probe_loss - self.probe_before
