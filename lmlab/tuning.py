"""Fine-tuning as the page asks for it, within the settings' limits: ``lab.tuning``.

Imports no torch before a model has to be looked at. ``owner`` is a long random text that the
visitor's browser keeps; what one owner started no other can see, stop or delete.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lmlab import data
from lmlab.data import Table
from lmlab.errors import InputError, MemoryLimitError
from lmlab.finetuning.config import FinetuneConfig
from lmlab.finetuning.counting import Counts, count
from lmlab.finetuning.events import TrainEvent
from lmlab.finetuning.masks import MaskView
from lmlab.finetuning.sets import TuningData, shipped_data, split_table
from lmlab.jobs import Jobs
from lmlab.models import ModelStore
from lmlab.parquet import read_parquet
from lmlab.runs import RunFolder, RunInfo, archive
from lmlab.settings import Settings
from lmlab.templates import PromptTemplate
from lmlab.wordings import shipped_templates

if TYPE_CHECKING:
    from lmlab.finetuning.outlines import Outline
    from lmlab.tokens import Vocabulary

DEMO = "qa"
PLAIN = "text"
KNOWN = 16  # models whose outline is kept
ROWS_READ = 48  # rows whose length is looked at for an estimate
LONGEST_OWNER, SHORTEST_OWNER = 200, 8


@dataclass(frozen=True)
class Tuning:
    """What can be asked about fine-tuning.

    Attributes:
        store: of models.
        settings: the limits: ``max_steps``, ``max_train_rows``, ``max_rank`` and the like.
        prepare: imports what runs models.
    """

    store: ModelStore
    settings: Settings
    prepare: Callable[[], None]
    _outlines: "dict[str, Outline]" = field(default_factory=dict, repr=False)

    @cached_property
    def jobs(self) -> Jobs:
        """The runs in the background."""
        return Jobs(self.settings)

    def sets(self) -> list[str]:
        """Names of the shipped sets, the demo's first."""
        return sorted(data.shipped_sets(), key=lambda name: name != DEMO)

    def dataset(self, name: str) -> TuningData:
        """A shipped set.

        Raises:
            InputError: there is none of that name.
        """
        return shipped_data(name)

    def table(self, content: bytes, name: str) -> Table:
        """A visitor's file: CSV, TSV, JSONL or Parquet, told by its name's ending.

        Raises:
            InputError: says which row or what else cannot be read.
        """
        if name.lower().endswith(".parquet"):
            if len(content) > data.MAX_BYTES:
                raise InputError(f"{name} is larger than {data.MAX_BYTES / 1e6:.0f} MB.")
            return read_parquet(content, name)
        return data.read_table(content, name)

    def hub_table(self, repo: str, subset: str = "", split: str = "train") -> Table:
        """The first rows of a data set of the Hub.

        Raises:
            InputError: it cannot be found or read, or the Hub may not be asked.
        """
        if self.settings.offline or not self.settings.allow_hub:
            raise InputError("The Hub is not asked here.", "Upload the table instead.")
        from lmlab.hubruns import hub_table

        return hub_table(repo, subset, split, self.settings.max_train_rows)

    def split(
        self,
        table: Table,
        fields: Mapping[str, str] | None = None,
        *,
        seed: int = 0,
        held_out: float = 0.1,
    ) -> TuningData:
        """A table in two parts, by chance; ``fields`` is {a template's field: a column}."""
        limit = self.settings.max_train_rows
        return split_table(table, fields, seed=seed, held_out=held_out, limit=limit)

    def templates_for(self, name: str) -> list[PromptTemplate | None]:
        """Templates that fit a shipped set, the best for tuning first.

        None stands for no template: the column ``text`` is learned as it is. For a name that is no
        shipped set: every shipped template, and None.
        """
        known = shipped_templates().values()
        if name not in data.shipped_sets():
            return [*known, None]
        fitting = sorted((t for t in known if t.data == name), key=lambda t: not t.tuned)
        plain = PLAIN in shipped_data(name).columns
        return [*fitting, None] if plain else [*fitting]

    def preview(
        self,
        model: str,
        data: TuningData,
        template: PromptTemplate | None,
        config: FinetuneConfig,
        row: int,
    ) -> MaskView:
        """A training row as tokens, each with or without loss; ``row`` wraps around.

        Raises:
            LabError: the model cannot be read, or the row lacks a column.
        """
        outline = self._outline(model)
        from lmlab.finetuning.structuring import columns_of, mask_view, structured

        if not data.train:
            raise InputError(f"‘{data.name}’ has no rows.")
        place = row % len(data.train)
        chosen = (data.train[place],)
        TuningData(data.name, chosen, ()).check_rows(columns_of(template), place + 1)
        vocabulary, context = outline.vocabulary, outline.shape.context
        context -= config.length if config.method == "prompt" else 0
        found = next(structured(vocabulary, template, chosen, config, context, place + 1))
        return mask_view(vocabulary, found, config, len(data.train))

    def count(self, model: str, config: FinetuneConfig, data: TuningData | None = None) -> Counts:
        """Parameters, memory and, with data, time; quick enough for a slider after its first call.

        Raises:
            LabError: the model cannot be read, or the config does not fit it.
        """
        outline = self._outline(model)
        row = _row_tokens(outline.vocabulary, data) if data else 0.0
        return count(outline.shape, config, row_tokens=row, flops_per_second=self._speed)

    def linear_names(self, model: str) -> tuple[tuple[str, ...], tuple[str, ...], int]:
        """Names for the targets' picker, those that ``auto`` means, and the number of layers."""
        shape = self._outline(model).shape
        return shape.linear_names, shape.auto_targets, shape.layers

    def warm(self) -> None:
        """Have a process ready, so that the next start is quick; returns at once."""
        self.jobs.warm()

    def start(
        self,
        owner: str,
        model: str,
        data: TuningData,
        template: PromptTemplate | None,
        config: FinetuneConfig,
    ) -> str:
        """Queue a run in the background; its id.

        Raises:
            LabError: something that can be told at once: a limit of the settings, a target that
                matches nothing, a row that cannot be learned from.
        """
        self._check_limits(config, data)
        self.store.runs.tidy(self.settings.keep_days)
        if len(self.store.runs.owned(owner)) >= self.settings.max_runs:
            raise InputError(
                f"You have {self.settings.max_runs} runs; no more are kept.", "Delete some first."
            )
        self._check_memory(model, config)
        self._check_rows(model, data, template, config)
        folder = self.store.runs.new(owner, model, data, template, config)
        self.jobs.submit(folder)
        return folder.path.name

    def read(self, owner: str, run_id: str, after: int = 0) -> list[TrainEvent]:
        """The events from number ``after`` on, counted from 0; returns at once (for a timer)."""
        return self.store.runs.of(owner, run_id).events(after)

    def events(
        self, owner: str, run_id: str, after: int = 0, wait: float = 1.0
    ) -> Iterator[TrainEvent | None]:
        """The events from number ``after`` on, as they come, until the run is over.

        Yields None when nothing has come for ``wait`` seconds, so that a page can look elsewhere.
        """
        return self.jobs.events(self.store.runs.of(owner, run_id), after, wait)

    def run(self, owner: str, run_id: str) -> RunInfo:
        """One run.

        Raises:
            InputError: there is none of that id that belongs to the owner.
        """
        return self.jobs.info(self.store.runs.of(owner, run_id))

    def runs(self, owner: str) -> list[RunInfo]:
        """The owner's runs, newest first."""
        return [self.jobs.info(folder) for folder in self.store.runs.owned(owner)]

    def stop(self, owner: str, run_id: str) -> None:
        """Take a run from the queue, or let it end after its current step; what it learned is kept.

        Returns at once: the run's state tells when it has stopped.
        """
        self.jobs.stop(self.store.runs.of(owner, run_id))

    def resume(self, owner: str, run_id: str) -> None:
        """Queue a run again, to go on from its last checkpoint.

        Raises:
            InputError: all its steps are made, or it is under way.
        """
        folder = self.store.runs.of(owner, run_id)
        info = self.jobs.info(folder)
        if not info.is_over:
            raise InputError("This run is under way already.")
        if not info.can_resume:
            raise InputError("All steps of this run are made.", "Start another one.")
        self.jobs.submit(folder)

    def delete(self, owner: str, run_id: str) -> None:
        """Stop a run and remove all it wrote."""
        folder = self.store.runs.of(owner, run_id)
        self.jobs.kill(folder)
        self.store.runs.delete(folder)

    def archive(self, owner: str, run_id: str) -> Path:
        """A zip of what was learned, with its card and config; the file is the caller's.

        Raises:
            InputError: nothing has been saved yet.
        """
        return archive(self._learned(owner, run_id))

    def push(self, owner: str, run_id: str, repo: str, token: str, *, private: bool = True) -> str:
        """Upload what was learned to the Hub with the visitor's own token; its address there.

        The token is used for this call alone: never stored, never logged, never in an error.

        Raises:
            InputError: a name or token that the Hub refuses, or nothing has been saved yet.
        """
        if self.settings.offline or not self.settings.allow_hub:
            raise InputError("The Hub is not asked here.", "Download the files instead.")
        from lmlab.hubruns import push

        learned = self._learned(owner, run_id).learned
        assert learned is not None
        return push(learned, repo, token, private)

    @cached_property
    def _speed(self) -> float:
        """Floating-point operations a second that training gets out of this machine, roughly."""
        from lmlab.finetuning.outlines import measured_speed

        return measured_speed()

    def _outline(self, model: str) -> "Outline":
        """A model's parameters and tokenizer, without its weights."""
        self.prepare()
        from lmlab.tunerun import outline_of

        if model not in self._outlines:
            found = outline_of(model, self.store)
            while len(self._outlines) >= KNOWN:
                self._outlines.pop(next(iter(self._outlines)))
            self._outlines[model] = found
        return self._outlines[model]

    def _check_limits(self, config: FinetuneConfig, found: TuningData) -> None:
        settings = self.settings
        limits = (
            ("steps", config.steps, settings.max_steps),
            ("rows", len(found.train) + len(found.valid), settings.max_train_rows),
            ("as the rank", config.rank if config.method == "lora" else 0, settings.max_rank),
        )
        for name, value, most in limits:
            if value > most:
                raise InputError(f"At most {most:,} {name} are allowed here, not {value:,}.")

    def _check_memory(self, model: str, config: FinetuneConfig) -> None:
        need = self.count(model, config).memory_bytes
        if need > self.store.budget:
            raise MemoryLimitError(
                f"This needs {need / 1e9:.2g} GB, and {self.store.budget / 1e9:.2g} GB are set "
                "aside.",
                "Take LoRA, or a smaller model.",
            )

    def _check_rows(
        self,
        model: str,
        found: TuningData,
        template: PromptTemplate | None,
        config: FinetuneConfig,
    ) -> None:
        """What can be said at once: missing columns, and the rows most likely to be too long."""
        from lmlab.finetuning.structuring import columns_of

        found.check(columns_of(template))
        by_size = sorted(
            range(len(found.train)), key=lambda i: -sum(map(len, found.train[i].values()))
        )
        for place in by_size[:3]:
            view = self.preview(model, found, template, config, place)
            if view.error:
                raise InputError(view.error, "Shorten the row, or take a model that reads more.")

    def _learned(self, owner: str, run_id: str) -> RunFolder:
        folder = self.store.runs.of(owner, run_id)
        if folder.learned is None:
            raise InputError("This run has not saved anything yet.", "Stop it, or wait.")
        return folder


def _row_tokens(vocabulary: "Vocabulary", found: TuningData) -> float:
    """Mean length of a row in tokens, from some of them."""
    rows = found.train[:: max(1, len(found.train) // ROWS_READ)]
    lengths = [len(vocabulary.ids(" ".join(row.values()))) + 3 for row in rows]
    return sum(lengths) / max(1, len(lengths))
