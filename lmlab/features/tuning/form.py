"""The form of a fine-tuning run: its components, what is read from them, and filled-in examples."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from lmlab.errors import InputError
from lmlab.features.tuning.service import Tuning
from lmlab.lab import Lab
from lmlab.parts.upload_table import OWN, Own
from lmlab.text.templates import PromptTemplate
from lmlab.text.twins import Reads
from lmlab.text.wordings import NONE, read_wording
from lmlab.training.config import FinetuneConfig, demo
from lmlab.training.sets import TuningData

PLAIN = NONE
METHODS = (
    ("LoRA", "lora"),
    ("Full", "full"),
    ("Selective", "selective"),
    ("Prompt tuning", "prompt"),
)
GROUPS = ("head", "norms", "biases", "embeddings")
# What the form asks for, in the order of its components; all else keeps the config's default.
KEYS = (
    "method", "rank", "alpha", "dropout", "targets", "layers", "start", "rslora", "dora",
    "groups", "names", "length", "start_text", "steps", "batch_size", "learning_rate",
    "accumulation", "schedule", "warmup", "weight_decay", "clip", "seed", "max_length", "loss_on",
    "end_token", "evaluate_every", "save_every", "samples", "form",
)  # fmt: skip
WHOLE = frozenset(
    ("rank", "length", "steps", "batch_size", "accumulation", "seed", "max_length",
     "evaluate_every", "save_every", "samples")
)  # fmt: skip
REAL = frozenset(("alpha", "dropout", "learning_rate", "warmup", "weight_decay", "clip"))


@dataclass(frozen=True)
class Preset:
    """An example that fills the form.

    Attributes:
        name: on its chip.
        data: a shipped set.
        template: by name; ``PLAIN`` for none.
        config: the settings.
    """

    name: str
    data: str
    template: str
    config: FinetuneConfig


_DEMO = demo()
PRESETS = (
    Preset("Lecture demo: QA by LoRA (under a minute)", "qa", "qa-tuned", _DEMO),
    Preset(
        "QA by prompt tuning",
        "qa",
        "qa-tuned",
        replace(_DEMO, method="prompt", learning_rate=3e-2),
    ),
    Preset(
        "Norms alone",
        "qa",
        "qa-tuned",
        replace(_DEMO, method="selective", parts=("norms",), learning_rate=5e-3),
    ),
    Preset("Everything", "qa", "qa-tuned", replace(_DEMO, method="full", learning_rate=5e-4)),
    Preset("German", "german", "german-lecture", replace(_DEMO, learning_rate=2e-3)),
    Preset("A rate that breaks it", "qa", "qa-tuned", replace(_DEMO, learning_rate=1e3)),
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
    special = {
        "groups": groups,
        "names": names,
        "layers": ", ".join(map(str, config.layers)),
        "targets": list(config.target_names),
        "learning_rate": f"{config.learning_rate:g}",
        "loss_on": config.loss_on,
    }
    return [special[key] if key in special else getattr(config, key) for key in KEYS]


def config_of(values: tuple[Any, ...]) -> FinetuneConfig:
    """The config that the form's values mean.

    Raises:
        InputError: a box is empty or holds what cannot be.
    """
    raw = dict(zip(KEYS, values, strict=True))
    for key in WHOLE:
        raw[key] = _whole(raw[key], key)
    for key in REAL:
        raw[key] = _real(raw[key], key)
    raw["layers"] = tuple(_whole(part, "layers") for part in _parts(raw["layers"], "layers"))
    groups, names = raw.pop("groups") or [], _parts(raw.pop("names"), "parts")
    parts = (*(str(group) for group in groups), *names)
    if parts or raw["method"] == "selective":
        raw["parts"] = parts
    raw["targets"] = ",".join(_parts(raw["targets"], "targets"))
    for key in ("rslora", "dora", "end_token"):
        raw[key] = bool(raw[key])
    raw["start_text"] = str(raw["start_text"] or "")
    raw["sample_every"] = raw["evaluate_every"]
    return FinetuneConfig(**raw)


@dataclass(frozen=True)
class Choice:
    """What is learned from: the values of the data step.

    Attributes:
        model: the base, by name.
        data: a shipped set, or ``OWN``.
        table: the visitor's.
        wording: the template's name, or ``PLAIN``.
        source: the template in YAML.
        columns: of the visitor's table, by the template's fields.
    """

    model: str
    data: str
    table: Own | None
    wording: str
    source: str
    columns: tuple[str | None, ...]

    @classmethod
    def read(cls, *values: Any) -> "Choice":
        """From the components' values."""
        model, data, table, wording, source, *columns = values
        return cls(model or "", data or "", table, wording or "", source or "", tuple(columns))

    def template(self, lab: Lab) -> PromptTemplate | None:
        """The wording as it stands in the editor."""
        return None if self.wording == PLAIN else read_wording(self.source)

    def rows(self, lab: Lab, template: PromptTemplate | None) -> TuningData:
        """The rows, under the template's names."""
        if self.data != OWN:
            return lab.service(Tuning).dataset(self.data)
        if self.table is None:
            raise InputError("There is no table of yours yet.", "Upload one, or paste it.")
        reads = reads_of(template)
        table, second = self.table.mapped(reads, self.columns)
        return lab.service(Tuning).split(table, reads=reads, second=second)


def reads_of(template: PromptTemplate | None) -> Reads:
    """What is read of a row."""
    text = ("text",)
    return template.reads if template is not None else Reads(text, text, text)


def _parts(text: Any, name: str) -> list[str]:
    if isinstance(text, list | tuple):
        text = ",".join(str(part) for part in text)
    text = str(text or "")
    if len(text) > 4000:
        raise InputError(f"‘{_said(name)}’ is too long.")
    return [part.strip() for part in text.replace(";", ",").split(",") if part.strip()]


def _whole(value: Any, name: str) -> int:
    number = _real(value, name)
    if number != int(number):
        raise InputError(f"‘{_said(name)}’ must be a whole number.")
    return int(number)


def _real(value: Any, name: str) -> float:
    if isinstance(value, str):
        value = value.strip().replace("−", "-")[:40]
    try:
        number = float(value)
    except (TypeError, ValueError):
        said = "is empty" if value in (None, "") else f"cannot be ‘{str(value)[:40]}’"
        raise InputError(f"‘{_said(name)}’ {said}.", "Type a number.") from None
    if number != number or number in (float("inf"), float("-inf")):
        raise InputError(f"‘{_said(name)}’ must be a finite number.")
    return number


def _said(name: str) -> str:
    return name.replace("_", " ")
