"""Models of the Hub that are worth knowing, as ``known.yaml`` lists them."""

from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field


class Known(BaseModel):
    """A model of the Hub."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    download: float = Field(gt=0)  # GB of its files
    numbers: float = Field(gt=0)  # millions in its weight files
    licence: str = Field(min_length=1, max_length=40)
    good: str = Field(min_length=1, max_length=60)  # what it is good for
    gated: bool = False  # its terms have to be accepted on the Hub
    revisions: str = ""  # an example of those that it has

    def memory(self, width: int) -> int:
        """Bytes that it takes where a number takes ``width``."""
        return int(self.numbers * 1e6) * width


@cache
def known() -> tuple[Known, ...]:
    """All of them, in the list's order."""
    text = Path(__file__).with_name("known.yaml").read_text(encoding="utf-8")
    return tuple(Known(**one) for one in yaml.safe_load(text)["models"])
