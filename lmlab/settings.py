"""What the person who starts lmlab can set, by environment (``LMLAB_…``) or flags. Frozen."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Limits and defaults of one process."""

    model_config = SettingsConfigDict(env_prefix="LMLAB_", frozen=True, extra="ignore")

    model: str = Field("base", description="model that the page opens with")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="where models run")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="number format of the weights in memory"
    )
    memory_gb: float | None = Field(
        None, gt=0, description="memory for loaded models; default: half of the machine's"
    )
    threads: int | None = Field(None, ge=1, description="torch threads; default: torch's own")
    allow_local: bool = Field(True, description="whether the page may open folders of this machine")
    allow_hub: bool = Field(True, description="whether the page may fetch models from the Hub")
    offline: bool = Field(False, description="never contact the Hub; use its local cache only")
    max_chars: int = Field(100_000, ge=1, description="longest text the page accepts, characters")
    max_tokens: int = Field(16_384, ge=1, description="longest text the page scores, tokens")
    runs_dir: Path | None = Field(None, description="where fine-tuning runs are kept")
    max_jobs: int = Field(1, ge=1, description="fine-tuning runs at one time; others wait")
    max_queue: int = Field(20, ge=1, description="runs that may wait")
    max_steps: int = Field(5_000, ge=1, description="longest fine-tuning run, optimiser steps")
    max_train_seconds: float = Field(3_600, gt=0, description="longest fine-tuning run, seconds")
    max_train_rows: int = Field(20_000, ge=1, description="most rows that a run learns from")
    max_rank: int = Field(256, ge=1, description="highest rank of LoRA")
    max_runs: int = Field(50, ge=1, description="fine-tuning runs that one visitor may keep")
    keep_days: float | None = Field(
        None, gt=0, description="remove runs after so many days; default: never"
    )
    train_threads: int | None = Field(
        None, ge=1, description="torch threads of a fine-tuning run; default: half of the cores"
    )
