"""Fine-tuning as the page asks for it, within the settings' limits.

Imports no torch before a model has to be looked at. ``owner`` is a long random text that the
visitor's browser keeps; what one owner started no other can see, stop or delete.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lmlab.errors import InputError
from lmlab.lab import import_core
from lmlab.memo import Memo
from lmlab.models.hub import token_of
from lmlab.runs.owned_runs import TuningRuns
from lmlab.runs.room import (
    CHECKED,
    check_memory,
    check_most,
    longest_batch,
    longest_rows,
    row_tokens,
)
from lmlab.text import sets as data
from lmlab.text.rows import Faults
from lmlab.text.sets import Table
from lmlab.text.templates import PromptTemplate
from lmlab.text.uploads import read_upload
from lmlab.text.wordings import shipped_templates
from lmlab.training.config import FinetuneConfig
from lmlab.training.counting import Counts, Load, count
from lmlab.training.sets import PLAIN, MaskView, TuningData, columns_of, shipped_data, split_table
from lmlab.training.shapes import selected

if TYPE_CHECKING:
    from lmlab.training.outlines import Outline

DEMO = "qa"
KNOWN = 16  # models whose outline is kept
SMALLER = "Take smaller batches with more accumulation, shorter rows, LoRA, or a smaller model."
LONGEST = 32  # of the longest rows: those that tell how large a batch is


@dataclass(frozen=True)
class Tuning(TuningRuns):
    """What can be asked about fine-tuning; what about runs that there are, in ``TuningRuns``."""

    _outlines: "Memo[str, Outline]" = field(default_factory=lambda: Memo(KNOWN), repr=False)
    dataset = staticmethod(shipped_data)
    table = staticmethod(read_upload)

    def sets(self) -> list[str]:
        """Names of the shipped sets, the demo's first."""
        return sorted(data.shipped_sets(), key=lambda name: name != DEMO)

    def hub_table(self, name: str, split: str = "train", *, skip: bool = False) -> Table:
        """The first rows of a data set of the Hub: owner/name, with @revision and :subset. Raises
        InputError: it cannot be found or read, or the Hub may not be asked.
        """
        settings = self.lab.settings
        if settings.offline or not (settings.allow_hub and settings.allow_datasets):
            raise InputError("The Hub is not asked here.", "Upload the table instead.")
        from lmlab.runs.hub import HubSet, hub_table

        wanted, token = HubSet.parse(name), token_of(settings)
        return hub_table(wanted, split, settings.max_train_rows, skip=skip, token=token)

    def split(self, table: Table, **how: Any) -> TuningData:
        """A table in two parts, with no more rows than are allowed; as ``split_table``."""
        return split_table(table, limit=self.lab.settings.max_train_rows, **how)

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
        """A training row as tokens, each with or without loss; ``row`` wraps around. Raises
        LabError: the model cannot be read, or the row lacks a column.
        """
        outline = self.outline(model)
        from lmlab.training.examples import mask_view, structured

        if not data.train:
            raise InputError(f"‘{data.name}’ has no rows.")
        place = row % len(data.train)
        chosen = (data.train[place],)
        TuningData(data.name, chosen, ()).check_rows(columns_of(template), place + 1)
        vocabulary, context = outline.vocabulary, outline.shape.context - config.soft
        made = structured(vocabulary, template, chosen, config, context, place + 1, outline.end)
        return mask_view(vocabulary, next(made), config, len(data.train))

    def count(self, model: str, config: FinetuneConfig, data: TuningData | None = None) -> Counts:
        """Parameters, memory and, with data, time; quick enough for a slider after its first call.
        Raises LabError: the model cannot be read, or the config does not fit it.
        """
        outline = self.outline(model)
        if not data or not data.train:
            return self._counted(outline, config)
        context = min(config.max_length or outline.shape.context, outline.shape.context)
        row, longest = row_tokens(outline.vocabulary, data)
        load = Load(min(config.batch_size, len(data.train)), *longest_batch(longest, context))
        return self._counted(outline, config, load, row)

    def _counted(
        self, outline: "Outline", config: FinetuneConfig, load: Load | None = None, row: float = 0.0
    ) -> Counts:
        speed = self._speed if row else None
        return count(
            outline.shape, config, row_tokens=row, flops_per_second=speed, load=load,
            kept=outline.kept,
        )  # fmt: skip

    def outline(self, model: str) -> "Outline":
        """A model's parameters and tokenizer, without its weights. Raises LabError: the model
        cannot be read.
        """
        import_core()
        from lmlab.runs.bases import outline_of

        if (found := self._outlines.get(model)) is None:
            found = outline_of(model, self.lab.store)
            self._outlines.put(model, found)
        return found

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
        self._check_allowed()
        settings = self.lab.settings
        check_most("steps", config.steps, settings.max_steps)
        check_most("rows", len(data.train) + len(data.valid), settings.max_train_rows)
        if config.method == "lora":
            check_most("as the rank", config.rank, settings.max_rank)
        outline = self.outline(model)
        self._counted(outline, config)
        load = self._check_rows(outline, data, template, config)
        counts = self._counted(outline, config, load)
        check_memory(counts.memory_bytes, self.lab.store, SMALLER)
        from lmlab.runs.bases import settled

        asked = settled(model, self.lab.store, config.to_dict())
        return self._begin(
            owner,
            lambda: self.lab.store.runs.new(
                owner, asked.base, data, template, config, asked.adapter
            ),
            counts.disk_bytes + data.n_bytes,
        )

    def learned(self, model: str, config: FinetuneConfig) -> tuple[str, ...]:
        """Names of the parameters that selective fine-tuning trains; none in other methods."""
        if config.method != "selective":
            return ()
        return tuple(p.name for p in selected(self.outline(model).shape, config.parts))

    @cached_property
    def _speed(self) -> float:
        """Floating-point operations a second that training gets out of this machine, roughly."""
        from lmlab.training.outlines import measured_speed

        return measured_speed()

    def _check_rows(
        self,
        outline: "Outline",
        found: TuningData,
        template: PromptTemplate | None,
        config: FinetuneConfig,
    ) -> Load:
        """What can be said at once: missing columns, and the rows most likely to be too long; the
        longest batch.
        """
        from lmlab.training.examples import checked, structured
        from lmlab.training.rows import Example

        found.check(columns_of(template))
        vocabulary, context = outline.vocabulary, outline.shape.context - config.soft
        longest = longest_rows(found, max(CHECKED, min(config.batch_size, LONGEST)))
        faults, examples = Faults(config.skip_bad), list[Example]()
        for number, row in longest[:CHECKED]:  # one by one, for a sentence to name the row
            examples += structured(
                vocabulary, template, (row,), config, context, number, outline.end, faults
            )
        checked(examples, faults)
        rest = [row for _, row in longest[CHECKED:]]
        with suppress(InputError):  # the run says which row it is
            examples += structured(vocabulary, template, rest, config, context, end=outline.end)
        width = max(len(example.ids) for example in examples)
        kept = width - min(example.loss_from for example in examples)
        return Load(min(config.batch_size, len(found.train)), width, max(1, kept))
