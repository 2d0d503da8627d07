"""What the person who starts lmlab can set, by environment (``LMLAB_…``) or flags. Frozen."""

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
