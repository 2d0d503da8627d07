"""What fine-tuning changed in the weights, as the page asks for it: ``lab.changes``.

Imports no torch before a model has to be looked at.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lmlab.change.family import relatives
from lmlab.models.store import ModelRef, ModelStore
from lmlab.results.scored import Loading
from lmlab.settings import Settings

Ready = Callable[[ModelRef], Iterator[Loading]]


@dataclass(frozen=True)
class Changing:
    """What can be asked about a base and what was made from it.

    Attributes:
        store: of models.
        settings: the limits.
        ready: loads a model and says so.
        prepare: imports what runs models.
    """

    store: ModelStore
    settings: Settings
    ready: Ready
    prepare: Callable[[], None]

    def tuned(self, base: str) -> list[str]:
        """Names of what was made from a base: adapters first, then whole models of its shape."""
        return relatives(self.store, base)
