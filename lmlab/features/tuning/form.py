"""The form of a fine-tuning run: its controls, what is read from them, and filled-in examples."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from lmlab.errors import InputError
from lmlab.features.tuning.service import Tuning
from lmlab.lab import Lab
from lmlab.parts.forms import Controls
from lmlab.parts.upload_table import FIELDS, OWN, Own
from lmlab.text.templates import PromptTemplate
from lmlab.text.wordings import NONE, read_wording
from lmlab.training.config import FinetuneConfig, between_commas, demo
from lmlab.training.sets import TuningData, reads_of
from lmlab.training.shapes import GROUPS

TRAINING = ("steps", "batch_size", "learning_rate")
MORE = (
    ("form",),
    ("loss_on", "end_token"),
    ("schedule", "warmup", "weight_decay", "clip"),
    ("accumulation", "max_length", "evaluate_every", "save_every"),
    ("measure", "samples", "seed", "dropout"),
    ("start", "rslora", "dora"),
)
_DEMO = demo()
FORM = Controls(
    "tuning",
    _DEMO,
    (("method",), ("rank", "alpha", "layers"), ("length", "start_text"), TRAINING, *MORE),
    info=False,
)
# In the order of the form's values; the last three have widgets of their own.
KEYS = (*FORM.names, "targets", "groups", "names")
CHOSEN = 5 + FIELDS  # values of the data step, which stand before


@dataclass(frozen=True)
class Preset:
    """An example that fills the form; ``template`` is a name."""

    name: str
    config: FinetuneConfig
    data: str = "qa"
    template: str = "qa-tuned"


PRESETS = (
    Preset("Lecture demo: QA by LoRA (under a minute)", _DEMO),
    Preset("QA by prompt tuning", replace(_DEMO, method="prompt", learning_rate=3e-2)),
    Preset(
        "Norms alone",
        replace(_DEMO, method="selective", parts=("norms",), learning_rate=5e-3),
    ),
    Preset("Everything", replace(_DEMO, method="full", learning_rate=5e-4)),
    Preset("German", replace(_DEMO, learning_rate=2e-3), "german", "german-lecture"),
    Preset("A rate that breaks it", replace(_DEMO, learning_rate=1e3)),
)
RACE: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "full": {"method": "full", "learning_rate": 5e-4},
        "last layer": {"method": "selective", "parts": ("-1",), "learning_rate": 1e-3},
        "LoRA, ℓ = 2": {"method": "lora", "rank": 2, "alpha": 4.0, "learning_rate": 3e-3},
        "LoRA, ℓ = 16": {"method": "lora", "rank": 16, "alpha": 32.0, "learning_rate": 3e-3},
        "prompt tuning": {"method": "prompt", "length": 20, "learning_rate": 3e-2},
    }
)


def values_of(config: FinetuneConfig) -> list[Any]:
    """A config as the form shows it, in the order of ``KEYS``."""
    groups = [part for part in config.parts if part in GROUPS]
    names = ", ".join(part for part in config.parts if part not in GROUPS)
    return [*FORM.shown(config), list(config.target_names), groups, names]


def config_of(values: tuple[Any, ...]) -> FinetuneConfig:
    """The config that the form's values mean. Raises InputError: a box is empty or holds what
    cannot be.
    """
    *plain, targets, groups, names = values
    parts = (*(groups or ()), *between_commas(names or ""))
    more: dict[str, Any] = {"targets": ",".join(map(str, between_commas(targets or "")))}
    if parts or "selective" in plain[:1]:
        more["parts"] = parts
    config = FORM.read(*plain, **more)
    return replace(config, sample_every=config.evaluate_every)


START = dict(zip(KEYS, values_of(_DEMO), strict=True))


@dataclass(frozen=True)
class Choice:
    """What is learned from: the values of the data step."""

    model: str  # the base, by name
    data: str  # a shipped set, or ``OWN``
    table: Own | None  # the visitor's
    wording: str  # the template's name, or ``NONE``
    source: str  # the template in YAML
    columns: tuple[str | None, ...]  # of the visitor's table, by the template's fields

    @classmethod
    def read(cls, values: tuple[Any, ...]) -> "Choice":
        """From the form's values."""
        model, data, table, wording, source, *columns = values[:CHOSEN]
        return cls(model or "", data or "", table, wording or "", source or "", tuple(columns))

    def template(self) -> PromptTemplate | None:
        """The wording as it stands in the editor."""
        return None if self.wording == NONE else read_wording(self.source)

    def rows(self, lab: Lab, template: PromptTemplate | None) -> TuningData:
        """The rows, under the template's names."""
        if self.data != OWN:
            return lab.service(Tuning).dataset(self.data)
        if self.table is None:
            raise InputError("There is no table of yours yet.", "Upload one, or paste it.")
        reads = reads_of(template)
        table, second = self.table.mapped(reads, self.columns)
        return lab.service(Tuning).split(table, reads=reads, second=second)


def asked(
    lab: Lab, values: tuple[Any, ...]
) -> tuple[str, TuningData, PromptTemplate | None, FinetuneConfig]:
    """Base, rows, wording and settings that the whole form's values mean. Raises InputError:
    something cannot be read.
    """
    choice = Choice.read(values)
    template = choice.template()
    return choice.model, choice.rows(lab, template), template, config_of(values[CHOSEN:])
