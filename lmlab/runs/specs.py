"""What a run was asked to do, and how it goes; what lies in its folder is read as if anybody had
written it: a crash, another version, a hand. Knows no torch.
"""

import hashlib
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from lmlab.errors import InputError
from lmlab.text.templates import PromptTemplate
from lmlab.text.wordings import shipped_source
from lmlab.training.config import FinetuneConfig
from lmlab.training.pretrain_config import PretrainConfig
from lmlab.training.sets import TuningData

SHORTEST_OWNER = 8
FORMAT = 1  # of a run.json; a later one may hold what this version cannot read

State = Literal["queued", "running", "done", "stopped", "failed", "interrupted"]
# Figures that the last event of a run gives, and that its state keeps.
FINAL = (
    "step", "seconds", "train_loss", "valid_loss", "valid_before", "probe_loss", "probe_before",
    "accuracy", "accuracy_before",
)  # fmt: skip
FIGURES = (*FINAL, "trainable", "total", "measured", "held_out", "reason", "message")
_WHOLE, _WORDS = ("step", "trainable", "total", "measured", "held_out"), ("reason", "message")
_ELSE = "Open it with the version that wrote it; it is left as it is."


class UnreadRunError(InputError):
    """A folder whose run.json cannot be read; ``damaged``: it can be of no use to any version."""

    def __init__(self, message: str, hint: str = "", *, damaged: bool = False) -> None:
        super().__init__(message, hint)
        self.damaged = damaged


@dataclass(frozen=True)
class RunInfo:
    """One run as a list shows it."""

    id: str  # letters and digits; whoever knows it can use the model, so only its owner is told
    title: str  # model, data and method in a few words
    model: str  # the base, by name
    data: str
    template: str  # name of the template; empty where rows are plain text
    config: FinetuneConfig
    # ``interrupted`` is a run whose process is gone; it can be resumed, and so can a stopped one
    # that has not made all its steps
    state: State
    place: int | None = None  # in the queue: 0 is the next to run; None where it does not wait
    created: float = 0.0  # seconds since 1970
    step: int = 0  # last step that is known of
    trainable: int = 0  # parameters that learn; 0 before the start
    total: int = 0  # of the model
    measured: int = 0  # held-out rows that are measured, of how many; 0 where that is not known yet
    held_out: int = 0
    train_loss: float | None = None  # as in ``events.Finished``, of what has been measured so far
    valid_loss: float | None = None
    valid_before: float | None = None
    probe_loss: float | None = None
    probe_before: float | None = None
    accuracy: float | None = None
    accuracy_before: float | None = None
    seconds: float = 0.0  # of training so far
    reason: str = ""  # why it ended, as in ``events.Finished``; empty before
    message: str = ""  # what went wrong, in a sentence
    # to be used wherever a model is named (``base+run:ID``, ``run:ID``); empty while nothing has
    # been saved
    model_name: str = ""
    # the settings of a run that starts from nothing, of which ``config`` is the training part; None
    # in fine-tuning
    pretraining: PretrainConfig | None = None
    damaged: str = ""  # the file of what was learned that cannot be read; it can be written anew

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen unless it is resumed."""
        return self.state not in ("queued", "running")

    @property
    def can_resume(self) -> bool:
        """Whether there are steps left to make, or what was learned has to be written anew."""
        return self.is_over and (self.step < self.config.steps or bool(self.damaged))

    @property
    def forgetting(self) -> float | None:
        """Loss on general text, now minus before."""
        if self.probe_loss is None or self.probe_before is None:
            return None
        return self.probe_loss - self.probe_before


@dataclass(frozen=True)
class RunSpec:
    """What a run was asked to do."""

    id: str
    owner: str  # a fingerprint of whoever started it
    model: str  # the base, by name; a folder by its whole path
    data: str
    origin: str
    template: PromptTemplate | None  # the wording; None for plain text
    config: FinetuneConfig
    created: float  # seconds since 1970
    # the settings of a run that starts from nothing: it has no base, and its rows are documents.
    # None in fine-tuning.
    pretraining: PretrainConfig | None = None
    adapter: str = ""  # whose weights it starts from, by name; empty: it starts from the base alone

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        template = self.template.model_dump(mode="json", by_alias=True) if self.template else None
        own = {"pretraining": self.pretraining.to_dict()} if self.pretraining else {}
        plain = {key: value for key, value in vars(self).items() if key != "pretraining"}
        written = {"format": FORMAT, **plain}
        return {**written, "template": template, "config": self.config.to_dict(), **own}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "RunSpec":
        """What ``to_dict`` wrote, by this version or another; what only another knows is left out.

        Raises:
            InputError: a setting that this version lacks.
            KeyError, TypeError, ValueError: it is no run's.
        """
        template, config = _template(raw["template"]), FinetuneConfig.from_dict(raw["config"])
        own = raw.get("pretraining")
        pretraining = PretrainConfig.from_dict(own) if own else None
        parts: dict[str, Any] = {"template": template, "config": config}
        parts |= {key: str(raw[key]) for key in ("id", "owner", "model", "data")}
        parts |= {"origin": str(raw.get("origin", "")), "created": float(raw.get("created", 0.0))}
        parts |= {"adapter": str(raw.get("adapter", ""))}
        return cls(**parts, pretraining=pretraining)


def new_spec(
    run_id: str,
    owner: str,
    model: str,
    data: TuningData,
    template: PromptTemplate | None,
    config: FinetuneConfig,
    adapter: str = "",
) -> RunSpec:
    """What a run that starts now is asked to do."""
    return RunSpec(
        run_id, fingerprint(owner), model, data.name, data.origin, template, config, time.time(),
        adapter=adapter,
    )  # fmt: skip


def new_pretraining(run_id: str, owner: str, data: TuningData, config: PretrainConfig) -> RunSpec:
    """What a run that starts now, from nothing, is asked to do."""
    return RunSpec(
        run_id, fingerprint(owner), "", data.name, data.origin, None, config.training(),
        time.time(), config,
    )  # fmt: skip


def fingerprint(owner: str) -> str:
    """What stands for an owner in files: the browser's secret cannot be read back from it.

    Raises:
        InputError: it is no text, or so short that others may have the same.
    """
    if not isinstance(owner, str) or len(owner) < SHORTEST_OWNER:
        raise InputError("It is not known who asks for this run.", "Reload the page.")
    return hashlib.sha256(owner.encode()).hexdigest()[:32]


def title_of(spec: RunSpec) -> str:
    """Model, data and method in a few words."""
    config = spec.config
    if own := spec.pretraining:
        return f"{own.size or f'{own.layers} × {own.width}'} from nothing, {spec.data}"
    how = {
        "full": "full",
        "selective": f"selective ({', '.join(config.parts)[:30]})",
        "lora": f"LoRA ℓ={config.rank}",
        "prompt": f"prompt of {config.length}",
    }
    names = [name for name in (spec.model, spec.adapter) if name]
    model = "+".join(Path(n).name if Path(n).is_absolute() else n for n in names)
    return f"{model}, {spec.data}, {how[config.method]}"


def _template(raw: Mapping[str, Any] | None) -> PromptTemplate | None:
    if raw is None:
        return None
    try:
        known = PromptTemplate.parse(shipped_source(str(raw["name"])), shipped=True)
    except (OSError, InputError):
        return PromptTemplate(**raw)
    # One that ships is rendered in this process: it has to be that very one.
    same = known.model_dump(mode="json", by_alias=True) == raw
    return known if same else PromptTemplate(**raw)


@lru_cache(maxsize=512)
def spec_of(file: Path, changed: int) -> RunSpec | tuple[str, str, bool]:
    """What a run.json asks for; else what is wrong, what to do, and whether it is damaged.

    The same few are asked for many times over, and hardly ever change.

    Raises:
        OSError: there is no such file.
    """
    name = file.parent.name
    try:
        raw = json.loads(file.read_bytes())
        if not isinstance(raw, dict):
            raise TypeError("no object")
    except (ValueError, TypeError, RecursionError):
        return _damaged(name)
    newer = isinstance(raw.get("format"), int) and raw["format"] > FORMAT
    try:
        return RunSpec.from_dict(raw)
    except InputError as error:
        return (f"‘{name}’ was written by another version of lmlab. {error.message}", _ELSE, False)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        if newer:
            return (f"‘{name}’ was written by a newer version of lmlab.", _ELSE, False)
        return _damaged(name)


def _damaged(name: str) -> tuple[str, str, bool]:
    return (
        f"The file run.json of ‘{name}’ is damaged, so that nobody knows what was asked.",
        "What was learned, if anything, still lies beside it.",
        True,
    )


def known_state(raw: Any) -> dict[str, Any]:
    """A state.json with nothing in it that has another kind than it must have."""
    if not isinstance(raw, Mapping):
        return {"state": "interrupted"}
    found = {str(key): value for key, value in raw.items()}
    for key in FIGURES:
        if key in found and not _fits(key, found[key]):
            del found[key]
    if found.get("state") not in get_args(State):
        found["state"] = "interrupted"
    return found


def _fits(key: str, value: Any) -> bool:
    if key in _WORDS:
        return isinstance(value, str)
    if isinstance(value, bool):
        return False
    if key in _WHOLE:
        return isinstance(value, int) and value >= 0
    return isinstance(value, int | float) and math.isfinite(value)
