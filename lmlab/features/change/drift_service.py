"""How far a tuned model moved, and how far all variants are from each other, as the page asks for
it; what cannot be asked is a LabError. Imports no torch before it is measured.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lmlab.errors import InputError
from lmlab.features.change import task_texts
from lmlab.features.change.changes import Drift, Reading, TaskMap
from lmlab.features.change.service import pair
from lmlab.features.change.task_texts import Kind
from lmlab.lab import Lab, import_core
from lmlab.lent_gpu import runs_models
from lmlab.memo import Memo
from lmlab.models.fair_lock import stepwise
from lmlab.models.refs import ModelRef
from lmlab.progress import Loading

if TYPE_CHECKING:
    from lmlab.features.change.drift import Between

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
        self, base: str, tuned: str, *, rows: int = ROWS, own: str = ""
    ) -> Iterator[Loading | Reading | Drift]:
        """Each kind's ``Drift`` as soon as it is known; others use the models in between.

        Of models that ship the shipped texts are read once.
        """
        refs = pair(base, tuned)
        self._check(rows, own)
        for ref in refs:
            yield from self.lab.ready(ref)
        found = self.kinds(tuned, rows, own)
        stay = all(self.lab.store.ships(ref) for ref in refs)
        total, done = sum(len(kind.passages) for kind in found), 0
        for kind in found:
            key = (base, tuned, kind.name, rows)
            known = self._kept.get(key) if stay and kind.name != OWN else None
            for step in [known] if known else self._measured(base, tuned, kind):
                if not isinstance(step, Drift):
                    yield Reading(done + step, total, kind.name)
                    continue
                if stay and kind.name != OWN:
                    self._kept.put(key, step)
                yield step
            done += len(kind.passages)

    @runs_models("base", "tuned")
    def _measured(self, base: str, tuned: str, kind: Kind) -> Iterator[int | Drift]:
        """Texts of a kind that are done, then its drift."""
        import_core()
        from lmlab.features.change.drift import iter_kind

        requests, most = [one.request for one in kind.passages], self.lab.settings.max_tokens
        with self.lab.store.borrow_all(pair(base, tuned)) as (one, two):
            steps = iter_kind(one, two, kind.name, requests, group=kind.group, max_tokens=most)
            yield from stepwise([one, two], steps)


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

    def measure(self, rows: int = MAP_ROWS) -> Iterator[Loading | Reading | TaskMap]:
        """The map from some rows of each task; others use the models in between."""
        if not 2 <= rows <= MOST_MAP_ROWS:
            raise InputError(f"From 2 to {MOST_MAP_ROWS} rows of a task are read, not {rows}.")
        if known := self._kept.get(rows):
            yield known
            return
        variants = self.variants()
        if BASE not in self.lab.store.embedded() or len(variants) < 3:
            raise InputError("There are no tuned variants of ‘base’ here to make a map of.")
        for step in self._measured([name for name, _ in variants], rows):
            if isinstance(step, TaskMap):
                self._kept.put(rows, step)
            yield step

    @runs_models("names")
    def _measured(self, names: Sequence[str], rows: int) -> Iterator[Loading | Reading | TaskMap]:
        import_core()
        from lmlab.features.change.drift import between, task_map

        refs = [ModelRef.parse(name) for name in names]
        for ref in refs:
            yield from self.lab.ready(ref)
        kinds = self._kinds(rows)
        total, done = sum(len(kind.passages) for kind in kinds), 0
        found: dict[str, list[Between]] = {}
        for kind in kinds:
            yield Reading(done, total, kind.name)
            with self.lab.store.borrow_all(refs) as lms:
                for passage in kind.passages:
                    found.setdefault(kind.name, []).append(between(lms, passage.request))
                    done += 1
                    yield Reading(done, total, kind.name)
        yield task_map(self.variants(), found)

    def _kinds(self, rows: int) -> list[Kind]:
        """Each task's held-out rows, then stories."""
        kinds = [
            Kind(name, "task", task_texts.passages(task_texts.shipped_rows(name), rows))
            for name in task_texts.tasks(self.lab.store.embedded_adapters())
        ]
        return kinds + [kind for kind in task_texts.general(rows) if kind.name == "stories"]
