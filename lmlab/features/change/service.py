"""What fine-tuning changed in the weights, as the page asks for it.

Imports no torch before a model has to be looked at.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING

from lmlab.errors import InputError, MemoryLimitError
from lmlab.features.change.family import Relative, relatives
from lmlab.features.change.matrices import Changes, Knifed, MatrixView, Unchanged
from lmlab.features.change.task_texts import chat_of, held_out, made_for, passages
from lmlab.lab import Lab, import_core
from lmlab.lent_gpu import runs_models
from lmlab.models.refs import ModelRef
from lmlab.progress import Loading, Progress
from lmlab.text import sets as data
from lmlab.training.sets import probe_texts

if TYPE_CHECKING:
    from lmlab.features.change.changes import MatrixChange
    from lmlab.features.change.rank_knife import Cut
    from lmlab.models.model import LM
    from lmlab.scoring.score import ScoreRequest


TASK_ROWS = 60  # held-out rows that the knife scores at most
TASK_CHARACTERS = 5000
PROBES = 10  # general texts that it scores
MOST_PROBES = 60
BYTES_CUT = 12  # a number of ΔW whose parts are kept: twice in float32, and the numbers themselves


@dataclass(frozen=True)
class KnifeTexts:
    """What the rank knife is measured on.

    Attributes:
        data: a shipped set whose held-out rows are the task's; empty for what was learned.
        task: a text of the task instead.
        general: a general text instead of the shipped ones.
        rows: held-out rows at most.
        probes: shipped general texts.
    """

    data: str = ""
    task: str = ""
    general: str = ""
    rows: int = TASK_ROWS
    probes: int = PROBES


@dataclass(frozen=True)
class Changing:
    """What can be asked about a base and what was made from it.

    Attributes:
        lab: over whose models.
    """

    lab: Lab

    def tuned(self, base: str) -> list[Relative]:
        """What was made from a base: adapters first, then whole models of its shape."""
        return relatives(self.lab.store, base)

    def sets(self) -> list[str]:
        """Names of the shipped sets with held-out rows."""
        return data.shipped_sets()

    def made_for(self, tuned: str) -> str:
        """The set that a model was tuned on; empty where nothing says so."""
        return made_for(self.lab.store, tuned) if tuned else ""

    @runs_models("base", "tuned")
    def weights(
        self, base: str, tuned: str
    ) -> "Iterator[Loading | Progress | Changes | Unchanged]":
        """Measure every ΔW; progress counts matrices.

        Raises:
            LabError: a model cannot be had, or the two do not belong together.
        """
        import_core()
        from lmlab.features.change.weight_change import count_changes, iter_changes

        refs = _pair(base, tuned)
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
        """One matrix in full.

        Raises:
            LabError: there is none of that name, or what ``weights`` raises.
        """
        import_core()
        from lmlab.features.change.pictures import view
        from lmlab.features.change.weight_change import deltas

        refs = _pair(base, tuned)
        yield from self._ready(refs)
        with self._borrow(refs) as (one, two):
            wanted = next((d for d in deltas(one, two) if d.short_name == name), None)
            if wanted is None:
                raise InputError(f"No changed matrix is named ‘{name[:80]}’.")
            yield view(wanted)

    @runs_models("base", "tuned")
    def knife(
        self, base: str, tuned: str, on: KnifeTexts | None = None
    ) -> "Iterator[Loading | Progress | Knifed | Unchanged]":
        """Cut every ΔW to its k largest singular values and score both kinds of text, k by k.

        Yields a ``Knifed`` after each k; the models are free for others between two of them. In
        between, progress in decomposing counts matrices.

        Raises:
            LabError: no text, one that is too long, models that do not belong together, or too
                little memory.
        """
        import_core()
        from lmlab.features.change import rank_knife

        refs, asked = _pair(base, tuned), on or KnifeTexts()
        about_general, general = self._general(asked)
        yield from self._ready(refs)
        about, task = self._task(tuned, asked)
        rank_knife.check(task, general)
        cuts: list[Cut] = []
        for step in self._cuts(refs, cuts):
            yield step
            if isinstance(step, Unchanged):
                return
        ranks = rank_knife.default_ranks(rank_knife.highest(cuts))
        found = Knifed(str(refs[0]), str(refs[1]), about, about_general, ranks)
        yield found
        for k in ranks:
            with self._borrow(refs) as (one, _):
                point = rank_knife.point(one, cuts, k, task, general)
            found = replace(found, points=(*found.points, point))
            yield found
        with self._borrow(refs) as (_, two):
            whole = rank_knife.measured(two, ranks[-1], task, general)
        yield replace(found, whole=whole)

    def knife_texts(
        self, tuned: str, on: KnifeTexts
    ) -> tuple[list[tuple[str, str]], list[tuple[str, str]], bool]:
        """(prefix, text) of all that ``knife`` scores, of the task and general; and whether the
        prefixes of the task open a chat's turn.

        Raises:
            InputError: no text, or one that is too long.
        """
        task, general = self._task(tuned, on)[1], self._general(on)[1]
        pairs = [[(one.prefix, one.text) for one in part] for part in (task, general)]
        return pairs[0], pairs[1], any(one.given for one in task)

    def _cuts(self, refs: list[ModelRef], cuts: "list[Cut]") -> "Iterator[Progress | Unchanged]":
        """Decompose every ΔW into ``cuts``."""
        from lmlab.features.change.rank_knife import iter_cuts
        from lmlab.features.change.weight_change import count_changes

        with self._borrow(refs) as (one, two):
            if soft := _soft(two):
                yield soft
                return
            self._check_room(one, two)
            total = count_changes(one, two)
            for cut in iter_cuts(one, two):
                cuts.append(cut)
                yield Progress(len(cuts), total)
        if not cuts:
            raise _same(*map(str, refs))

    def _task(self, tuned: str, on: KnifeTexts) -> "tuple[str, list[ScoreRequest]]":
        from lmlab.scoring.score import ScoreRequest

        if on.task:
            return "your text", [self._own(on.task)]
        rows = held_out(self.lab.store, tuned, on.data)
        if rows is None or not rows.rows:
            said = f"Nothing says what ‘{tuned[:80]}’ was tuned on."
            raise InputError(
                "This run held no row out." if rows else said,
                "Choose a set, or give a text of its task.",
            )
        count = max(1, min(on.rows, TASK_ROWS))
        chat = chat_of(self.lab.store, tuned) if rows.template else None
        asked = passages(rows, count, chat, TASK_CHARACTERS)
        lengths = accumulate(len(one.prefix) + len(one.text) for one in asked)
        fitting = max(1, sum(length <= TASK_CHARACTERS for length in lengths))
        found = [ScoreRequest(one.text, one.prefix, given=one.turn) for one in asked[:fitting]]
        what = "texts" if rows.template is None else "answers, given their prompts"
        form = " in the chat form" if chat else ""
        return f"{len(found)} held-out {what}{form}, of ‘{rows.name[:60]}’", found

    def _general(self, on: KnifeTexts) -> "tuple[str, list[ScoreRequest]]":
        from lmlab.scoring.score import ScoreRequest

        if on.general:
            return "your text", [self._own(on.general)]
        found = [ScoreRequest(t) for t in probe_texts(max(1, min(on.probes, MOST_PROBES)))]
        return f"{len(found)} shipped texts of all kinds", found

    def _own(self, text: str) -> "ScoreRequest":
        from lmlab.scoring.score import ScoreRequest

        self.lab.check_length(text)
        return ScoreRequest(text)

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


def _pair(base: str, tuned: str) -> list[ModelRef]:
    if not base or not tuned:
        raise InputError("Two models are needed.", "Choose a base, and what was made from it.")
    return [ModelRef.parse(base), ModelRef.parse(tuned)]


def _soft(tuned: "LM") -> Unchanged | None:
    soft = tuned.soft_prompt
    return None if soft is None else Unchanged(tuned.name, soft.shape[0], soft.shape[1])


def _same(base: str, tuned: str) -> InputError:
    return InputError(
        f"‘{base[:80]}’ and ‘{tuned[:80]}’ are the same weights: nothing changed.",
        "Choose what was made from the base.",
    )
