"""The map of tasks, as the page asks for it. It follows from the embedded suite
alone, so that it is measured once and kept for everybody. Imports no torch before it is measured.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from threading import Lock
from typing import TYPE_CHECKING

from lmlab.errors import InputError
from lmlab.features.change import task_texts
from lmlab.features.change.task_texts import Kind
from lmlab.features.change.taskmap import TaskMap
from lmlab.lab import Lab, import_core
from lmlab.lent_gpu import runs_models
from lmlab.maths.agreement import spread
from lmlab.models.refs import ModelRef
from lmlab.progress import Loading

if TYPE_CHECKING:
    from lmlab.features.change.between import Between

Found = Mapping[str, Sequence["Between"]]

BASE = "base"
ROWS = 8
MOST_ROWS = 24
GENERAL = "stories"
KEPT = 4


@dataclass(frozen=True, slots=True)
class Mapped:
    """How far a map is: texts read by every model, of how many, and of which kind."""

    done: int
    total: int
    kind: str


@dataclass(frozen=True)
class TaskMaps:
    """What can be asked about the embedded variants together.

    Attributes:
        lab: over whose models.
    """

    lab: Lab
    _kept: dict[int, TaskMap] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def variants(self) -> list[tuple[str, str]]:
        """(name, task) of the base and of all that was made from it."""
        adapters = self.lab.store.embedded_adapters()
        tasks = task_texts.tasks(adapters)
        found = [(f"{BASE}+{name}", name.partition("-")[0]) for name in adapters]
        found += [(name, name) for name in self.lab.store.embedded() if name in tasks]
        return [(BASE, ""), *((name, task) for name, task in found if task in tasks)]

    def kept(self, rows: int = ROWS) -> TaskMap | None:
        """The map, where it has been measured."""
        with self._lock:
            return self._kept.get(rows)

    def measure(self, rows: int = ROWS) -> Iterator[Loading | Mapped | TaskMap]:
        """The map from some rows of each task; others use the models in between.

        Raises:
            InputError: too many rows, or no variants.
        """
        if not 2 <= rows <= MOST_ROWS:
            raise InputError(f"From 2 to {MOST_ROWS} rows of a task are read, not {rows}.")
        known = self.kept(rows)
        if known is not None:
            yield known
            return
        variants = self.variants()
        if BASE not in self.lab.store.embedded() or len(variants) < 3:
            raise InputError("There are no tuned variants of ‘base’ here to make a map of.")
        for step in self._measured([name for name, _ in variants], rows):
            if isinstance(step, TaskMap):
                with self._lock:
                    while len(self._kept) >= KEPT:
                        self._kept.pop(next(iter(self._kept)))
                    self._kept[rows] = step
            yield step

    @runs_models("names")
    def _measured(self, names: Sequence[str], rows: int) -> Iterator[Loading | Mapped | TaskMap]:
        import_core()
        from lmlab.features.change.between import between
        from lmlab.scoring.score import ScoreRequest

        refs = [ModelRef.parse(name) for name in names]
        for ref in refs:
            yield from self.lab.ready(ref)
        kinds = self._kinds(rows)
        total, done = sum(len(kind.passages) for kind in kinds), 0
        found: dict[str, list[Between]] = {}
        for kind in kinds:
            yield Mapped(done, total, kind.name)
            with self.lab.store.borrow_all(refs) as lms:
                for passage in kind.passages:
                    found.setdefault(kind.name, []).append(between(lms, ScoreRequest(*passage[:2])))
                    done += 1
                    yield Mapped(done, total, kind.name)
        yield _map(self.variants(), found)

    def _kinds(self, rows: int) -> list[Kind]:
        """Each task's held-out rows, then stories."""
        names = task_texts.tasks(self.lab.store.embedded_adapters())
        kinds = [
            Kind(name, task_texts.TASK, task_texts.passages(task_texts.shipped_rows(name), rows))
            for name in names
        ]
        return kinds + [kind for kind in task_texts.general(rows) if kind.name == GENERAL]


def _map(variants: Sequence[tuple[str, str]], found: Found) -> TaskMap:
    from lmlab.maths.mds import scaled

    kinds, size = tuple(found), range(len(variants))
    tasks = [found[kind] for kind in kinds if kind != GENERAL]
    distances = [
        [fmean(fmean(one.distances[i][j] for one in rows) for rows in tasks) for j in size]
        for i in size
    ]
    picture = scaled(distances)
    apart = [
        spread([one.distances[0][i] for one in found.get(task, ())])
        for i, (_, task) in enumerate(variants)
    ]
    return TaskMap(
        names=tuple(name for name, _ in variants),
        own=tuple(task for _, task in variants),
        kinds=kinds,
        n_rows=tuple(len(rows) for rows in found.values()),
        n_tokens=tuple(sum(one.n_tokens for one in rows) for rows in found.values()),
        distances=tuple(map(tuple, distances)),
        points=picture.points,
        stress=picture.stress,
        spread=tuple(apart),
        losses=tuple(tuple(_loss(rows, i) for rows in found.values()) for i in size),
    )


def _loss(rows: "Sequence[Between]", model: int) -> float:
    return -sum(one.logprob[model] for one in rows) / sum(one.n_tokens for one in rows)
