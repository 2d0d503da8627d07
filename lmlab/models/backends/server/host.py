"""Which servers there are: the variable ``LMLAB_SERVERS`` of whoever starts lmlab, and nobody else.

It holds the path of a YAML file, or the same as JSON: of each name its kind, address and tokenizer,
and the name of the variable that holds its key; never the key.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from lmlab.errors import InputError

VARIABLE = "LMLAB_SERVERS"
Kind = Literal["vllm", "sglang", "llamacpp", "llama-cpp-python", "ollama", "openai"]
GIVEN: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "vllm": frozenset({"scores", "ranks", "text"}),
        "sglang": frozenset({"scores", "text"}),
        "llama-cpp-python": frozenset({"scores", "text"}),
        "llamacpp": frozenset({"text"}),
        "ollama": frozenset({"text"}),
        "openai": frozenset({"text"}),
    }
)


def _plain(url: str) -> str:
    """An address without what stands behind it."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise ValueError("an address is http://HOST:PORT, without a user or a key")
    if parts.query or parts.fragment:
        raise ValueError("an address ends before ? and #")
    return url.rstrip("/").removesuffix("/v1")


class Host(BaseModel):
    """One server."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    url: Annotated[str, AfterValidator(_plain)]
    tokenizer: str  # a folder, an embedded model or a Hub id: the one of the served model
    model: str = ""  # as the server calls it; the first that it lists
    key: str = ""  # the name of the variable that holds the key
    context: int | None = Field(None, ge=2)  # positions; what the server says, where it does
    at_once: int = Field(16, ge=1, le=1024)  # requests in flight
    tries: int = Field(5, ge=1, le=20)  # of each request
    wait: float = Field(0.5, ge=0, le=60)  # seconds before the second try, doubled each time
    silence: float = Field(120.0, gt=0)  # seconds without a word after which one gives up


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]{0,63}$")]
HOSTS = TypeAdapter(dict[Name, Host])


def hosts() -> dict[str, Host]:
    """The servers by name.

    Raises:
        InputError: the variable's value cannot be read; says where.
    """
    given = os.environ.get(VARIABLE, "").strip()
    try:
        text = given if given.startswith("{") else _file(given)
        return HOSTS.validate_python(yaml.safe_load(text) or {})
    except yaml.YAMLError:
        raise InputError(f"What {VARIABLE} names is no YAML.") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{VARIABLE}, at ‘{where}’: {first['msg']}.", "See docs/serving.md."
        ) from None


def _file(path: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8") if path else ""
    except (OSError, ValueError):
        raise InputError(f"The file that {VARIABLE} names cannot be read.") from None
