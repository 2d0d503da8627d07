"""Fine-tuning as the page asks for it, within the settings' limits: ``lab.tuning``.

Imports no torch before a model has to be looked at. ``owner`` is a long random text that the
visitor's browser keeps; what one owner started no other can see, stop or delete.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lmlab.data import Table
from lmlab.finetuning.config import FinetuneConfig
from lmlab.finetuning.counting import Counts
from lmlab.finetuning.events import TrainEvent
from lmlab.finetuning.masks import MaskView
from lmlab.finetuning.sets import TuningData
from lmlab.models import ModelStore
from lmlab.runs import RunInfo
from lmlab.settings import Settings
from lmlab.templates import PromptTemplate


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

    def sets(self) -> list[str]:
        """Names of the shipped sets, the demo's first."""
        raise NotImplementedError

    def dataset(self, name: str) -> TuningData:
        """A shipped set.

        Raises:
            InputError: there is none of that name.
        """
        raise NotImplementedError

    def table(self, content: bytes, name: str) -> Table:
        """A visitor's file: CSV, TSV, JSONL or Parquet, told by its name's ending.

        Raises:
            InputError: says which row or what else cannot be read.
        """
        raise NotImplementedError

    def hub_table(self, repo: str, subset: str = "", split: str = "train") -> Table:
        """The first rows of a data set of the Hub.

        Raises:
            InputError: it cannot be found or read, or the Hub may not be asked.
        """
        raise NotImplementedError

    def split(
        self,
        table: Table,
        fields: Mapping[str, str] | None = None,
        *,
        seed: int = 0,
        held_out: float = 0.1,
    ) -> TuningData:
        """A table in two parts, by chance; ``fields`` is {a template's field: a column}."""
        raise NotImplementedError

    def templates_for(self, name: str) -> list[PromptTemplate | None]:
        """Templates that fit a shipped set, the best for tuning first.

        None stands for no template: the column ``text`` is learned as it is. For a name that is no
        shipped set: every shipped template, and None.
        """
        raise NotImplementedError

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
        raise NotImplementedError

    def count(self, model: str, config: FinetuneConfig, data: TuningData | None = None) -> Counts:
        """Parameters, memory and, with data, time; quick enough for a slider after its first call.

        Raises:
            LabError: the model cannot be read, or the config does not fit it.
        """
        raise NotImplementedError

    def linear_names(self, model: str) -> tuple[tuple[str, ...], tuple[str, ...], int]:
        """Names for the targets' picker, those that ``auto`` means, and the number of layers."""
        raise NotImplementedError

    def warm(self) -> None:
        """Have a process ready, so that the next start is quick; returns at once."""
        raise NotImplementedError

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
        raise NotImplementedError

    def read(self, owner: str, run_id: str, after: int = 0) -> list[TrainEvent]:
        """The events from number ``after`` on, counted from 0; returns at once (for a timer)."""
        raise NotImplementedError

    def events(
        self, owner: str, run_id: str, after: int = 0, wait: float = 1.0
    ) -> Iterator[TrainEvent | None]:
        """The events from number ``after`` on, as they come, until the run is over.

        Yields None when nothing has come for ``wait`` seconds, so that a page can look elsewhere.
        """
        raise NotImplementedError

    def run(self, owner: str, run_id: str) -> RunInfo:
        """One run.

        Raises:
            InputError: there is none of that id that belongs to the owner.
        """
        raise NotImplementedError

    def runs(self, owner: str) -> list[RunInfo]:
        """The owner's runs, newest first."""
        raise NotImplementedError

    def stop(self, owner: str, run_id: str) -> None:
        """Take a run from the queue, or let it end after its current step; what it learned is kept.

        Returns at once: the run's state tells when it has stopped.
        """
        raise NotImplementedError

    def resume(self, owner: str, run_id: str) -> None:
        """Queue a run again, to go on from its last checkpoint.

        Raises:
            InputError: all its steps are made, or it is under way.
        """
        raise NotImplementedError

    def delete(self, owner: str, run_id: str) -> None:
        """Stop a run and remove all it wrote."""
        raise NotImplementedError

    def archive(self, owner: str, run_id: str) -> Path:
        """A zip of what was learned, with its card and config; the file is the caller's.

        Raises:
            InputError: nothing has been saved yet.
        """
        raise NotImplementedError

    def push(self, owner: str, run_id: str, repo: str, token: str, *, private: bool = True) -> str:
        """Upload what was learned to the Hub with the visitor's own token; its address there.

        The token is used for this call alone: never stored, never logged, never in an error.

        Raises:
            InputError: a name or token that the Hub refuses, or nothing has been saved yet.
        """
        raise NotImplementedError
