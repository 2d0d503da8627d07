"""How far a tuned model moved, as the page asks for it. Imports no torch before
something is scored.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from lmlab.errors import InputError
from lmlab.features.change.changes import Drift
from lmlab.features.change.task_texts import (
    OTHER,
    TASK,
    Kind,
    chat_of,
    general,
    held_out,
    made_for,
    own_texts,
    passages,
    shipped_rows,
    tasks,
)
from lmlab.lab import Lab, import_core
from lmlab.lent_gpu import runs_models
from lmlab.memo import Memo
from lmlab.models.fair_lock import stepwise
from lmlab.models.refs import ModelRef
from lmlab.progress import Loading

ROWS = 10
MOST_ROWS = 40
OWN = "your own text"
KEPT = 200  # kinds of text, each under two models, whose drift is known
Key = tuple[str, str, str, int]  # base, tuned, kind, rows


@dataclass(frozen=True, slots=True)
class DriftProgress:
    """How far a measurement is: texts done, of how many, and of which kind the last one was."""

    done: int
    total: int
    kind: str


@dataclass(frozen=True)
class Drifting:
    """What can be asked about the distance between two models' distributions.

    Attributes:
        lab: over whose models.
    """

    lab: Lab
    _kept: Memo[Key, Drift] = field(default_factory=lambda: Memo(KEPT), repr=False)

    def kinds(self, tuned: str, rows: int = ROWS, own: str = "") -> list[Kind]:
        """Texts of several kinds: what the model was tuned for, general text, other tasks. Prompts
        take the form that it was tuned in.

        Args:
            tuned: the model's name, which tells its task.
            rows: most texts of a kind.
            own: a visitor's texts of the task, which stand in the place of the known one's.

        Raises:
            LabError: too many rows asked for, or too long a text; or the model cannot be had.
        """
        self._check(rows, own)
        store, name = self.lab.store, made_for(self.lab.store, tuned)
        chat = chat_of(store, tuned)
        found = []
        if own.strip():
            found = [Kind(OWN, TASK, own_texts(own, rows))]
        elif task := held_out(store, tuned):
            found = [Kind(name, TASK, passages(task, rows, chat))]
        others = (other for other in tasks(store.embedded_adapters()) if other != name)
        found += general(rows)
        found += (Kind(one, OTHER, passages(shipped_rows(one), rows, chat)) for one in others)
        return [kind for kind in found if kind.passages]

    def _check(self, rows: int, own: str) -> None:
        if not 2 <= rows <= MOST_ROWS:
            raise InputError(f"From 2 to {MOST_ROWS} texts of a kind are scored, not {rows}.")
        self.lab.check_length(own)

    def measure(
        self, base: str, tuned: str, *, rows: int = ROWS, own: str = ""
    ) -> Iterator[Loading | DriftProgress | Drift]:
        """Each kind's ``Drift`` as soon as it is known; others use the models in between.

        Of models that ship the shipped texts are read once.

        Raises:
            LabError: a model cannot be read, or the two have different tokens.
        """
        self._check(rows, own)
        refs = [ModelRef.parse(base), ModelRef.parse(tuned)]
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
                    yield DriftProgress(done + step, total, kind.name)
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
        from lmlab.scoring.score import ScoreRequest

        requests = [ScoreRequest(p.text, p.prefix, given=p.turn) for p in kind.passages]
        most = self.lab.settings.max_tokens
        refs = [ModelRef.parse(base), ModelRef.parse(tuned)]
        with self.lab.store.borrow_all(refs) as (one, two):
            steps = iter_kind(one, two, kind.name, requests, group=kind.group, max_tokens=most)
            yield from stepwise([one, two], steps)
