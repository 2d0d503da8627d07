"""Pre-training as the page asks for it, within the settings' limits.

Runs stand in the same folder and the same queue as those of fine-tuning. Imports no torch before a
tokenizer is trained.
"""

from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING

from lmlab.errors import InputError
from lmlab.lab import import_core
from lmlab.memo import Memo
from lmlab.runs.owned_runs import TuningRuns
from lmlab.runs.room import check_memory, check_most
from lmlab.runs.specs import RunSpec
from lmlab.text.rows import decoded
from lmlab.training import corpus as texts
from lmlab.training.counting import disk_bytes
from lmlab.training.pretrain_config import PretrainConfig
from lmlab.training.sets import TuningData

if TYPE_CHECKING:
    from lmlab.training.tokenizer import TokenizerView

KNOWN = 8  # tokenizers that are kept, so that going back to one takes no time
SAMPLE = 700  # characters of a text that are shown cut into tokens
OVERHEAD = 1.25  # looks, samples and checkpoints on top of the steps


@dataclass(frozen=True)
class Pretraining(TuningRuns):
    """What can be asked about models from nothing; what about runs that there are, in
    ``TuningRuns``.
    """

    _views: "Memo[tuple[str, int], TokenizerView]" = field(
        default_factory=lambda: Memo(KNOWN), repr=False
    )

    def own(self, content: bytes | str, name: str) -> TuningData:
        """The documents of a text of one’s own. Raises InputError: no UTF-8, too short or long."""
        text = decoded(content) if isinstance(content, bytes) else content
        if "\0" in text:
            raise InputError("This is no plain text.", "Give a text file.")
        return texts.corpus(text, name, "upload", limit=self.lab.settings.max_corpus_chars)

    def tokenizer(self, data: TuningData, vocabulary: int) -> "TokenizerView":
        """The tokenizer that a run would train on these documents, and what it makes of the first
        held-out one.
        """
        import_core()
        from lmlab.training.tokenizer import train_tokenizer, view

        documents = texts.texts(data)
        key = (sha256("\0".join(documents).encode()).hexdigest(), vocabulary)
        if (found := self._views.get(key)) is None:
            (sample,) = texts.first_chars(texts.texts(data, "valid")[:1], SAMPLE)
            found = view(train_tokenizer(documents, vocabulary, 0), documents, sample)
            self._views.put(key, found)
        return found

    def seconds(self, config: PretrainConfig) -> float:
        """How long a run takes, about."""
        return OVERHEAD * config.tokens * config.flops_per_token / self._speed

    def start(self, owner: str, data: TuningData, config: PretrainConfig) -> str:
        """Queue a run in the background; its id. Raises LabError: a limit of the settings."""
        self._check_allowed()
        settings = self.lab.settings
        check_most("steps", config.steps, settings.max_pretrain_steps)
        check_most("parameters", config.parameters, settings.max_parameters)
        hint = "Take smaller batches or a smaller model."
        check_memory(config.memory_bytes, self.lab.store, hint)
        return self._begin(
            owner,
            lambda: self.lab.store.runs.new_pretraining(owner, data, config),
            disk_bytes(config.parameters, config.parameters) + data.n_bytes,
        )

    def documents(self, owner: str, run_id: str) -> TuningData:
        """What a run learns from and what it holds out. Raises InputError: there is no run of that
        id that belongs to the owner.
        """
        folder = self.lab.store.runs.of(owner, run_id)
        return folder.data(folder.spec)

    @cached_property
    def _speed(self) -> float:
        """Floating-point operations a second that a run's threads get."""
        import_core()
        from lmlab.training.outlines import measured_speed

        return measured_speed()

    def _is_kind(self, spec: RunSpec) -> bool:
        return spec.pretraining is not None
