"""What fine-tuning changed in the weights, as the page asks for it; what cannot be asked is a
LabError. Imports no torch before a model has to be looked at.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from lmlab.errors import InputError, MemoryLimitError
from lmlab.features.change.changes import Changes, Knifed, MatrixView, Unchanged
from lmlab.features.change.family import Relative, relatives
from lmlab.features.change.task_texts import Passage, chat_of, held_out, passages
from lmlab.lab import Lab, import_core
from lmlab.lent_gpu import runs_models
from lmlab.models.refs import ModelRef
from lmlab.progress import Loading, Progress
from lmlab.training.sets import probe_texts

if TYPE_CHECKING:
    from lmlab.features.change.changes import MatrixChange
    from lmlab.features.change.rank_knife import Cut
    from lmlab.models.model import LM

TASK_ROWS = 60  # held-out rows that the knife scores at most
TASK_CHARACTERS = 5000
PROBES = 10  # general texts that it scores
MOST_PROBES = 60
BYTES_CUT = 12  # a number of ΔW whose parts are kept: twice in float32, and the numbers themselves


@dataclass(frozen=True)
class KnifeTexts:
    """What the rank knife is measured on."""

    data: str = ""  # a shipped set whose held-out rows are the task's; empty for what was learned
    task: str = ""  # a text of the task instead
    general: str = ""  # a general text instead of the shipped ones
    rows: int = TASK_ROWS  # held-out rows at most
    probes: int = PROBES  # shipped general texts


class Texts(NamedTuple):
    """What is scored of one kind, and in a few words what it is."""

    about: str
    passages: Sequence[Passage]


@dataclass(frozen=True)
class Changing:
    """What can be asked about a base and what was made from it."""

    lab: Lab

    def tuned(self, base: str) -> list[Relative]:
        """What was made from a base: adapters first, then whole models of its shape."""
        return relatives(self.lab.store, base)

    @runs_models("base", "tuned")
    def weights(
        self, base: str, tuned: str
    ) -> "Iterator[Loading | Progress | Changes | Unchanged]":
        """Measure every ΔW; progress counts matrices."""
        import_core()
        from lmlab.features.change.weight_change import count_changes, iter_changes

        refs = pair(base, tuned)
        yield from self._ready(refs)
        with self._borrow(refs) as (one, two):
            if soft := _soft(two):
                yield soft
                return
            found: list[MatrixChange] = []
            for change in iter_changes(one, two):
                found.append(change)
                yield Progress(len(found), count_changes(one, two))
            if not found:
                raise _same(base, tuned)
            yield Changes(one.name, two.name, tuple(found))

    @runs_models("base", "tuned")
    def matrix(self, base: str, tuned: str, name: str) -> Iterator[Loading | MatrixView]:
        """One matrix in full."""
        import_core()
        from lmlab.features.change.weight_change import deltas, view

        refs = pair(base, tuned)
        yield from self._ready(refs)
        with self._borrow(refs) as (one, two):
            wanted = next((d for d in deltas(one, two) if d.short_name == name), None)
            if wanted is None:
                raise InputError(f"No changed matrix is named ‘{name[:80]}’.")
            yield view(wanted)

    @runs_models("base", "tuned")
    def knife(
        self, base: str, tuned: str, on: KnifeTexts
    ) -> "Iterator[Loading | Progress | Knifed | Unchanged]":
        """Cut every ΔW to its k largest singular values and score both kinds of text, k by k.

        Yields a ``Knifed`` after each k; the models are free for others between two of them. In
        between, progress in decomposing counts matrices.
        """
        import_core()
        from lmlab.features.change import rank_knife
        from lmlab.features.change.weight_change import count_changes

        refs, general = pair(base, tuned), self.general(on)
        yield from self._ready(refs)
        task = self.task(tuned, on)
        texts = [one.request for one in task.passages], [one.request for one in general.passages]
        rank_knife.check(*texts)
        cuts: list[Cut] = []
        with self._borrow(refs) as (one, two):
            if soft := _soft(two):
                yield soft
                return
            self._check_room(one, two)
            for cut in rank_knife.iter_cuts(one, two):
                cuts.append(cut)
                yield Progress(len(cuts), count_changes(one, two))
        if not cuts:
            raise _same(base, tuned)
        ranks = rank_knife.default_ranks(cuts)
        found = Knifed(str(refs[0]), str(refs[1]), task.about, general.about, ranks)
        yield found
        for k in ranks:
            with self._borrow(refs) as (one, _):
                point = rank_knife.point(one, cuts, k, *texts)
            found = replace(found, points=(*found.points, point))
            yield found
        with self._borrow(refs) as (_, two):
            whole = rank_knife.measured(two, ranks[-1], *texts)
        yield replace(found, whole=whole)

    def task(self, tuned: str, on: KnifeTexts) -> Texts:
        """What ``knife`` scores of the task."""
        if on.task:
            return self._own(on.task)
        rows = held_out(self.lab.store, tuned, on.data)
        if rows is None or not rows.rows:
            said = f"Nothing says what ‘{tuned[:80]}’ was tuned on."
            raise InputError(
                "This run held no row out." if rows else said,
                "Choose a set, or give a text of its task.",
            )
        chat = chat_of(self.lab.store, tuned) if rows.template else None
        asked = passages(rows, max(1, min(on.rows, TASK_ROWS)), chat, TASK_CHARACTERS)
        lengths = accumulate(len(one.prefix) + len(one.text) for one in asked)
        found = asked[: max(1, sum(length <= TASK_CHARACTERS for length in lengths))]
        what = "texts" if rows.template is None else "answers, given their prompts"
        form = " in the chat form" if chat else ""
        return Texts(f"{len(found)} held-out {what}{form}, of ‘{rows.name[:60]}’", found)

    def general(self, on: KnifeTexts) -> Texts:
        """What it scores of general text; as ``task``."""
        if on.general:
            return self._own(on.general)
        found = [Passage(text) for text in probe_texts(max(1, min(on.probes, MOST_PROBES)))]
        return Texts(f"{len(found)} shipped texts of all kinds", found)

    def _own(self, text: str) -> Texts:
        self.lab.check_length(text)
        return Texts("your text", [Passage(text)])

    def _check_room(self, one: "LM", two: "LM") -> None:
        """Refuse to decompose more than there is memory for; an adapter is always small."""
        if one.model is two.model:
            return
        need = BYTES_CUT * sum(parameter.numel() for parameter in one.own_parameters().values())
        if need > (budget := self.lab.store.budget):
            raise MemoryLimitError(
                f"All of ΔW in parts needs {need / 1e9:.2g} GB, and {budget / 1e9:.2g} GB are set "
                "aside.",
                "Take a smaller model, or one that was tuned with LoRA.",
            )

    def _ready(self, refs: list[ModelRef]) -> Iterator[Loading]:
        for ref in refs:
            yield from self.lab.ready(ref)

    def _borrow(self, refs: list[ModelRef]) -> "AbstractContextManager[list[LM]]":
        return self.lab.store.borrow_all(refs)


def pair(base: str, tuned: str) -> list[ModelRef]:
    """Both models."""
    if not base or not tuned:
        raise InputError("Two models are needed.", "Choose a base, and what was made from it.")
    return [ModelRef.parse(base), ModelRef.parse(tuned)]


def _soft(tuned: "LM") -> Unchanged | None:
    soft = tuned.soft_prompt
    return None if soft is None else Unchanged(tuned.name, *soft.shape)


def _same(base: str, tuned: str) -> InputError:
    return InputError(
        f"‘{base[:80]}’ and ‘{tuned[:80]}’ are the same weights: nothing changed.",
        "Choose what was made from the base.",
    )
