"""Trees of continuations as the page asks for them; those of late are kept, so that controls
reshape them without the model. Imports no torch before one is asked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lmlab.errors import InputError
from lmlab.generation.config import GenerateConfig, TreeConfig
from lmlab.lab import Lab, import_core
from lmlab.lent_gpu import SHORT, runs_models
from lmlab.memo import Memo
from lmlab.models.refs import ModelRef
from lmlab.progress import Loading, Progress

if TYPE_CHECKING:
    from lmlab.generation.continuations import Continuations, Shaped
    from lmlab.models.model import LM

KEPT = 8
MOST_SAMPLES = 16


@dataclass(frozen=True)
class Asked:
    """A tree by its name, and what makes it anew."""

    name: str
    model: str
    prompt: str
    chat: bool
    extent: TreeConfig
    config: GenerateConfig  # the controls that it was grown under
    start: tuple[tuple[int, str], ...] = ()  # tokens after the prompt: id, what it shows as


@dataclass(frozen=True)
class Trees:
    """What can be asked about what could come next."""

    lab: Lab
    _kept: "Memo[str, Continuations]" = field(default_factory=lambda: Memo(KEPT), repr=False)

    def tree(self, asked: Asked) -> "Iterator[Loading | Progress | Continuations]":
        """Progress, if it is not kept any more, then the tree."""
        if kept := self._kept.get(asked.name):
            yield kept
            return
        self.lab.check_length(asked.prompt)
        if asked.extent.samples > MOST_SAMPLES:
            raise InputError(f"At most {MOST_SAMPLES} samples are drawn here.")
        for event in self._grow(asked.model, asked):
            if not isinstance(event, Loading | Progress):
                self._kept.put(asked.name, event)
            yield event

    @runs_models("model", seconds=SHORT)
    def _grow(self, model: str, asked: Asked) -> Iterator[Any]:
        import_core()
        from lmlab.generation.advice import given
        from lmlab.generation.complete import prompt_ids
        from lmlab.generation.continuations import iter_tree

        def steps(lms: "list[LM]") -> Iterator[Any]:
            prompt = given(lms[0], asked.prompt, chat=asked.chat).prompt
            ids, start = prompt_ids(lms[0], prompt), [token for token, _ in asked.start]
            return iter_tree(lms[0], prompt, ids, asked.config, asked.extent, start)

        yield from self.lab.with_models([ModelRef.parse(model)], steps)

    def shaped(self, tree: "Continuations", config: GenerateConfig) -> "Shaped":
        """What the controls make of a tree; runs no model."""
        import_core()
        from lmlab.generation.continuations import shaped

        return shaped(tree, config)
