"""Pre-training as the page asks for it, within the settings' limits.

Runs stand in the same folder and the same queue as those of fine-tuning. Imports no torch before a
tokenizer is trained.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING

from lmlab.errors import InputError
from lmlab.lab import import_core
from lmlab.runs.owned_runs import TuningRuns
from lmlab.runs.room import check_memory
from lmlab.runs.specs import RunSpec
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
class Cost:
    """What a run takes."""

    parameters: int  # numbers that learn
    memory_bytes: int  # weights, gradients, AdamW's moments and activations, roughly
    tokens: int  # that are read
    seconds: float  # that it will take, about


@dataclass(frozen=True)
class Pretraining(TuningRuns):
    """What can be asked about models from nothing; what about runs that there are, in
    ``TuningRuns``.
    """

    _views: "OrderedDict[tuple[str, int], TokenizerView]" = field(
        default_factory=OrderedDict, repr=False
    )
    _lock: Lock = field(default_factory=Lock, repr=False)

    def names(self) -> list[str]:
        """The texts that ship, the demo's first."""
        return list(texts.NAMES)

    def shipped(self, name: str) -> TuningData:
        """The documents of a text that ships.

        Raises:
            InputError: there is none of that name.
        """
        return texts.corpus(texts.shipped_text(name), name, "shipped")

    def own(self, content: bytes | str, name: str) -> TuningData:
        """The documents of a visitor's text.

        Raises:
            InputError: not UTF-8, too short, or too long.
        """
        if isinstance(content, bytes):
            try:
                content = content.decode("utf-8-sig")
            except UnicodeDecodeError as error:
                raise InputError(
                    f"The text is not UTF-8 (byte {error.start + 1:,}).", "Save it as UTF-8."
                ) from None
        if "\0" in content:
            raise InputError("This is no plain text.", "Give a text file.")
        return texts.corpus(content, name, "upload", limit=self.lab.settings.max_corpus_chars)

    def own_documents(self, found: Sequence[str], name: str) -> TuningData:
        """The same for documents that are apart already, rows of a table for instance.

        Raises:
            InputError: too short.
        """
        return texts.corpus_of(found, name, "upload")

    def tokenizer(self, data: TuningData, vocabulary: int) -> "TokenizerView":
        """The tokenizer that a run would train on these documents, and what it makes of the first
        held-out one.
        """
        import_core()
        from lmlab.training.tokenizer import train_tokenizer, view

        documents = texts.texts(data)
        key = (_fingerprint(documents), vocabulary)
        with self._lock:
            if key in self._views:
                self._views.move_to_end(key)
                return self._views[key]
        made = train_tokenizer(documents, vocabulary, 0)
        (sample,) = texts.first_chars(texts.texts(data, "valid")[:1], SAMPLE)
        found = view(made, documents, sample)
        with self._lock:
            self._views[key] = found
            while len(self._views) > KNOWN:
                self._views.popitem(last=False)
        return found

    def cost(self, config: PretrainConfig) -> Cost:
        """Parameters, memory and time."""
        seconds = OVERHEAD * config.tokens * config.flops_per_token / self._speed
        return Cost(config.parameters, config.memory_bytes, config.tokens, seconds)

    def warm(self) -> None:
        """Have a process ready, so that the next start is quick; returns at once."""
        if self.lab.settings.training:
            self.lab.jobs.warm()

    def start(self, owner: str, data: TuningData, config: PretrainConfig) -> str:
        """Queue a run in the background; its id.

        Raises:
            LabError: a limit of the settings.
        """
        self._check_allowed()
        self._check_limits(config)
        return self._begin(
            owner,
            lambda: self.lab.store.runs.new_pretraining(owner, data, config),
            disk_bytes(config.parameters, config.parameters) + data.n_bytes,
        )

    def documents(self, owner: str, run_id: str) -> TuningData:
        """What a run learns from and what it holds out.

        Raises:
            InputError: there is no run of that id that belongs to the owner.
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

    def _check_limits(self, config: PretrainConfig) -> None:
        settings = self.lab.settings
        limits = (
            ("steps", config.steps, settings.max_pretrain_steps),
            ("parameters", config.parameters, settings.max_parameters),
        )
        for name, value, most in limits:
            if value > most:
                raise InputError(f"At most {most:,} {name} are allowed here, not {value:,}.")
        hint = "Take smaller batches or a smaller model."
        check_memory(config.memory_bytes, self.lab.store, hint)


def _fingerprint(documents: list[str]) -> str:
    made = sha256()
    for document in documents:
        made.update(document.encode() + b"\0")
    return made.hexdigest()
