"""Models that an engine serves over HTTP, as ``server:NAME``; what NAME means is the host's to say.

``host`` reads what the host said, ``calls`` asks, ``dialects`` knows what each engine is asked and
how it answers, ``model`` is the model that comes of it. See docs/serving.md.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lmlab.errors import ModelError
from lmlab.models.backends.server.host import GIVEN, VARIABLE, Host, hosts
from lmlab.settings import Settings

if TYPE_CHECKING:
    from lmlab.models.backends import Copy

N_BYTES = 50_000_000  # a tokenizer


def gives(name: str) -> frozenset[str]:
    """What an engine of its kind may give; nothing of one that there is not."""
    host = hosts().get(_called(name))
    return frozenset() if host is None else GIVEN[host.kind]


def find(place: Path, name: str) -> "Found":
    """The server of a name.

    Raises:
        ModelError: the host named none.
    """
    known = hosts()
    if (host := known.get(_called(name))) is None:
        there = ", ".join(f"server:{one}" for one in known)
        hint = f"There are: {there}." if there else f"The variable {VARIABLE} names servers."
        raise ModelError(f"There is no model named ‘{name[:100]}’.", hint)
    return Found(name, host)


def _called(name: str) -> str:
    return name.partition(":")[2]


@dataclass(frozen=True)
class Found:
    """A server that may be asked."""

    name: str
    host: Host

    def memory(self, settings: Settings) -> int:
        """Its tokenizer alone lies here."""
        return N_BYTES

    def load(self, settings: Settings) -> "Copy":
        from lmlab.models.backends.server.model import connect

        return connect(self.name, self.host, settings, N_BYTES)
