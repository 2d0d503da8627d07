"""How far a tuned model moved, and how far all variants are from each other, as the page asks for
it; what cannot be asked is a LabError. Imports no torch before it is measured.
"""

import math
from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lmlab.budget import Measure, Rounds, by_chance
from lmlab.errors import InputError
from lmlab.features.change import task_texts
from lmlab.features.change.changes import Drift, Reading, SoFar, TaskMap
from lmlab.features.change.service import pair
from lmlab.features.change.task_texts import Kind, Passage
from lmlab.lab import Lab, import_core
from lmlab.lent_gpu import runs_models
from lmlab.memo import Memo
from lmlab.models.fair_lock import stepwise
from lmlab.models.refs import ModelRef
from lmlab.progress import Loading

if TYPE_CHECKING:
    from lmlab.features.change.drift import Between
    from lmlab.scoring.compared import Compared

ROWS = 10
MOST_ROWS = 40
OWN = "your own text"
MAP_ROWS = 8
MOST_MAP_ROWS = 24
BASE = "base"  # that the map is of
KEPT = 200  # kinds of text, each under two models, whose drift is known
Key = tuple[str, str, str, int]  # base, tuned, kind, rows


@dataclass(frozen=True)
class Drifting:
    """What can be asked about the distance between two models' distributions."""

    lab: Lab
    _kept: Memo[Key, Drift] = field(default_factory=lambda: Memo(KEPT), repr=False)

    def kinds(self, tuned: str, rows: int = ROWS, own: str = "") -> list[Kind]:
        """Texts of several kinds, ``rows`` of each at most: what the model was tuned for, in whose
        place a visitor's ``own`` may stand, general text, other tasks. Prompts take the form that
        it was tuned in."""
        self._check(rows, own)
        store, name = self.lab.store, task_texts.made_for(self.lab.store, tuned)
        chat = task_texts.chat_of(store, tuned)
        found = []
        if own.strip():
            found = [Kind(OWN, "task", task_texts.own_texts(own, rows))]
        elif task := task_texts.held_out(store, tuned):
            found = [Kind(name, "task", task_texts.passages(task, rows, chat))]
        others = (other for other in task_texts.tasks(store.embedded_adapters()) if other != name)
        found += task_texts.general(rows)
        found += (
            Kind(one, "other", task_texts.passages(task_texts.shipped_rows(one), rows, chat))
            for one in others
        )
        return [kind for kind in found if kind.passages]

    def _check(self, rows: int, own: str) -> None:
        if not 2 <= rows <= MOST_ROWS:
            raise InputError(f"From 2 to {MOST_ROWS} texts of a kind are scored, not {rows}.")
        self.lab.check_length(own)

    def measure(
        self,
        base: str,
        tuned: str,
        *,
        rows: int = ROWS,
        own: str = "",
        measure: Measure = "time",
    ) -> Iterator[Loading | Reading | SoFar | Drift]:
        """Each kind's ``Drift``, all kinds on as many texts, those that fit the time; others use
        the models in between.

        Of models that ship the shipped texts are read once.
        """
        refs = pair(base, tuned)
        self._check(rows, own)
        for ref in refs:
            yield from self.lab.ready(ref)
        stay, fresh = all(self.lab.store.ships(ref) for ref in refs), list[Kind]()
        for kind in self.kinds(tuned, rows, own):
            kept = stay and kind.name != OWN
            known = self._kept.get((base, tuned, kind.name, rows)) if kept else None
            if known:
                yield known
            else:
                fresh.append(kind)
        for step in self._read(base, tuned, fresh, measure):
            if stay and isinstance(step, Drift) and step.kind != OWN and not step.portion:
                self._kept.put((base, tuned, step.kind, rows), step)
            yield step

    def _read(
        self, base: str, tuned: str, kinds: Sequence[Kind], measure: Measure
    ) -> Iterator[Reading | SoFar | Drift]:
        import_core()
        from lmlab.features.change.drift import drift_of

        found: list[dict[int, Compared]] = [{} for _ in kinds]

        def drift(which: int) -> Drift:
            some = [one for _, one in sorted(found[which].items())]
            return drift_of(kinds[which].name, some, kinds[which].group)

        rounds = rounds_of(self.lab, kinds, measure)
        for turn in rounds:
            for which, kind in enumerate(kinds):
                places = by_chance(range(len(kind.passages)))[turn.start : turn.stop]
                if not places:
                    continue
                texts = [kind.passages[place] for place in places]
                read = zip(self._measured(base, tuned, texts), places, strict=False)
                for n, (one, place) in enumerate(read, 1):
                    found[which][place] = one
                    left = rounds.left(which, n / len(places))
                    yield Reading(*counted(found, kinds), kind.name, left)
                if found[which]:
                    whole = turn.stop >= len(kind.passages)
                    yield drift(which) if whole else SoFar(drift(which))
        for which, kind in enumerate(kinds):
            if rounds.portion and len(found[which]) < len(kind.passages):
                yield replace(drift(which), portion=rounds.portion)

    @runs_models("base", "tuned")
    def _measured(self, base: str, tuned: str, texts: Sequence[Passage]) -> "Iterator[Compared]":
        import_core()
        from lmlab.features.change.drift import iter_kind

        requests, most = [one.request for one in texts], self.lab.settings.max_tokens
        with self.lab.store.borrow_all(pair(base, tuned)) as (one, two):
            yield from stepwise([one, two], iter_kind(one, two, requests, max_tokens=most))


def rounds_of(lab: Lab, kinds: Sequence[Kind], measure: Measure) -> Rounds:
    """In which texts of all kinds are read."""
    most = max((len(kind.passages) for kind in kinds), default=0)
    seconds = math.inf if measure == "all" else lab.settings.study_seconds
    return Rounds(most, seconds, parts=len(kinds))


def counted(found: Sequence[Sized], kinds: Sequence[Kind]) -> tuple[int, int]:
    """How many texts are read, and how many there are."""
    return sum(map(len, found)), sum(len(kind.passages) for kind in kinds)


@dataclass(frozen=True)
class TaskMaps:
    """What can be asked about the embedded variants together. The map follows from the embedded
    suite alone, so that it is measured once and kept for everybody."""

    lab: Lab
    _kept: Memo[int, TaskMap] = field(default_factory=lambda: Memo(4), repr=False)

    def variants(self) -> list[tuple[str, str]]:
        """(name, task) of the base and of all that was made from it."""
        adapters = self.lab.store.embedded_adapters()
        tasks = task_texts.tasks(adapters)
        found = [(f"{BASE}+{name}", name.partition("-")[0]) for name in adapters]
        found += [(name, name) for name in self.lab.store.embedded() if name in tasks]
        return [(BASE, ""), *((name, task) for name, task in found if task in tasks)]

    def measure(
        self, rows: int = MAP_ROWS, measure: Measure = "time"
    ) -> Iterator[Loading | Reading | SoFar | TaskMap]:
        """The map from some rows of each task, as many of all as fit the time; others use the
        models in between."""
        if not 2 <= rows <= MOST_MAP_ROWS:
            raise InputError(f"From 2 to {MOST_MAP_ROWS} rows of a task are read, not {rows}.")
        if known := self._kept.get(rows):
            yield known
            return
        variants = self.variants()
        if BASE not in self.lab.store.embedded() or len(variants) < 3:
            raise InputError("There are no tuned variants of ‘base’ here to make a map of.")
        for step in self._measured([name for name, _ in variants], rows, measure):
            if isinstance(step, TaskMap) and not step.portion:
                self._kept.put(rows, step)
            yield step

    @runs_models("names")
    def _measured(
        self, names: Sequence[str], rows: int, measure: Measure
    ) -> Iterator[Loading | Reading | SoFar | TaskMap]:
        import_core()
        from lmlab.features.change.drift import between, task_map

        refs = [ModelRef.parse(name) for name in names]
        for ref in refs:
            yield from self.lab.ready(ref)
        kinds = self._kinds(rows)
        found: dict[str, dict[int, Between]] = {kind.name: {} for kind in kinds}
        rounds = rounds_of(self.lab, kinds, measure)

        def made() -> TaskMap:
            return task_map(
                self.variants(),
                {name: [one for _, one in sorted(some.items())] for name, some in found.items()},
            )

        for turn in rounds:
            for which, kind in enumerate(kinds):
                places = by_chance(range(len(kind.passages)))[turn.start : turn.stop]
                with self.lab.store.borrow_all(refs) as lms:
                    for n, place in enumerate(places, 1):
                        one = between(lms, kind.passages[place].request)
                        found[kind.name][place] = one
                        left = rounds.left(which, n / len(places))
                        yield Reading(*counted([*found.values()], kinds), kind.name, left)
            if turn.stop < rounds.total:
                yield SoFar(made())
        yield replace(made(), portion=rounds.portion)

    def _kinds(self, rows: int) -> list[Kind]:
        """Each task's held-out rows, then stories."""
        kinds = [
            Kind(name, "task", task_texts.passages(task_texts.shipped_rows(name), rows))
            for name in task_texts.tasks(self.lab.store.embedded_adapters())
        ]
        return kinds + [kind for kind in task_texts.general(rows) if kind.name == "stories"]
