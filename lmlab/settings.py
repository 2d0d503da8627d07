"""What the person who starts lmlab can set, by environment (``LMLAB_…``) or flags. Frozen."""

import os
from collections.abc import Mapping
from fnmatch import fnmatchcase
from ipaddress import ip_network
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from lmlab.errors import InputError


def _split(value: Any) -> Any:
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


def _paths(value: Any) -> Any:
    return value.split(os.pathsep) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Folders = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_paths)]
Size = Annotated[float, Field(gt=0, allow_inf_nan=False)]  # GB
Count = Annotated[int, Field(ge=1)]

# What a public page starts from where nothing else is said: strangers get no folder of the machine,
# few models of the Hub, and runs that a small host bears.
PUBLIC: Mapping[str, Any] = MappingProxyType(
    {
        "allow_local": False,
        "allow_datasets": False,
        "models": (
            "openai-community/gpt2",
            "distilbert/distilgpt2",
            "EleutherAI/pythia-70m",
            "EleutherAI/pythia-160m",
            "HuggingFaceTB/SmolLM2-135M",
            "HuggingFaceTB/SmolLM2-135M-Instruct",
        ),
        "max_model_gb": 1.0,
        "max_chars": 20_000,
        "max_tokens": 8_192,
        "max_steps": 500,
        "max_train_seconds": 600.0,
        "max_train_rows": 5_000,
        "max_rank": 64,
        "max_parameters": 2_000_000,
        "max_corpus_chars": 600_000,
        "max_runs": 5,
        "max_queue": 10,
        "rooms": False,
        "keep_days": 1.0,
        "runs_gb": 10.0,
        "own_runs_gb": 1.0,
        "uploads_gb": 2.0,
        "logs": "json",
    }
)


class Settings(BaseSettings):
    """Limits and defaults of one process."""

    model_config = SettingsConfigDict(env_prefix="LMLAB_", frozen=True, extra="ignore")

    public: bool = Field(
        False, description="whether strangers are let in: other settings then start from less"
    )
    model: str = Field("base", description="model that the page opens with")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="where models run")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="number format of the weights in memory"
    )
    gpu_from: float = Field(
        100.0,
        ge=0,
        description="on ZeroGPU: parameters, in millions, from which a model asks for the lent GPU",
    )
    memory_gb: Size | None = Field(
        None, description="memory for loaded models; default: half of the machine's"
    )
    max_model_gb: Size | None = Field(
        None, description="largest model, its weights in memory; default: all of that memory"
    )
    threads: Count | None = Field(None, description="torch threads; default: torch's own")
    allow_local: bool = Field(True, description="whether the page may open folders of this machine")
    allow_hub: bool = Field(True, description="whether the page may fetch models from the Hub")
    models: Names = Field(
        ("*",), description="ids of the Hub that may be fetched, patterns between commas"
    )
    allow_datasets: bool = Field(
        True, description="whether the page may fetch data sets from the Hub"
    )
    hub_token: bool | None = Field(
        None,
        description="whether the stored token of the Hub is used: for what a page's visitors name "
        "only where this is true, for commands unless it is false",
    )
    offline: bool = Field(False, description="never contact the Hub; use its local cache only")
    uploads: bool = Field(True, description="whether visitors may upload files of their own")
    max_upload_mb: float = Field(
        2.0, gt=0, le=100, description="largest file of a visitor, megabytes"
    )
    uploads_gb: Size = Field(10.0, description="disk that files of all visitors may take, GB")
    own_uploads_gb: Size = Field(
        0.5, description="the same for those that came from one address, GB; a class may share one"
    )
    file_minutes: float = Field(
        60.0, ge=1, le=100_000, description="how long files of a visitor are kept, minutes"
    )
    max_chars: Count = Field(100_000, description="longest text the page accepts, characters")
    max_tokens: Count = Field(16_384, description="longest text the page scores, tokens")
    max_waiting: Count = Field(
        300, description="requests that may wait in each line: quick work, scoring, generation"
    )
    training: bool = Field(True, description="whether visitors may start fine-tuning runs")
    tabs: Names = Field((), description="tabs of the page, names as in its links; default: all")
    features: Folders = Field(
        (), description="folders of further tabs, paths as in PATH; see CONTRIBUTING.md"
    )
    rooms: bool = Field(
        True, description="whether a lecturer may open rooms, in which phones answer"
    )
    scenes: Path | None = Field(
        None, description="of the lecture: a folder of scenes, or a course; default: the shipped"
    )
    runs_dir: Path | None = Field(None, description="where fine-tuning runs are kept")
    tensorboard: Path | None = Field(
        None, description="folder in which runs are told to TensorBoard as well (an extra)"
    )
    trackio: str = Field(
        "", description="project in which runs are told to Trackio as well (an extra)"
    )
    cache_dir: Path | None = Field(
        None, description="where what was found out about models is kept; default: the user's cache"
    )
    max_jobs: Count = Field(1, description="fine-tuning runs at one time; others wait")
    max_queue: Count = Field(20, description="runs that may wait")
    max_steps: Count = Field(5_000, description="longest fine-tuning run, optimiser steps")
    max_train_seconds: float = Field(3_600, gt=0, description="longest fine-tuning run, seconds")
    measure_seconds: float = Field(
        3.0, gt=0, allow_inf_nan=False,
        description="what measuring may take at a time in fine-tuning, seconds, where a run's part "
        "of it, a tenth of its time, is less",
    )  # fmt: skip
    study_seconds: float = Field(
        60.0, gt=0, allow_inf_nan=False,
        description="what comparing prompts, minimal pairs, drift and the map of tasks may take, "
        "seconds: where all rows would take longer, fewer are measured, unless all are asked for",
    )  # fmt: skip
    max_train_rows: Count = Field(20_000, description="most rows that a run learns from")
    max_rank: Count = Field(256, description="highest rank of LoRA")
    max_pretrain_steps: Count = Field(
        20_000, description="longest run from nothing, optimiser steps"
    )
    max_parameters: Count = Field(
        5_000_000, description="largest model that is trained from nothing"
    )
    max_corpus_chars: Count = Field(
        2_000_000, description="longest corpus that is looked at or learned from, characters"
    )
    max_runs: Count = Field(50, description="fine-tuning runs that one visitor may keep")
    keep_days: float | None = Field(
        None, gt=0, description="remove runs after so many days; default: never"
    )
    runs_gb: Size = Field(100.0, description="disk that all runs may take together, GB")
    own_runs_gb: Size = Field(50.0, description="disk that one visitor's runs may take, GB")
    free_gb: float = Field(
        0.5,
        ge=0,
        allow_inf_nan=False,
        description="disk that runs, uploads and fetched models leave free, GB",
    )
    train_nice: int = Field(
        19, ge=0, le=19, description="how far a run stands back for other work; 19: furthest"
    )
    train_threads: Count | None = Field(
        None, description="torch threads of a fine-tuning run; default: all cores but one"
    )
    framed_by: Names = Field(
        (), description="sites that may show the page in a frame, between commas"
    )
    hosts: Names = Field(
        (),
        description="names that the page answers to besides this machine's own, between commas; "
        "`*.example.org`: all below it; `*`: any",
    )
    proxies: Names = Field(
        (),
        description="addresses or networks of proxies in front, whose X-Forwarded headers are "
        "believed, between commas; default: none, on a Space the Hub's",
    )
    max_connections: int = Field(
        2_000, ge=16, le=50_000, description="connections at one time; then the idlest are cut"
    )
    logs: Literal["plain", "json"] = Field("plain", description="form of the server's log")
    metrics: bool = Field(False, description="whether /metrics answers, for Prometheus")
    debug: bool = Field(False, description="tracebacks in the server's log; never on the page")

    @model_validator(mode="before")
    @classmethod
    def _for_strangers(cls, given: Any) -> Any:
        """A public page's own defaults, where nothing else is said."""
        if not isinstance(given, dict):
            return given
        if TypeAdapter(bool).validate_python(given.get("public", False)):
            return {**PUBLIC, **given}
        return given

    @field_validator("proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if one != "*":
                ip_network(one, strict=False)
        return value

    @property
    def any_model(self) -> bool:
        """Whether a visitor may name models of the Hub that are not listed one by one."""
        return self.allow_hub and any(map(_is_pattern, self.models))

    @property
    def listed(self) -> list[str]:
        """The models of the Hub that are listed one by one."""
        names = self.models if self.allow_hub else ()
        return [name for name in names if not _is_pattern(name)]

    def may_fetch(self, name: str) -> bool:
        """Whether a model or adapter of the Hub is one of those that are allowed."""
        return self.allow_hub and any(fnmatchcase(name, pattern) for pattern in self.models)


def _is_pattern(name: str) -> bool:
    """Whether it stands for many names of the Hub; ``backend:name?options`` is one model."""
    return ":" not in name and bool(set(name) & set("*?["))


def read_settings(**given: Any) -> Settings:
    """The settings of the environment, changed by what is given; None leaves one as it is.

    Raises:
        InputError: says which one cannot be what.
    """
    try:
        return Settings(**{key: value for key, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).removeprefix("LMLAB_") if first["loc"] else "public"
        raise InputError(
            f"The setting LMLAB_{name.upper()} cannot be {str(first['input'])[:60]!r}: "
            f"{first['msg'].lower()}."
        ) from None
